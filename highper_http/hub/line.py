"""A hub's end of its bus: what it says to the other hubs, and what it hears from them.

Without a bus there is nobody to talk to: whatever is said has been said, and nothing is heard.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import TYPE_CHECKING

from anyio import Event, create_task_group, current_time, sleep
from zope.interface import implementer

from .interfaces import IBus, IBusListener
from .packets import Kind, Packet, Sender, Senders, parse_packet
from .presence import BEAT, CONTROL, Presence

if TYPE_CHECKING:
    from .delivery import Delivery
    from .publication import Publication

__all__ = ["Line"]

logger = logging.getLogger("highper.error")


@implementer(IBusListener)
class Line:
    """Talks to the other hubs.

    Args:
        bus: what carries it; None for nobody to talk to.
        delivery: gets each message, those of this hub included, once.
        publication: makes one of a packet that is a message.
        interrupted: is called when messages may have been lost.
        notice: as `Presence` has it; None for no presence.
    """

    def __init__(
        self,
        bus: IBus | None,
        delivery: Delivery,
        publication: Callable[[Packet], Publication],
        interrupted: Callable[[], None],
        notice: Callable[[str, str, bool], None] | None,
    ) -> None:
        self.bus = bus
        self.sender = Sender()
        self.presence = None if notice is None else Presence(self.sender.identity, self.say, notice)
        self._delivery = delivery
        self._publication = publication
        self._interrupted = interrupted
        self._senders = Senders()
        self._settling: dict[str, Event] = {}
        self._running: AsyncExitStack | None = None

    # Life

    async def start(self) -> None:
        """Begin, in the running loop.

        Raises:
            ConnectFailed: the bus cannot be reached.
            RuntimeError: it runs.
        """
        if self._running is not None:
            raise RuntimeError("this hub is running")
        async with AsyncExitStack() as stack:
            self._running = stack
            try:
                if self.bus is not None:
                    await self.bus.start(self)
                    stack.push_async_callback(self.bus.stop)
                    if self.presence is not None:
                        self.bus.subscribe(CONTROL)
                        group = await stack.enter_async_context(create_task_group())
                        stack.callback(group.cancel_scope.cancel)
                        stack.callback(self.presence.stop)
                        group.start_soon(self._beat, self.presence)
            except BaseException:
                self._running = None
                raise
            self._running = stack.pop_all()

    async def stop(self) -> None:
        """End. Called by the task that has called `start`; again has no effect."""
        running = self._running
        if running is not None:
            try:
                await running.aclose()
            finally:
                self._running = None
                settling, self._settling = self._settling, {}
                for event in settling.values():
                    event.set()

    async def _beat(self, presence: Presence) -> None:
        while True:
            await sleep(BEAT)
            presence.beat(current_time())

    # What is said

    def say(self, topic: str, kind: Kind, *content: object) -> bool:
        """Send a packet; return False where there is no room for it, or the bus does not run."""
        if self.bus is None:
            return True
        return self._running is not None and self.bus.send(topic, self.sender.packet(kind, *content))

    async def room(self) -> None:
        """Wait until there is room for a packet."""
        if self.bus is not None:
            await self.bus.room()

    def begin(self, topic: str) -> None:
        """Hear `topic`.

        Raises:
            RuntimeError: there is a bus, and it was not started.
        """
        if self.bus is not None:
            self.demand()
            self._settling[topic] = Event()
            self.bus.subscribe(topic)

    def end(self, topic: str) -> None:
        """Hear it no more."""
        if self.bus is not None:
            event = self._settling.pop(topic, None)
            if event is not None:
                event.set()
            self.bus.unsubscribe(topic)
        if self.presence is not None:
            self.presence.end(topic)

    async def settled(self, topic: str) -> None:
        """Wait until `topic`, which was begun, is heard.

        Raises:
            RuntimeError: the bus was stopped first.
        """
        event = self._settling.get(topic)
        if event is not None:
            await event.wait()
            self.demand()

    def demand(self) -> None:
        """Raise RuntimeError where there is a bus that was not started."""
        if self.bus is not None and self._running is None:
            raise RuntimeError("this hub has a bus and was not started")

    # What is heard

    def subscribed(self, topic: str) -> None:
        """Take it that `topic` is heard from now on."""
        event = self._settling.pop(topic, None)
        if event is not None:
            event.set()
            if self.presence is not None:
                self.presence.begin(topic)

    def received(self, topic: str, packet: bytes) -> None:
        """Take a packet."""
        with _kept_from_the_bus(topic):
            message = self._read(topic, packet)
            if message is not None:
                self._delivery.deliver(topic, message)

    async def take(self, topic: str, packet: bytes) -> None:
        """Take a packet, and let others have the loop meanwhile."""
        with _kept_from_the_bus(topic):
            message = self._read(topic, packet)
            if message is not None:
                await self._delivery.publish(topic, message)

    def _read(self, topic: str, packet: bytes) -> Publication | None:
        """Return the message that a packet is; do what another kind asks for."""
        parsed = parse_packet(packet)
        if not self._senders.is_new(parsed):
            return None
        if parsed.kind is Kind.MESSAGE:
            return self._publication(parsed)
        if self.presence is not None and parsed.sender != self.sender.identity:
            self.presence.received(topic, parsed, current_time())
        return None

    def missed(self) -> None:
        """Take it that packets may have been lost."""
        if self.presence is not None:
            self.presence.missed()
        self._interrupted()


@contextmanager
def _kept_from_the_bus(topic: str) -> Iterator[None]:
    """Log what goes wrong with one packet; the next one is taken all the same."""
    try:
        yield
    except Exception:
        logger.exception("a packet of the bus under %r could not be taken", topic)
