"""Handlers that are cancelled or lose their peer: the exchange ends all the same, and what is told depends on why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from fake_exchange import FakeExchange
from support.dispatched import Cancelled, Pending, Served, ask, cancellation, raising

from highper_transports.errors import StreamBroken

__all__ = ["cancellation"]


@pytest.mark.parametrize("error", [Cancelled(), KeyboardInterrupt(), GeneratorExit()])
def test_errors_that_are_not_ours_leave_the_task(error: BaseException) -> None:
    """Cancellation ends the task as cancelled; the exchange has ended before."""

    async def handler(req: Any) -> None:
        await Pending()

    served = Served(handler)
    exchange = served.ask()
    assert exchange.task is served.task
    served.task.throw(error)
    assert served.task.error is error
    assert exchange.closed == 1
    assert exchange.complete or exchange.aborted


def test_disconnect_cancels_and_nothing_is_sent() -> None:
    """The handler of a client that is gone is cancelled, and its exchange ends without an answer."""

    async def handler(req: Any) -> None:
        await Pending()

    served = Served(handler)
    exchange = served.ask()
    exchange.disconnected = True
    served.dispatcher.disconnected(exchange, StreamBroken("gone"))
    assert served.task.cancelled
    served.task.throw(Cancelled())
    assert (exchange.head, exchange.closed) == (None, 1)


def test_a_route_may_opt_out_of_cancellation() -> None:
    """`cancel_on_disconnect=False` lets the handler finish; a stop still ends it."""

    async def handler(req: Any) -> None:
        await Pending()

    served = Served(handler, cancel_on_disconnect=False)
    exchange = served.ask()
    served.dispatcher.disconnected(exchange, StreamBroken("gone"))
    assert not served.task.cancelled
    served.dispatcher.cancel_sheltered()
    assert served.task.cancelled
    served.task.step()
    assert exchange.closed == 1
    assert not served.dispatcher._sheltered


def test_cancelled_at_a_stop_is_503(caplog: pytest.LogCaptureFixture) -> None:
    """What the drain deadline cancels is told to come back, and is no fault with a traceback in the log."""

    async def handler(req: Any) -> None:
        await Pending()

    served = Served(handler)
    exchange = served.ask()
    served.dispatcher.stopping = True
    served.task.throw(Cancelled())
    assert exchange.head.status_code == 503
    assert [(record.levelname, record.exc_info) for record in caplog.records] == [("WARNING", None)]
    assert "GET /a was cancelled by the stop" in caplog.text


def test_a_file_of_an_inline_handler_can_be_cut_off(tmp_path: Path) -> None:
    """What waits for a peer to take a file is a task, and ends with its peer or with a stop."""
    (tmp_path / "a.txt").write_bytes(b"abc")

    class Slow(FakeExchange):
        async def send_file(self, *args: Any) -> None:
            await Pending()

    served = Served(lambda req, res: res.file("a.txt", root=tmp_path), inline=True)
    exchange = served.ask(Slow())
    assert exchange.task is served.task
    served.dispatcher.disconnected(exchange, StreamBroken("gone"))
    assert served.task.cancelled
    served.task.throw(Cancelled())
    assert (exchange.aborted, exchange.closed) == (True, 1)


def test_the_peer_that_vanished_while_content_was_read() -> None:
    """A broken stream is no fault of the handler: no 500, no error in the log."""
    exchange = ask(raising(StreamBroken("gone")))
    assert (exchange.head, exchange.aborted, exchange.closed) == (None, True, 1)
