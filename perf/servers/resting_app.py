"""What resting connections are held to: a short answer, and what the collector did. Connections may rest for a day.

Usage: resting_app.py TRANSPORT PORT [CERTIFICATE KEY].
"""

from __future__ import annotations

import gc
import sys
import time

from highper_core import Limits
from highper_http import App, Request
from highper_transports import server_context

DAY = 86_400.0

app = App(limits=Limits(idle_timeout=DAY))
pauses: list[tuple[int, float]] = []  # generation, seconds
_began = 0.0


def watch(phase: str, info: dict[str, int]) -> None:
    """Time what the garbage collector does. Called by it."""
    global _began
    if phase == "start":
        _began = time.perf_counter()
    else:
        pauses.append((info["generation"], time.perf_counter() - _began))


@app.get("/")
async def plain(request: Request) -> str:
    return "Hello, World!"


@app.get("/collector")
async def collector(request: Request) -> dict[str, object]:
    """Say how long collections took, and how long a full one takes now."""
    seen = list(pauses)
    gc.collect()
    return {"pauses": seen, "full": pauses[-1][1], "objects": len(gc.get_objects())}


if __name__ == "__main__":
    gc.callbacks.append(watch)
    transport, port, *pair = sys.argv[1:]
    secure = server_context(*pair) if pair else None
    app.listen(host="127.0.0.1", port=int(port), transport=transport, access_log=False, ssl=secure)
