"""The provider without a system: streams in memory, faults from a seed, virtual time."""

from .faults import Faults
from .loop import Deadlock, VirtualClockLoop
from .peer import Peer
from .stream import MemoryStream
from .transport import MemoryTransport

__all__ = ["Deadlock", "Faults", "MemoryStream", "MemoryTransport", "Peer", "VirtualClockLoop"]
