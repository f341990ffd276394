"""A service on real sockets, and what asks it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import trustme

from highper_core import HttpConnection, Role
from highper_core import events as ev
from highper_core.limits import Limits
from highper_transports.asyncio import AsyncioTransport
from highper_transports.exchange import Exchange
from highper_transports.service import Service
from highper_transports.sockets import Binding

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
Answer = Callable[[Exchange], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Files with the certificate chain of localhost and with that of its authority."""
    authority = trustme.CA()
    folder = tmp_path_factory.mktemp("tls")
    chain, root = folder / "chain.pem", folder / "root.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(chain))
    authority.cert_pem.write_to_path(str(root))
    return str(chain), str(root)


class Application:
    """Runs one coroutine function for every exchange, in a task of its own."""

    def __init__(self, transport: Any, answer: Answer) -> None:
        self.transport = transport
        self.answer = answer
        self.lost: list[BaseException | None] = []
        self.errors: list[BaseException] = []

    def begin(self, exchange: Exchange) -> None:
        exchange.task = self.transport.spawn(self._run(exchange), contextvars.copy_context())

    async def _run(self, exchange: Exchange) -> None:
        try:
            await self.answer(exchange)
        except Exception as error:
            self.errors.append(error)
        finally:
            exchange.close()

    def disconnected(self, exchange: Exchange, error: BaseException | None) -> None:
        self.lost.append(error)
        if exchange.task is not None:
            exchange.task.cancel()


class Site:
    """A service that listens."""

    def __init__(self, transport: Any, answer: Answer, **limits: Any) -> None:
        self.transport = transport
        self.application = Application(transport, answer)
        self.limits = Limits(**limits)
        self.service = Service(
            transport, self.application, lambda: HttpConnection(Role.SERVER, limits=self.limits), self.limits
        )
        self.listeners: list[Any] = []

    async def listen(self, binding: Binding | None = None) -> Any:
        listener = await self.transport.listen(binding or Binding(host="127.0.0.1"), self.service.opened)
        self.listeners.append(listener)
        return listener.address

    async def stop(self, timeout: float = 5) -> None:
        for listener in self.listeners:
            listener.close()
        await self.service.stop(timeout)
        await asyncio.sleep(0)
        assert self.service.open == 0
        assert len(self.transport.timers) == 0


def serving(
    provider: type[AsyncioTransport],
    answer: Answer,
    client: Callable[[Site, Any], Awaitable[Any]],
    binding: Binding | None = None,
    **limits: Any,
) -> Any:
    """Serve, let `client` talk to it, stop; return what the client returned."""

    async def main(transport: Any) -> Any:
        site = Site(transport, answer, **limits)
        address = await site.listen(binding)
        try:
            return await client(site, address)
        finally:
            await site.stop()

    return provider.run(main)


async def hello(exchange: Exchange) -> None:
    exchange.send_message(ev.Response(status_code=200), b"hello")


async def echo(exchange: Exchange) -> None:
    content = b""
    while isinstance(event := await exchange.receive(), ev.Data):
        content += event.data
    exchange.send_message(ev.Response(status_code=200), content)


async def collect(exchange: Exchange) -> None:
    content = await exchange.receive_content()
    exchange.send_message(ev.Response(status_code=200), content)


async def ask(address: Any, data: bytes, **options: Any) -> bytes:
    """Send bytes and the end of input; return all that comes."""
    if isinstance(address, str):
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        reader, writer = await asyncio.open_connection(*address, **options)
    writer.write(data)
    if not options:
        writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer
