"""The smallest application: one coroutine function, a task of its own for each exchange."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import copy_context
from typing import Any

from zope.interface import implementer

from highper_core import Data, EndOfMessage, HttpConnection, Limits, Response, Role
from highper_transports.exchange import Exchange
from highper_transports.interfaces import IApplication, IListener
from highper_transports.service import Service
from highper_transports.sockets import Binding
from highper_transports.tls import TLS

__all__ = ["Application", "Site", "content_of", "text"]


@implementer(IApplication)
class Application:
    """Runs `handler(exchange)` for each exchange, and cancels it when the peer is gone."""

    def __init__(self, transport: Any, handler: Callable[[Exchange], Coroutine[Any, Any, None]]) -> None:
        self.transport = transport
        self.handler = handler
        self.errors: list[BaseException] = []

    def begin(self, exchange: Exchange) -> None:
        exchange.task = self.transport.spawn(self._run(exchange), copy_context())

    async def _run(self, exchange: Exchange) -> None:
        try:
            await self.handler(exchange)
        except Exception as error:
            self.errors.append(error)
        finally:
            exchange.close()

    def disconnected(self, exchange: Exchange, error: BaseException | None) -> None:
        if exchange.task is not None:
            exchange.task.cancel()


class Site:
    """An application that is served."""

    def __init__(
        self,
        transport: Any,
        handler: Callable[[Exchange], Coroutine[Any, Any, None]],
        engine: str = "auto",
        tls: TLS | None = None,
    ) -> None:
        limits = Limits()
        self.application = Application(transport, handler)
        self.service = Service(
            transport, self.application, lambda: HttpConnection(Role.SERVER, engine=engine, limits=limits), limits
        )
        self.transport = transport
        self.tls = tls
        self.listener: IListener | None = None

    async def __aenter__(self) -> Any:
        """Listen, and return the address."""
        self.listener = await self.transport.listen(Binding(host="127.0.0.1", tls=self.tls), self.service.opened)
        return self.listener.address

    async def __aexit__(self, *error: object) -> None:
        assert self.listener is not None
        self.listener.close()
        await self.service.stop(1.0)
        if error[0] is None:
            assert self.application.errors == []


async def content_of(exchange: Exchange) -> bytes:
    """Receive a message's whole content."""
    content = bytearray()
    while not isinstance(event := await exchange.receive(), EndOfMessage):
        assert isinstance(event, Data)
        content += event.data
    return bytes(content)


def text(exchange: Exchange, content: bytes, status_code: int = 200) -> None:
    """Answer with text."""
    head = Response(status_code=status_code, headers=[(b"content-type", b"text/plain")], stream_id=exchange.stream_id)
    exchange.send_message(head, content)
