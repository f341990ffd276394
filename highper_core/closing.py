"""The life of a WebSocket after its opening handshake, as a table (RFC 6455 sections 1.4, 5.5.1 and 7).

    OPEN  --we send Close-->  CLOSING  --the peer's Close-->  CLOSED
    OPEN  --the peer's Close, answered at once-->             CLOSED
    OPEN, CLOSING  --a fault, a deadline, the end of input--> FAILED

CLOSED means that both Close frames have gone; nothing is read any more. Who then ends the stream is decided by role:
a server at once, a client when the server has, so that the server's port is free first (section 7.1.1). Messages that
arrive while we are CLOSING are still shown. A Ping is answered until the peer's Close has come (section 5.5.2).

`TABLE` is the same rows as one flat string of bytes, which compiled code copies at import and runs on.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from .state import ILLEGAL

__all__ = ["ROWS", "TABLE", "ClosingInput", "WebSocketState", "next_closing_state"]


class WebSocketState(IntEnum):
    """Where a WebSocket is in its life."""

    OPEN = 0
    CLOSING = 1  # our Close has gone, the peer's has not come
    CLOSED = 2  # both have
    FAILED = 3


class ClosingInput(IntEnum):
    """What can happen to a WebSocket, by our doing or the peer's."""

    SEND_MESSAGE = 0  # a fragment counts
    SEND_PING = 1
    SEND_PONG = 2
    SEND_CLOSE = 3
    MESSAGE = 4
    CONTROL = 5  # a Ping or a Pong
    CLOSE = 6
    FAULT = 7  # of the peer, of a deadline, or the end of input without a Close
    END_OF_INPUT = 8


_S, _I = WebSocketState, ClosingInput

ROWS: Final[tuple[tuple[WebSocketState, ClosingInput, WebSocketState], ...]] = (
    (_S.OPEN, _I.SEND_MESSAGE, _S.OPEN),
    (_S.OPEN, _I.SEND_PING, _S.OPEN),
    (_S.OPEN, _I.SEND_PONG, _S.OPEN),
    (_S.OPEN, _I.SEND_CLOSE, _S.CLOSING),
    (_S.OPEN, _I.MESSAGE, _S.OPEN),
    (_S.OPEN, _I.CONTROL, _S.OPEN),
    (_S.OPEN, _I.CLOSE, _S.CLOSED),
    (_S.OPEN, _I.FAULT, _S.FAILED),
    (_S.CLOSING, _I.SEND_PONG, _S.CLOSING),
    (_S.CLOSING, _I.MESSAGE, _S.CLOSING),
    (_S.CLOSING, _I.CONTROL, _S.CLOSING),
    (_S.CLOSING, _I.CLOSE, _S.CLOSED),
    (_S.CLOSING, _I.FAULT, _S.FAILED),
    (_S.CLOSED, _I.FAULT, _S.FAILED),  # a server that does not close its stream
    (_S.CLOSED, _I.END_OF_INPUT, _S.CLOSED),
)


def _flatten() -> bytes:
    table = bytearray([ILLEGAL]) * (len(WebSocketState) * len(ClosingInput))
    for state, what, after in ROWS:
        table[state * len(ClosingInput) + what] = after
    return bytes(table)


TABLE: Final = _flatten()


def next_closing_state(state: WebSocketState, what: ClosingInput) -> int:
    """Return the state after `what`, or ILLEGAL."""
    return TABLE[state * len(ClosingInput) + what]
