"""What a hub asks of its subscribers and of its bus.

A bus carries packets, bytes under a topic's name, between the hubs of several processes, in one order for each topic.
What a hub sends comes back to it: messages are delivered when they have returned, so that every process sees a topic's
messages in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from zope.interface import Attribute, Interface

__all__ = ["IBus", "IBusListener", "ISubscriber"]


class ISubscriber(Interface):
    """Who can be in a topic: a WebSocket of a server, an `EventStream`, or anything that does this."""

    window_bits: int | None = Attribute("The window of compression agreed on; None without one, -1 for text of events.")
    closed: bool = Attribute("It has ended, or begun to: it takes nothing more.")

    def post(data: bytes, *, compressed: bool = False, key: Hashable | None = None) -> bool:
        """Take a whole message, in the form that `window_bits` says, without waiting.

        Returns:
            False where it was dropped: too much waits already, or `closed`.
        """

    def on_closed(callback: Callable[[Any], object]) -> None:
        """Call `callback(subscriber)` once it is `closed`."""


class IBusListener(Interface):
    """Whom a bus tells: a hub. Called in the loop that has started the bus; no call raises."""

    def subscribed(topic: str) -> None:
        """Whatever is sent from now on under `topic` will come."""

    def received(topic: str, packet: bytes) -> None:
        """A packet has come, one's own included. One may come twice, behind others of the same sender."""

    async def take(topic: str, packet: bytes) -> None:
        """The same, from a bus that can wait: others have the loop while many are handed what it says.

        The next packet is handed over when this has returned.
        """

    def missed() -> None:
        """Packets may have been lost: the bus was cut off, and is there again."""


class IBus(Interface):
    """Carries packets between hubs. A topic is any text but the empty one, which is the hubs' own."""

    async def start(listener: IBusListener) -> None:
        """Begin, in the running loop.

        Raises:
            ConnectFailed: nothing answers.
        """

    async def stop() -> None:
        """Send what waits, as far as that is quick, and end. Called by the task that has called `start`."""

    def subscribe(topic: str) -> None:
        """Hand over what comes under `topic`; `listener.subscribed` tells from when on."""

    def unsubscribe(topic: str) -> None:
        """Hand over no more of it."""

    def send(topic: str, packet: bytes) -> bool:
        """Take a packet without waiting; False where too many wait already."""

    async def room() -> None:
        """Wait until `send` would take a packet."""
