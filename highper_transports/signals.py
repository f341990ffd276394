"""Signals for a loop that is not asyncio's: they arrive as bytes on a descriptor that can be waited for.

A handler in Python runs between two instructions of whatever runs; what it may do there safely is little. Here it does
nothing at all: the interpreter writes the signal's number into a socket, and the loop reads it when it is ready to.
"""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterable
from types import TracebackType
from typing import Any

__all__ = ["SignalInbox", "forget_signals", "name_of"]

_CAUGHT = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGABRT,
)


class SignalInbox:
    """Catches signals while it is entered. Main thread only.

    Args:
        numbers: which ones.
    """

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = tuple(numbers)
        self._before: dict[int, Any] = {}
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup_before = -1

    def __enter__(self) -> SignalInbox:
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in self._numbers:
            self._before[number] = signal.signal(number, _note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, action in self._before.items():
            signal.signal(number, action)
        signal.set_wakeup_fd(self._wakeup_before)
        self.close()

    def fileno(self) -> int:
        """Return what becomes readable when a signal has come."""
        return self._reader.fileno()

    def take(self) -> list[int]:
        """Return the signals that came, in order. One that came often while nobody looked may count once."""
        found = b""
        try:
            while data := self._reader.recv(1024):
                found += data
        except BlockingIOError:
            pass
        return [number for number in found if number in self._numbers]

    def close(self) -> None:
        """Close both ends; the forked child of a loop needs neither."""
        self._reader.close()
        self._writer.close()


def forget_signals() -> None:
    """Give every signal that a server catches its default action again: what a forked child does first."""
    signal.set_wakeup_fd(-1)
    for number in _CAUGHT:
        signal.signal(number, signal.SIG_DFL)


def name_of(number: int) -> str:
    """Return a signal's name, for people."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _note(number: int, frame: object) -> None:
    """Exist, so that the interpreter writes the number."""
