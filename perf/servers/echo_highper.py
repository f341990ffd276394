"""Echoes on Highper: App, Router, limits as they come, without compression.

Usage: echo_highper.py TRANSPORT coroutine|listener
"""

from __future__ import annotations

import sys

import given

from highper_http import App, WebSocket, WebSocketListener
from highper_http.websocket import ListenedSocket

app = App()

if sys.argv[2] == "coroutine":

    @app.websocket("/")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket:
            if isinstance(message, str):
                await socket.send_text(message)
            else:
                await socket.send_bytes(message)

else:

    @app.websocket("/")
    class Echo(WebSocketListener):
        def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
            socket.try_send(message)


if __name__ == "__main__":
    app.listen(host="127.0.0.1", port=given.PORT, transport=sys.argv[1], access_log=False)
