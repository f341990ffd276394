"""A chat: rooms over WebSockets, a ticker of what is said over Server-Sent Events, a page for both.

highper run examples.chat.server:app
CHAT_REDIS=redis://localhost:6379 highper run examples.chat.server:app --workers 2
python -m examples.chat.bot ws://127.0.0.1:8000 lobby

In one process it needs nothing; several are joined by Redis.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from highper_http import App, Limits, Request, Response, WebSocket
from highper_http.hub import History, Hub
from highper_http.hub.redis import RedisBus

PAGE = Path(__file__).with_name("page.html")
LONGEST_NAME, LONGEST_TEXT = 30, 2000

redis = os.environ.get("CHAT_REDIS")
hub = Hub(RedisBus(redis) if redis else None, history=History(), presence=True)
app = App()
app.on_startup(hub.start)
app.on_shutdown(hub.stop)


@app.get("/")
async def page(req: Request, res: Response) -> None:
    res.header("cache-control", "no-cache").file(PAGE)


@app.websocket("/rooms/:room", policy="close", limits=Limits(websocket_message=16 * 1024))
async def room(socket: WebSocket) -> None:
    topic = socket.param("room")
    who = (socket.query("name") or "").strip()[:LONGEST_NAME]
    if not who:
        await socket.deny(400, "a name is needed")
        return
    await socket.accept()
    hub.join(socket, topic, who=who)
    await hub.settled(topic)
    await socket.send_json(people(topic))
    while True:
        said = await socket.receive_json()
        text = said.get("text") if isinstance(said, dict) else None
        if not isinstance(text, str) or not 0 < len(text) <= LONGEST_TEXT:
            await socket.close(1008, f"a text of at most {LONGEST_TEXT} characters is needed")
            return
        await hub.publish(topic, {"kind": "said", "who": who, "text": text, "at": time.time()}, name="said")


@app.get("/rooms/:room/events")
async def ticker(req: Request, res: Response) -> None:
    topic = req.param("room")
    async with res.events(retry=1) as events:
        if not hub.join(events, topic, after=events.last_identity):
            await events.send_json({"kind": "gap"}, name="gap")
        await events.wait()


@hub.on_presence
def noticed(topic: str, who: str, came: bool) -> None:
    """Tell those who are in this process; every other tells its own."""
    hub.post(topic, {"kind": "came" if came else "went", "who": who}, name="people", here=True)
    hub.post(topic, people(topic), name="people", here=True)


def people(topic: str) -> dict[str, Any]:
    return {"kind": "people", "names": hub.present(topic)}
