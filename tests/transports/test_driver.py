"""The driver by its promises, with a connection and a stream that are fakes: no loop, no socket, no real clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from transports.fakes import HandTransport, LineConnection, Recorder, RecordingStream, Task, respond

from highper_core import events as ev
from highper_core.errors import Fault, LocalProtocolError, RemoteProtocolError
from highper_core.limits import Limits
from highper_core.state import Role
from highper_transports.driver import Driver
from highper_transports.errors import StreamBroken, StreamBusy, StreamClosed
from highper_transports.exchange import Exchange
from highper_transports.stream import Receiver


class Bench:
    """A driver with fakes around it."""

    def __init__(
        self,
        answer: Callable[[Exchange], object] | None = None,
        *,
        role: Role = Role.SERVER,
        interleaved: bool = False,
        **limits: Any,
    ) -> None:
        self.transport = HandTransport()
        self.stream = RecordingStream(self.transport)
        self.connection = LineConnection(role, Limits(**limits), interleaved=interleaved)
        self.application = Recorder(answer)
        self.driver = Driver(self.stream, self.connection, self.application)

    def gives(self, text: str) -> None:
        self.stream.gives(text.replace("; ", "\n") + "\n")

    @property
    def exchange(self) -> Exchange:
        return self.application.begun[-1]

    @property
    def text(self) -> str:
        return self.stream.text

    def run(self, coroutine: Any) -> Task:
        return self.transport.spawn(coroutine)


# One exchange


def test_a_request_is_answered_in_one_write() -> None:
    bench = Bench(respond)
    bench.gives("request 0 GET")
    assert bench.stream.writes == [b"0 200\n0 data 2\n0 end\n"]
    assert not bench.driver.exchanges
    assert bench.connection.is_resting


def test_pipelined_requests_are_answered_in_one_write_from_a_flat_loop() -> None:
    """No request starts while its predecessor's step is on the stack."""
    depth = 0

    def answer(exchange: Exchange) -> None:
        nonlocal depth
        depth += 1
        assert depth == 1
        respond(exchange)
        depth -= 1

    bench = Bench(answer)
    bench.gives("; ".join(["request 0 GET"] * 50))
    assert len(bench.application.begun) == 50
    assert len(bench.stream.writes) == 1
    assert bench.text.count("0 200") == 50


def test_content_that_came_along_is_there_when_the_exchange_begins() -> None:
    seen: list[ev.Event | None] = []

    def answer(exchange: Exchange) -> None:
        seen.extend([exchange.receive_nowait(), exchange.receive_nowait(), exchange.receive_nowait()])
        respond(exchange)

    bench = Bench(answer)
    bench.gives("request 0 POST 5; data 0 5; end 0")
    assert seen == [ev.Data(b"xxxxx"), ev.END_OF_MESSAGE, ev.END_OF_MESSAGE]


def test_a_later_answer_is_corked_until_its_step_ends() -> None:
    bench = Bench()
    bench.gives("request 0 GET")
    bench.exchange.send(ev.Response(status_code=200))
    bench.exchange.send(ev.Data(b"ab"))
    assert bench.stream.writes == []
    bench.transport.turn()
    assert bench.stream.writes == [b"0 200\n0 data 2\n"]
    bench.exchange.send(ev.END_OF_MESSAGE)
    bench.exchange.close()
    assert bench.stream.writes[1:] == [b"0 end\n"]


def test_much_is_written_at_once() -> None:
    bench = Bench()
    bench.gives("request 0 GET")
    bench.exchange.send(ev.Response(status_code=200))
    bench.exchange.send(ev.Data(b"x" * 65536))
    assert len(bench.stream.writes) == 1
    assert bench.exchange.bytes_sent == 65536


def test_the_next_request_waits_for_the_answer_and_starts_on_a_later_pass() -> None:
    bench = Bench()
    bench.gives("request 0 GET; request 0 HEAD")
    assert len(bench.application.begun) == 1
    respond(bench.exchange)
    assert len(bench.application.begun) == 1
    bench.transport.turn()
    assert [exchange.request.method for exchange in bench.application.begun] == [b"GET", b"HEAD"]


def test_a_closed_exchange_reaches_nothing() -> None:
    bench = Bench(respond)
    bench.gives("request 0 GET")
    old = bench.exchange
    for call in (
        lambda: old.send(ev.END_OF_MESSAGE),
        lambda: old.send_message(ev.Response(status_code=200)),
        lambda: old.take_over(Toy()),
    ):
        with pytest.raises(StreamClosed):
            call()
    old.close()
    old.abort()
    assert bench.run(old.drain()).error is None
    assert bench.stream.calls == []


