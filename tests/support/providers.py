"""The providers that a test runs over: those that can run here."""

from __future__ import annotations

from typing import Any

from highper_transports import registry

__all__ = ["EVERY", "REAL", "REAL_NAMES"]

REAL_NAMES = [name for name in ("asyncio", "uvloop", "epoll") if registry.why_not(name) is None]
REAL: list[Any] = [registry.transport(name) for name in REAL_NAMES]  # over real sockets
EVERY: list[Any] = [registry.transport("memory"), *REAL]
