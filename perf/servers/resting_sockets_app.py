"""What resting WebSockets are held to: an echo. They may rest for a day.

Usage: resting_sockets_app.py TRANSPORT PORT coroutine|listener [deflate].
"""

from __future__ import annotations

import sys

from highper_core import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_http import App, WebSocket, WebSocketListener
from highper_http.websocket import ListenedSocket

DAY = 86_400.0

app = App(limits=Limits(websocket_ping_interval=DAY))
transport, port, style, *more = sys.argv[1:]
deflate = DeflateSettings() if more else None

if style == "coroutine":

    @app.websocket("/", deflate=deflate)
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for message in socket:
            await socket.send_text(str(message))

else:

    @app.websocket("/", deflate=deflate)
    class Echo(WebSocketListener):
        def on_text(self, socket: ListenedSocket, text: str) -> None:
            socket.try_send(text)


if __name__ == "__main__":
    app.listen(host="127.0.0.1", port=int(port), transport=transport, access_log=False)
