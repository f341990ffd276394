"""A client in sixty lines: what `driver.open` is enough for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from highper_core import Data, EndOfMessage, Fields, HttpConnection, InformationalResponse, Request, Response, Role
from highper_transports.driver import Driver
from highper_transports.exchange import Exchange

__all__ = ["Answer", "Client"]


@dataclass
class Answer:
    """A response, whole."""

    status_code: int
    headers: Fields
    content: bytes
    interim: list[int]


class Client:
    """One connection, one request after the other."""

    def __init__(self, transport: Any, address: Any, engine: str = "auto") -> None:
        self.transport = transport
        self.address = address
        self.engine = engine
        self.driver: Driver | None = None

    async def __aenter__(self) -> Client:
        await self.transport.connect(self.address, self._opened)
        return self

    def _opened(self, stream: Any) -> None:
        self.driver = Driver(stream, HttpConnection(Role.CLIENT, engine=self.engine))

    async def __aexit__(self, *error: object) -> None:
        assert self.driver is not None
        self.driver.shutdown()

    def open(
        self, method: bytes, target: bytes, fields: dict[bytes, bytes] | None = None, content: bytes | None = b""
    ) -> Exchange:
        """Send a request; None as content leaves it open."""
        assert self.driver is not None
        headers = [(b"host", b"site.example"), *(fields or {}).items()]
        return self.driver.open(Request(method=method, target=target, headers=headers), content)

    async def request(
        self, method: bytes, target: bytes, fields: dict[bytes, bytes] | None = None, content: bytes = b""
    ) -> Answer:
        """Send a request and receive its response."""
        exchange = self.open(method, target, fields, content)
        try:
            return await self.answer(exchange)
        finally:
            exchange.close()

    async def answer(self, exchange: Exchange) -> Answer:
        """Receive the response of an exchange."""
        interim: list[int] = []
        while isinstance(head := await exchange.receive(), InformationalResponse):
            interim.append(head.status_code)
        assert isinstance(head, Response)
        content = bytearray()
        while not isinstance(event := await exchange.receive(), EndOfMessage):
            assert isinstance(event, Data)
            content += event.data
        return Answer(head.status_code, head.headers, bytes(content), interim)
