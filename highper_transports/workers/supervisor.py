"""The process that starts workers, replaces those that end, and never runs the application.

A loop of one thread around `poll`: signals, what workers report, ends of processes, and moments that have come. It
imports no application and no loop, so it has nothing that could fail with them.

SIGTERM, SIGINT   stop: workers answer what runs; a second one: at once
SIGHUP            reload: new workers take over when all of them are ready
SIGTTIN, SIGTTOU  one worker more, one less
"""

from __future__ import annotations

import logging
import os
import select
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from highper_core.errors import HighperError

from ..errors import BindingInvalid
from ..signals import SignalInbox
from ..sockets import Binding
from ..systemd import Notifier
from . import watching
from .birth import Closable, Worker, beget, prepare, work
from .crew import Crew, reap
from .listeners import Listeners
from .overseers import PULSE, Duty
from .pidfile import PidFile
from .post import FAILED, LEAVING, LOST, QUIT, READY, STOP, TIRED, Post
from .recycling import Recycling

__all__ = ["Settings", "Supervisor", "WorkersUnavailable"]

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCHLD)

logger = logging.getLogger("highper")


class WorkersUnavailable(HighperError):
    """This platform or this program cannot fork workers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a service is supervised.

    Args:
        workers: processes that serve.
        drain: seconds that running requests have when a worker ends.
        hang: seconds without a turn of a worker's loop after which it is killed, at least 3; 0 for never.
        recycling: bounds of a worker's life.
        reuse_port: a TCP socket for each worker, instead of one for all.
        pidfile: path of a file for the supervisor's process id.
        watch: directories whose Python sources are watched; a change reloads.
    """

    workers: int = 1
    drain: float = 30.0
    hang: float = 30.0
    recycling: Recycling = field(default_factory=Recycling)
    reuse_port: bool = False
    pidfile: str | None = None
    watch: tuple[str, ...] = ()


