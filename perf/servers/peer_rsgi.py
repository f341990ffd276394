"""The RSGI application that granian is measured with: its own fastest interface, one constant answer."""

from __future__ import annotations

from typing import Any

HEADERS = [("content-type", "text/plain; charset=utf-8")]


async def app(scope: Any, protocol: Any) -> None:
    protocol.response_str(200, HEADERS, "Hello, World!")
