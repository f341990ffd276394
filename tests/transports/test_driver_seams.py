"""What other protocols ask of the driver: to be taken over or replaced, to interleave exchanges, to be the client."""

from __future__ import annotations

import pytest
from transports.bench import Bench, Toy
from transports.fakes import HandTransport, Recorder, RecordingStream, respond
from transports.line_connection import LineConnection

from highper_core import events as ev
from highper_core.errors import RemoteProtocolError
from highper_core.state import Role
from highper_transports.driver import Driver
from highper_transports.errors import StreamBroken, StreamBusy, StreamClosed
from highper_transports.exchange import Exchange
from highper_transports.stream import Receiver

# Takeover


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
