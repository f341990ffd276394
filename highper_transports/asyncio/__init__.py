"""The provider over any running asyncio loop."""

from .transport import AsyncioTransport

__all__ = ["AsyncioTransport"]
