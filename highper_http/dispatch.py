# cython: annotation_typing=False
"""From an exchange to a handler and back: the application a driver talks to.

`begin` takes an exchange whose head has arrived, finds its route, and runs the route's endpoint in a task of its own
(an `inline` one in place), with its own copy of the contextvars that start-up left. Whatever the handler then does,
one of three things ends the exchange, and a line in the log says which: its answer, an error's answer while the head
has not left, an abort afterwards. `exchange.close()` is called exactly once.
"""

from __future__ import annotations

import logging
from contextvars import Context
from typing import TYPE_CHECKING, Any

from anyio import get_cancelled_exc_class
from zope.interface import classImplements

from highper_core._spares import keep_spares
from highper_core.errors import ProtocolError, RemoteProtocolError
from highper_core.events import Response as ResponseHead
from highper_transports.errors import StreamBroken, StreamClosed
from highper_transports.interfaces import IApplication

from ._native import copy_of, run_in
from .access_log import access_logger, escape, log_access
from .around import Around
from .date import http_date
from .endpoint import Call, call_in_thread
from .error_pages import render_error
from .errors import HTTPError

if TYPE_CHECKING:
    from highper_core.context import RequestContext
    from highper_core.pool import ContextPool
    from highper_transports.exchange import Exchange
    from highper_transports.interfaces import ITransport

    from .routing.route import Route
    from .routing.table import RouteTable

__all__ = ["Dispatcher"]

logger = logging.getLogger("highper.error")

_OVER = (StreamBroken, StreamClosed, KeyboardInterrupt, GeneratorExit)  # nobody is left to answer
AWAIT_1, AWAIT_2, INLINE_1 = int(Call.AWAIT_1), int(Call.AWAIT_2), int(Call.INLINE_1)


class Running(Around):
    """One handler's run: what a task steps. An inline one is called in place, and only what it leaves is stepped."""

    __slots__ = ("_dispatcher", "_context", "_route")

    def _set_up(self, dispatcher: Dispatcher, context: RequestContext, route: Route) -> None:
        self._be_new()
        self._dispatcher = dispatcher
        self._context: Any = context  # None once it has been given back
        self._route: Route | None = route  # None once the handler has returned

    def go(self) -> bool:
        """Call an inline handler; return whether that ended the exchange."""
        route, self._route = self._route, None
        assert route is not None
        return self._dispatcher._call_inline(self._context, route)

    def _begin(self) -> Any:
        context, route = self._context, self._route
        if route is None:
            return context.response._send_specially()
        call = route.call
        if call == AWAIT_1:
            return route.endpoint(context.request)
        if call == AWAIT_2:
            return route.endpoint(context.request, context.response)
        return call_in_thread(route.endpoint, call, context.request, context.response)

    def _returned(self, outcome: Any) -> Any:
        if self._route is None or self._dispatcher._answer(self._context, outcome):
            return None
        self._route = None
        return self._context.response._send_specially()

    def _raised(self, error: BaseException) -> None:
        try:
            self._dispatcher._fail(self._context, error)
            if self._dispatcher._must_leave(error):
                raise error
        finally:
            self._end()

    def _end(self) -> None:
        context, self._context = self._context, None  # the record may be wanted before the task is put away
        self._dispatcher._end(context)


