from collections.abc import Callable

from ..interfaces import ITransport
from ..stream import Stream
from ._poller import Poller

class EpollStream(Stream):
    poller: Poller
    @property
    def closed(self) -> bool: ...
    def send_from(self, source: int, offset: int, length: int) -> int: ...
    def when_writable(self, callback: Callable[[], object] | None) -> bool: ...

def adopt(poller: Poller, transport: ITransport, fd: int) -> EpollStream: ...
