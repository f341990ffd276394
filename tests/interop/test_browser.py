"""Chromium at our server: the page of the chat, through restarts, and the browser's own WebSockets and events."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from http_command import free_port, running
from support.browser import Browser, Tab, chromium, steering
from support.chat import chat
from support.providers import REAL_NAMES
from support.services import ROOT, Service, until

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def devtools(tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL that steers a browser."""
    with chromium(tool("chromium"), tmp_path_factory.mktemp("profile")) as url:
        yield url


def play(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(100):
            await main

    asyncio.run(bounded())


# The chat's page

LINES = "[...document.querySelectorAll('#{} li')].map(line => line.textContent)"
TICKS = "document.querySelectorAll('#ticker li:not(.notice)').length"


def page(service: Service) -> str:
    host, port = service.address
    return f"http://{host}:{port}/"


async def enter(tab: Tab, name: str, room: str = "lobby") -> None:
    """Enter a room, and wait until chat and ticker are there."""
    await tab.type("room", room)
    await tab.type("name", name, enter=True)
    await entered(tab, name.strip())


async def entered(tab: Tab, name: str) -> None:
    await tab.until("document.getElementById('state').textContent", f"connected as {name}")
    await tab.until("ticker.readyState", 1)


async def two(browser: Browser, service: Service, room: str = "lobby") -> dict[str, Tab]:
    """Open two tabs in one room."""
    tabs = {name: await browser.open(page(service)) for name in ("ann", "bob")}
    for name, tab in tabs.items():
        await enter(tab, name, room)
    for tab in tabs.values():
        await tab.until(LINES.format("people"), ["ann", "bob"])
    return tabs


async def talk(tabs: dict[str, Tab], topic: str) -> None:
    """Let everybody say something, which everybody hears and the ticker of everybody tells."""
    ticks = [await tab.evaluate(TICKS) for tab in tabs.values()]
    lines = []
    for name, tab in tabs.items():
        await tab.type("text", f"<b>{topic}</b> & {name}", enter=True)
        lines.append(f"{name}: <b>{topic}</b> & {name}")
        for other in tabs.values():
            said = f"{LINES.format('messages')}.filter(line => line.includes('<b>{topic}</b>'))"
            await other.until(said, lines)
    for tab, before in zip(tabs.values(), ticks, strict=True):
        await tab.until(TICKS, before + len(tabs))


@pytest.mark.parametrize("transport", REAL_NAMES)
def test_two_tabs_chat(devtools: str, tmp_path: Path, transport: str) -> None:
    """They see each other come, speak, change the room and go; markup is text; the browser complains of nothing."""

    async def main(service: Service) -> None:
        async with steering(devtools) as browser:
            tabs = await two(browser, service)
            assert "bob has come" in await tabs["ann"].evaluate(LINES.format("messages"))
            await talk(tabs, "one")
            await talk(tabs, "two")
            await enter(tabs["bob"], "bob", "a/b ?#%2f \u00fc")
            await tabs["ann"].until(LINES.format("people"), ["ann"])
            await enter(tabs["ann"], "  ann ", "a/b ?#%2f \u00fc")
            await tabs["bob"].until(LINES.format("people"), ["ann", "bob"])
            await talk(tabs, "three")
            for tab in tabs.values():
                assert not tab.complaints

    with chat(tmp_path, "--transport", transport) as service:
        play(main(service))
        assert service.end() == 0
        assert "ERROR" not in service.log, service.log


@pytest.mark.parametrize(("name", "room"), [("", "lobby"), ("   ", "lobby"), ("ann", ""), ("ann", "..")])
def test_the_page_lets_nobody_in_that_the_server_would_not(devtools: str, tmp_path: Path, name: str, room: str) -> None:
    async def main(service: Service) -> None:
        async with steering(devtools) as browser:
            tab = await browser.open(page(service))
            await tab.type("room", room)
            await tab.type("name", name, enter=True)
            assert await tab.evaluate("document.getElementById('enter').checkValidity()") is False
            assert await tab.evaluate("socket === null")
            await enter(tab, "ann")

    with chat(tmp_path) as service:
        play(main(service))


@contextmanager
def proxy(port: int) -> Iterator[list[str]]:
    """Answer everybody with 503, as a proxy does when nobody is behind it; yield what was asked for."""
    asked: list[str] = []

    class Unavailable(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(503)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Unavailable) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield asked
        server.shutdown()
        thread.join()


AGAIN = {"/rooms/lobby/events": 4, "/rooms/lobby?name=ann": 2, "/rooms/lobby?name=bob": 2}


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "proxied"])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM], ids=lambda end: end.name)
def test_the_tabs_come_back_after_a_restart(devtools: str, tmp_path: Path, end: signal.Signals, proxied: bool) -> None:
    """Of a server that was killed, or that stopped; with nobody at its port meanwhile, or a proxy that says so."""
    port = free_port()

    async def main(running: ExitStack) -> None:
        service = running.enter_context(chat(place(1), "--port", str(port)))
        async with steering(devtools) as browser:
            tabs = await two(browser, service)
            await talk(tabs, "before")
            service.end(end)
            with proxy(port) if proxied else nullcontext() as asked:
                for tab in tabs.values():
                    await tab.until("document.getElementById('state').textContent.startsWith('cut off')")
                    await tab.until("ticker.readyState !== 1")
                    await tab.until(LINES.format("people"), [])
                if asked is not None:
                    until(lambda: all(asked.count(path) >= count for path, count in AGAIN.items()))
            service = running.enter_context(chat(place(2), "--port", str(port)))
            for name, tab in tabs.items():
                await entered(tab, name)
                await tab.until(LINES.format("people"), ["ann", "bob"])
            await talk(tabs, "after")
            for tab in tabs.values():
                ticker = await tab.evaluate(LINES.format("ticker"))
                assert ("the server stops" in ticker) is (end == signal.SIGTERM)
                assert ("something may be missing" if proxied else "something was missed") in ticker

    def place(number: int) -> Path:
        directory = tmp_path / str(number)
        directory.mkdir()
        return directory

    with ExitStack() as running:
        play(main(running))


