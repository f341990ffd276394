"""How a worker comes into the world: by fork, from a supervisor that has not imported the application.

Fork, not a fresh interpreter: a worker starts in the time its application takes to import, shares the pages of Python
and Highper with its siblings, inherits the listeners as they are, and the same code serves a program that calls
`app.listen(workers=4)`. Because the application is imported in the child, a reload loads new code; Highper itself is
loaded before, once, so that a worker never runs half of one version and half of another. The fork is safe because the
supervisor is a single thread and holds no lock, loop or TLS context.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import importlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, NoReturn, Protocol

from ..signals import forget_signals
from .overseers import Duty
from .post import FAILED, WITHDRAW, Post, pair

__all__ = ["CANNOT_START", "Worker", "beget", "prepare", "work"]

CANNOT_START = 3  # exit code of a worker whose application does not start
CRASHED = 1

logger = logging.getLogger("highper")


class Closable(Protocol):
    """What a child need not keep."""

    def close(self) -> None:
        """Close this process's copy."""


class Worker:
    """What the supervisor knows of one worker.

    Attributes:
        pid: of its process.
        post: our end of the line to it.
        ready_at: since when it serves, or None.
        heard: when its last word was read.
        deadline: when it is killed, if it has not ended by then.
        hung: it was found not to turn any more.
        reason: why it cannot start, where it said so.
    """

    def __init__(self, pid: int, post: Post, now: float) -> None:
        self.pid = pid
        self.post = post
        self.heard = now
        self.ready_at: float | None = None
        self.deadline: float | None = None
        self.hung = False
        self.reason = ""

    @property
    def is_ready(self) -> bool:
        """Whether it serves."""
        return self.ready_at is not None

    def order(self, word: str, deadline: float) -> None:
        """Tell it to end, by `deadline`.

        The bell ends one that does not serve yet on the spot; who only withdraws may have accepted somebody by now, and
        finds the word when it begins.
        """
        self.deadline = deadline
        self.post.say(word)
        if self.is_ready or word != WITHDRAW:
            self.kill(signal.SIGTERM)

    def kill(self, number: int) -> None:
        """Send a signal. The process is our child and not buried, so its number is nobody else's."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


def prepare() -> None:
    """Put what exists beyond the reach of collections: a collection in a child would copy the pages it shares."""
    gc.collect()
    gc.freeze()


def beget(live: Callable[[Post], int], inherited: Iterable[Closable], now: float) -> Worker:
    """Fork a process that runs `live(post)` and exits with what it returns.

    Args:
        live: in the child.
        inherited: closed in the child.
        now: moment of birth.

    Raises:
        OSError: the system has no process left.
    """
    ours, theirs = pair()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()  # or the child would write it again
    # a signal between the fork and `forget_signals` would reach the supervisor's inbox, or kill what must not die yet
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _live(live, theirs, [*inherited, ours], before)
    except OSError:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
    return Worker(pid, ours, now)


def _live(live: Callable[[Post], int], post: Post, inherited: list[Closable], mask: Iterable[int]) -> NoReturn:
    code = CRASHED
    try:
        forget_signals()
        for number in (signal.SIGINT, signal.SIGHUP):  # a terminal sends them to all of us; the supervisor decides
            signal.signal(number, _note)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        atexit._clear()  # what the parent does at its end is the parent's
        for item in inherited:
            item.close()
        code = live(post)
    except BaseException:
        logger.exception("worker %d failed", os.getpid())
    finally:
        _exit(code)


def _exit(code: int) -> NoReturn:
    """End this process as the interpreter would, without unwinding into the supervisor's frames."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    finally:
        os._exit(code)


def _note(number: int, frame: object) -> None:
    """Exist: unlike SIG_IGN, a function is not inherited by what the application starts."""


def work(serve: Callable[[Duty], object], duty: Duty, post: Post, home: str) -> int:
    """Serve in a worker, and return its exit code.

    Args:
        serve: imports the application and serves it until `duty` says so. Blocking.
        duty: what `serve` is overseen by.
        post: where a failure to start is reported.
        home: working directory; entered anew, for it may be a link that leads elsewhere since.
    """
    try:
        os.chdir(home)
        importlib.invalidate_caches()
        if sys.stderr is not None and not faulthandler.is_enabled():
            _watch_faults(sys.stderr)
        serve(duty)
    except (Exception, SystemExit) as error:
        if duty.is_ready:
            raise
        logger.debug("start failed", exc_info=error)
        ended = isinstance(error, SystemExit)
        post.say(FAILED, f"the application ended the process while it started: {error}" if ended else str(error))
        return CANNOT_START
    return 0


def _watch_faults(stream: Any) -> None:
    """Have a fatal signal, SIGABRT for a worker that hangs among them, print where Python was."""
    with suppress(AttributeError, OSError, ValueError):  # replaced by something that is no file
        faulthandler.enable(stream)
