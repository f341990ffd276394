"""What a kernel says that lies: errors, short counts, and events that nothing has caused. One world's weather."""

from __future__ import annotations

import errno
import socket
from collections import Counter
from random import Random

from highper_transports.epoll._scripted import ScriptedKernel

__all__ = ["Script"]

PASSING = {  # what is over the next time one asks
    "recv": (errno.EAGAIN, errno.EINTR),
    "send": (errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.ENOMEM),
    "sendmsg": (errno.EAGAIN, errno.EINTR, errno.ENOBUFS, errno.ENOMEM),
    "sendfile": (errno.EAGAIN, errno.EINTR, errno.EINVAL, errno.ENOMEM),
    "accept": (errno.EAGAIN, errno.EINTR, errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ENETDOWN),
    "wait": (errno.EINTR,),
    "getsockname": (errno.ENOBUFS,),
    "getpeername": (errno.ENOBUFS,),
    "close": (errno.EINTR, errno.EIO),
    "reset_at_close": (errno.EINVAL,),
}
SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)  # accepting pauses
FATAL = {  # the connection's end
    "recv": (errno.ECONNRESET, errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENOMEM),
    "send": (errno.EPIPE, errno.ECONNRESET),
    "sendmsg": (errno.EPIPE, errno.ECONNRESET),
    "sendfile": (errno.EPIPE, errno.ECONNRESET, errno.EIO),
    "shutdown": (errno.ENOTCONN,),
    "watch": (errno.EPERM, errno.ENOSPC, errno.ENOMEM),
    "change": (errno.EPERM, errno.ENOMEM),
}
DONE = {"recv", "send", "sendmsg", "sendfile", "accept", "close", "change", "watch", "shutdown"}


class Script:
    """Decides what the kernel says. One world's weather.

    Attributes:
        doomed: ports of the clients whose connections it broke.
        calls: how often each system call was asked for, and each error made up.
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self.calls: Counter[str] = Counter()
        self.doomed: set[int] = set()
        self.peers: dict[int, int] = {}
        self.calm = True
        self.idle = self.most_idle = self.turns = 0
        self.errors, self.shorts, self.shortages = 400, 3000, 6  # left to be made up
        self.passing = random.choice((0.0, 0.02, 0.2, 0.5))
        self.short = random.choice((0.0, 0.1, 0.7))
        self.scarce = random.choice((0.0, 0.0, 0.0, 0.3))
        self.fatal = random.choice((0.0, 0.0, 0.002, 0.02))
        self.astray = random.choice((0.0, 0.1, 0.5))

    def call(self, name: str, fd: int, amount: int) -> int:
        """Let a call be, shorten it, or make an error of it."""
        self.calls[name] += 1
        peer = self.peers.get(fd)
        if name == "wait":
            self._turn()
        elif name in DONE:
            self.idle = 0
        if name == "close":
            self.peers.pop(fd, None)
        if self.calm:
            return amount
        chance = self.random.random()
        if name in FATAL and chance < self.fatal:
            if peer is not None:
                self.doomed.add(peer)
            return self._error(name, FATAL[name], amount)
        if name in PASSING and chance < self.passing:
            return self._error(name, PASSING[name], amount)
        if name == "accept" and chance > 1 - self.scarce:
            return self._error(name, SCARCE, amount)
        if chance > 1 - self.short and amount > 1 and self.shorts:
            self.shorts -= 1
            return self.random.choice((1, self.random.randint(1, amount), min(amount, self.random.randint(1, 64))))
        return amount

    def _error(self, name: str, errors: tuple[int, ...], amount: int) -> int:
        number = self.random.choice(errors)
        if number in SCARCE:
            self.shortages -= 1
        self.errors -= 1
        if self.errors < 0 or (number in SCARCE and self.shortages < 0):
            return amount
        self.calls[f"{name} {errno.errorcode[number]}"] += 1
        return -number

    def _turn(self) -> None:
        self.turns += 1
        self.idle += 1
        self.most_idle = max(self.most_idle, self.idle)

    def accepted(self, fd: int) -> None:
        """Learn whose connection a descriptor is."""
        known = socket.socket(fileno=fd)
        try:
            self.peers[fd] = known.getpeername()[1]
        except OSError:  # it was reset in the queue
            self.peers[fd] = 0
        finally:
            known.detach()

    def strays(self, kernel: ScriptedKernel) -> list[tuple[int, int, int]]:
        """Make events up: readiness that is none, and all kinds for sockets that are closed."""
        if self.calm or self.random.random() >= self.astray:
            return []
        found = []
        own = [word for word in kernel.words.values() if not word & 0xC0000000]
        if own:
            found.append((self.random.randint(0, 4), self.random.choice(own), self.random.choice((1, 4, 5))))
        if kernel.past:
            found.append((self.random.randint(0, 4), self.random.choice(kernel.past[-20:]), self.random.randint(1, 31)))
        listeners = [word for word in kernel.words.values() if word & 0x40000000 and not word & 0x80000000]
        if listeners and self.random.random() < 0.3:
            found.append((0, self.random.choice(listeners), 1))
        return found
