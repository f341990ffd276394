"""A bot in a chat room: it greets who comes, tells the time and rolls dice, and comes back when the server does.

python -m examples.chat.bot ws://127.0.0.1:8000 lobby
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import time
from typing import Any
from urllib.parse import quote

from highper_http import WebSocketClosed, connect

NAME = "bot"


async def live(url: str, room: str) -> None:
    """Be in a room for as long as the program runs."""
    async for socket in connect(f"{url}/rooms/{quote(room, safe='')}?name={NAME}"):
        try:
            while True:
                answer = reply(await socket.receive_json())
                if answer is not None:
                    await socket.send_json({"text": answer})
        except WebSocketClosed as closed:
            print(f"cut off: {closed}", file=sys.stderr)


def reply(message: dict[str, Any]) -> str | None:
    """Return what the bot says to a message, or None."""
    who = message.get("who")
    if who == NAME:
        return None
    if message["kind"] == "came":
        return f"Hello, {who}! I know !time and !roll."
    if message["kind"] == "said" and message["text"] == "!time":
        return time.strftime("It is %H:%M:%S here.")
    if message["kind"] == "said" and message["text"] == "!roll":
        return f"{who} rolls a {random.randint(1, 6)}."
    return None


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m examples.chat.bot ws://HOST:PORT ROOM")
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(live(sys.argv[1], sys.argv[2]))
