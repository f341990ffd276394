"""Rest and wake, counting, and the end of a server's streams."""

from __future__ import annotations

from collections.abc import Callable

from transports.fakes import HandTransport, Recorder, RecordingStream, respond
from transports.line_connection import LineConnection

from highper_core.errors import Fault
from highper_core.limits import Limits
from highper_core.state import Role
from highper_transports.driver import Driver
from highper_transports.exchange import Exchange
from highper_transports.service import Service
from highper_transports.stream import Receiver


class Mute(Receiver):
    """Takes a stream over and says nothing."""

    def received(self, data: bytes, now: float) -> None:
        raise AssertionError(data)


class Bench:
    """A service on fakes."""

    def __init__(self, answer: Callable[[Exchange], object] | None = respond, *, prepared: int = 100) -> None:
        self.transport = HandTransport()
        self.made: list[LineConnection] = []
        self.application = Recorder(answer)
        self.service = Service(self.transport, self.application, self._make, Limits(), prepared=prepared)  # type: ignore[arg-type]

    def _make(self) -> LineConnection:
        self.made.append(LineConnection(Role.SERVER))
        return self.made[-1]

    def stream(self) -> RecordingStream:
        stream = RecordingStream(self.transport)
        self.service.opened(stream)
        return stream

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.service.accepted, self.service.open, self.service.resting


def test_a_stream_begins_at_rest() -> None:
    bench = Bench()
    stream = bench.stream()
    assert stream.receiver is None
    assert bench.made == []
    assert bench.counts == (1, 1, 1)
    assert stream.calls == ["limit 65536 16384"]


def respond_and_idle(exchange: Exchange) -> None:
    """Answer, and have the connection wait for the next request as a real one does."""
    assert exchange.driver is not None
    connection, now = exchange.driver.connection, exchange.driver.transport.now()
    connection.deadlines[Fault.IDLE_TIMEOUT] = now + connection.limits.idle_timeout  # type: ignore[attr-defined]
    respond(exchange)


def crowd(bench: Bench, number: int) -> list[RecordingStream]:
    """Ask once on each of so many streams."""
    streams = [bench.stream() for _ in range(number)]
    for stream in streams:
        stream.gives("request 0 GET\n")
    return streams


def test_beyond_the_prepared_a_stream_rests_as_soon_as_it_has_nothing_to_do() -> None:
    bench = Bench(respond_and_idle, prepared=2)
    first, second, third = crowd(bench, 3)
    assert all("200" in stream.text for stream in (first, second, third))
    assert first.receiver is not None
    assert second.receiver is not None
    assert third.receiver is None
    assert bench.counts == (3, 3, 1)
    assert third.deadline == bench.transport.clock + 75


def test_beyond_the_prepared_a_stream_that_is_asked_again_at_once_stays_awake() -> None:
    bench = Bench(respond_and_idle, prepared=2)
    *_, third = crowd(bench, 3)
    third.gives("request 0 GET\n")
    assert third.receiver is not None
    assert third.text.count("200") == 2


def test_beyond_the_prepared_a_stream_that_is_asked_again_later_rests_again() -> None:
    bench = Bench(respond_and_idle, prepared=0)
    [stream] = crowd(bench, 1)
    bench.transport.advance(2)
    stream.gives("request 0 GET\n")
    assert stream.receiver is None
    assert stream.text.count("200") == 2


def test_a_crowd_makes_no_more_drivers_than_are_busy_at_once() -> None:
    bench = Bench(respond_and_idle, prepared=2)
    crowd(bench, 50)
    assert len(bench.made) == 3


def test_silence_from_the_start_closes() -> None:
    bench = Bench()
    stream = bench.stream()
    bench.transport.advance(9.9)
    assert "close" not in stream.calls
    bench.transport.advance(0.3)
    assert stream.calls[1:] == ["close", "lost"]
    assert bench.counts == (1, 0, 0)


def test_bytes_wake_and_quiet_lays_to_rest() -> None:
    bench = Bench()
    stream = bench.stream()
    stream.gives("request 0 GET\n")
    assert bench.counts == (1, 1, 0)
    bench.made[0].deadlines[Fault.IDLE_TIMEOUT] = bench.transport.clock + 75
    bench.transport.advance(2)
    assert stream.receiver is None
    assert bench.counts == (1, 1, 1)
    assert stream.deadline == 1075
    stream.gives("request 0 GET\n")
    assert stream.text.count("200") == 2
    assert len(bench.made) == 1


def test_idleness_at_rest_closes() -> None:
    bench = Bench()
    stream = bench.stream()
    stream.gives("request 0 GET\n")
    bench.made[0].deadlines[Fault.IDLE_TIMEOUT] = bench.transport.clock + 75
    bench.transport.advance(74.9)
    assert "close" not in stream.calls
    bench.transport.advance(0.3)
    assert stream.calls[1:] == ["close", "lost"]
    assert bench.counts == (1, 0, 0)


def test_many_streams_at_rest_share_few_connections() -> None:
    bench = Bench()
    for _ in range(50):
        bench.stream().gives("request 0 GET\n")
        bench.transport.advance(2)
    assert len(bench.made) == 1
    assert bench.service.resting == 50


