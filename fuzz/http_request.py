"""Any bytes, read as requests by a SERVER.

The first byte of an input sets the stage (bounds, whether a switch is accepted, whether the input ends); the rest is
the stream itself, or spells one. Oracles a, b, d and e on each; the other engine, h11 and llhttp on a sample.
"""

from __future__ import annotations

from invariants import check_agreement, check_bounds, check_engines, check_fragmentation, check_order, check_reprint
from messages import request_of
from readings import SMALL, pieces_of, read
from settings import ENGINE, OTHER_ENGINE, START_VALID, cuts_of, is_sampled

from highper_core import Limits, Role

__all__ = ["check", "one_input"]

_DEFAULTS = Limits()


def one_input(data: bytes) -> None:
    """Run the oracles on one input of the fuzzer."""
    stage = data[0] if data else 0
    stream = request_of(data) if START_VALID else data[1:]
    check(stream, small=bool(stage & 2), switch=bool(stage & 4), end=bool(stage & 8), sampled=is_sampled(data))


def check(stream: bytes, *, small: bool = False, switch: bool = False, end: bool = False, sampled: bool = True) -> None:
    """Run the oracles on a stream of requests.

    Raises:
        AssertionError: an oracle is violated.
    """
    limits = SMALL if small else _DEFAULTS
    pieces = pieces_of(stream, cuts_of(stream))
    whole = read(Role.SERVER, ENGINE, [stream] if stream else [], limits=limits, switch=switch, end=end)
    cut = read(Role.SERVER, ENGINE, pieces, limits=limits, switch=switch, end=end)
    check_fragmentation(whole, cut)
    check_order(whole, Role.SERVER)
    check_bounds(stream, cut, len(pieces), limits)
    check_reprint(whole, Role.SERVER, ENGINE, switch=switch)
    if sampled:
        check_engines(whole, read(Role.SERVER, OTHER_ENGINE, pieces, limits=limits, switch=switch, end=end))
        if not small and not switch:
            check_agreement(stream, whole)
