"""The chat of `examples/`: one process, two workers over Redis, its bot, and what a restart does to all of them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from http_command import free_port, running
from support.chat import PATH, chat
from support.services import Service, until

from highper_http import WebSocket, WebSocketClosed, connect
from highper_http.websocket.denied import WebSocketDenied


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Service]:
    """A chat of one process."""
    with chat(tmp_path) as service:
        yield service


@pytest.fixture
def workers(tmp_path: Path, tool: Callable[[str], str]) -> Iterator[Service]:
    """A chat of two workers, and their Redis."""
    port = free_port()
    command = [tool("redis-server"), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    with running(command, port, stdout=subprocess.DEVNULL):
        redis = f"redis://127.0.0.1:{port}"
        with chat(tmp_path, "--workers", "2", "--reuse-port", CHAT_REDIS=redis) as service:
            service.ready(2)
            yield service


def play(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(90):
            await main

    asyncio.run(bounded())


def room(service: Service, name: str) -> Any:
    host, port = service.address
    return connect(f"ws://{host}:{port}/rooms/lobby?name={name}", transport="asyncio")


async def hear(socket: WebSocket, **wanted: Any) -> dict[str, Any]:
    """Return the next message that has these values."""
    while True:
        message: dict[str, Any] = await socket.receive_json()
        if all(message.get(name) == value for name, value in wanted.items()):
            return message


def test_who_is_there_hears_who_comes_speaks_and_goes(alone: Service) -> None:
    """By name, and the list of who is here agrees."""

    async def main() -> None:
        async with room(alone, "ann") as ann:
            await hear(ann, kind="people", names=["ann"])
            async with room(alone, "bob") as bob:
                await hear(ann, kind="came", who="bob")
                await hear(bob, kind="people", names=["ann", "bob"])
                await bob.send_json({"text": "<b>hello</b>"})
                assert (await hear(ann, kind="said"))["text"] == "<b>hello</b>"
            await hear(ann, kind="went", who="bob")
            await hear(ann, kind="people", names=["ann"])

    play(main())


def test_what_is_not_said_well(alone: Service) -> None:
    """Without a name nobody comes in; who sends something else is shown out."""

    async def main() -> None:
        with pytest.raises(WebSocketDenied):
            async with room(alone, "%20"):
                pass
        for wrong, code in (("no json", 1007), ("[]", 1008), ('{"text": 7}', 1008), ('{"text": ""}', 1008)):
            async with room(alone, "eve") as eve:
                await eve.send_text(wrong)
                with pytest.raises(WebSocketClosed) as closed:
                    await hear(eve, kind="nothing")
                assert closed.value.code == code

    play(main())


async def events(answer: httpx.Response) -> AsyncIterator[dict[str, str]]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "data" in fields:
                yield fields
            fields = {}


def test_page_and_ticker(alone: Service) -> None:
    """The page is served; the ticker tells what is said, and goes on where its reader was."""

    async def main() -> None:
        host, port = alone.address
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=20) as client:
            page = await client.get("/")
            assert page.headers["content-type"] == "text/html; charset=utf-8"
            assert "EventSource" in page.text
            last: dict[str, str] = {}
            for text in ("one", "two"):
                behind = last.get("id", "")
                async with client.stream("GET", "/rooms/lobby/events", headers={"last-event-id": behind}) as answer:
                    heard = events(answer)
                    async with room(alone, "ann") as ann:
                        await hear(ann, kind="people")
                        await ann.send_json({"text": text})
                        while f'"{text}"' not in last.get("data", ""):
                            last = await anext(heard)
                            assert last.get("event") in ("said", "people")

    play(main())


def test_two_workers_are_one_chat(workers: Service) -> None:
    """Each has some of the sockets, and everybody hears everybody once, in one order, and sees who is there."""
    names = [f"n{number:02}" for number in range(16)]

    async def main() -> None:
        async with contextlib.AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(room(workers, name)) for name in names]
            held = [_sockets(pid) for pid in workers.ready(2)]
            assert min(held) > 0
            await asyncio.gather(*(hear(socket, kind="people", names=names) for socket in sockets))
            for number, socket in enumerate(sockets):
                await socket.send_json({"text": str(number)})
            said = await asyncio.gather(*(_all_said(socket, len(names)) for socket in sockets))
            assert all(one == said[0] for one in said)
            assert sorted(map(int, said[0])) == list(range(len(names)))

    play(main())


async def _all_said(socket: WebSocket, count: int) -> list[str]:
    return [(await hear(socket, kind="said"))["text"] for _ in range(count)]


def _sockets(pid: int) -> int:
    """Connections of a worker to clients, of which it has none before they come."""
    table = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]
    established = {fields[9] for line in table if (fields := line.split())[3] == "01"}
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.exists()]
    return sum(link.startswith("socket:") and link[8:-1] in established for link in links) - 2  # those to Redis


def test_the_bot_answers_and_comes_back_after_a_reload(workers: Service) -> None:
    """As does whoever iterates over `connect`; the reload is told by 1012."""
    host, port = workers.address
    command = [sys.executable, "-P", "-m", "examples.chat.bot", f"ws://{host}:{port}", "lobby"]
    log = (workers.directory / "bot").open("wb")
    bot = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": PATH}, stdout=log, stderr=log)

    async def main() -> None:
        codes = []
        async for ann in room(workers, "ann"):
            try:
                while True:
                    people = await hear(ann, kind="people")
                    if "bot" in people["names"]:
                        break
                await ann.send_json({"text": "!roll"})
                while not (await hear(ann, kind="said", who="bot"))["text"].startswith("ann rolls a "):
                    pass  # it greets, too
                if codes:
                    break
                workers.send(signal.SIGHUP)
                await hear(ann, kind="never")
            except WebSocketClosed as closed:
                codes.append(closed.code)
        assert set(codes) <= {1012, 1006}
        assert 1012 in codes

    try:
        play(main())
        assert bot.poll() is None
        assert "ERROR" not in workers.log, workers.log
        assert until(lambda: b"cut off" in (workers.directory / "bot").read_bytes())
    finally:
        bot.kill()
        bot.wait()
        log.close()
