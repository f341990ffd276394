"""A process that has opened many WebSockets, as server and as client, holds no more than after a few."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.providers import REAL_NAMES

SCRIPT = Path(__file__).with_name("sockets.py")


@pytest.mark.parametrize("provider", REAL_NAMES)
def test_nothing_grows_with_the_number_of_websockets(provider: str) -> None:
    """Opened, denied, closed, aborted, broken and dropped, with and without compression.

    The long run, 20,000 against 100,000, is the script's default.
    """
    command = [sys.executable, str(SCRIPT), "--transport", provider, "--early", "2000", "--late", "6000"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=True)
    at = json.loads(done.stdout)
    assert at["late"]["descriptors"] <= at["early"]["descriptors"]
    assert at["late"]["objects"] <= at["early"]["objects"] + 200
    assert at["late"]["rss"] <= at["early"]["rss"] + 2 * 1024 * 1024
