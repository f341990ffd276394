"""Hypothesis profiles: dev (the default), ci, long. `HYPOTHESIS_PROFILE` chooses."""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import HealthCheck, settings

__all__ = ["load"]

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

settings.register_profile("dev", max_examples=100, deadline=timedelta(seconds=2), suppress_health_check=_SLOW)
settings.register_profile("ci", max_examples=1_000, deadline=None, derandomize=True, suppress_health_check=_SLOW)
settings.register_profile("long", max_examples=100_000, deadline=None, suppress_health_check=_SLOW)


def load() -> None:
    """Load the profile that the environment names."""
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))