class Dispatcher:
    """Runs an application's handlers for the exchanges of one server.

    Args:
        table: compiled routes.
        transport: where tasks run.
        contexts: pool of request contexts.
        variables: the contextvars that start-up left; every request runs in a copy.
        debug: developer mode.
        access_log: write a line per request.
    """

    __slots__ = (
        "_access_log",
        "_contexts",
        "_debug",
        "_lasting",
        "_sheltered",
        "_spawn",
        "_table",
        "_transport",
        "_variables",
        "_parting",
        "stopping",
    )

    def __init__(
        self,
        table: RouteTable,
        transport: ITransport,
        contexts: ContextPool,
        variables: Context,
        *,
        debug: bool = False,
        access_log: bool = True,
    ) -> None:
        self._table = table
        self._transport = transport
        self._spawn = transport.spawn
        self._contexts = contexts
        self._variables = variables
        self._debug = debug
        self._access_log = access_log
        self._sheltered: set[Exchange] = set()  # their routes run on when the peer is gone
        self._lasting: dict[Exchange, Any] = {}  # answers without an end of their own
        self._parting = False
        self.stopping = False

    # IApplication

    def begin(self, exchange: Exchange) -> None:
        """Take charge of an exchange."""
        try:
            head = exchange.request
            match = self._table.match(head.method, head.target)
            route = match[0]
            context = self._contexts.acquire()
            self._fill(context, exchange, route, match[1])
        except Exception:
            logger.exception("no route could be found for a request")
            self._answer_bare(exchange, 500)
            exchange.close()
            return
        variables = context.variables = copy_of(self._variables)
        running = Running.__new__(Running)
        running._set_up(self, context, route)
        if route.call >= INLINE_1:
            if run_in(variables, running):
                return
        elif not route.cancel_on_disconnect:
            self._sheltered.add(exchange)
        task = self._spawn(running, variables, route.label)
        if not running.is_over:
            context.task = exchange.task = task  # so that it can be cancelled

    def _fill(self, context: RequestContext, exchange: Exchange, route: Route, values: tuple[Any, ...]) -> None:
        """Write the request into its record. Apart from `begin`, whose step it must not hold a part of the record."""
        request = context.request
        request._begin(context, exchange, exchange.request, route, values)
        if self._access_log:
            request._started = self._transport.now()
        response = context.response
        response._exchange = exchange
        context.exchange = exchange

    def disconnected(self, exchange: Exchange, error: BaseException | None) -> None:
        """Cancel what runs for an exchange whose peer is gone, unless its route opted out."""
        if self._lasting and exchange in self._lasting:
            self._lasting[exchange].reader_vanished()
        if exchange.task is not None and (self.stopping or exchange not in self._sheltered):
            exchange.task.cancel()

    @property
    def is_sheltering(self) -> bool:
        """Whether a handler runs whose route opted out of cancellation."""
        return bool(self._sheltered)

    def cancel_sheltered(self) -> None:
        """Cancel what runs on although its peer may be gone."""
        for exchange in list(self._sheltered):
            if exchange.task is not None:
                exchange.task.cancel()

    # Answers without an end of their own

    def lasts(self, exchange: Exchange, answer: Any) -> None:
        """Tell `answer` when the peer is gone (`reader_vanished`), and when the server stops (`server_stops`)."""
        self._lasting[exchange] = answer
        if self._parting:
            answer.server_stops()

    def lasts_no_more(self, exchange: Exchange) -> None:
        """It has come to its end."""
        self._lasting.pop(exchange, None)

    def part(self) -> None:
        """Tell all of them that the server stops."""
        self._parting = True
        for answer in list(self._lasting.values()):
            answer.server_stops()

    # Running

    def _call_inline(self, context: RequestContext, route: Route) -> bool:
        """Call an inline handler; return False where its answer takes awaiting."""
        ended = True
        try:
            if route.call == INLINE_1:
                result = route.endpoint(context.request)
            else:
                result = route.endpoint(context.request, context.response)
            ended = self._answer(context, result)
        except BaseException as error:
            self._fail(context, error)
            if self._must_leave(error):
                raise
        finally:
            if ended:
                self._end(context)
        return ended

    def _must_leave(self, error: BaseException) -> bool:
        """Return whether `error` is the task's or the process's business and not only this exchange's."""
        if isinstance(error, Exception):
            return False
        return isinstance(error, (KeyboardInterrupt, GeneratorExit, get_cancelled_exc_class()))

    def _end(self, context: RequestContext) -> None:
        exchange = context.exchange
        try:
            if self._access_log and access_logger.isEnabledFor(logging.INFO):
                self._log(context, exchange)
        except Exception:
            logger.exception("the access log failed")
        if self._sheltered:
            self._sheltered.discard(exchange)
        if self._lasting:
            self._lasting.pop(exchange, None)
        try:
            self._contexts.release(context)
        except Exception:  # a temporary file whose last bytes do not fit on its disk
            logger.exception("what %s left could not be put away", _named(exchange))
        exchange.close()

    def _log(self, context: RequestContext, exchange: Exchange) -> None:
        request = context.request
        log_access(
            request.client,
            exchange.request.method,
            exchange.request.target,
            context.response.status_code if exchange.response_started else 0,
            exchange.bytes_sent,
            self._transport.now() - request._started,
            request.route.path,
        )

    # Answering

    def _answer(self, context: RequestContext, result: object) -> bool:
        """Send what the handler returned or left; False when that takes awaiting."""
        response = context.response
        if result is not None:
            response.take(result)
        return response._send()  # type: ignore[no-any-return]

    def _fail(self, context: RequestContext, error: BaseException) -> None:
        """Answer for what a handler raised, or abort."""
        exchange, response = context.exchange, context.response
        if exchange.disconnected or isinstance(error, _OVER):
            logger.debug("%s ended without an answer: %r", _named(exchange), error)
            exchange.abort()
            return
        status = self._status_of(error)
        if self.stopping and isinstance(error, get_cancelled_exc_class()):
            logger.warning("%s was cancelled by the stop", _named(exchange))
        elif status >= 500:
            logger.error("%s failed", _named(exchange), exc_info=error)
        if response._is_sent():
            return
        if exchange.response_started or status == 0:
            if 0 < status < 500:
                logger.error("%s failed after its head had left", _named(exchange), exc_info=error)
            exchange.abort()
            return
        try:
            accept = context.request.header("accept")
            response._begin_error(status, *render_error(status, error, accept, debug=self._debug))
            if isinstance(error, HTTPError):
                for name, value in error.headers:
                    response.header(name, value, append=True)
            response._send()
        except Exception:
            logger.exception("the error page of %s failed", _named(exchange))
            self._answer_bare(exchange, status)

    def _status_of(self, error: BaseException) -> int:
        if isinstance(error, HTTPError):
            return error.status
        if isinstance(error, RemoteProtocolError):
            return error.status_hint or 0
        return 503 if self.stopping and not isinstance(error, Exception) else 500

    def _answer_bare(self, exchange: Exchange, status: int) -> None:
        """Answer with a status and nothing that could fail again."""
        try:
            exchange.send_message(ResponseHead(status_code=status, headers=[(b"date", http_date())]), b"")
        except ProtocolError:
            exchange.abort()


keep_spares(Running)
classImplements(Dispatcher, IApplication)


def _named(exchange: Exchange) -> str:
    return f"{escape(exchange.request.method)} {escape(exchange.request.target)}"
