"""redis-py in use by handlers, over a real Redis: another library's sockets beside ours in one loop."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator

import httpx
import pytest
import redis.asyncio
from http_command import free_port, running
from support.providers import REAL

from highper_http import App, Request, Server


@pytest.fixture(scope="module")
def store(tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a Redis of this test's own."""
    port = free_port()
    folder = str(tmp_path_factory.mktemp("redis"))
    command = [tool("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", folder]
    with running(command, port, stdout=subprocess.DEVNULL):
        yield port


@pytest.mark.parametrize("provider", REAL, ids=lambda provider: provider.name)
def test_handlers_use_redis(provider: type, store: int) -> None:
    """Commands, pipelines and a subscription work in handlers, many at once."""

    async def main(transport: object) -> None:
        client = redis.asyncio.Redis(port=store, decode_responses=True)
        await client.flushall()
        app = App()

        @app.post("/count")
        async def count(request: Request) -> dict[str, int]:
            return {"count": await client.incr("count")}

        @app.get("/next")
        async def following(request: Request) -> str:
            async with client.pubsub() as channel:
                await channel.subscribe("news")
                async for message in channel.listen():
                    if message["type"] == "message":
                        return str(message["data"])
            raise AssertionError("the channel ended")

        server = Server(app, host="127.0.0.1", port=0)
        await server.start(transport)  # type: ignore[arg-type]
        try:
            host, port = server.addresses[0]
            async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=20) as peer:
                answers = await asyncio.gather(*(peer.post("/count") for _ in range(50)))
                assert sorted(answer.json()["count"] for answer in answers) == list(range(1, 51))
                waiting = asyncio.create_task(peer.get("/next"))
                while not await client.publish("news", "good"):
                    await asyncio.sleep(0.01)
                assert (await waiting).text == "good"
        finally:
            await server.finish()
            await client.aclose()

    provider.run(main)
