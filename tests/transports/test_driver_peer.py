"""A driver and a peer that takes its time, or goes: write pressure, deadlines, half-closes and resets."""

from __future__ import annotations

import pytest
from transports.bench import Bench, Toy
from transports.fakes import respond

from highper_core import events as ev
from highper_core.errors import Fault, RemoteProtocolError
from highper_transports.errors import StreamBroken, StreamBusy, StreamClosed

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
