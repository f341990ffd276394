"""Fan-out: topics that WebSockets and readers of events join, in one process or over a bus between many."""

from .history import History
from .hub import Hub, Message
from .interfaces import IBus, IBusListener, ISubscriber
from .local import LocalBus, Wire
from .publication import EVENTS, Compression
from .topic import TopicStatistics

__all__ = [
    "EVENTS",
    "Compression",
    "History",
    "Hub",
    "IBus",
    "IBusListener",
    "ISubscriber",
    "LocalBus",
    "Message",
    "TopicStatistics",
    "Wire",
]
