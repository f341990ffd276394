"""Who is hired, who takes over and who is sent away: the crew's moves, by hand and without a process."""

from __future__ import annotations

import logging
import signal
from itertools import count
from math import inf

import pytest

from highper_transports.workers.crew import FAILURES, STEADY, Crew, reap
from highper_transports.workers.post import QUIT, STOP, WITHDRAW


class Post:
    """A line that nobody is at the other end of."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.closed = False

    def say(self, word: str, reason: str = "") -> None:
        self.said.append(word)

    def close(self) -> None:
        self.closed = True


class Person:
    """A worker without a process."""

    def __init__(self, pid: int, slot: int) -> None:
        self.pid = pid
        self.slot = slot
        self.post = Post()
        self.heard = 0.0
        self.ready_at: float | None = None
        self.deadline: float | None = None
        self.hung = False
        self.reason = ""
        self.orders: list[str] = []
        self.signals: list[int] = []

    @property
    def is_ready(self) -> bool:
        return self.ready_at is not None

    def order(self, word: str, deadline: float) -> None:
        self.orders.append(word)
        self.deadline = deadline

    def kill(self, number: int) -> None:
        self.signals.append(number)


class Bench:
    """A crew whose clock and whose workers are moved by hand."""

    def __init__(self, size: int = 2, **options: object) -> None:
        self.now = 1000.0
        self.hired: list[Person] = []
        self.short = False  # of processes
        self._pids = count(1000000)
        self.crew = Crew(self._hire, size, **options)  # type: ignore[arg-type]
        self.advance()

    def _hire(self, slot: int) -> Person:
        if self.short:
            raise BlockingIOError("no process left")
        self.hired.append(Person(next(self._pids), slot))
        return self.hired[-1]

    def advance(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.crew.advance(self.now)

    def ready(self, *people: Person) -> None:
        for person in people:
            self.crew.ready(person, self.now)  # type: ignore[arg-type]
        self.advance()

    def gone(self, person: Person, code: int | None = 0) -> None:
        self.crew.gone(person, code, self.now)  # type: ignore[arg-type]
        self.advance()

    def started(self) -> list[Person]:
        """Make everybody who was hired serve, steadily."""
        people = list(self.hired)
        self.ready(*people)
        self.advance(STEADY)
        return people


def test_every_slot_gets_a_worker_and_serves_when_it_is_ready() -> None:
    bench = Bench(3)
    assert [person.slot for person in bench.hired] == [0, 1, 2]
    assert bench.crew.serving == 0
    bench.ready(bench.hired[1])
    assert bench.crew.serving == 1
    assert not bench.crew.started
    bench.ready(bench.hired[0], bench.hired[2])
    assert bench.crew.started
    assert len(bench.hired) == 3


def test_a_steady_worker_that_dies_is_replaced_at_once() -> None:
    bench = Bench()
    first, _ = bench.started()
    bench.gone(first, -9)
    assert len(bench.hired) == 3
    assert bench.hired[2].slot == first.slot
    assert first.post.closed


def test_short_lives_are_replaced_later_and_later() -> None:
    bench = Bench(1)
    delays = []
    for _ in range(FAILURES - 1):
        hired = len(bench.hired)
        bench.ready(bench.hired[-1])
        bench.gone(bench.hired[-1], 1)
        assert len(bench.hired) == hired
        delays.append(round(bench.crew.next_moment() - bench.now, 3))
        bench.advance(delays[-1] - 0.001)
        assert len(bench.hired) == hired
        bench.advance(0.002)
        assert len(bench.hired) == hired + 1
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
    assert bench.crew.verdict is None
    bench.gone(bench.hired[-1], 1)
    assert bench.crew.verdict is not None
    assert bench.crew.verdict.exit_code == 1


def test_a_steady_life_ends_the_count() -> None:
    bench = Bench(1)
    for _ in range(3 * FAILURES):
        bench.ready(bench.hired[-1])
        bench.advance(STEADY)
        bench.gone(bench.hired[-1], -11)
    assert bench.crew.verdict is None
    assert bench.crew.slots[0].failures == 0


def test_who_fails_again_and_again_beside_a_steady_worker_is_tried_for_ever() -> None:
    bench = Bench(2)
    bench.started()
    bench.gone(bench.hired[0], -9)
    for _ in range(3 * FAILURES):
        bench.gone(bench.hired[-1], 1)
        assert bench.crew.next_moment() - bench.now <= 30
        bench.advance(bench.crew.next_moment() - bench.now)
    assert bench.crew.verdict is None
    assert len(bench.hired) == 3 + 3 * FAILURES


def test_an_application_that_cannot_start_is_the_end_at_the_first_start_only() -> None:
    bench = Bench(2)
    bench.hired[0].reason = "no database"
    bench.gone(bench.hired[0], 3)
    assert bench.crew.verdict is not None
    assert (str(bench.crew.verdict), bench.crew.verdict.exit_code) == ("no database", 3)
    bench = Bench(2)
    bench.started()
    bench.gone(bench.hired[0], -9)
    bench.gone(bench.hired[2], 3)
    assert bench.crew.verdict is None


def test_when_nobody_is_left_and_nobody_can_start_it_ends_with_3() -> None:
    bench = Bench(1)
    bench.started()
    bench.gone(bench.hired[0], -9)
    for _ in range(FAILURES):
        bench.gone(bench.hired[-1], 3)
        bench.advance(30)
    assert bench.crew.verdict is not None
    assert bench.crew.verdict.exit_code == 3


def test_a_reload_waits_for_all_and_then_replaces_all() -> None:
    bench = Bench(2)
    old = bench.started()
    bench.crew.renew(bench.now)
    bench.advance()
    new = bench.hired[2:]
    assert len(new) == 2
    bench.ready(new[0])
    assert [person.orders for person in old] == [[], []]
    bench.ready(new[1])
    assert [person.orders for person in old] == [[WITHDRAW], [WITHDRAW]]
    assert not bench.crew.renewing
    assert [slot.current for slot in bench.crew.slots] == new
    assert bench.crew.leaving == old
    bench.gone(old[0])
    bench.gone(old[1])
    assert bench.crew.leaving == []
    assert len(bench.hired) == 4


def test_without_overlap_a_reload_is_over_when_the_old_ones_have_ended(caplog: pytest.LogCaptureFixture) -> None:
    """Who asks after it is told of meets nothing of before."""
    caplog.set_level(logging.INFO, "highper")
    bench = Bench(2, overlap=False)
    old = bench.started()
    bench.crew.renew(bench.now)
    bench.advance()
    for person in bench.hired[2:]:
        bench.ready(person)
    assert [person.orders for person in old] == [[STOP], [STOP]]
    bench.gone(old[0])
    assert "reloaded" not in caplog.messages
    bench.gone(old[1])
    assert caplog.messages.count("reloaded") == 1


def test_a_reload_that_fails_sends_the_new_ones_away() -> None:
    """Those that are ready, too; a later reload can succeed."""
    bench = Bench(2)
    old = bench.started()
    bench.crew.renew(bench.now)
    bench.advance()
    new = bench.hired[2:]
    bench.ready(new[0])
    bench.gone(new[1], 3)
    assert not bench.crew.renewing
    assert [slot.current for slot in bench.crew.slots] == old
    assert new[0].orders == [WITHDRAW]
    assert len(bench.hired) == 4
    bench.crew.renew(bench.now)
    bench.advance()
    bench.ready(*bench.hired[4:])
    assert [person.orders for person in old] == [[WITHDRAW], [WITHDRAW]]


def test_a_reload_during_a_reload_begins_anew() -> None:
    bench = Bench(1)
    bench.started()
    bench.crew.renew(bench.now)
    bench.advance()
    bench.crew.renew(bench.now)
    bench.advance()
    assert bench.hired[1].orders == [WITHDRAW]
    assert len(bench.hired) == 3
    bench.ready(bench.hired[1])  # too late
    assert bench.crew.renewing
    bench.ready(bench.hired[2])
    assert bench.crew.slots[0].current is bench.hired[2]


def test_a_worker_that_dies_during_a_reload_is_replaced_by_the_new_one() -> None:
    bench = Bench(2)
    bench.started()
    bench.crew.renew(bench.now)
    bench.advance()
    bench.gone(bench.hired[0], -9)
    assert len(bench.hired) == 4
    bench.ready(*bench.hired[2:])
    assert bench.crew.serving == 2


def test_tired_workers_are_replaced_one_after_another() -> None:
    bench = Bench(2)
    old = bench.started()
    for person in old:
        bench.crew.tired(person, "old")  # type: ignore[arg-type]
    bench.advance()
    assert len(bench.hired) == 3
    assert old[0].orders == []
    bench.ready(bench.hired[2])
    assert old[0].orders == [WITHDRAW]
    assert len(bench.hired) == 4
    bench.ready(bench.hired[3])
    assert old[1].orders == [WITHDRAW]
    bench.advance(1)
    assert len(bench.hired) == 4


def test_a_tired_worker_stays_while_its_successor_cannot_start() -> None:
    bench = Bench(1)
    [old] = bench.started()
    bench.crew.tired(old, "old")  # type: ignore[arg-type]
    bench.advance()
    for _ in range(2 * FAILURES):
        bench.gone(bench.hired[-1], 3)
        bench.advance(30)
    assert old.orders == []
    assert bench.crew.verdict is None


def test_one_that_leaves_by_itself_is_replaced_before_it_has_ended() -> None:
    bench = Bench(1)
    [old] = bench.started()
    bench.crew.quits(old, bench.now)  # type: ignore[arg-type]
    bench.advance()
    assert len(bench.hired) == 2
    bench.gone(old, 0)
    assert bench.crew.slots[0].failures == 0


def test_slots_come_and_go_but_for_the_last() -> None:
    bench = Bench(1)
    bench.started()
    bench.crew.grow()
    bench.advance()
    assert bench.hired[1].slot == 1
    bench.ready(bench.hired[1])
    assert bench.crew.shrink(bench.now) == 1
    assert bench.hired[1].orders == [WITHDRAW]
    assert bench.crew.shrink(bench.now) is None
    assert bench.hired[0].orders == []


def test_at_the_end_everybody_is_told_and_nobody_hired() -> None:
    bench = Bench(2, drain=30)
    bench.started()
    bench.crew.renew(bench.now)
    bench.advance()
    bench.crew.end(STOP, bench.now)
    assert [person.orders for person in bench.hired] == [[STOP]] * 4
    assert bench.hired[0].deadline == bench.now + 35
    bench.crew.end(QUIT, bench.now, hasty=True)
    assert bench.hired[0].orders == [STOP, QUIT]
    assert bench.hired[0].deadline == bench.now + 3
    for person in bench.hired[:4]:
        bench.gone(person, 0)
    assert list(bench.crew) == []
    assert len(bench.hired) == 4
    assert bench.crew.next_moment() == inf


def test_who_does_not_end_in_time_is_killed_once() -> None:
    bench = Bench(1, drain=30)
    [person] = bench.started()
    bench.crew.end(STOP, bench.now)
    bench.crew.judge(bench.now + 34.9, 30)
    assert person.signals == []
    bench.crew.judge(bench.now + 35, 30)
    bench.crew.judge(bench.now + 99, 30)
    assert person.signals == [signal.SIGKILL]


def test_who_gives_no_sign_of_life_is_killed_and_one_that_starts_is_not() -> None:
    bench = Bench(2)
    bench.ready(bench.hired[0])
    bench.hired[0].heard = bench.hired[1].heard = bench.now
    bench.crew.judge(bench.now + 29.9, 30)
    assert bench.hired[0].signals == []
    bench.crew.judge(bench.now + 99, 0)  # nobody asked for it
    assert bench.hired[0].signals == []
    bench.crew.judge(bench.now + 30, 30)
    assert bench.hired[0].signals == [signal.SIGABRT]
    assert bench.hired[1].signals == []
    bench.crew.judge(bench.now + 33, 30)
    assert bench.hired[0].signals == [signal.SIGABRT, signal.SIGKILL]
    assert bench.hired[0].hung


def test_a_system_without_processes_is_asked_again_later() -> None:
    bench = Bench(1)
    bench.started()
    bench.short = True
    bench.gone(bench.hired[0], -9)
    assert len(bench.hired) == 1
    assert bench.crew.next_moment() > bench.now
    bench.short = False
    bench.advance(0.2)
    assert len(bench.hired) == 2


def test_a_patient_crew_waits_for_a_change_and_cuts_off_the_old() -> None:
    bench = Bench(1, patient=True, overlap=False)
    bench.gone(bench.hired[0], 3)
    assert bench.crew.verdict is None
    bench.advance(1000)
    assert len(bench.hired) == 1
    assert bench.crew.next_moment() == inf
    bench.crew.renew(bench.now)
    bench.advance()
    bench.ready(bench.hired[1])
    bench.crew.renew(bench.now)
    bench.advance()
    bench.ready(bench.hired[2])
    assert bench.hired[1].orders == [STOP]


def test_a_child_that_somebody_else_has_buried_is_not_waited_for() -> None:
    """Its end is known, how it came is not."""
    bench = Bench(1)  # no process has this number, or it is not ours
    assert reap(bench.crew) == [(bench.hired[0], None)]
    bench.gone(bench.hired[0], None)
    assert bench.crew.slots[0].failures == 1
