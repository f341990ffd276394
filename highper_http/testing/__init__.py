"""A client inside the process, for tests: real requests over the memory transport, no socket, no port.

    async with TestClient(app) as client:
        answer = await client.get("/users/7")
        assert answer.status == 200 and answer.json() == {"user_id": "7"}

        async with client.stream("GET", "/count") as answer:
            async for piece in answer: ...

    with BlockingTestClient(app) as client:
        assert client.get("/").text == "Hello"
        with client.websocket("/echo") as socket:
            socket.send_text("hello")
            assert socket.receive() == "hello"

The application is started up and shut down with the client, and every byte passes engine, driver and stream as on a
socket. In the loop that `run` and `BlockingTestClient` make, time is virtual: a handler that sleeps an hour answers at
once.
"""

from .answers import Answer, StreamedAnswer
from .blocking import BlockingTestClient, run
from .blocking_socket import BlockingWebSocket
from .client import TestClient

__all__ = ["Answer", "BlockingTestClient", "BlockingWebSocket", "StreamedAnswer", "TestClient", "run"]
