"""The same without `async`: a loop on virtual time that runs while a call waits, and stands still in between."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from highper_transports.memory import MemoryTransport

from ..endpoint import Handler
from ..routing import Router
from ..server import Server
from .answers import Answer
from .blocking_socket import BlockingWebSocket
from .client import TestClient

__all__ = ["BlockingTestClient", "run"]

T = TypeVar("T")


def run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run the coroutine function `main` in a fresh loop whose clock is virtual, and return its result. Blocking."""

    async def start(transport: MemoryTransport) -> T:
        return await main()

    result: T = MemoryTransport.run(start)
    return result


class BlockingTestClient:
    """A `TestClient` for tests that are plain functions: `with BlockingTestClient(app) as client: client.get("/")`.

    Args:
        app: an `App`, a `Router` or a handler.
        options: as for `TestClient`.
    """

    def __init__(self, app: Router | Handler | Server, **options: Any) -> None:
        self._client = TestClient(app, **options)

    @property
    def server(self) -> Server:
        """What serves the application."""
        return self._client.server

    @property
    def cookies(self) -> dict[str, str]:
        """Name and value of the cookies held."""
        return self._client.cookies

    def __enter__(self) -> BlockingTestClient:
        """Start the application up. One task does so and shuts it down later, as cancel scopes demand."""
        self._loop = MemoryTransport.new_loop()
        started = self._loop.create_future()
        self._leave = self._loop.create_future()
        self._task = self._loop.create_task(self._live(started))
        try:
            self._loop.run_until_complete(started)
        except BaseException:
            self._close()
            raise
        return self

    async def _live(self, started: Any) -> None:
        try:
            await self._client.__aenter__()
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(None)
        await self._leave
        await self._client.__aexit__(None, None, None)

    def __exit__(self, *error: object) -> None:
        """Hang up, and shut the application down."""
        self._leave.set_result(None)
        try:
            self._loop.run_until_complete(self._task)
        finally:
            self._close()

    def _close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def request(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request and return its whole answer. Arguments as for `TestClient.request`."""
        return self._loop.run_until_complete(self._client.request(method, path, **options))

    def get(self, path: str, **options: Any) -> Answer:
        """Send a GET."""
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> Answer:
        """Send a HEAD."""
        return self.request("HEAD", path, **options)

    def post(self, path: str, **options: Any) -> Answer:
        """Send a POST."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Answer:
        """Send a PUT."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Answer:
        """Send a PATCH."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        """Send a DELETE."""
        return self.request("DELETE", path, **options)

    def options(self, path: str, **options: Any) -> Answer:
        """Send an OPTIONS."""
        return self.request("OPTIONS", path, **options)

    def websocket(self, path: str, *, patience: float = 3600.0, **options: Any) -> BlockingWebSocket:
        """Open a WebSocket: `with client.websocket("/ws") as socket: socket.send_text("hello")`.

        Args:
            path: target of the request.
            patience: seconds of virtual time that any of its calls may wait.
            options: as for `TestClient.websocket`.
        """
        connecting = self._client.websocket(path, **options)
        return BlockingWebSocket(self._loop.run_until_complete, connecting, patience)