def test_receiving_from_a_closed_exchange_is_refused() -> None:
    bench = Bench()
    bench.gives("request 0 POST 5")
    exchange = bench.exchange
    respond(exchange)
    assert isinstance(bench.run(exchange.receive()).error, StreamClosed)
    assert isinstance(bench.run(exchange.send_file(None, 0, 1)).error, StreamClosed)  # type: ignore[arg-type]


def test_an_incomplete_answer_aborts() -> None:
    for events in ([], [ev.Response(status_code=200)], [ev.Response(status_code=200), ev.Data(b"x")]):
        bench = Bench()
        bench.gives("request 0 GET")
        for event in events:
            bench.exchange.send(event)
        bench.exchange.close()
        assert bench.stream.calls == ["abort"]


def test_the_application_may_abort() -> None:
    bench = Bench()
    bench.gives("request 0 GET")
    bench.exchange.abort()
    bench.transport.turn()
    assert bench.stream.calls == ["abort", "lost"]
    assert bench.exchange.disconnected
    assert isinstance(bench.application.lost[0][1], StreamClosed)


# Persistence


def test_a_file_that_was_not_sent_whole_aborts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection has accounted for all of it: the next answer must not stand in for the rest."""

    async def send_file(*args: Any) -> None:
        raise StreamBroken("the file ended early")

    monkeypatch.setattr(RecordingStream, "send_file", send_file)
    bench = Bench()
    bench.stream.sends_files = True
    bench.gives("request 0 GET; request 0 GET")
    bench.exchange.send(ev.Response(status_code=200))
    assert isinstance(bench.run(bench.exchange.send_file(None, 0, 3)).error, StreamBroken)  # type: ignore[arg-type]
    bench.exchange.send(ev.END_OF_MESSAGE)
    bench.exchange.close()
    bench.transport.turn()
    assert (bench.stream.calls, len(bench.application.begun)) == (["abort", "lost"], 1)


def test_a_last_answer_closes() -> None:
    bench = Bench(respond)
    bench.gives("request 0 GET close")
    assert bench.stream.calls == ["close"]
    bench.transport.turn()
    assert bench.stream.calls == ["close", "lost"]


def test_a_last_answer_with_bytes_unread_lingers() -> None:
    bench = Bench(respond)
    bench.gives("request 0 GET close; request 0 GET")
    assert bench.stream.calls == ["eof"]
    bench.gives("request 0 GET")
    assert len(bench.application.begun) == 1
    bench.stream.deliver_end()
    assert bench.stream.calls == ["eof", "close"]


def test_lingering_is_bounded_in_bytes_and_time() -> None:
    bench = Bench(respond, drained_content=100)
    bench.gives("request 0 GET close; junk")
    bench.stream.gives("y" * 80)
    assert bench.stream.calls == ["eof"]
    bench.stream.gives("y" * 80)
    assert bench.stream.calls == ["eof", "close"]
    bench.stream.gives("y" * 80)

    bench = Bench(respond)
    bench.gives("request 0 GET close; junk")
    bench.transport.advance(4.9)
    assert bench.stream.calls == ["eof"]
    bench.transport.advance(0.3)
    assert bench.stream.calls == ["eof", "close", "lost"]


# Faults


def test_a_fault_is_answered_and_lingers() -> None:
    bench = Bench()
    bench.gives("fault HOST_MISSING")
    assert bench.text == "0 400 close; 0 data 13; 0 end"
    assert bench.stream.calls == ["eof"]
    assert bench.application.begun == []


def test_a_fault_behind_a_request_waits_for_its_answer() -> None:
    bench = Bench()
    bench.gives("request 0 GET; fault METHOD_INVALID")
    assert bench.text == ""
    respond(bench.exchange)
    bench.transport.turn()
    assert bench.text.startswith("0 200; 0 data 2; 0 end; 0 400 close")


def test_a_silent_fault_just_closes() -> None:
    bench = Bench()
    bench.gives("fault DATA_UNEXPECTED")
    assert bench.text == ""
    assert bench.stream.calls == ["close"]


def test_a_fault_that_cannot_be_answered_closes() -> None:
    bench = Bench()
    bench.connection.send_message = _refuse  # type: ignore[method-assign]
    bench.gives("fault HOST_MISSING")
    assert bench.stream.calls == ["close"]


def _refuse(*args: object) -> None:
    raise LocalProtocolError(Fault.EVENT_ILLEGAL)


def test_a_fault_inside_content_reaches_the_reader() -> None:
    bench = Bench()
    bench.gives("request 0 POST chunked; data 0 3; fault CHUNK_SIZE_INVALID")
    assert not bench.stream.reading

    async def read() -> None:
        assert await bench.exchange.receive() == ev.Data(b"xxx")
        await bench.exchange.receive()

    task = bench.run(read())
    assert isinstance(task.error, RemoteProtocolError)
    assert task.error.fault is Fault.CHUNK_SIZE_INVALID
    respond(bench.exchange, 400)
    assert bench.text == "0 400 close; 0 data 2; 0 end"
    assert bench.stream.calls == ["eof"]
    assert bench.stream.reading


def test_a_fault_reaches_a_reader_that_already_waits() -> None:
    bench = Bench()
    bench.gives("request 0 POST chunked")
    task = bench.run(bench.exchange.receive())
    bench.gives("fault CHUNK_SIZE_INVALID")
    bench.transport.turn()
    assert isinstance(task.error, RemoteProtocolError)


def test_a_handler_that_ignores_the_fault_is_still_the_last() -> None:
    bench = Bench(respond)
    bench.gives("request 0 POST chunked; data 0 3; fault CHUNK_SIZE_INVALID")
    assert bench.text.startswith("0 200")
    assert "400" not in bench.text
    assert bench.stream.calls in (["eof"], ["close"])


# Content


def test_content_in_crumbs_fills_the_window_sooner() -> None:
    """What an event costs besides its content counts too, or a peer that sends single bytes could hold megabytes."""
    bench = Bench()
    bench.gives("request 0 POST chunked; " + "data 0 1; " * 600 + "end 0")
    assert not bench.stream.reading
    taken = 0
    while isinstance(bench.exchange.receive_nowait(), ev.Data):
        taken += 1
        bench.transport.turn()
    assert taken == 600
    assert bench.stream.reading


def test_a_slow_reader_stops_the_peer() -> None:
    """Content nobody asked for is bounded; reading goes on once it was taken."""
    bench = Bench()
    bench.gives("request 0 POST chunked; data 0 40000; data 0 40000; data 0 7; end 0")
    assert not bench.stream.reading
    assert bench.connection.clock_stopped
    exchange = bench.exchange
    assert isinstance(exchange.receive_nowait(), ev.Data)
    assert not bench.stream.reading
    assert isinstance(exchange.receive_nowait(), ev.Data)
    assert exchange.receive_nowait() is None
    bench.transport.turn()
    assert bench.stream.reading
    assert not bench.connection.clock_stopped
    assert exchange.receive_nowait() == ev.Data(b"x" * 7)
    assert exchange.receive_nowait() == ev.END_OF_MESSAGE


def test_pipelined_bytes_are_bounded() -> None:
    bench = Bench(pipelined=100)
    bench.gives("request 0 GET; " + "; ".join(["request 0 GET"] * 10))
    assert not bench.stream.reading
    for _ in range(11):
        respond(bench.exchange)
        bench.transport.turn()
    assert bench.stream.reading
    assert len(bench.application.begun) == 11


def test_closing_while_content_is_held_lets_the_rest_be_drained() -> None:
    bench = Bench()
    bench.gives("request 0 POST chunked; data 0 70000; data 0 10; end 0; request 0 GET")
    respond(bench.exchange)
    bench.transport.turn()
    assert len(bench.application.begun) == 2
    assert bench.stream.reading


def test_unread_content_is_drained_within_bounds() -> None:
    bench = Bench(respond)
    bench.gives("request 0 POST chunked; data 0 10")
    bench.gives("data 0 100000; end 0; request 0 GET")
    assert len(bench.application.begun) == 2
    assert bench.stream.calls == []


def test_too_much_unread_content_lingers() -> None:
    bench = Bench(respond, drained_content=1000)
    bench.gives("request 0 POST chunked")
    bench.gives("data 0 1001")
    assert bench.stream.calls == ["eof"]

    bench = Bench(respond, drained_content=1000)
    bench.gives("request 0 POST 1002; data 0 1")
    assert bench.stream.calls == ["eof"]


def test_unread_content_is_drained_for_a_while_only() -> None:
    bench = Bench(respond)
    bench.gives("request 0 POST chunked")
    bench.transport.advance(5.3)
    assert bench.stream.calls == ["close", "lost"]


def test_a_fault_in_drained_content_gets_no_second_answer() -> None:
    bench = Bench(respond)
    bench.gives("request 0 POST chunked")
    bench.gives("fault CHUNK_SIZE_INVALID")
    assert bench.text.count("end") == 1
    assert bench.stream.calls == ["eof"]


def test_100_continue_is_sent_when_content_is_asked_for() -> None:
    bench = Bench()
    bench.gives("request 0 POST 5 expect")
    assert bench.text == ""
    task = bench.run(bench.exchange.receive())
    assert bench.text == "0 100"
    bench.gives("data 0 5; end 0")
    bench.transport.turn()
    assert task.result == ev.Data(b"xxxxx")
    assert bench.run(bench.exchange.receive()).result == ev.END_OF_MESSAGE
    assert bench.text == "0 100"


def test_100_continue_is_not_sent_after_the_answer_began() -> None:
    bench = Bench()
    bench.gives("request 0 POST 5 expect")
    bench.exchange.send(ev.Response(status_code=200))
    bench.connection.expecting = True
    bench.run(bench.exchange.receive())
    bench.transport.turn()
    assert bench.text == "0 200"


def test_two_readers_are_refused() -> None:
    bench = Bench()
    bench.gives("request 0 POST 5")
    bench.run(bench.exchange.receive())
    assert isinstance(bench.run(bench.exchange.receive()).error, StreamBusy)


# Content straight into its final object


def filling(**limits: Any) -> Bench:
    bench = Bench(direct_content=100, **limits)
    bench.stream.fills = True
    return bench


def test_large_content_is_received_straight_into_its_object() -> None:
    bench = filling()
    bench.gives("request 0 POST 500; data 0 100")
    task = bench.run(bench.exchange.receive_content())
    assert bench.stream.intake is not None
    bench.stream.fills_in(150)
    bench.transport.turn()
    assert not task.done
    bench.stream.fills_in(250)
    bench.transport.turn()
    assert task.result == b"x" * 100 + b"y" * 400
    assert type(task.result) is bytes
    respond(bench.exchange)
    bench.gives("request 0 GET")
    assert len(bench.application.begun) == 2


def test_small_content_is_received_the_ordinary_way() -> None:
    bench = filling()
    bench.gives("request 0 POST 99")
    task = bench.run(bench.exchange.receive_content())
    assert bench.stream.intake is None
    bench.gives("data 0 99; end 0")
    bench.transport.turn()
    assert task.result == b"x" * 99


def test_content_that_has_come_whole_needs_no_filling() -> None:
    bench = filling()
    bench.gives("request 0 POST 200; data 0 200; end 0")
    assert bench.run(bench.exchange.receive_content()).result == b"x" * 200


def test_content_that_is_buffered_elsewhere_is_received_the_ordinary_way() -> None:
    bench = filling()
    bench.gives("request 0 POST 500; data 0 100")
    bench.connection.remaining = 300
    bench.run(bench.exchange.receive_content())
    assert bench.stream.intake is None


def test_100_continue_before_filling() -> None:
    bench = filling()
    bench.gives("request 0 POST 500 expect")
    bench.run(bench.exchange.receive_content())
    assert bench.text == "0 100"
    assert bench.stream.intake is not None


def test_filling_ends_with_the_peer() -> None:
    bench = filling()
    bench.gives("request 0 POST 500")
    task = bench.run(bench.exchange.receive_content())
    bench.stream.fills_in(100)
    bench.stream.deliver_end()
    bench.transport.turn()
    assert isinstance(task.error, StreamBroken)


def test_filling_ends_with_its_task_or_its_exchange() -> None:
    bench = filling()
    bench.gives("request 0 POST 500")
    task = bench.run(bench.exchange.receive_content())
    task.step(throw=KeyError())
    assert bench.stream.intake is None
    task = bench.run(bench.exchange.receive_content())
    assert bench.stream.intake is not None
    respond(bench.exchange)
    assert bench.stream.intake is None


def test_what_is_filled_in_after_the_end_is_nobodys() -> None:
    bench = filling()
    bench.gives("request 0 POST 500")
    bench.run(bench.exchange.receive_content())
    bench.driver.abort()
    bench.stream.fills_in(100)
    assert bench.connection.remaining == 500


def test_a_task_that_receives_already_keeps_content_from_being_filled_in() -> None:
    bench = filling()
    bench.gives("request 0 POST 500")
    bench.run(bench.exchange.receive())
    assert isinstance(bench.run(bench.exchange.receive_content()).error, StreamBusy)


# Pressure


def test_drain_waits_for_the_peer() -> None:
    bench = Bench()
    bench.gives("request 0 GET")
    bench.exchange.send(ev.Response(status_code=200))
    assert bench.run(bench.exchange.drain()).done
    bench.stream.blocks(70000)
    task = bench.run(bench.exchange.drain())
    assert not task.done
    assert isinstance(bench.run(bench.exchange.drain()).error, StreamBusy)
    bench.stream.unblocks()
    bench.transport.turn()
    assert task.done
    assert task.error is None


def test_no_request_starts_under_write_pressure() -> None:
    bench = Bench(respond)
    bench.stream.blocks(70000)
    bench.gives("request 0 GET")
    assert bench.application.begun == []
    bench.stream.unblocks()
    bench.transport.turn()
    assert len(bench.application.begun) == 1


def test_a_write_stall_aborts() -> None:
    bench = Bench()
    bench.gives("request 0 GET")
    bench.exchange.send_message(ev.Response(status_code=200), b"x" * 70000)
    bench.stream.blocks(70000)
    task = bench.run(bench.exchange.drain())
    bench.transport.advance(29.9)
    assert bench.stream.calls == []
    bench.transport.advance(0.3)
    assert bench.stream.calls == ["abort", "lost"]
    assert isinstance(task.error, StreamClosed)
    assert bench.application.lost


def test_a_slow_taker_is_not_a_stall() -> None:
    bench = Bench()
    bench.gives("request 0 GET")
    bench.exchange.send_message(ev.Response(status_code=200), b"x" * 70000)
    bench.stream.blocks(70000)
    for unsent in range(60000, 20000, -10000):
        bench.transport.advance(25)
        bench.stream.unsent = unsent
    assert bench.stream.calls == []
    bench.transport.advance(61)
    assert bench.stream.calls == ["abort", "lost"]


def test_a_peer_that_never_takes_a_small_answer_is_given_up() -> None:
    """Below the water mark nobody is told; the driver looks by itself once the connection is quiet."""
    bench = Bench(respond)
    bench.gives("request 0 GET")
    bench.stream.unsent = 20
    bench.transport.advance(32)
    assert bench.stream.calls == ["abort", "lost"]


def test_a_close_that_cannot_finish_becomes_an_abort() -> None:
    bench = Bench(respond)
    bench.stream.unsent = 20
    bench.gives("request 0 GET close")
    assert bench.stream.calls == ["close"]
    bench.transport.advance(31)
    assert bench.stream.calls == ["close", "abort", "lost"]


def test_a_small_answer_taken_late_is_no_stall() -> None:
    bench = Bench(respond)
    bench.gives("request 0 GET")
    bench.stream.unsent = 20
    bench.transport.advance(3)
    bench.stream.unsent = 0
    bench.transport.advance(60)
    assert bench.stream.calls == []


def test_a_writer_that_waits_is_told_of_the_peers_end() -> None:
    bench = Bench(half_close=False)
    bench.gives("request 0 GET")
    bench.stream.blocks(70000)
    task = bench.run(bench.exchange.drain())
    bench.stream.deliver_end()
    bench.transport.turn()
    assert isinstance(task.error, StreamBroken)


# Deadlines of the core


def test_a_late_head_is_answered_408() -> None:
    bench = Bench()
    bench.stream.gives("requ")
    bench.transport.advance(10.2)
    assert bench.text.startswith("0 408 close")
    assert bench.stream.calls == ["eof"]


@pytest.mark.parametrize("fault", [Fault.FIRST_BYTE_TIMEOUT, Fault.IDLE_TIMEOUT])
def test_silence_closes(fault: Fault) -> None:
    bench = Bench(respond)
    bench.gives("request 0 GET")
    bench.connection.deadlines[fault] = bench.transport.clock + 5
    bench.driver.arm(bench.transport.clock)
    bench.transport.advance(4.9)
    assert bench.stream.calls == []
    bench.transport.advance(0.3)
    assert bench.stream.calls == ["close", "lost"]
    assert bench.text.count("200") == 1


def test_late_content_fails_the_reader_and_is_answered_by_the_application() -> None:
    bench = Bench()
    bench.connection.deadlines[Fault.CONTENT_TIMEOUT] = bench.transport.clock + 30
    bench.gives("request 0 POST chunked")
    task = bench.run(bench.exchange.receive())
    bench.transport.advance(30.2)
    assert isinstance(task.error, RemoteProtocolError)
    assert task.error.status_hint == 408
    respond(bench.exchange, 408)
    assert bench.text.startswith("0 408 close")
    assert bench.stream.calls == ["eof"]
    bench.transport.advance(10)
    assert bench.stream.calls == ["eof", "close", "lost"]


# The peer ends


def test_half_close_after_a_request_is_still_answered() -> None:
    bench = Bench()
    bench.gives("request 0 GET; request 0 HEAD")
    bench.stream.deliver_end()
    respond(bench.exchange)
    bench.transport.turn()
    respond(bench.exchange)
    bench.transport.turn()
    assert bench.text.count("0 200") == 2
    assert bench.stream.calls == ["close", "lost"]


def test_half_close_may_count_as_disconnect() -> None:
    bench = Bench(half_close=False)
    bench.gives("request 0 GET")
    bench.stream.deliver_end()
    assert bench.exchange.disconnected
    assert isinstance(bench.application.lost[0][1], StreamBroken)
    assert bench.stream.calls == ["close"]
    bench.transport.turn()
    assert len(bench.application.lost) == 1


def test_end_inside_content_is_a_disconnect() -> None:
    bench = Bench()
    bench.gives("request 0 POST 5; data 0 2")
    assert bench.run(bench.exchange.receive()).result == ev.Data(b"xx")
    task = bench.run(bench.exchange.receive())
    bench.stream.deliver_end()
    bench.transport.turn()
    assert isinstance(task.error, StreamBroken)
    assert bench.application.lost[0][0] is bench.exchange
    bench.exchange.close()


def test_end_inside_a_head_is_answered_400() -> None:
    bench = Bench()
    bench.stream.gives("requ")
    bench.stream.deliver_end()
    assert bench.text.startswith("0 400 close")
    assert bench.stream.calls == ["close"]


def test_end_at_rest_closes() -> None:
    bench = Bench(respond)
    bench.gives("request 0 GET")
    bench.stream.deliver_end()
    assert bench.stream.calls == ["close"]


def test_end_after_a_fault_in_content_keeps_the_answer() -> None:
    bench = Bench()
    bench.gives("request 0 POST chunked; fault CHUNK_SIZE_INVALID")
    bench.stream.deliver_end()
    respond(bench.exchange, 400)
    assert bench.text.startswith("0 400")
    assert bench.stream.calls == ["close"]


def test_a_reset_ends_every_wait() -> None:
    bench = Bench()
    bench.gives("request 0 POST 5")
    bench.stream.blocks(70000)
    reading = bench.run(bench.exchange.receive())
    writing = bench.run(bench.exchange.drain())
    reset = ConnectionResetError()
    bench.stream.breaks(reset)
    bench.transport.turn()
    for task in (reading, writing):
        assert isinstance(task.error, StreamBroken)
        assert task.error.__cause__ is reset
    assert bench.exchange.disconnected
    assert [exchange for exchange, _ in bench.application.lost] == [bench.exchange]
    assert isinstance(bench.run(bench.exchange.drain()).error, StreamBroken)
    with pytest.raises(StreamClosed):
        bench.exchange.take_over(Toy())
    bench.exchange.close()
    assert len(bench.transport.timers) == 0


def test_what_arrived_whole_can_be_read_after_a_reset() -> None:
    bench = Bench()
    bench.gives("request 0 POST 5; data 0 5; end 0")
    bench.stream.breaks(ConnectionResetError())
    assert bench.exchange.receive_nowait() == ev.Data(b"xxxxx")
    assert bench.exchange.receive_nowait() == ev.END_OF_MESSAGE


# Stopping


def test_stopping_finishes_what_runs() -> None:
    bench = Bench()
    bench.gives("request 0 GET")
    bench.driver.shutdown()
    assert bench.stream.calls == []
    respond(bench.exchange)
    assert bench.text.startswith("0 200 close")
    assert bench.stream.calls == ["close"]


def test_stopping_after_the_head_left_closes_too() -> None:
    bench = Bench()
    bench.gives("request 0 GET")
    bench.exchange.send(ev.Response(status_code=200))
    bench.driver.shutdown()
    bench.exchange.send(ev.END_OF_MESSAGE)
    bench.exchange.close()
    assert bench.text == "0 200; 0 end"
    assert bench.stream.calls == ["close"]


def test_stopping_keeps_a_connection_field() -> None:
    bench = Bench()
    bench.gives("request 0 GET")
    bench.driver.shutdown()
    head = ev.Response(status_code=200, headers=[(b"Connection", b"close")])
    assert bench.driver.parting(head) is head


def test_stopping_closes_what_rests() -> None:
    bench = Bench(respond)
    bench.driver.shutdown()
    assert bench.stream.calls == ["close"]


def test_stopping_lets_a_head_that_is_arriving_finish() -> None:
    bench = Bench(respond)
    bench.stream.gives("requ")
    bench.driver.shutdown()
    assert bench.stream.calls == []
    bench.stream.gives("est 0 GET\n")
    assert bench.text.startswith("0 200 close")


# Takeover


class Toy(Receiver):
    """Notes what it gets."""

    def __init__(self) -> None:
        self.got: list[object] = []

    def received(self, data: bytes, now: float) -> None:
        self.got.append(data)

    def ended(self) -> None:
        self.got.append("ended")

    def lost(self, error: BaseException | None) -> None:
        self.got.append("lost")

    def writing_paused(self) -> None:
        self.got.append("paused")


def test_a_takeover_gets_the_leftover_and_all_that_follows() -> None:
    toy = Toy()

    def answer(exchange: Exchange) -> None:
        exchange.send(ev.InformationalResponse(status_code=101))
        exchange.take_over(toy)
        exchange.close()

    bench = Bench(answer)
    bench.gives("request 0 UPGRADE; raw bytes")
    assert bench.text == "0 101"
    assert toy.got == [b"raw bytes\n"]
    bench.stream.gives("more")
    bench.stream.deliver_end()
    bench.stream.breaks(ConnectionResetError())
    assert toy.got == [b"raw bytes\n", b"more", "ended", "lost"]
    assert bench.application.lost == []
    assert len(bench.transport.timers) == 0


def test_a_takeover_learns_of_pressure_and_of_the_end() -> None:
    toy = Toy()
    bench = Bench(pipelined=5)
    bench.gives("request 0 UPGRADE; 0123456789")
    assert not bench.stream.reading
    bench.stream.deliver_end()
    bench.stream.blocks(70000)
    bench.exchange.send(ev.InformationalResponse(status_code=101))
    bench.exchange.take_over(toy)
    assert toy.got == [b"0123456789\n", "ended", "paused"]
    assert bench.stream.reading


def test_a_connection_can_be_replaced_on_the_same_stream() -> None:
    """The receiver of a takeover may be another driver, with another connection."""
    second = Recorder(respond)

    def answer(exchange: Exchange) -> None:
        exchange.send(ev.InformationalResponse(status_code=101))
        driver = Driver(exchange.stream, LineConnection(interleaved=True), second)
        exchange.take_over(driver)
        exchange.close()

    bench = Bench(answer)
    bench.gives("request 0 UPGRADE; request 7 GET")
    assert bench.text == "0 101; 7 200; 7 data 2; 7 end"
    assert second.begun[0].stream_id == 7


def test_an_announced_switch_that_nobody_takes_aborts() -> None:
    def answer(exchange: Exchange) -> None:
        exchange.send(ev.InformationalResponse(status_code=101))
        exchange.close()

    bench = Bench(answer)
    bench.gives("request 0 UPGRADE")
    assert bench.stream.calls == ["abort"]


def test_a_prefix_before_http() -> None:
    """A receiver eats a line, then installs the driver with what was left."""
    transport = HandTransport()
    stream = RecordingStream(transport)
    application = Recorder(respond)

    class Prefix(Receiver):
        def __init__(self) -> None:
            self.seen = b""

        def received(self, data: bytes, now: float) -> None:
            self.seen += data
            prefix, newline, rest = self.seen.partition(b"\n")
            if newline:
                driver = Driver(stream, LineConnection(), application)
                self.seen = prefix
                if rest:
                    driver.received(rest, now)

    prefix = stream.receiver = Prefix()
    stream.gives("PROX")
    stream.gives("Y 1.2.3.4\nrequest 0 GET\n")
    assert prefix.seen == b"PROXY 1.2.3.4"
    assert stream.text == "0 200; 0 data 2; 0 end"


# Interleaving


def test_exchanges_of_two_streams_interleave() -> None:
    bench = Bench(interleaved=True)
    bench.gives("request 1 POST chunked; request 3 POST chunked; data 1 4; data 3 6; end 3")
    first, second = bench.application.begun
    assert (first.stream_id, second.stream_id) == (1, 3)
    assert second.receive_nowait() == ev.Data(b"x" * 6, 3)
    respond(second)
    assert first.receive_nowait() == ev.Data(b"x" * 4, 1)
    bench.gives("end 1")
    respond(first)
    assert bench.text == "3 200; 3 data 2; 3 end; 1 200; 1 data 2; 1 end"
    assert bench.stream.calls == []


def test_both_interleaved_exchanges_hear_of_a_loss() -> None:
    bench = Bench(interleaved=True)
    bench.gives("request 1 POST chunked; request 3 POST chunked")
    bench.stream.breaks(ConnectionResetError())
    assert [exchange.stream_id for exchange, _ in bench.application.lost] == [1, 3]


def test_interleaved_exchanges_are_held_back_together() -> None:
    bench = Bench(interleaved=True)
    bench.gives("request 1 POST chunked; request 3 POST chunked; data 1 70000; data 3 5; end 3")
    first, second = bench.application.begun
    assert second.receive_nowait() is None
    assert first.receive_nowait() is not None
    bench.transport.turn()
    assert second.receive_nowait() == ev.Data(b"x" * 5, 3)
    assert "Exchange 3" in repr(second)


def test_writers_of_every_stream_go_on_together() -> None:
    bench = Bench(interleaved=True)
    bench.gives("request 1 GET; request 3 GET")
    bench.stream.blocks(70000)
    tasks = [bench.run(exchange.drain()) for exchange in bench.application.begun]
    bench.stream.unblocks()
    bench.transport.turn()
    assert [task.done for task in tasks] == [True, True]


# The other role


def test_a_client_sends_and_receives() -> None:
    bench = Bench(role=Role.CLIENT)
    exchange = bench.driver.open(ev.Request(method=b"GET", target=b"/"), b"")
    bench.transport.turn()
    assert bench.text == "request 0 GET chunked; 0 data 0; 0 end"
    with pytest.raises(StreamBusy):
        bench.driver.open(ev.Request(method=b"GET", target=b"/"))
    task = bench.run(exchange.receive())
    bench.gives("0 103; 0 200; 0 data 5; 0 end")
    bench.transport.turn()
    assert isinstance(task.result, ev.InformationalResponse)
    assert isinstance(exchange.receive_nowait(), ev.Response)
    assert exchange.receive_nowait() == ev.Data(b"xxxxx")
    assert exchange.receive_nowait() == ev.END_OF_MESSAGE
    exchange.close()
    again = bench.driver.open(ev.Request(method=b"PUT", target=b"/"))
    again.send(ev.Data(b"abc"))
    again.send(ev.END_OF_MESSAGE)
    bench.transport.turn()
    assert bench.text.endswith("request 0 PUT chunked; 0 data 3; 0 end")


def test_a_client_that_reads_no_further_closes() -> None:
    bench = Bench(role=Role.CLIENT)
    exchange = bench.driver.open(ev.Request(method=b"GET", target=b"/"), b"")
    bench.gives("0 200")
    exchange.close()
    assert bench.stream.calls == ["close"]
    with pytest.raises(StreamClosed):
        bench.driver.open(ev.Request(method=b"GET", target=b"/"))


def test_a_client_learns_of_faults_and_of_the_end() -> None:
    bench = Bench(role=Role.CLIENT)
    exchange = bench.driver.open(ev.Request(method=b"GET", target=b"/"), b"")
    bench.gives("fault STATUS_LINE_INVALID")
    assert isinstance(bench.run(exchange.receive()).error, RemoteProtocolError)
    exchange.close()
    assert bench.stream.calls == ["close"]

    bench = Bench(role=Role.CLIENT)
    exchange = bench.driver.open(ev.Request(method=b"GET", target=b"/"), b"")
    bench.stream.deliver_end()
    assert isinstance(bench.run(exchange.receive()).error, StreamBroken)

    bench = Bench(role=Role.CLIENT)
    bench.gives("fault DATA_UNEXPECTED")
    assert bench.stream.calls == ["close"]
