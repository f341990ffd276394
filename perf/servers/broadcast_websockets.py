"""Broadcasts by websockets on uvloop: its `broadcast`, without compression and pings."""

from __future__ import annotations

import given
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

everybody: set[ServerConnection] = set()


async def room(socket: ServerConnection) -> None:
    everybody.add(socket)
    try:
        async for message in socket:
            broadcast(everybody, message)
    finally:
        everybody.discard(socket)


async def main() -> None:
    options = {"compression": None, "ping_interval": None, "backlog": 1024}
    async with serve(room, "127.0.0.1", given.PORT, **options) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
