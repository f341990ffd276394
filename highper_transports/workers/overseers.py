"""Who tells a running server to end: its terminal, or its supervisor.

A server that runs blocking has an overseer. `begin` is called when it serves, `end` when it has ended; in between the
overseer calls the server, on its loop.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from random import Random
from typing import Protocol

from ..interfaces import ITransport
from ..systemd import Notifier
from ..timers import Timed
from .post import BEAT, LEAVING, LOST, QUIT, READY, STOP, TIRED, WITHDRAW, Post
from .recycling import Recycling

__all__ = ["PULSE", "Duty", "Foreground", "Overseer", "Served"]

PULSE = 1.0  # seconds between two beats, and two looks at the bounds of a worker's life

logger = logging.getLogger("highper")


class Served(Protocol):
    """What an overseer asks of a server."""

    drain: float

    @property
    def requests(self) -> int:
        """Requests begun so far."""

    def stop(self) -> None:
        """End when running requests are answered; idempotent."""

    def withdraw(self) -> None:
        """End as somebody whom others have replaced; idempotent."""

    def cut_off(self) -> None:
        """End running requests now."""


class Overseer(Protocol):
    """Who tells a server to end.

    Attributes:
        is_alone: nobody else says in the log where the service listens.
    """

    is_alone: bool

    def begin(self, transport: ITransport, server: Served) -> None:
        """The server serves."""

    def end(self) -> None:
        """The server has ended."""


class _Pulse(Timed):
    """Calls back every second."""

    __slots__ = ("_act", "_transport")

    def __init__(self, transport: ITransport, act: Callable[[], None]) -> None:
        Timed.__init__(self)
        self._transport = transport
        self._act = act
        self._again()

    def _again(self) -> None:
        self._transport.timers.arm(self, self._transport.now() + PULSE)

    def expired(self, now: float) -> None:
        self._again()
        self._act()

    def end(self) -> None:
        self._transport.timers.cancel(self)


class Foreground:
    """One process by itself: the first SIGINT or SIGTERM asks for a graceful stop, the second for an immediate one."""

    is_alone = True

    def __init__(self) -> None:
        self._notifier = Notifier()

    def begin(self, transport: ITransport, server: Served) -> None:
        """Watch the signals, and tell systemd that we serve."""
        self._transport, self._server, self._stopping = transport, server, False
        for number in (signal.SIGINT, signal.SIGTERM):
            transport.watch_signal(number, self._signalled)
        self._notifier.ready("serving")
        self._pulse = _Pulse(transport, self._feed) if self._notifier.interval else None

    def end(self) -> None:
        """Leave the signals alone."""
        if self._pulse is not None:
            self._pulse.end()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._transport.watch_signal(number, None)
        self._notifier.close()

    def _feed(self) -> None:
        self._notifier.feed(time.monotonic())

    def _signalled(self) -> None:
        if self._stopping:
            logger.info("stopping at once")
            self._server.cut_off()
            return
        self._stopping = True
        self._notifier.stopping()
        logger.info("stopping: running requests have %g seconds; a second signal ends them now", self._server.drain)
        self._server.stop()


class Duty:
    """A worker's: orders come from the supervisor, reports go there.

    Args:
        post: the worker's end of the line.
        recycling: bounds of its life.
        released: called once the server listens for itself.
    """

    is_alone = False

    def __init__(self, post: Post, recycling: Recycling, released: Callable[[], object]) -> None:
        self._post = post
        self._recycling = recycling.draw(Random())
        self._released = released
        self._tired = self._told = False
        self.is_ready = False

    def begin(self, transport: ITransport, server: Served) -> None:
        """Report that we serve, and go on reporting that we live."""
        self._transport, self._server = transport, server
        self._born = transport.now()
        self._released()
        transport.watch_signal(signal.SIGTERM, self._rung)
        self._pulse = _Pulse(transport, self._beat)
        self.is_ready = True
        self._post.say(READY)
        self._heed()

    def end(self) -> None:
        """Say no more."""
        self._pulse.end()
        self._transport.watch_signal(signal.SIGTERM, None)

    def _beat(self) -> None:
        self._post.say(BEAT)
        self._heed()
        if not self._tired:
            reason = self._recycling.due(self._server.requests, self._transport.now() - self._born)
            if reason is not None:
                self._tired = True
                self._post.say(TIRED, reason)

    def _rung(self) -> None:
        if not self._heed() and not self._told:
            self._told = True
            logger.info("withdrawing: somebody sent SIGTERM to this worker alone")
            self._post.say(LEAVING)
            self._server.withdraw()

    def _heed(self) -> bool:
        """Follow the orders that lie there; return whether there were any."""
        words = self._post.words()
        for word, _ in words:
            if word == WITHDRAW:
                self._server.withdraw()
            elif word == STOP or (word == LOST and not self._told):
                if word == LOST:
                    logger.warning("stopping: the supervisor is gone")
                self._server.stop()
            elif word == QUIT:
                self._server.stop()
                self._server.cut_off()
            self._told = True
        return bool(words)
