"""What is counted.

Every case is run `FEW` and `MANY` times between two marks, after a warm-up; what one costs is the difference of the two
counts divided by the difference of the numbers.
"""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

from messages import BROWSER_REQUEST, RESPONSE_FIELDS

from highper_core import HttpConnection, Response, Role
from highper_http import App, Request, Router, Server
from highper_http.middleware.compose import compose
from highper_transports.asyncio import AsyncioTransport

from .null import NOW, NullStream, NullTransport
from .slopes import FEW, MANY

__all__ = ["run"]

WARM_UP = 40

Work = Callable[[int], Callable[[], object]]  # prepares so many, and returns what does them


def parse(number: int) -> Callable[[], object]:
    """A browser's request from bytes to its events, all fields read; the connection is reset for the next."""
    connection = HttpConnection(Role.SERVER, engine="fast")

    def work() -> None:
        for _ in range(number):
            connection.receive_data(BROWSER_REQUEST, NOW)
            list(connection.next_event().headers)  # type: ignore[union-attr]
            connection.next_event()
            connection.reset()

    return work


def route(number: int) -> Callable[[], object]:
    """Five targets found among 200 routes: static, with query, one and two parameters, nowhere."""

    async def handler(request: object) -> None:
        """Never called."""

    router = Router()
    for resource in range(50):
        for pattern in ("", "/:id", "/{id:int}/parts/:part", "/files/*rest"):
            router.add("GET", f"/r{resource}{pattern}", handler)
    table = router.compile(compose)
    targets = [b"/r20", b"/r20?page=2", b"/r20/abc", b"/r20/42/parts/x", b"/nothing/here"]

    def work() -> None:
        for _ in range(number):
            for target in targets:
                table.match(b"GET", target)

    return work


def frame(number: int) -> Callable[[], object]:
    """An answer of five fields and 13 bytes of content: event built, framed, bytes collected."""
    connections = [HttpConnection(Role.SERVER, engine="fast") for _ in range(number)]
    for connection in connections:
        connection.receive_data(BROWSER_REQUEST, NOW)
        connection.next_event()
        connection.next_event()

    def work() -> None:
        for connection in connections:
            connection.send_message(Response(status_code=200, headers=RESPONSE_FIELDS), b"Hello, World!")
            connection.data_to_send()

    return work


def exchange(stream: NullStream) -> Work:
    """A request delivered to an application's stream, up to its answer written; an `async def` handler."""

    def prepare(number: int) -> Callable[[], object]:
        def work() -> None:
            for _ in range(number):
                stream.deliver(BROWSER_REQUEST, NOW)

        return work

    return prepare


def started(loop: asyncio.AbstractEventLoop) -> NullStream:
    """Return a stream of a running application."""
    app = App()

    @app.get("/articles/:year/:month/:name")
    async def article(request: Request) -> str:
        return "Hello, World!"

    async def start() -> NullStream:
        transport = NullTransport()
        await Server(app, engine="fast", access_log=False).start(transport)
        return transport.dial()

    return loop.run_until_complete(start())


def run_in_loop(loop: asyncio.AbstractEventLoop, work: Callable[[], None]) -> None:
    """Run `work` from the loop and outside of any task, as a transport delivers."""
    failures: list[BaseException] = []

    def step() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        loop.stop()

    loop.call_soon(step)
    loop.run_forever()
    if failures:
        raise failures[0]


class Marks:
    """Begin and end of what is counted."""

    def __init__(self, library: str) -> None:
        marks = ctypes.PyDLL(library)
        self.instrument, self._begin, self._end = marks.instrument, marks.begin, marks.end

    def count(self, name: str, work: Callable[[], object]) -> None:
        """Count `work` under `name`."""
        label = name.encode()
        self._begin()
        work()
        self._end(label)


def run(library: str) -> None:
    """Count all cases, with the compiled marks in `library`."""
    marks = Marks(library)
    loop = AsyncioTransport.new_loop()
    stream = started(loop)
    cases: dict[str, Work] = {"parse": parse, "route": route, "frame": frame, "exchange": exchange(stream)}
    marks.instrument()

    def count() -> None:
        for name, prepare in cases.items():
            prepare(WARM_UP)()
            for number in (FEW, MANY):
                marks.count(f"{name} {number}", prepare(number))
        if not stream.written.startswith(b"HTTP/1.1 200 "):
            raise RuntimeError(f"the application answered {stream.written!r}")

    run_in_loop(loop, count)
