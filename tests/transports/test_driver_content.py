"""Content that the driver receives: held back, drained within bounds, or straight into its final object."""

from __future__ import annotations

from typing import Any

from transports.bench import Bench
from transports.fakes import respond

from highper_core import events as ev
from highper_transports.errors import StreamBroken, StreamBusy

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
