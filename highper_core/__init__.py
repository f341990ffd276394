"""Highper's core: HTTP/1.1 as a function of bytes and time, for either role. It owns no socket, clock or loop.

    connection = HttpConnection(Role.SERVER)
    connection.receive_data(data, now)
    event = connection.next_event()

Importing it loads no engine; the first connection does.
"""

from __future__ import annotations

from .connection import Connection
from .engines import HttpConnection, available, engine
from .errors import (
    EngineUnavailable,
    Fault,
    FramingError,
    HighperError,
    IncompleteMessage,
    LimitExceeded,
    LocalProtocolError,
    ProtocolError,
    RemoteProtocolError,
)
from .events import (
    END_OF_MESSAGE,
    NEED_DATA,
    PAUSED,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    InformationalResponse,
    Request,
    Response,
    Signal,
)
from .fields import Fields
from .limits import Limits
from .state import Role, State

__all__ = [
    "END_OF_MESSAGE",
    "NEED_DATA",
    "PAUSED",
    "Connection",
    "ConnectionClosed",
    "Data",
    "EndOfMessage",
    "EngineUnavailable",
    "Event",
    "Fault",
    "Fields",
    "FramingError",
    "HighperError",
    "HttpConnection",
    "IncompleteMessage",
    "InformationalResponse",
    "LimitExceeded",
    "Limits",
    "LocalProtocolError",
    "ProtocolError",
    "RemoteProtocolError",
    "Request",
    "Response",
    "Role",
    "Signal",
    "State",
    "available",
    "engine",
]
