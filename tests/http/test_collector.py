"""What start-up made is spared from collections where the process is the server's own, and nowhere else."""

from __future__ import annotations

import asyncio
import gc
import sys
import urllib.request
from collections.abc import Iterator

import pytest
from http_command import free_port, running

from highper_http import App, Request, Server
from highper_http.collector import startup_spared

SCRIPT = """
import gc, sys
from highper_http import App
app = App()

@app.get("/")
async def count(request):
    return str(gc.get_freeze_count())

app.listen(port=int(sys.argv[1]), access_log=False, transport="asyncio")
"""


def test_a_process_of_the_servers_own_spares_what_start_up_made() -> None:
    port = free_port()
    command, url = [sys.executable, "-P", "-c", SCRIPT, str(port)], f"http://127.0.0.1:{port}/"
    with running(command, port), urllib.request.urlopen(url, timeout=10) as answer:
        assert int(answer.read()) > 1000


def test_a_server_in_a_running_loop_leaves_the_collector_alone() -> None:
    app = App()

    @app.get("/")
    async def plain(request: Request) -> str:
        return ""

    async def main() -> int:
        async with Server(app, port=0, transport="asyncio"):
            return gc.get_freeze_count()

    before = gc.get_freeze_count()
    assert asyncio.run(main()) == before


@pytest.fixture
def nothing_spared() -> Iterator[None]:
    """As if this run of tests did not spare what it collected."""
    gc.unfreeze()
    yield
    gc.freeze()


@pytest.mark.usefixtures("nothing_spared")
@pytest.mark.parametrize("spared_before", [False, True])
def test_at_the_end_the_collector_is_as_it_was(spared_before: bool) -> None:
    if spared_before:
        gc.freeze()
    before = gc.get_freeze_count()
    try:
        with startup_spared():
            assert gc.get_freeze_count() > before
        assert bool(gc.get_freeze_count()) is spared_before
    finally:
        gc.unfreeze()
