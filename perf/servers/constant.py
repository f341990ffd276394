"""A Protocol that writes a constant: what an event loop costs before anything is parsed.

Usage: constant.py asyncio | uvloop
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import given

RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\ncontent-type: text/plain; charset=utf-8\r\n\r\nHello, World!"


class Constant(asyncio.Protocol):
    """Answers whatever arrives with the same bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(RESPONSE)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Constant, "127.0.0.1", given.PORT, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop

        uvloop.run(main())
    else:
        asyncio.run(main())
