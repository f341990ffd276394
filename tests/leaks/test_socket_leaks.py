"""A process that has opened many WebSockets, as server and as client, holds no more than after a few.

HIGHPER_LEAK_SOCKETS says how many. Measured once with 100,000, of which 20,000 are warm-up (CPython 3.11.7, Linux, the
fast engine), growth for each 1,000 behind the warm-up:

    epoll    resident memory 205 bytes (16 KiB in all), objects none, descriptors none
    asyncio  resident memory 717 bytes (56 KiB in all), objects none, descriptors none
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.providers import REAL_NAMES

SCRIPT = Path(__file__).with_name("sockets.py")
LATE = int(os.environ.get("HIGHPER_LEAK_SOCKETS", "6000"))
"""How many are opened; a third of them are warm-up, 20,000 at most."""
EARLY = min(LATE // 60, 1000) * 20


@pytest.mark.timeout(120 + LATE // 50)
@pytest.mark.parametrize("provider", REAL_NAMES)
def test_nothing_grows_with_the_number_of_websockets(provider: str) -> None:
    """Opened, denied, closed, aborted, broken and dropped, with and without compression."""
    command = [sys.executable, str(SCRIPT), "--transport", provider, "--early", str(EARLY), "--late", str(LATE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110 + LATE // 50, check=True)
    at = json.loads(done.stdout)
    assert at["late"]["descriptors"] <= at["early"]["descriptors"]
    assert at["late"]["objects"] <= at["early"]["objects"] + 200
    assert at["late"]["rss"] <= at["early"]["rss"] + 2 * 1024 * 1024
