"""Which workers there should be, which there are, and what follows from the difference.

A slot is a place for one worker. Its *current* one serves; one that is *coming* has not taken over yet. Whoever has
been replaced is *leaving*, until its process has ended. All that happens is one of these moves:

    empty --hire--> coming --ready--> current --withdraw--> leaving --end--> buried
                       |                 |
                       +--failed, died---+--> empty, hired again after a delay that doubles

A reload hires for every slot and lets the newcomers take over together, when all are ready; if one fails, the others
are sent away and everybody stays.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable, Iterator
from math import inf

from highper_core.errors import HighperError

from ..signals import name_of
from .birth import CANNOT_START, Worker
from .post import STOP, WITHDRAW

__all__ = ["Crew", "Slot", "WorkersFailed", "reap"]

STEADY = 10.0  # seconds a worker has served before its end counts as an accident and not as a habit
FIRST_DELAY = 0.1  # seconds
LAST_DELAY = 30.0
FAILURES = 7  # in a row in one slot, while nobody else is steady: a crash loop
GRACE = 5.0  # seconds beyond the drain after which a worker that has not ended is killed
HASTE = 3.0  # the same when it was told to end at once

CRASH_LOOP = 1  # exit code

logger = logging.getLogger("highper")


class WorkersFailed(HighperError):
    """There is no point in going on: the application cannot start, or crashes as soon as it has.

    Attributes:
        exit_code: 3 where it cannot start, 1 for a crash loop.
    """

    def __init__(self, reason: str, exit_code: int) -> None:
        super().__init__(reason)
        self.exit_code = exit_code


class Slot:
    """A place for one worker.

    Attributes:
        current: who serves.
        coming: who will.
        tired: the current one asked to be replaced.
        failures: lives in a row that were too short.
        retry_at: moment before which nobody is hired.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.current: Worker | None = None
        self.coming: Worker | None = None
        self.tired = False
        self.failures = 0
        self.retry_at = 0.0

    def failed(self, now: float) -> float:
        """Count a life that was too short; return the seconds until the next one."""
        self.failures += 1
        delay = min(LAST_DELAY, FIRST_DELAY * 2.0 ** (self.failures - 1))
        self.retry_at = now + delay
        return delay


