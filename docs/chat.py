"""Takes docs/chat.png: the page of `examples/chat` in a browser, while two people talk. Needs Chromium.

Usage: python docs/chat.py
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

HOME = Path(__file__).parent
sys.path.insert(0, str(HOME.parent / "tests"))

from support.browser import Tab, chromium, steering  # noqa: E402
from support.chat import chat  # noqa: E402
from support.services import Service  # noqa: E402

SIZE = (760, 660)
TALK = (
    ("ann", "Hello, Bob!"),
    ("bob", "Hello, Ann. How many sockets are you on?"),
    ("ann", "One, and a stream of events beside it. You?"),
    ("bob", "The same. What I write is framed once for both of us."),
)


async def talk(devtools: str, service: Service) -> bytes:
    """Return what the first of the two sees."""
    host, port = service.address
    async with steering(devtools) as browser:
        tabs: dict[str, Tab] = {}
        for name in ("ann", "bob"):
            tab = tabs[name] = await browser.open(f"http://{host}:{port}/")
            await tab.type("name", name, enter=True)
            await tab.until("document.getElementById('state').textContent", f"connected as {name}")
            await tab.until("ticker.readyState", 1)
        for who, text in TALK:
            await asyncio.sleep(1)
            await tabs[who].type("text", text, enter=True)
        await tabs["ann"].until("document.querySelectorAll('#ticker li').length", len(TALK))
        await tabs["ann"].type("text", "And for everybody who comes")
        return await tabs["ann"].picture(*SIZE)


def main() -> None:
    """Write the picture."""
    program = shutil.which("chromium")
    if program is None:
        sys.exit("chromium is not installed")
    with (
        TemporaryDirectory() as profile,
        TemporaryDirectory() as place,
        chromium(program, Path(profile)) as devtools,
        chat(Path(place)) as service,
    ):
        (HOME / "chat.png").write_bytes(asyncio.run(talk(devtools, service)))


if __name__ == "__main__":
    main()
