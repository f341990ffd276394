"""Every case on real sockets, whole and byte by byte: both engines, every provider of real sockets.

The client ends its side behind the last byte, so that each conversation ends by itself and nothing waits for a clock.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from conformance.cuts import bytes_of
from conformance.load_cases import Case, load
from conformance.reporting import Answer, application, expected_answers, read_answers
from support.providers import REAL_NAMES

from highper_core import Limits, Role, available
from highper_http import Server
from highper_transports import registry

CASES = [case for case in load() if case.role is Role.SERVER and case.silence is None]
ENGINES = [name for name, reason in available().items() if reason is None]
MOST_PIECES = 2000
PATIENCE = 20.0


class Serving:
    """Servers in a thread, one for each set of limits, started when first asked for."""

    def __init__(self, provider: str, engine: str) -> None:
        self.provider = provider
        self.engine = engine
        self._servers: dict[Limits, Server] = {}
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._stop: asyncio.Event
        self._thread = threading.Thread(target=lambda: registry.transport(provider).run(self._main))
        self._thread.start()

    async def _main(self, _: Any) -> None:
        self._stop = asyncio.Event()
        self._ready.set_result(asyncio.get_running_loop())
        await self._stop.wait()
        for server in self._servers.values():
            await server.__aexit__(None, None, None)

    async def _start(self, limits: Limits) -> Any:
        if limits not in self._servers:
            self._servers[limits] = server = Server(
                application(),
                port=0,
                transport=self.provider,
                engine=self.engine,
                limits=limits,
                access_log=False,
                drain=1.0,
            )
            await server.__aenter__()
        return self._servers[limits].addresses[0]

    def address(self, limits: Limits) -> Any:
        """Return where a server with `limits` listens."""
        return asyncio.run_coroutine_threadsafe(self._start(limits), self._ready.result(PATIENCE)).result(PATIENCE)

    def close(self) -> None:
        """Stop them all."""
        self._ready.result(PATIENCE).call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


@pytest.fixture(
    scope="module", params=[(provider, engine) for provider in REAL_NAMES for engine in ENGINES], ids="-".join
)
def serving(request: pytest.FixtureRequest) -> Iterator[Serving]:
    provider, engine = request.param
    reason = registry.why_not(provider)
    if reason is not None:
        pytest.skip(reason)
    serving = Serving(provider, engine)
    yield serving
    serving.close()


def whole(data: bytes) -> list[bytes]:
    return [data] if data else []


def every_byte(data: bytes) -> list[bytes]:
    length = len(data) // MOST_PIECES + 1
    return [data[at : at + length] for at in range(0, len(data), length)]


def expected_on_sockets(case: Case) -> list[Answer]:
    """As in memory, but a message left open meets the end of input: no answer in content, 400 in a head."""
    expected = expected_answers(case)
    is_open = case.behind == "absent" and not case.fault and not case.end_of_input
    if is_open and expected[-1][0] == 408:
        expected.pop()
        if case.id == "pipelined-second-awaited":
            expected.append((400, b"", True))
    return expected


def converse(address: Any, pieces: list[bytes]) -> tuple[bytes, bool]:
    """Send and end our side; return all that came back, and whether the connection was reset."""
    with socket.create_connection(address, PATIENCE) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received, is_reset = b"", False
        try:
            for piece in pieces:
                client.sendall(piece)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            is_reset = True
        try:
            while data := client.recv(65536):
                received += data
        except ConnectionError:
            is_reset = True
        return received, is_reset


@pytest.mark.parametrize("cut", [whole, every_byte], ids=["whole", "every-byte"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case, serving: Serving, cut: Callable[[bytes], list[bytes]]) -> None:
    """The answers are those of the case, and the connection closes behind them."""
    expected = expected_on_sockets(case)
    received, is_reset = converse(serving.address(case.limits), cut(bytes_of(case)))
    answers = list(read_answers(received, case))
    if is_reset:  # the request was cut off, or more was sent behind a closed conversation, and its answer may be lost
        assert not expected or expected[-1][2], "the connection was to stay open"
        assert answers in (expected, expected[:-1])
    else:
        assert answers == expected
