"""Broadcasts on Highper: whatever one says is published to all by a hub. App, Router, no keep-alive pings.

Usage: broadcast_highper.py TRANSPORT
"""

from __future__ import annotations

import sys

import given

from highper_http import App, Limits, WebSocketListener
from highper_http.hub import Hub
from highper_http.websocket import ListenedSocket

app = App(limits=Limits(websocket_ping_interval=None))
hub = Hub()


@app.websocket("/")
class Room(WebSocketListener):
    def on_open(self, socket: ListenedSocket) -> None:
        hub.join(socket, "room")

    def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
        hub.post("room", message)


if __name__ == "__main__":
    app.listen(host="127.0.0.1", port=given.PORT, transport=sys.argv[1], access_log=False)