# The browser's own WebSockets, at handlers of ours


@pytest.fixture(scope="module", params=REAL_NAMES)
def origin(request: pytest.FixtureRequest) -> Iterator[str]:
    """Host and port of our server."""
    port = free_port()
    command = [sys.executable, "-P", "-m", "highper_http", "run", "websocket_app:app", "--port", str(port)]
    command += ["--transport", request.param, "--no-access-log", "--log-level", "critical"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with running(command, port, cwd=HERE, env={**os.environ, "PYTHONPATH": path}) as process:
        yield f"127.0.0.1:{port}"
        assert process.poll() is None


SPEAKER = """
class Speaker {
  constructor(url, protocols = []) {
    this.socket = new WebSocket(url, protocols);
    this.socket.binaryType = "arraybuffer";
  }
  next(name) {
    return new Promise(resolve => this.socket.addEventListener(name, resolve, { once: true }));
  }
  async echo(message) {
    const answer = this.next("message");
    this.socket.send(message);
    const { data } = await answer;
    if (typeof message === "string") return data === message;
    const bytes = new Uint8Array(data);
    return bytes.length === message.length && message.every((byte, index) => byte === bytes[index]);
  }
}
"""
ECHOES = """(async () => {
  const speaker = new Speaker(URL, PROTOCOLS);
  await speaker.next("open");
  const wrong = [];
  for (const size of [0, 1, 125, 126, 65535, 65536, 300000, 1000000]) {
    if (!await speaker.echo("\u20ac".repeat(size))) wrong.push(`text of ${size}`);
    if (!await speaker.echo(new Uint8Array(size).map((_, index) => index * index))) wrong.push(`bytes of ${size}`);
  }
  const end = speaker.next("close");
  speaker.socket.send("close 4001 enough");
  const { code, reason, wasClean } = await end;
  return [wrong, speaker.socket.protocol, speaker.socket.extensions, code, reason, wasClean];
})()"""


@pytest.mark.parametrize("path", ["/echo", "/deflate", "/kept"])
def test_a_browser_hears_what_it_said(devtools: str, origin: str, path: str) -> None:
    """Text and bytes of every length of a frame, compressed or not; the subprotocol, the code and the reason arrive."""
    extension = {
        "/echo": "",
        "/deflate": "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        "/kept": "permessage-deflate",
    }[path]
    protocols = ["soup"] if path == "/echo" else []

    async def main() -> None:
        async with steering(devtools) as browser:
            tab = await browser.open(f"http://{origin}/")
            await tab.evaluate(SPEAKER)
            script = ECHOES.replace("URL", f"'ws://{origin}{path}'").replace("PROTOCOLS", str(protocols))
            seen = await tab.evaluate(script)
            assert seen == [[], "".join(protocols), extension, 4001, "enough", True]
            assert not tab.complaints

    play(main())


SHARED = """(async () => {
  const speaker = new Speaker(URL);
  await speaker.next("open");
  const wrong = [];
  for (let turn = 0; turn < 100; turn++) {
    const words = Array.from({ length: turn * 5 }, (_, index) => `word ${index % (turn + 1)}`).join(" ");
    if (!await speaker.echo(`${turn} ${words}`)) wrong.push(turn);
  }
  return [wrong, speaker.socket.extensions];
})()"""


def test_a_browser_inflates_what_is_compressed_for_all_between_what_is_for_it(devtools: str, origin: str) -> None:
    """It keeps its context, which frames that many sockets get must leave as both sides know it."""

    async def main() -> None:
        async with steering(devtools) as browser:
            tab = await browser.open(f"http://{origin}/")
            await tab.evaluate(SPEAKER)
            seen = await tab.evaluate(SHARED.replace("URL", f"'ws://{origin}/hub'"))
            assert seen == [[], "permessage-deflate"]

    play(main())


def test_a_page_of_another_origin_opens_nothing(devtools: str, origin: str) -> None:
    """`localhost` is another origin than its address, for the browser says by which name it came."""
    there = origin.replace("127.0.0.1", "localhost")
    first = """(async () => {
      const speaker = new Speaker(URL);
      return (await Promise.any([speaker.next("open"), speaker.next("close")])).type;
    })()"""

    async def main() -> None:
        async with steering(devtools) as browser:
            for home in (origin, there):
                tab = await browser.open(f"http://{home}/")
                await tab.evaluate(SPEAKER)
                for host in (origin, there):
                    happened = await tab.evaluate(first.replace("URL", f"'ws://{host}/echo'"))
                    assert happened == ("open" if host == home else "close")

    play(main())
