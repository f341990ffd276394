"""One exchange after the other, faults and an orderly stop, by a driver whose connection and stream are fakes."""

from __future__ import annotations

from typing import Any

import pytest
from transports.bench import Bench, Toy
from transports.fakes import RecordingStream, respond

from highper_core import events as ev
from highper_core.errors import Fault, LocalProtocolError, RemoteProtocolError
from highper_transports.errors import StreamBroken, StreamClosed
from highper_transports.exchange import Exchange

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