class Supervisor:
    """Serves with several processes.

    Args:
        serve: `serve(bindings, duty)` imports the application and serves it at these places until `duty` says so; runs
            in each worker, blocking.
        bindings: where to listen.
        settings: how.
        describe: how a place is called in the log.
    """

    def __init__(
        self,
        serve: Callable[[list[Binding], Duty], object],
        bindings: Sequence[Binding],
        settings: Settings,
        describe: Callable[[Binding, Any], str] = lambda binding, address: str(binding),
    ) -> None:
        if not hasattr(os, "fork"):
            raise WorkersUnavailable("workers are forked, which this platform cannot do")
        if settings.watch:
            watching.require()
        self._serve = serve
        self._settings = settings
        self._describe = describe
        self._listeners = Listeners(bindings, reuse_port=settings.reuse_port)
        self._crew = Crew(
            self._hire,
            settings.workers,
            drain=settings.drain,
            patient=bool(settings.watch),
            overlap=not settings.watch,  # a developer's next request shall not reach the code of before
        )
        self._notifier = Notifier()
        self._home = _working_directory()
        self._watcher: Worker | None = None
        self._patience = max(settings.hang, 3 * PULSE) if settings.hang else 0.0
        self._now = time.monotonic()
        self._status = ""

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT. Blocking; main thread only.

        Raises:
            WorkersFailed: the application cannot start, or crashes again and again.
            BindingInvalid: a place cannot be listened at.
            PidFileTaken, OSError: the file cannot be written.
            WorkersUnavailable: this program has threads.
        """
        if threading.active_count() > 1:  # a lock that one of them holds would stay locked in every worker
            names = ", ".join(thread.name for thread in threading.enumerate())
            raise WorkersUnavailable(f"workers are forked, which a program with several threads cannot do ({names})")
        pidfile = PidFile(self._settings.pidfile) if self._settings.pidfile is not None else None
        self._listeners.open()
        try:
            if pidfile is not None:
                pidfile.write()
            for binding, address in self._listeners.places:
                logger.info("listening at %s", self._describe(binding, address))
            prepare()
            with SignalInbox(SIGNALS) as inbox:
                self._inbox = inbox
                self._start_watching()
                self._turn_until_empty()
        finally:
            self._stop_watching()
            self._listeners.close()
            self._notifier.close()
            if pidfile is not None:
                pidfile.remove()
        if self._crew.verdict is not None:
            raise self._crew.verdict

    # The loop

    def _turn_until_empty(self) -> None:
        crew = self._crew
        while True:
            crew.advance(self._now)
            self._tell_status()
            if crew.stopping and not crew.leaving:
                return
            self._wait()
            for number in self._inbox.take():
                self._signalled(number)
            for worker in list(crew):
                self._read(worker)
            for worker, code in reap(crew):
                self._read(worker)  # its last words
                crew.gone(worker, code, self._now)
            self._read_watcher()
            crew.judge(self._now, self._patience)
            if crew.verdict is not None and not crew.stopping:
                self._stop(STOP)

    def _wait(self) -> None:
        """Sleep until something happens, a second at most: a child could be lost without a signal."""
        poll = select.poll()
        poll.register(self._inbox, select.POLLIN)
        watched = [*self._crew, *([self._watcher] if self._watcher is not None else [])]
        for worker in watched:
            if worker.post.fileno() >= 0:
                poll.register(worker.post, select.POLLIN)
        before = time.monotonic()
        until = min(before + PULSE, self._crew.next_moment())
        poll.poll(max(0.0, until - before) * 1000)
        self._now = time.monotonic()
        if self._now - before > 2 * PULSE:  # we were stopped, and perhaps the workers too: they have a new chance
            for worker in self._crew:
                worker.heard = self._now
        self._notifier.feed(self._now)

    def _read(self, worker: Worker) -> None:
        if worker.post.fileno() < 0:
            return
        for word, reason in worker.post.words():
            if word == LOST:
                worker.post.close()
                return
            worker.heard = self._now
            if word == READY:
                self._crew.ready(worker, self._now)
            elif word == TIRED:
                self._crew.tired(worker, reason)
            elif word == LEAVING:
                self._crew.quits(worker, self._now)
            elif word == FAILED:
                worker.reason = reason

    def _signalled(self, number: int) -> None:
        crew = self._crew
        if number in (signal.SIGTERM, signal.SIGINT):
            if crew.stopping:
                logger.info("stopping at once")
                crew.end(QUIT, self._now, hasty=True)
            else:
                drain = self._settings.drain
                logger.info("stopping: running requests have %g seconds; a second signal ends them now", drain)
                self._stop(STOP)
        elif crew.stopping:
            return
        elif number == signal.SIGHUP:
            logger.info("reloading")
            self._reload()
        elif number == signal.SIGTTIN:
            crew.grow()
        elif number == signal.SIGTTOU:
            slot = crew.shrink(self._now)
            if slot is not None:
                self._listeners.drop(slot)

    def _reload(self) -> None:
        self._notifier.reloading()
        self._status = ""
        self._crew.renew(self._now)

    def _stop(self, word: str) -> None:
        self._notifier.stopping()
        self._listeners.close()
        self._crew.end(word, self._now)

    def _tell_status(self) -> None:
        crew = self._crew
        if crew.stopping or crew.renewing or not crew.started:
            return
        status = f"{crew.serving} of {len(crew.slots)} workers serve"
        if status != self._status:
            self._status = status
            self._notifier.ready(status)

    # Processes

    def _hire(self, slot: int) -> Worker:
        try:
            bindings = self._listeners.bindings(slot)
        except BindingInvalid as error:
            raise OSError(str(error)) from error
        return beget(partial(self._live, bindings), self._inherited(), self._now)

    def _live(self, bindings: list[Binding], post: Post) -> int:
        duty = Duty(post, self._settings.recycling, self._listeners.forget)
        return work(partial(self._serve, bindings), duty, post, self._home)

    def _inherited(self) -> list[Closable]:
        posts = [worker.post for worker in self._crew]
        if self._watcher is not None:
            posts.append(self._watcher.post)
        return [self._inbox, self._notifier, *posts]

    # Sources that change

    def _start_watching(self) -> None:
        directories = self._settings.watch
        if directories:
            self._watcher = beget(partial(self._watch, directories), self._inherited(), self._now)

    def _watch(self, directories: Sequence[str], post: Post) -> int:
        self._listeners.forget()
        return watching.watch(post, directories)

    def _read_watcher(self) -> None:
        watcher = self._watcher
        if watcher is None:
            return
        for word, reason in watcher.post.words():
            if word == watching.WATCHING:
                logger.info("watching %s", ", ".join(self._settings.watch))
            elif word == watching.CHANGED and not self._crew.stopping:
                logger.info("reloading: %s", reason)
                self._reload()
            elif word == LOST:
                logger.error("changes are not watched any more: the process that did so has ended")
                self._stop_watching()

    def _stop_watching(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.kill(signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(watcher.pid, 0)
            watcher.post.close()


def _working_directory() -> str:
    """Return the working directory by the name it was entered by: a link that a deployment moves is followed anew."""
    here, named = os.getcwd(), os.environ.get("PWD", "")
    try:
        return named if named and os.path.samefile(named, here) else here
    except OSError:
        return here
