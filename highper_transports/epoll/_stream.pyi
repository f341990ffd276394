from ..interfaces import ITransport
from ._outgoing import Outgoing
from ._poller import Poller

class EpollStream(Outgoing):
    poller: Poller

def adopt(poller: Poller, transport: ITransport, fd: int) -> EpollStream: ...
