"""Streams that are ready together are taken forward a stage at a time, and nobody notices but the processor."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import socket
from collections.abc import Callable
from typing import Any

import pytest
from support.providers import REAL
from support.sockets import Served, served

from highper_core import HttpConnection, Limits, Response, Role
from highper_http import App, Request, Server
from highper_transports.asyncio.tasks import TaskStarter
from highper_transports.asyncio.turn import Turn
from highper_transports.driver import Driver
from highper_transports.stream import Receiver, Stream
from highper_transports.timers import TimerWheel

GET = b"GET /%d HTTP/1.1\r\nhost: site.example\r\n\r\n"


class Stepping(Receiver):
    """Says what it does, and gives way until it has been called `times` times."""

    def __init__(self, name: str, turn: Turn, said: list[str], times: int = 2) -> None:
        self.name, self.turn, self.said, self.times = name, turn, said, times
        self.stream = Stream(None)  # type: ignore[arg-type]
        self.stream.receiver = self
        self.act: Callable[[], object] | None = None

    def proceed(self, now: float) -> None:
        self.said.append(f"{self.name} at {now:g}")
        self.times -= 1
        if self.act is not None:
            self.act()
        if self.times:
            assert self.turn.give_way(self.stream)


def gathered(turn: Turn, said: list[str], *names: str) -> list[Stepping]:
    """Receivers that have given way, as in a read event."""
    steppings = [Stepping(name, turn, said) for name in names]
    turn.is_open = True
    for stepping in steppings:
        assert turn.give_way(stepping.stream)
    turn.is_open = False
    return steppings


def test_nobody_gives_way_where_no_others_are_served() -> None:
    turn = Turn()
    assert not turn.give_way(Stream(None))  # type: ignore[arg-type]
    assert len(turn) == 0


def test_everybody_comes_as_far_before_anybody_goes_on() -> None:
    said: list[str] = []
    turn = Turn()
    gathered(turn, said, "a", "b", "c")
    turn.go(7.0)
    assert said == ["a at 7", "b at 7", "c at 7"] * 2
    assert len(turn) == 0
    assert not turn.is_open


def test_one_that_raises_keeps_nobody_back() -> None:
    said: list[str] = []
    turn = Turn()
    _, broken, _ = gathered(turn, said, "a", "b", "c")

    def fail() -> None:
        raise LookupError

    broken.act = fail
    with pytest.raises(LookupError):
        turn.go(7.0)
    assert turn.take_failed() is broken.stream
    assert turn.take_failed() is None
    assert not turn.is_open
    turn.go(8.0)
    assert sorted(said) == ["a at 7", "a at 8", "b at 7", "c at 8", "c at 8"]


def test_one_that_is_gone_is_passed_over() -> None:
    said: list[str] = []
    turn = Turn()
    first, second = gathered(turn, said, "a", "b")
    first.act = lambda: setattr(second.stream, "receiver", None)
    turn.go(7.0)
    assert said == ["a at 7", "a at 7"]


def started(turn: Turn, *handlers: Callable[[], Any]) -> tuple[TaskStarter, list[asyncio.Task[Any]]]:
    """Receivers that start a task each."""
    starter = TaskStarter(asyncio.get_running_loop())
    turn.first = starter.first
    tasks: list[asyncio.Task[Any]] = []
    steppings = gathered(turn, [], *map(str, range(len(handlers))))
    for stepping, handler in zip(steppings, handlers, strict=True):
        stepping.times = 1
        stepping.act = lambda handler=handler: tasks.append(starter.start(handler(), contextvars.copy_context()))
    return starter, tasks


def in_a_loop(callback: Callable[[asyncio.Future[Any]], object]) -> Any:
    """Call back from the loop, outside any task, and return what the future gets."""

    async def main() -> Any:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(callback, done)
        return await done

    return asyncio.run(main())


def test_first_steps_run_when_all_tasks_were_made() -> None:
    """In their own contexts, current and among all tasks; what does not end is held and goes on."""
    variable = contextvars.ContextVar("variable", default="")
    said: list[str] = []

    async def short() -> str:
        assert asyncio.current_task() in asyncio.all_tasks()
        said.append(f"short {len(tasks)} {variable.get()}")
        variable.set("of the short one")
        return "short"

    async def long() -> str:
        said.append(f"long {len(tasks)} {variable.get()}")
        await asyncio.sleep(0)
        return "long"

    def event(done: asyncio.Future[Any]) -> None:
        nonlocal tasks
        turn = Turn()
        starter, tasks = started(turn, short, long, short)
        turn.go(0.0)
        assert tasks[1] in asyncio.all_tasks()
        done.set_result(([task.done() for task in tasks], len(starter), tasks))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(event, done)
        at_once, held, begun = await done
        assert (at_once, held) == ([True, False, True], 1)
        assert [await task for task in begun] == ["short", "long", "short"]

    tasks: list[asyncio.Task[Any]] = []
    asyncio.run(main())
    assert said == ["short 3 ", "long 3 ", "short 3 "]


def test_a_task_that_is_cancelled_before_its_first_step_never_begins() -> None:
    begun: list[str] = []

    async def first() -> None:
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def second() -> None:
        begun.append("second")

    def event(done: asyncio.Future[Any]) -> None:
        nonlocal tasks
        turn = Turn()
        _, tasks = started(turn, first, second)
        turn.go(0.0)
        done.set_result(None)

    tasks: list[asyncio.Task[Any]] = []
    in_a_loop(event)
    assert not begun
    assert tasks[1].cancelled()


def test_an_exit_in_a_first_step_leaves_the_others_to_the_loop() -> None:
    async def leaving() -> None:
        raise SystemExit(3)

    async def staying() -> str:
        return "stayed"

    def event(done: asyncio.Future[Any]) -> None:
        turn = Turn()
        _, tasks = started(turn, leaving, staying, staying)
        with pytest.raises(SystemExit):
            turn.go(0.0)
        while len(turn):
            turn.go(0.0)
        done.set_result(asyncio.gather(*tasks[1:]))

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()
        loop.call_soon(event, done)
        return await (await done)

    assert asyncio.run(main()) == ["stayed", "stayed"]


# Servers


Talk = Callable[..., None]


@pytest.fixture(params=REAL, ids=lambda provider: provider.name)
def talk(request: pytest.FixtureRequest) -> Talk:
    return functools.partial(serve, request.param)


def serve(provider: Any, app: App, main: Callable[[Served, list[socket.socket]], Any], peers: int = 5) -> None:
    """Serve, with connections that have been answered before, so that they are awake."""

    async def run(transport: Any) -> None:
        async with served(transport, app) as site:
            connected = []
            for _ in range(peers):
                peer = socket.create_connection(site.address)
                peer.settimeout(10)
                connected.append(peer)
            try:
                await answers(connected, GET % 0)
                await main(site, connected)
            finally:
                for peer in connected:
                    peer.close()

    provider.run(run)


async def answers(peers: list[socket.socket], *requests: bytes) -> list[bytes]:
    """Send each peer a request, the same or its own, before the loop looks, and return what each gets."""
    for index, peer in enumerate(peers):
        peer.sendall(requests[index % len(requests)])
    loop = asyncio.get_running_loop()
    return [await loop.run_in_executor(None, whole, peer) for peer in peers]


def whole(peer: socket.socket) -> bytes:
    """Return the content of one answer; b"" at the end of the stream."""
    got = b""
    while b"\r\n\r\n" not in got:
        try:
            piece = peer.recv(65536)
        except ConnectionError:
            return b""
        if not piece:
            return b""
        got += piece
    return got.partition(b"\r\n\r\n")[2]


def numbered(said: list[str]) -> App:
    app = App()

    @app.get("/:number")
    async def handler(request: Request) -> str:
        said.append(request.param("number"))
        if int(request.param("number")) % 2:
            await asyncio.sleep(0)
        return request.param("number")

    return app


def test_each_gets_its_own_answer(talk: Talk) -> None:
    said: list[str] = []

    async def main(site: Served, peers: list[socket.socket]) -> None:
        for turn in range(3):
            requests = [GET % (turn * 100 + index) for index in range(len(peers))]
            expected = [b"%d" % (turn * 100 + index) for index in range(len(peers))]
            assert await answers(peers, *requests) == expected

    talk(numbered(said), main, 70)
    assert len(said) == 4 * 70


def test_pipelined_requests_are_answered_in_order(talk: Talk) -> None:
    async def main(site: Served, peers: list[socket.socket]) -> None:
        for peer in peers:
            peer.sendall(GET % 1 + GET % 2 + GET % 3)
        for peer in peers:
            got = b""
            while got.count(b"HTTP/1.1") < 3 or not got.endswith(b"3"):
                got += await asyncio.get_running_loop().run_in_executor(None, peer.recv, 65536)
            contents = [part.partition(b"\r\n\r\n")[2] for part in got.split(b"HTTP/1.1")[1:]]
            assert contents == [b"1", b"2", b"3"]

    talk(numbered([]), main)


def test_one_whose_stream_ends_meanwhile_takes_nobody_with_it(talk: Talk) -> None:
    """A handler ends all other streams, whose requests were read and perhaps begun."""
    said: list[str] = []
    app = numbered(said)
    sites: list[Served] = []

    @app.get("/")
    async def ending(request: Request) -> str:
        service = sites[0].server._service
        for stream in list(service.awake):
            if stream is not request._exchange.stream:
                stream.abort()
        return "alone"

    async def main(site: Served, peers: list[socket.socket]) -> None:
        sites.append(site)
        said.clear()
        root = b"GET / HTTP/1.1\r\nhost: site.example\r\n\r\n"
        got = await answers(peers, root, GET % 2, GET % 3, GET % 4, GET % 5)
        assert got[0] == b"alone"
        assert [content in (b"", b"%d" % (index + 1)) for index, content in enumerate(got)][1:] == [True] * 4
        fresh = socket.create_connection(site.address)
        fresh.settimeout(10)
        assert await answers([fresh], GET % 8) == [b"8"]
        fresh.close()
        for peer in peers:
            peer.close()
        await site.settle()
        assert site.server._service.statistics()["awake"] == 0

    talk(app, main)


@pytest.mark.parametrize("bad", [b"GET /x\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x00\r\n\r\n"])
def test_one_that_breaks_a_rule_is_refused_alone(talk: Talk, bad: bytes) -> None:
    async def main(site: Served, peers: list[socket.socket]) -> None:
        got = await answers(peers, GET % 1, bad, GET % 3, GET % 4, GET % 6)
        assert [got[index] for index in (0, 2, 3, 4)] == [b"1", b"3", b"4", b"6"]
        assert got[1]
        assert not peers[1].recv(10)

    talk(numbered([]), main)


@pytest.fixture(params=REAL, ids=lambda provider: provider.name)
def provider(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("exits", [1, 2])
def test_an_exit_leaves_nobody_unanswered(provider: Any, exits: int) -> None:
    """Where it leaves the turn once, and again when the rest of it is served."""
    app = numbered([])

    @app.get("/exit", inline=True)
    def leave(request: Request) -> str:
        raise KeyboardInterrupt

    async def begin() -> tuple[Server, list[socket.socket]]:
        server = Server(app, port=0, access_log=False)
        await server.start(provider())
        peers = [socket.create_connection(server.addresses[0]) for _ in range(5)]
        for peer in peers:
            peer.settimeout(10)
        await answers(peers, GET % 0)
        return server, peers

    async def rest() -> list[bytes]:
        loop = asyncio.get_running_loop()
        return [await loop.run_in_executor(None, whole, peer) for peer in peers[::2]]

    loop = provider.new_loop()
    try:
        server, peers = loop.run_until_complete(begin())
        for index, peer in enumerate(peers):
            leaves = index in (1, 3)[:exits]
            peer.sendall(b"GET /exit HTTP/1.1\r\nhost: site.example\r\n\r\n" if leaves else GET % index)
        left = 0
        waiting = loop.create_task(rest())
        while not waiting.done():
            try:
                loop.run_until_complete(waiting)
            except KeyboardInterrupt:
                left += 1
        assert waiting.result() == [b"0", b"2", b"4"]
        assert 1 <= left <= exits
        for peer in peers:
            peer.close()
        loop.run_until_complete(server.finish())
        assert server._service.open == 0
    finally:
        loop.close()


# The driver


class Ground:
    """A transport on which nothing happens by itself."""

    def __init__(self) -> None:
        self.timers = TimerWheel(self.now, lambda when, callback: None)

    def now(self) -> float:
        return 0.0

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        pass


class Polite(Stream):
    """Always gives way, and keeps what is done to it."""

    unwritten = 0

    def __init__(self) -> None:
        super().__init__(Ground())  # type: ignore[arg-type]
        self.done: list[Any] = []

    def give_way(self) -> bool:
        return not self.done

    def write(self, data: bytes | list[bytes]) -> None:
        self.done.append("written")

    def abort(self) -> None:
        self.done.append("aborted")

    def close(self) -> None:
        self.done.append("closed")

    def pause_reading(self) -> None:
        self.done.append("paused")

    def resume_reading(self) -> None:
        self.done.append("resumed")


class Scripted:
    """An application that does `act` with an exchange, and the service of its only driver."""

    def __init__(self, act: Callable[[Any], object], limits: Limits | None = None) -> None:
        self.act = act
        self.told: list[str] = []
        self.retired: list[Driver] = []
        self.stream = Polite()
        self.driver = Driver(self.stream, HttpConnection(Role.SERVER, limits=limits or Limits()), self, self)  # type: ignore[arg-type]

    def begin(self, exchange: Any) -> None:
        self.told.append("begun")
        self.act(exchange)

    def disconnected(self, exchange: Any, error: BaseException | None) -> None:
        self.told.append("disconnected")

    def retire(self, driver: Driver) -> None:
        self.retired.append(driver)


def answered(exchange: Any) -> None:
    exchange.send_message(Response(status_code=200), b"hello")
    exchange.close()


def test_a_request_whose_stream_is_lost_is_never_begun() -> None:
    scene = Scripted(answered)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.lost(None)
    assert scene.told == []
    assert scene.retired == [scene.driver]


def test_a_driver_is_given_back_once() -> None:
    """Also where the stream is lost when the exchange has ended, and is not yet put away."""
    scene = Scripted(answered)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.proceed(0.0)
    assert scene.told == ["begun"]
    scene.driver.lost(None)
    assert scene.told == ["begun"]
    assert scene.retired == [scene.driver]


def test_a_stream_that_is_taken_over_gives_the_driver_back_at_once() -> None:
    def take(exchange: Any) -> None:
        exchange.take_over(receiver)
        exchange.close()

    receiver = Receiver()
    scene = Scripted(take)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.proceed(0.0)
    assert scene.stream.receiver is receiver
    assert scene.retired == [scene.driver]


def test_one_that_was_aborted_meanwhile_is_not_begun() -> None:
    scene = Scripted(answered)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.abort()
    scene.driver.proceed(0.0)
    assert scene.told == []
    scene.driver.lost(None)
    assert scene.retired == [scene.driver]


def test_one_that_waits_takes_no_more_than_others() -> None:
    """A loop that goes on receiving is told to stop at the bound of what is pipelined."""
    scene = Scripted(answered, Limits(pipelined=1000))
    for _ in range(30):
        scene.driver.received(GET % 1, 0.0)
    assert "paused" in scene.stream.done
    assert scene.told == []


def test_the_end_of_input_begins_what_was_read_before() -> None:
    scene = Scripted(answered)
    scene.driver.received(GET % 1, 0.0)
    scene.driver.ended()
    scene.driver.proceed(0.0)
    assert scene.told == ["begun"]
    assert "written" in scene.stream.done
