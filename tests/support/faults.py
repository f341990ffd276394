"""Sockets and TLS objects whose n-th call fails, for torture tests.

A `FaultPlan` counts every call of every site. Armed, it makes the n-th call of one site fail once with one error;
everything before and after is real.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from typing import Any

__all__ = ["ERRORS", "FaultPlan", "FaultyContext", "FaultySocket"]


def _os_error(number: int) -> OSError:
    return OSError(number, errno.errorcode[number])


ERRORS: dict[str, tuple[Callable[[], BaseException], ...]] = {
    "accept": tuple(
        (lambda number=number: _os_error(number))
        for number in (
            errno.EAGAIN,
            errno.EINTR,
            errno.ECONNABORTED,
            errno.EMFILE,
            errno.ENFILE,
            errno.ENOBUFS,
            errno.EPERM,
        )
    ),
    "recv": tuple(
        (lambda number=number: _os_error(number))
        for number in (errno.EAGAIN, errno.EINTR, errno.ECONNRESET, errno.ETIMEDOUT, errno.ENOMEM)
    ),
    "send": tuple(
        (lambda number=number: _os_error(number))
        for number in (errno.EAGAIN, errno.EINTR, errno.EPIPE, errno.ECONNRESET, errno.ENOBUFS)
    ),
    "shutdown": tuple((lambda number=number: _os_error(number)) for number in (errno.ENOTCONN, errno.EPIPE)),
    "close": tuple((lambda number=number: _os_error(number)) for number in (errno.EIO, errno.EINTR)),
    "setsockopt": tuple((lambda number=number: _os_error(number)) for number in (errno.EINVAL, errno.ENOPROTOOPT)),
    "do_handshake": (lambda: ssl.SSLError(1, "planned"), lambda: ssl.SSLEOFError(8, "planned")),
    "read": (lambda: ssl.SSLError(1, "planned"), lambda: ssl.SSLWantReadError(2, "planned")),
    "write": (lambda: ssl.SSLError(1, "planned"), lambda: ssl.SSLWantReadError(2, "planned")),
    "unwrap": (lambda: ssl.SSLError(1, "planned"), lambda: ssl.SSLWantReadError(2, "planned")),
}


class FaultPlan:
    """Which call fails. Unarmed it only counts."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.fired = False
        self._site = ""
        self._at = 0
        self._error: Callable[[], BaseException] | None = None

    def arm(self, site: str, at: int, error: Callable[[], BaseException]) -> None:
        """Make the call number `at` (from 1) of `site` fail with `error()`; counting begins anew."""
        self.calls.clear()
        self.fired = False
        self._site, self._at, self._error = site, at, error

    def disarm(self) -> None:
        """Let everything pass again."""
        self._error = None

    def pass_by(self, site: str) -> None:
        """Count a call and raise if it is the planned one."""
        self.calls[site] += 1
        if self._error is not None and site == self._site and self.calls[site] == self._at:
            self.fired = True
            raise self._error()


class FaultySocket(socket.socket):
    """A real socket that asks its plan before each call; accepted sockets share the plan."""

    plan: FaultPlan

    @classmethod
    def adopt(cls, sock: socket.socket, plan: FaultPlan) -> FaultySocket:
        """Take over the descriptor of `sock`."""
        made = cls(sock.family, sock.type, sock.proto, fileno=sock.detach())
        made.plan = plan
        made.setblocking(False)
        return made

    def accept(self) -> tuple[socket.socket, Any]:
        self.plan.pass_by("accept")
        sock, address = super().accept()
        return self.adopt(sock, self.plan), address

    def dup(self) -> socket.socket:
        return self.adopt(super().dup(), self.plan)

    def recv(self, *args: Any) -> bytes:
        self.plan.pass_by("recv")
        return super().recv(*args)

    def recv_into(self, *args: Any) -> int:
        self.plan.pass_by("recv")
        return super().recv_into(*args)

    def send(self, *args: Any) -> int:
        self.plan.pass_by("send")
        return super().send(*args)

    def sendmsg(self, *args: Any) -> int:
        self.plan.pass_by("send")
        return super().sendmsg(*args)

    def shutdown(self, how: int) -> None:
        self.plan.pass_by("shutdown")
        super().shutdown(how)

    def setsockopt(self, *args: Any) -> None:
        self.plan.pass_by("setsockopt")
        super().setsockopt(*args)

    def close(self) -> None:
        super().close()  # the kernel releases the descriptor whatever close() reports
        self.plan.pass_by("close")


class _FaultyObject:
    """An `ssl.SSLObject` that asks its plan before each step."""

    def __init__(self, inner: ssl.SSLObject, plan: FaultPlan) -> None:
        self._inner = inner
        self._plan = plan

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def do_handshake(self) -> None:
        self._plan.pass_by("do_handshake")
        self._inner.do_handshake()

    def read(self, *args: Any) -> Any:
        self._plan.pass_by("read")
        return self._inner.read(*args)

    def write(self, data: Any) -> int:
        self._plan.pass_by("write")
        return self._inner.write(data)

    def unwrap(self) -> None:
        self._plan.pass_by("unwrap")
        self._inner.unwrap()


class FaultyContext(ssl.SSLContext):
    """A TLS context whose connections ask its plan before each step."""

    plan: FaultPlan

    def wrap_bio(self, *args: Any, **options: Any) -> Any:
        return _FaultyObject(super().wrap_bio(*args, **options), self.plan)
