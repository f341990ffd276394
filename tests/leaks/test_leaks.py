"""A server that has served many connections of every kind holds no more than one that has served a few."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.providers import REAL_NAMES

SOAK = Path(__file__).with_name("soak.py")


@pytest.mark.parametrize("provider", REAL_NAMES)
def test_nothing_grows(provider: str) -> None:
    """Objects and descriptors are flat, and memory with them, over resets, aborts and ordinary requests.

    The long run, 200,000 against 1,000,000 requests, is the script's default.
    """
    command = [sys.executable, str(SOAK), "--transport", provider, "--early", "10000", "--late", "40000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=True)
    at = json.loads(done.stdout)
    assert at["late"]["descriptors"] <= at["early"]["descriptors"] + 3
    assert at["late"]["objects"] <= at["early"]["objects"] + 200
    assert at["late"]["rss"] <= at["early"]["rss"] + 1024 * 1024
