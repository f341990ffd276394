"""Records of open descriptors, against a plain model: a dictionary."""

import gc
import math
import weakref
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

records = pytest.importorskip("highper_transports.epoll._records")
Records = records.Records

RESOLUTION = 0.125
HORIZON = 1024 * RESOLUTION

descriptors = st.one_of(st.integers(0, 40), st.sampled_from([1023, 1024, 2047, 2048, 5000]))
delays = st.one_of(st.floats(-1, 3), st.floats(0, 3 * HORIZON), st.sampled_from([0.0, RESOLUTION, HORIZON, math.inf]))
steps = st.one_of(st.floats(0, 1), st.floats(0, 4 * HORIZON), st.sampled_from([0.0, RESOLUTION, HORIZON]))
operations = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), descriptors),
        st.tuples(st.just("remove"), descriptors),
        st.tuples(st.just("lay"), descriptors, delays),
        st.tuples(st.just("take"), descriptors),
        st.tuples(st.just("pass"), steps, st.integers(1, 5)),
    ),
    max_size=80,
)


@dataclass
class Entry:
    """What the model keeps of a descriptor."""

    deadline: float | None = None  # None: awake
    laid: float = 0.0
    told: bool = False


@given(operations, st.floats(0, 1e6))
@settings(max_examples=300, deadline=None)
def test_records_do_what_a_dictionary_of_deadlines_does(operations: list[tuple], now: float) -> None:
    slab = Records(now)
    model: dict[int, Entry] = {}
    generations: set[int] = set()
    for name, *arguments in operations:
        if name == "pass":
            seconds, room = arguments
            now += seconds
            expire(slab, model, now, room)
            continue
        fd = arguments[0]
        if name == "enter" and fd not in model:
            generation = slab.enter(fd)
            assert generation not in generations
            generations.add(generation)
            model[fd] = Entry()
        elif name == "enter":
            with pytest.raises(RuntimeError, match="open already"):
                slab.enter(fd)
        elif name == "remove":
            slab.remove(fd)
            model.pop(fd, None)
        elif name == "take":
            slab.take(fd)
            if fd in model:
                model[fd] = Entry()
        elif fd in model:
            slab.lay(fd, now + arguments[1])
            model[fd] = Entry(now + arguments[1], now)
        else:
            with pytest.raises(KeyError):
                slab.lay(fd, now)
        agrees(slab, model, now)


def expire(slab: Records, model: dict[int, Entry], now: float, room: int) -> None:
    """Expire in pieces; each is told once, never early, and nobody due for a resolution is left."""
    while True:
        told = slab.expired(now, room)
        assert len(told) <= room
        for fd in told:
            entry = model[fd]
            assert entry.deadline is not None
            assert not entry.told
            assert entry.deadline <= now, "never early"
            entry.told = True
        if len(told) < room:
            break
    for entry in model.values():
        if entry.deadline is not None and not entry.told:
            assert max(entry.deadline, entry.laid) + RESOLUTION > now, "at most one resolution late"


def agrees(slab: Records, model: dict[int, Entry], now: float) -> None:
    resting = [fd for fd in sorted(model) if model[fd].deadline is not None]
    assert (slab.open, slab.resting) == (len(model), len(resting))
    assert walk(lambda after: slab.next_open(after)) == sorted(model)
    assert walk(lambda after: slab.next_resting(0, after)) == resting
    waiting = [entry.deadline for entry in model.values() if entry.deadline is not None and not entry.told]
    finite = [deadline for deadline in waiting if deadline != math.inf]
    if finite:
        assert slab.next_deadline() <= max(min(finite), now) + RESOLUTION
    else:
        assert slab.next_deadline() == math.inf


def walk(following) -> list[int]:
    found, fd = [], following(-1)
    while fd >= 0:
        found.append(fd)
        fd = following(fd)
    return found


