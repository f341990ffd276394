"""A real browser, steered over the DevTools protocol by our own WebSocket client."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio

from highper_core.limits import Limits
from highper_http import WebSocket, connect

from .services import PATIENCE

__all__ = ["Browser", "Tab", "chromium", "steering"]

PORT_FILE = "DevToolsActivePort"
LARGE = Limits(websocket_message=64 << 20)
SWITCHES = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0"),
    *("--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-component-update"),
    *("--disable-background-networking", "--disable-sync", "--disable-breakpad", "--no-proxy-server"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",  # it reaches nothing else
]


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[str]:
    """Run a browser without windows, its data in `profile`; yield the URL that steers it. Nothing of it is left."""
    log = profile / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, *SWITCHES, f"--user-data-dir={profile}", "about:blank"],
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, "HOME": str(profile), "LANG": "C.UTF-8"},
        )
        try:
            deadline = time.monotonic() + PATIENCE
            while not (told := _told(profile / PORT_FILE)):
                alive = process.poll() is None and time.monotonic() < deadline
                assert alive, log.read_text(errors="replace")
                time.sleep(0.02)
            yield f"ws://127.0.0.1:{told[0]}{told[1]}"
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _told(file: Path) -> list[str]:
    """Return port and path, once both are written."""
    lines = file.read_text().split() if file.exists() else []
    return lines if len(lines) == 2 else []


class Tab:
    """A page. What goes wrong in it is in `complaints`, as the browser's console has it."""

    def __init__(self, browser: Browser, session: str) -> None:
        self.complaints: list[str] = []
        self._browser = browser
        self._session = session

    async def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        return await self._browser.call(method, session=self._session, **parameters)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, of a promise what it promises."""
        answer = await self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def until(self, expression: str, wanted: Any = True) -> None:
        """Wait until an expression has a value."""
        deadline = time.monotonic() + PATIENCE
        while (seen := await self.evaluate(expression)) != wanted:
            assert time.monotonic() < deadline, f"{expression} is {seen!r}, not {wanted!r}; {self.complaints}"
            await anyio.sleep(0.02)

    async def type(self, identity: str, text: str, *, enter: bool = False) -> None:
        """Type into an input as a person does, in place of what it holds; with `enter` press that key."""
        await self.evaluate(f"document.getElementById({json.dumps(identity)}).select()")
        await self.call("Input.insertText", text=text)
        if enter:
            for kind in ("keyDown", "keyUp"):
                await self.call(
                    "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r", windowsVirtualKeyCode=13
                )

    async def picture(self, width: int, height: int) -> bytes:
        """Return the page as a PNG."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


class Browser:
    """Its tabs. One command at a time: what comes before its answer is kept."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._calls = 0
        self._tabs: dict[str, Tab] = {}

    async def call(self, method: str, *, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        """Give a command, and return its answer."""
        self._calls += 1
        command = {"id": self._calls, "method": method, "params": parameters}
        await self._socket.send_json(command if session is None else {**command, "sessionId": session})
        while True:
            message = await self._socket.receive_json()
            if message.get("id") == self._calls:
                assert "error" not in message, (method, message["error"])
                answer: dict[str, Any] = message["result"]
                return answer
            self._note(message)

    def _note(self, event: dict[str, Any]) -> None:
        tab = self._tabs.get(event.get("sessionId", ""))
        told = event.get("params", {})
        if tab is None:
            return
        if event["method"] == "Runtime.exceptionThrown":
            tab.complaints.append(str(told["exceptionDetails"]))
        elif event["method"] == "Log.entryAdded" and told["entry"]["level"] == "error":
            tab.complaints.append(f"{told['entry']['text']} {told['entry'].get('url', '')}")

    async def open(self, url: str) -> Tab:
        """Open a page in a tab of its own."""
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for method in ("Page.enable", "Runtime.enable", "Log.enable"):
            await tab.call(method)
        await tab.call("Emulation.setFocusEmulationEnabled", enabled=True)  # of several tabs each can be typed into
        arrived = await tab.call("Page.navigate", url=url)
        assert "errorText" not in arrived, arrived
        await tab.until("document.readyState", "complete")
        return tab


@asynccontextmanager
async def steering(url: str) -> AsyncIterator[Browser]:
    """Steer the browser of `chromium`; the tabs are closed at the end."""
    async with connect(url, limits=LARGE) as socket:
        browser = Browser(socket)
        before = {target["targetId"] for target in (await browser.call("Target.getTargets"))["targetInfos"]}
        yield browser
        for target in (await browser.call("Target.getTargets"))["targetInfos"]:
            if target["type"] == "page" and target["targetId"] not in before:
                await browser.call("Target.closeTarget", targetId=target["targetId"])
