"""Both ends of the line between a supervisor and one of its workers.

Words, one a line. The supervisor *orders*, the worker *reports*; the end of the line tells either that the other is
gone. A worker's loop does not wait for the line: SIGTERM is the bell that says an order lies there, and what lies
there says what is meant. So a signal that reaches a whole group of processes never means more than it should.
"""

from __future__ import annotations

import socket
from contextlib import suppress

__all__ = [
    "BEAT",
    "FAILED",
    "LEAVING",
    "LOST",
    "QUIT",
    "READY",
    "STOP",
    "TIRED",
    "WITHDRAW",
    "Post",
    "pair",
]

# orders
WITHDRAW = "withdraw"  # others have taken over: end without costing anybody a request
STOP = "stop"  # the service ends: answer what runs
QUIT = "quit"  # now

# reports
READY = "ready"  # serving
BEAT = "beat"  # my loop turns
TIRED = "tired"  # replace me, for the reason that follows
LEAVING = "leaving"  # I withdraw without being told to
FAILED = "failed"  # the application cannot start, for the reason that follows

LOST = "lost"  # what either end reads when the other is gone

LONGEST = 4096


class Post:
    """One end of the line. Never blocks, never raises for the other end's sake."""

    def __init__(self, line: socket.socket) -> None:
        line.setblocking(False)
        self._line = line
        self._partial = b""

    def fileno(self) -> int:
        """Return what becomes readable when words lie there, -1 once closed."""
        return self._line.fileno()

    def say(self, word: str, reason: str = "") -> None:
        """Send a word. It is lost where the other end is gone or has let hundreds pile up."""
        text = f"{word} {' '.join(reason.split())}".encode(errors="replace")[:LONGEST]
        with suppress(OSError):
            self._line.send(text.strip() + b"\n")

    def words(self) -> list[tuple[str, str]]:
        """Return the words that lie there, each with its reason; `LOST` last where the line has ended."""
        ended = False
        try:
            while data := self._line.recv(65536):
                self._partial += data
            ended = True
        except BlockingIOError:
            pass
        except OSError:
            ended = True
        *lines, self._partial = self._partial.split(b"\n")
        found = []
        for line in lines:
            word, _, reason = line.decode(errors="replace").partition(" ")
            found.append((word, reason))
        return [*found, (LOST, "")] if ended else found

    def close(self) -> None:
        """Hang up. Idempotent."""
        self._line.close()


def pair() -> tuple[Post, Post]:
    """Return the two ends of a new line."""
    ours, theirs = socket.socketpair()
    return Post(ours), Post(theirs)