class Crew:
    """The workers of one supervisor. Every method is told the time; nothing here waits.

    Args:
        hire: starts a worker for a slot's number; raises OSError where the system has no process left.
        size: slots.
        drain: seconds a worker may take to end.
        patient: who cannot start is not tried again before the next `renew`, and never the end of everything.
        overlap: who is replaced keeps its peers until they can leave without losing a request. Without it a reload
            is over when the last of them has ended: from then on nobody meets the code of before.

    Attributes:
        slots: places.
        leaving: workers that were told to end, or said that they do.
        renewing: a reload is going on.
        started: every slot has had a worker.
        verdict: why there is no point in going on, or None.
    """

    def __init__(
        self,
        hire: Callable[[int], Worker],
        size: int,
        *,
        drain: float = 30.0,
        patient: bool = False,
        overlap: bool = True,
    ) -> None:
        self._hire = hire
        self._drain = drain
        self._patient = patient
        self._overlap = overlap
        self._outlived: list[Worker] = []  # whose end completes a reload
        self.slots = [Slot(number) for number in range(size)]
        self.leaving: list[Worker] = []
        self.renewing = False
        self.started = False
        self.stopping = False
        self.verdict: WorkersFailed | None = None

    def __iter__(self) -> Iterator[Worker]:
        for slot in self.slots:
            for worker in (slot.current, slot.coming):
                if worker is not None:
                    yield worker
        yield from self.leaving

    @property
    def serving(self) -> int:
        """Workers that serve."""
        return sum(slot.current is not None for slot in self.slots)

    # What is wanted

    def renew(self, now: float) -> None:
        """Replace everybody, all at once, by workers that load the application anew."""
        self.renewing = True
        for slot in self.slots:
            if slot.coming is not None:
                self._dismiss(slot.coming, now)
                slot.coming = None
            slot.failures = 0
            slot.retry_at = 0.0

    def grow(self) -> None:
        """Add a slot."""
        self.slots.append(Slot(len(self.slots)))

    def shrink(self, now: float) -> int | None:
        """Remove the last slot and return its number; None where it is the only one."""
        if len(self.slots) == 1:
            return None
        slot = self.slots.pop()
        for worker in (slot.current, slot.coming):
            if worker is not None:
                self._dismiss(worker, now)
        return slot.number

    def end(self, word: str, now: float, *, hasty: bool = False) -> None:
        """Tell everybody to end, and hire nobody any more."""
        self.stopping = True
        workers = list(self)
        for slot in self.slots:
            slot.current = slot.coming = None
        self.leaving = workers
        for worker in workers:
            worker.order(word, now + (HASTE if hasty else self._drain + GRACE))

    # What happens

    def ready(self, worker: Worker, now: float) -> None:
        """A worker serves."""
        if not worker.is_ready:
            worker.ready_at = now
            logger.info("worker %d is ready", worker.pid)

    def tired(self, worker: Worker, reason: str) -> None:
        """A worker has served long enough."""
        for slot in self.slots:
            if slot.current is worker:
                logger.info("worker %d is to be replaced: %s", worker.pid, reason)
                slot.tired = True

    def quits(self, worker: Worker, now: float) -> None:
        """A worker ends because somebody told it to, who was not us."""
        for slot in self.slots:
            if slot.current is worker:
                slot.current = None
                worker.deadline = now + self._drain + GRACE
                self.leaving.append(worker)

    def gone(self, worker: Worker, code: int | None, now: float) -> None:
        """A worker's process has ended; `code` as `os.waitstatus_to_exitcode` has it, None if nobody knows."""
        worker.post.close()
        if worker in self.leaving:
            self.leaving.remove(worker)
            logger.info("worker %d has ended", worker.pid)
            if worker in self._outlived:
                self._outlived.remove(worker)
                self._reloaded()
            return
        for slot in self.slots:
            if slot.coming is worker:
                slot.coming = None
                self._stillborn(slot, worker, code, now)
            elif slot.current is worker:
                slot.current = None
                self._died(slot, worker, code, now)

    def _stillborn(self, slot: Slot, worker: Worker, code: int | None, now: float) -> None:
        how = worker.reason or f"worker {worker.pid} {_end_of(code)} before it was ready"
        if self.renewing and self.started:
            self._abandon(how, now)
        elif code == CANNOT_START and not self.started and not self._patient:
            self.verdict = WorkersFailed(how, CANNOT_START)
        else:
            logger.error("%s", how)
        if slot.current is None or slot.tired:
            self._failed(slot, how, code, now)

    def _died(self, slot: Slot, worker: Worker, code: int | None, now: float) -> None:
        how = f"worker {worker.pid} {'hung and ' if worker.hung else ''}{_end_of(code)}"
        logger.error("%s", how)
        slot.tired = False
        if self._is_steady(worker, now):
            slot.failures = 0
            slot.retry_at = 0.0
        else:
            self._failed(slot, how, code, now)

    def _failed(self, slot: Slot, how: str, code: int | None, now: float) -> None:
        delay = slot.failed(now)
        steady = any(item.current is not None and self._is_steady(item.current, now) for item in self.slots)
        if self._patient and (code == CANNOT_START or slot.failures >= FAILURES):
            slot.retry_at = inf
            logger.error("waiting for a change of the sources")
        elif slot.failures >= FAILURES and not steady and slot.current is None:
            loop = f"workers fail again and again: {how}"
            self.verdict = self.verdict or WorkersFailed(loop, CANNOT_START if code == CANNOT_START else CRASH_LOOP)
        elif self.verdict is None:
            logger.info("the next try is in %g seconds", delay)

    def _abandon(self, how: str, now: float) -> None:
        logger.error("the reload was given up, the workers stay: %s", how)
        self.renewing = False
        for slot in self.slots:
            if slot.coming is not None:
                self._dismiss(slot.coming, now)
                slot.coming = None

    def _is_steady(self, worker: Worker, now: float) -> bool:
        return worker.ready_at is not None and now - worker.ready_at >= STEADY

    # What follows

    def advance(self, now: float) -> None:
        """Let newcomers take over, and hire whom a slot lacks."""
        if self.stopping:
            return
        together = self.renewing and self.started
        if together and all(slot.coming is not None and slot.coming.is_ready for slot in self.slots):
            together = self.renewing = False
            if not self._overlap:
                self._outlived += [slot.current for slot in self.slots if slot.current is not None]
            self._reloaded()
        if not together:
            for slot in self.slots:
                if slot.coming is not None and slot.coming.is_ready:
                    self._promote(slot, now)
            if self.serving == len(self.slots):
                self.started, self.renewing = True, False
        for slot in self.slots:
            if slot.coming is None and now >= slot.retry_at and self._lacks(slot):
                try:
                    slot.coming = self._hire(slot.number)
                except OSError as error:
                    logger.error("no worker could be started: %s", error)
                    slot.failed(now)

    def _reloaded(self) -> None:
        if not (self._outlived or self.stopping):
            logger.info("reloaded")

    def _lacks(self, slot: Slot) -> bool:
        if slot.current is None or self.renewing:
            return True
        return slot.tired and not any(other.coming is not None for other in self.slots)  # one after another

    def _promote(self, slot: Slot, now: float) -> None:
        before, slot.current, slot.coming, slot.tired = slot.current, slot.coming, None, False
        if before is not None:
            self._dismiss(before, now)

    def _dismiss(self, worker: Worker, now: float) -> None:
        self.leaving.append(worker)
        worker.order(WITHDRAW if self._overlap else STOP, now + self._drain + GRACE)

    def judge(self, now: float, patience: float) -> None:
        """End who did not end in time, and, where `patience` is not 0, who has not given a sign of life for so long."""
        for worker in self:
            if worker.deadline is not None:
                if now >= worker.deadline:
                    logger.error("worker %d did not end in time and is killed", worker.pid)
                    worker.kill(signal.SIGKILL)
                    worker.deadline = inf
            elif patience and worker.is_ready and now - worker.heard >= patience:
                logger.error("worker %d has not turned for %g seconds and is killed", worker.pid, patience)
                worker.hung = True
                worker.kill(signal.SIGABRT)  # faulthandler prints where it hangs
                worker.deadline = now + HASTE

    def next_moment(self) -> float:
        """Return when something is due, infinity for never."""
        moments = [worker.deadline for worker in self if worker.deadline is not None]
        if not self.stopping:
            moments += [slot.retry_at for slot in self.slots if slot.coming is None and slot.current is None]
        return min(moments, default=inf)


def _end_of(code: int | None) -> str:
    if code is None:
        return "vanished"
    return f"was killed by {name_of(-code)}" if code < 0 else f"ended with exit code {code}"


def reap(crew: Crew) -> list[tuple[Worker, int | None]]:
    """Bury those of `crew` that have ended; return them with their exit codes.

    Only our own are waited for, so that a program's other children stay its own; process 1 buries everybody's.
    """
    found: list[tuple[Worker, int | None]] = []
    everybody = {worker.pid: worker for worker in crew}
    if os.getpid() == 1:
        found += _reap_all(everybody)
    for pid, worker in everybody.items():
        try:
            buried, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # somebody else has waited for it
            found.append((worker, None))
            continue
        if buried:
            found.append((worker, os.waitstatus_to_exitcode(status)))
    return found


def _reap_all(everybody: dict[int, Worker]) -> list[tuple[Worker, int | None]]:
    found: list[tuple[Worker, int | None]] = []
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return found
            worker = everybody.pop(pid, None)
            if worker is not None:
                found.append((worker, os.waitstatus_to_exitcode(status)))
    except ChildProcessError:
        return found