def test_the_pool_is_bounded() -> None:
    bench = Bench(answer=None, prepared=3)
    streams = [bench.stream() for _ in range(10)]
    for made in (10, 17):
        for stream in streams:
            stream.gives("request 0 GET\n")
        assert len(bench.made) == made
        for exchange in bench.application.begun[-10:]:
            respond(exchange)
        bench.transport.advance(2)
        assert bench.service.resting == 10


def test_what_is_owed_or_buffered_forbids_rest() -> None:
    bench = Bench(answer=None)
    running, partial, unread = bench.stream(), bench.stream(), bench.stream()
    running.gives("request 0 GET\n")
    partial.gives("requ")
    unread.gives("request 0 GET\n")
    respond(bench.application.begun[-1])
    unread.unsent = 5
    bench.transport.advance(3)
    assert bench.service.resting == 0


def test_what_was_taken_over_does_not_rest() -> None:
    bench = Bench(answer=None)
    stream = bench.stream()
    stream.gives("request 0 UPGRADE\n")
    toy = Mute()
    exchange = bench.application.begun[0]
    exchange.take_over(toy)
    exchange.close()
    bench.transport.advance(200)
    assert stream.receiver is toy
    assert bench.counts == (1, 1, 0)


def test_end_and_loss_at_rest() -> None:
    bench = Bench()
    ending, breaking = bench.stream(), bench.stream()
    ending.deliver_end()
    bench.transport.turn()
    breaking.breaks(ConnectionResetError())
    assert bench.counts == (2, 0, 0)
    assert len(bench.transport.timers) == 0


def test_pressure_at_rest_is_nobodys() -> None:
    bench = Bench()
    stream = bench.stream()
    stream.blocks(1)
    stream.unblocks()
    assert stream.receiver is None


def test_a_lost_stream_gives_its_driver_back_once_its_exchange_is_closed() -> None:
    bench = Bench(answer=None)
    stream = bench.stream()
    stream.gives("request 0 GET\n")
    stream.breaks(ConnectionResetError())
    assert bench.made[0].resets == 1
    bench.application.begun[0].close()
    assert bench.made[0].resets == 2
    other = bench.stream()
    other.gives("request 0 GET\n")
    assert len(bench.made) == 1


def test_a_stale_exchange_cannot_reach_the_next_stream() -> None:
    bench = Bench()
    first, second = bench.stream(), bench.stream()
    first.gives("request 0 GET\n")
    bench.transport.advance(2)
    second.gives("request 0 GET\n")
    stale = bench.application.begun[0]
    stale.abort()
    stale.close()
    assert second.calls == ["limit 65536 16384"]


def test_a_driver_whose_stream_ends_before_its_next_pass_goes_back() -> None:
    """Half-closed, answered, closed at once: the pass of the loop that was still to come returns the driver."""
    bench = Bench(answer=None)
    stream = bench.stream()
    stream.gives("request 0 GET\n")
    stream.deliver_end()
    respond(bench.application.begun[0])
    bench.transport.turn()
    assert "lost" in stream.calls
    bench.stream().gives("request 0 GET\n")
    assert len(bench.made) == 1


def test_a_pooled_driver_keeps_no_stream_alive() -> None:
    bench = Bench()
    stream = bench.stream()
    stream.gives("request 0 GET\n")
    driver = stream.receiver
    stream.breaks(ConnectionResetError())
    assert isinstance(driver, Driver)
    assert driver.stream is None


def test_stop_closes_what_rests_and_finishes_what_runs() -> None:
    bench = Bench(answer=None)
    resting, running = bench.stream(), bench.stream()
    running.gives("request 0 GET\n")
    task = bench.transport.spawn(bench.service.stop(30))
    bench.transport.turn()
    assert resting.calls[1:] == ["close", "lost"]
    assert not task.done
    respond(bench.application.begun[0])
    bench.transport.turn()
    assert running.text.startswith("0 200 close")
    assert task.done
    assert task.error is None
    assert len(bench.transport.timers) == 0


def test_stop_with_nothing_open_returns_at_once() -> None:
    bench = Bench()
    assert bench.transport.spawn(bench.service.stop(30)).done


def test_stop_aborts_after_its_time() -> None:
    bench = Bench(answer=None)
    running, taken = bench.stream(), bench.stream()
    running.gives("request 0 GET\n")
    taken.gives("request 0 UPGRADE\n")
    exchange = bench.application.begun[1]
    exchange.take_over(Mute())
    exchange.close()
    taken.receiver = None  # a toy that went away
    task = bench.transport.spawn(bench.service.stop(30))
    bench.transport.advance(29.5)
    assert not task.done
    bench.transport.advance(1)
    assert task.done
    assert "abort" in running.calls
    assert [exchange for exchange, _ in bench.application.lost] == [bench.application.begun[0]]


def test_a_stream_that_opens_while_stopping_is_closed() -> None:
    bench = Bench()
    bench.transport.spawn(bench.service.stop(30))
    stream = bench.stream()
    bench.transport.turn()
    assert stream.calls[1:] == ["close", "lost"]
