"""The WebSockets that foreign clients talk to."""

from __future__ import annotations

from highper_core.limits import Limits
from highper_core.permessage_deflate import DeflateSettings
from highper_http import App, Request, Response, WebSocket, WebSocketListener
from highper_http.hub import Hub
from highper_http.websocket import ListenedSocket

LARGE = Limits(websocket_message=16 << 20)
KEPT = DeflateSettings(server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20)

app = App(limits=LARGE)
hub = Hub()


@app.get("/")
async def page(req: Request, res: Response) -> None:
    """A page for browsers to open WebSockets from."""
    res.html("<!doctype html><title>WebSockets</title><link rel=icon href=data:,>")


@app.websocket("/echo", subprotocols=["chat", "soup"])
async def echo(socket: WebSocket) -> None:
    """Send back what comes; "close CODE REASON" closes."""
    await socket.accept()
    async for message in socket:
        if isinstance(message, str):
            if message.startswith("close "):
                _, code, reason = message.split(" ", 2)
                await socket.close(int(code), reason)
            else:
                await socket.send_text(message)
        else:
            await socket.send_bytes(message)


@app.websocket("/deflate", deflate=DeflateSettings())
async def deflate(socket: WebSocket) -> None:
    """Send back what comes, compressed, each message for itself."""
    await echo(socket)


@app.websocket("/kept", deflate=KEPT)
async def kept(socket: WebSocket) -> None:
    """Send back what comes, compressed, contexts kept."""
    await echo(socket)


@app.websocket("/hub", deflate=KEPT)
async def hubbed(socket: WebSocket) -> None:
    """Send back what comes in turn by itself and by a hub, compressed, contexts kept."""
    await socket.accept()
    hub.join(socket, "all")
    while True:
        await socket.send_text(await socket.receive_text())
        await hub.publish("all", await socket.receive_text())


@app.websocket("/listener", subprotocols=["chat", "soup"], deflate=KEPT)
class Listener(WebSocketListener):
    """Send back what comes, by callbacks; "close CODE REASON" closes."""

    def on_message(self, socket: ListenedSocket, message: str | bytes) -> None:
        if isinstance(message, str) and message.startswith("close "):
            _, code, reason = message.split(" ", 2)
            socket.close(int(code), reason)
        else:
            assert socket.try_send(message)


@app.websocket("/pieces")
async def pieces(socket: WebSocket) -> None:
    """Send back each message in as many fragments as it has characters."""
    await socket.accept()
    async for message in socket:
        async with socket.stream(text=isinstance(message, str)) as send:
            for index in range(len(message)):
                await send(message[index : index + 1])


@app.websocket("/deny")
async def deny(socket: WebSocket) -> None:
    """Open nothing."""
    await socket.deny(403, "not you")
