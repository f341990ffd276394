"""A server that has served many connections of every kind holds no more than one that has served a few."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from support.providers import REAL_NAMES
from transports.fakes import HandTransport, RecordingStream

import highper_http as http
from highper_core import HttpConnection, Limits, Response, Role
from highper_core.pool import ContextPool
from highper_transports import Exchange, Service

SOAK = Path(__file__).with_name("soak.py")
PEAK = Path(__file__).with_name("peak.py")
MEGABYTE = 1024 * 1024
CHUNK = 64 * 1024  # bytes the epoll transport maps for records at a time


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


@pytest.mark.skipif("epoll" not in REAL_NAMES, reason="no epoll here")
def test_after_a_peak_epoll_holds_what_it_held_before() -> None:
    """Records, drivers and buffers of ten thousand connections are given back to the system, twice."""
    command = [sys.executable, str(PEAK), "--transport", "epoll"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=True)
    held = json.loads(done.stdout)
    connections = held["connections"]
    assert connections["accepted"] == 300 + 2 * held["visitors"]
    assert connections["open"] == connections["awake"] == connections["resting"] == 0
    assert connections["drivers_waiting"] <= 100
    assert max(held["after"]) <= held["before"] + MEGABYTE
    assert held["slab"] <= 2 * CHUNK


class Answering:
    """Answers everything at once, and keeps nothing."""

    def begin(self, exchange: Exchange) -> None:
        exchange.send_message(Response(status_code=200), b"hi")
        exchange.close()


def test_pools_begin_empty_and_full_ones_hold_less_than_a_megabyte(engine_name: str) -> None:
    """Both, after a crowd that left them full, say what they keep."""
    limits = Limits()
    contexts = ContextPool(lambda: http.Request(limits), http.Response)
    transport = HandTransport()
    service = Service(transport, Answering(), lambda: HttpConnection(Role.SERVER, engine=engine_name), limits)  # type: ignore[arg-type]
    assert contexts.statistics()["waiting"] == service.statistics()["drivers_waiting"] == 0
    tracemalloc.start()
    try:
        taken = [contexts.acquire() for _ in range(150)]
        while taken:
            contexts.release(taken.pop())
        streams = [RecordingStream(transport) for _ in range(150)]
        drivers = [service.wake(stream) for stream in streams]
        for driver in drivers:
            driver.received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", transport.now())
        for stream in streams:
            stream.owner = service
            stream.deliver_loss(None)
        del streams, stream, drivers, driver
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert service.statistics()["drivers_waiting"] == 100
    assert contexts.statistics()["waiting"] <= 100
    assert contexts.statistics()["created"] == 150
    assert kept < MEGABYTE
