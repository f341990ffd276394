import socket as _socket
from collections.abc import Callable
from typing import Any

from ..interfaces import ITransport
from ..stream import Stream
from ..tls import TLS
from ..trust import TrustedPeers
from ._sockets import Sockets

class Listener:
    poller: Sockets
    fd: int
    number: int
    def __init__(
        self,
        poller: Sockets,
        socket: _socket.socket,
        transport: ITransport,
        opened: Callable[[Stream], object],
        local: Any,
        tls: TLS | None = None,
        proxies: TrustedPeers | None = None,
    ) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def recover(self) -> None: ...
    def close(self) -> None: ...
