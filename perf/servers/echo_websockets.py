"""websockets on uvloop, without compression and pings."""

from __future__ import annotations

import given
import uvloop
from websockets.asyncio.server import ServerConnection, serve


async def echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


async def main() -> None:
    options = {"compression": None, "ping_interval": None, "backlog": 1024}
    async with serve(echo, "127.0.0.1", given.PORT, **options) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
