"""The provider over uvloop: the asyncio one, with another loop."""

from .transport import UvloopTransport

__all__ = ["UvloopTransport"]
