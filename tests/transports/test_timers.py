"""The timer wheel: never early, at most one resolution late, one loop timer, nothing left behind."""

from __future__ import annotations

import random

import pytest
from transports.fakes import HandTransport

from highper_transports.timers import NEVER, RESOLUTION, Timed


class Probe(Timed):
    """Notes when it was told, and does what the test asks for."""

    def __init__(self, transport: HandTransport, then: object = None) -> None:
        super().__init__()
        self.transport = transport
        self.told: list[float] = []
        self.then = then

    def expired(self, now: float) -> None:
        self.told.append(now)
        if callable(self.then):
            self.then(self)


@pytest.fixture
def hand() -> HandTransport:
    return HandTransport()


def test_a_deadline_is_met_within_one_resolution(hand: HandTransport) -> None:
    probe = Probe(hand)
    hand.timers.arm(probe, hand.clock + 3.3)
    hand.advance(3.29)
    assert probe.told == []
    hand.advance(0.2)
    assert 1003.3 <= probe.told[0] <= 1003.3 + RESOLUTION
    assert len(hand.timers) == 0
    assert hand.armed == 0


def test_moving_later_only_stores(hand: HandTransport) -> None:
    """The entry stays filed where it was; it is told once, at the last deadline."""
    probe = Probe(hand)
    hand.timers.arm(probe, hand.clock + 1)
    due = probe.due
    for seconds in range(2, 50):
        hand.timers.arm(probe, hand.clock + seconds)
        assert probe.due == due
    hand.advance(48)
    assert probe.told == []
    hand.advance(1.2)
    assert len(probe.told) == 1


def test_moving_earlier_refiles(hand: HandTransport) -> None:
    probe = Probe(hand)
    hand.timers.arm(probe, hand.clock + 75)
    hand.timers.arm(probe, hand.clock + 2)
    assert len(hand.timers) == 1
    hand.advance(2.2)
    assert len(probe.told) == 1
    hand.advance(100)
    assert len(probe.told) == 1


def test_cancel_leaves_nothing(hand: HandTransport) -> None:
    probes = [Probe(hand) for _ in range(3)]
    for probe in probes:
        hand.timers.arm(probe, hand.clock + 5)
    for probe in probes:
        hand.timers.cancel(probe)
        hand.timers.cancel(probe)
    assert len(hand.timers) == 0
    assert hand.armed == 0
    hand.advance(10)
    assert [probe.told for probe in probes] == [[], [], []]


def test_never_disarms(hand: HandTransport) -> None:
    probe = Probe(hand)
    hand.timers.arm(probe, NEVER)
    assert len(hand.timers) == 0
    hand.timers.arm(probe, hand.clock + 1)
    hand.timers.arm(probe, NEVER)
    hand.advance(5)
    assert probe.told == []
    assert len(hand.timers) == 0


def test_a_deadline_in_the_past_is_met_soon_and_cannot_spin(hand: HandTransport) -> None:
    """Re-arming to the past from within the call is met at the next tick, over and over, without starving the loop."""
    probe = Probe(hand, then=lambda self: hand.timers.arm(self, 0.0))
    hand.timers.arm(probe, 0.0)
    hand.advance(1.0)
    assert 1 <= len(probe.told) <= 1.0 / RESOLUTION + 1


def test_an_entry_that_raises_costs_the_others_nothing(hand: HandTransport) -> None:
    def fail(self: Probe) -> None:
        raise RuntimeError("boom")

    probes = [Probe(hand), Probe(hand, then=fail), Probe(hand)]
    for probe in probes:
        hand.timers.arm(probe, hand.clock + 1)
    with pytest.raises(RuntimeError):
        hand.advance(2)
    hand.advance(2)
    assert [len(probe.told) for probe in probes] == [1, 1, 1]


def test_entries_may_cancel_each_other(hand: HandTransport) -> None:
    probes: list[Probe] = []
    probes += [Probe(hand, then=lambda self: hand.timers.cancel(probes[1])) for _ in range(1)]
    probes += [Probe(hand)]
    for probe in probes:
        hand.timers.arm(probe, hand.clock + 1)
    hand.advance(2)
    assert [len(probe.told) for probe in probes] == [1, 0]
    assert hand.armed == 0


def test_an_early_loop_is_forgiven(hand: HandTransport) -> None:
    """Loops call up to their clock's resolution early; the deadline counts as passed."""
    probe = Probe(hand)
    hand.timers.arm(probe, hand.clock + 1)
    hand.clock += 0.999
    handle = hand.handles.pop()
    handle.callback()
    assert probe.told == [1001.0]


def test_one_loop_timer_whatever_is_filed(hand: HandTransport) -> None:
    probes = [Probe(hand) for _ in range(200)]
    for index, probe in enumerate(probes):
        hand.timers.arm(probe, hand.clock + 60 - index * 0.25)
    assert hand.armed == 1
    hand.advance(70)
    assert all(len(probe.told) == 1 for probe in probes)


def test_against_a_simple_model(hand: HandTransport) -> None:
    """Random arming, moving and cancelling: each entry is told exactly when the model says."""
    rng = random.Random(7)
    probes = [Probe(hand) for _ in range(40)]
    expected: dict[Probe, float] = {}
    for _ in range(3000):
        probe = rng.choice(probes)
        match rng.randrange(4):
            case 0:
                hand.timers.cancel(probe)
                expected.pop(probe, None)
            case 1 | 2:
                expected[probe] = hand.clock + rng.uniform(0, 20)
                hand.timers.arm(probe, expected[probe])
            case _:
                hand.advance(rng.uniform(0, 1))
        for other in probes:
            while other.told:
                when = other.told.pop()
                assert expected.pop(other) <= when
        assert all(when > hand.clock - 2 * RESOLUTION for when in expected.values())
        assert len(hand.timers) <= len(probes)
