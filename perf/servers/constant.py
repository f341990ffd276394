"""A Protocol that writes a constant: what an event loop costs before anything is parsed.

Usage: constant.py LOOP PORT, with LOOP one of asyncio, uvloop.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\ncontent-type: text/plain; charset=utf-8\r\n\r\nHello, World!"


class Constant(asyncio.Protocol):
    """Answers whatever arrives with the same bytes."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.transport.write(RESPONSE)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Constant, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    loop_name, port = sys.argv[1], int(sys.argv[2])
    if loop_name == "uvloop":
        import uvloop

        uvloop.run(main(port))
    else:
        asyncio.run(main(port))
