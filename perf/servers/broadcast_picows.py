"""Broadcasts by picows on uvloop: it has none of its own, so each socket is sent the message."""

from __future__ import annotations

import asyncio

import given
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, WSUpgradeRequest, ws_create_server

everybody: set[WSTransport] = set()


class Room(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        everybody.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        everybody.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
        else:
            message = frame.get_payload_as_bytes()
            for one in everybody:
                one.send(frame.msg_type, message)


async def main() -> None:
    def accept(request: WSUpgradeRequest) -> WSListener:
        return Room()

    server = await ws_create_server(accept, "127.0.0.1", given.PORT, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(main())
