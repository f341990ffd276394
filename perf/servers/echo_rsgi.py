"""A bare RSGI application that echoes, for granian."""

from __future__ import annotations

from typing import Any


async def app(scope: Any, protocol: Any) -> None:
    if scope.proto != "ws":
        protocol.response_empty(404, [])
        return
    transport = await protocol.accept()
    while True:
        message = await transport.receive()
        if message.kind == 1:
            await transport.send_bytes(message.data)
        elif message.kind == 2:
            await transport.send_str(message.data)
        else:
            break
    protocol.close()