@given(st.lists(delays.filter(lambda delay: delay != math.inf), min_size=1, max_size=30), st.floats(0, 1e6))
@settings(max_examples=200, deadline=None)
def test_whoever_sleeps_until_the_next_deadline_meets_each_in_time(waits: list[float], start: float) -> None:
    slab = Records(start)
    for fd, wait in enumerate(waits):
        slab.enter(fd)
        slab.lay(fd, start + wait)
    met: dict[int, float] = {}
    now = start
    for _turn in range(10 * len(waits) + 40):
        if (now := slab.next_deadline()) == math.inf:
            break
        for fd in slab.expired(now):
            met[fd] = now
    assert sorted(met) == list(range(len(waits)))
    for fd, wait in enumerate(waits):
        assert start + wait <= met[fd] <= max(start + wait, start) + RESOLUTION


def test_a_deadline_in_the_past_is_met_at_the_next_tick_not_in_a_spin() -> None:
    slab = Records(10.0)
    slab.enter(3)
    for _ in range(5):
        slab.lay(3, 1.0)
        assert slab.expired(10.0) == []
    assert slab.expired(10.0 + RESOLUTION) == [3]
    slab.lay(3, 1.0)
    assert slab.expired(10.0 + RESOLUTION) == []


def test_a_descriptor_used_again_is_another() -> None:
    slab = Records()
    first = slab.enter(7)
    slab.lay(7, 5.0)
    slab.remove(7)
    second = slab.enter(7)
    assert second != first
    assert slab.expired(100.0) == []  # the deadline went with the first use
    slab.lay(7, 101.0)
    assert slab.expired(101.0) == [7]


def test_those_at_rest_are_found_by_where_they_were_accepted_while_they_are_removed() -> None:
    slab = Records()
    for fd in range(3000):
        slab.enter(fd, fd % 3)
        if fd % 2:
            slab.lay(fd, math.inf)
    fd = slab.next_resting(1, -1)
    removed = []
    while fd >= 0:
        slab.remove(fd)
        removed.append(fd)
        fd = slab.next_resting(1, fd)
    assert removed == [fd for fd in range(3000) if fd % 3 == 1 and fd % 2]
    assert slab.next_resting(1, -1) == -1
    assert slab.open == 3000 - len(removed)


def test_memory_goes_back_after_a_peak() -> None:
    slab = Records()
    for fd in range(100_000):
        slab.enter(fd)
        slab.lay(fd, 75.0)
    peak = slab.statistics()
    assert peak["slab"] / 100_000 < 66
    for fd in reversed(range(100)):
        slab.remove(fd)
    for fd in range(2000, 100_000):
        slab.remove(fd)
    assert slab.statistics()["slab"] <= 3 * 64 * 1024
    slab.clear()
    assert slab.statistics()["slab"] <= 64 * 1024
    assert slab.next_deadline() == math.inf


def test_a_descriptor_at_the_edge_of_a_chunk_does_not_map_and_unmap() -> None:
    slab = Records()
    for fd in range(1024):
        slab.enter(fd)
    sizes = set()
    for _ in range(10):
        slab.enter(1024)
        slab.remove(1024)
        sizes.add(slab.statistics()["slab"])
    assert sizes == {2 * 64 * 1024}


@pytest.mark.parametrize("wrong", [-1, -1024])
def test_a_negative_descriptor_has_no_record(wrong: int) -> None:
    slab = Records()
    with pytest.raises(ValueError, match="not negative"):
        slab.enter(wrong)
    slab.remove(wrong)
    with pytest.raises(KeyError):
        slab.lay(wrong, 1.0)
    assert slab.open == 0


def test_what_is_no_number_is_no_deadline() -> None:
    slab = Records()
    slab.enter(1)
    with pytest.raises(ValueError, match="a deadline is a number"):
        slab.lay(1, math.nan)
    slab.lay(1, -math.inf)
    assert slab.expired(RESOLUTION) == [1]
    slab.lay(1, 1e300)
    assert slab.expired(1e9) == []


def test_a_slab_nobody_holds_gives_its_memory_back() -> None:
    class Holder:
        def __init__(self) -> None:
            self.slab = Records()
            self.slab.enter(5000)

    holder = Holder()
    gone = weakref.ref(holder)
    del holder
    gc.collect()
    assert gone() is None
