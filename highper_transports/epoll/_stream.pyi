from ..interfaces import ITransport
from ._outgoing import Outgoing
from ._sockets import Sockets

class EpollStream(Outgoing):
    poller: Sockets

def absent(transport: ITransport) -> EpollStream: ...
def adopt(poller: Sockets, transport: ITransport, fd: int) -> EpollStream: ...
