"""What systemd and a service say to each other: passed sockets, and the state of the service.

Both are plain protocols of the environment, so no library is needed and nothing happens where systemd is not there.
Sources: sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3).
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping
from contextlib import suppress

from .errors import BindingInvalid

__all__ = ["Notifier", "passed_sockets"]

FIRST = 3  # SD_LISTEN_FDS_START


def passed_sockets(environ: MutableMapping[str, str] = os.environ) -> dict[int, str]:
    """Return the descriptors that were passed to this process, with their names; call it once.

    The variables are removed and the descriptors marked, so that no process that is started later takes them for its
    own.

    Raises:
        BindingInvalid: the variables make no sense, or a descriptor they promise is not open.
    """
    pid = environ.pop("LISTEN_PID", "")
    count = environ.pop("LISTEN_FDS", "")
    names = environ.pop("LISTEN_FDNAMES", "")
    if not count or pid != str(os.getpid()):
        return {}
    if not (count.isascii() and count.isdigit()):
        raise BindingInvalid(f"LISTEN_FDS is a number of sockets, not {count!r}")
    given = names.split(":") if names else []
    found = {}
    for position in range(int(count)):
        fd = FIRST + position
        try:
            os.set_inheritable(fd, False)
        except OSError as error:
            raise BindingInvalid(f"LISTEN_FDS promises descriptor {fd}, which is not open") from error
        found[fd] = given[position] if position < len(given) else "unknown"
    return found


class Notifier:
    """Tells the service's state, where NOTIFY_SOCKET says to whom. Never raises for who listens, nor waits for them.

    The variables are removed: the workers of a service do not speak for it.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        address = environ.pop("NOTIFY_SOCKET", "")
        interval, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        self._socket: socket.socket | None = None
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self._socket.setblocking(False)
        watched = interval.isascii() and interval.isdigit() and pid in ("", str(os.getpid()))
        self.interval = int(interval) / 2e6 if watched and self._socket is not None else 0.0
        self._fed = 0.0

    def tell(self, *lines: str) -> None:
        """Send assignments in one message."""
        if self._socket is not None:
            with suppress(OSError):  # nobody listens any more, or cannot keep up
                self._socket.sendto("\n".join(lines).encode(), self._address)

    def ready(self, status: str) -> None:
        """The service works, for the first time or again."""
        self.tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload begins; `ready` ends it."""
        moment = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.tell("RELOADING=1", f"MONOTONIC_USEC={moment}", "STATUS=reloading")

    def stopping(self) -> None:
        """The end has begun."""
        self.tell("STOPPING=1", "STATUS=stopping")

    def feed(self, now: float) -> None:
        """Tell the watchdog that we live, where it asked to hear so; call it every second, or more often."""
        if self.interval and now - self._fed >= min(self.interval, 1.0):
            self._fed = now
            self.tell("WATCHDOG=1")

    def close(self) -> None:
        """Say no more."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
