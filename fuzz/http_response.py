"""Any bytes, read as responses by a CLIENT that has asked with GET, HEAD, CONNECT or an upgrade.

The first byte of an input sets the stage; the rest is the stream itself, or spells one. Oracles a, b, d and e on each;
the other engine on a sample.
"""

from __future__ import annotations

from invariants import check_bounds, check_engines, check_fragmentation, check_order, check_reprint
from messages import response_of
from readings import ASKED, SMALL, pieces_of, read
from settings import ENGINE, OTHER_ENGINE, START_VALID, cuts_of, is_sampled

from highper_core import Limits, Response, Role

__all__ = ["check", "one_input"]

_DEFAULTS = Limits()
_ASKED = list(ASKED)


def one_input(data: bytes) -> None:
    """Run the oracles on one input of the fuzzer."""
    stage = data[0] if data else 0
    stream = response_of(data) if START_VALID else data[1:]
    asked = _ASKED[stage >> 4 & 3]
    check(stream, small=bool(stage & 2), asked=asked, end=bool(stage & 8), sampled=is_sampled(data))


def check(stream: bytes, *, small: bool = False, asked: bytes = b"GET", end: bool = True, sampled: bool = True) -> None:
    """Run the oracles on a stream of responses to the request `asked`.

    Raises:
        AssertionError: an oracle is violated.
    """
    limits = SMALL if small else _DEFAULTS
    pieces = pieces_of(stream, cuts_of(stream))
    whole = read(Role.CLIENT, ENGINE, [stream] if stream else [], limits=limits, asked=asked, end=end)
    cut = read(Role.CLIENT, ENGINE, pieces, limits=limits, asked=asked, end=end)
    check_fragmentation(whole, cut)
    check_order(whole, Role.CLIENT)
    check_bounds(stream, cut, len(pieces), limits)
    if sum(type(event) is Response for event in whole.events) == 1 and asked == b"GET" and not _is_bare(whole.events):
        check_reprint(whole, Role.CLIENT, ENGINE, asked=asked)
    if sampled:
        check_engines(whole, read(Role.CLIENT, OTHER_ENGINE, pieces, limits=limits, asked=asked, end=end))


def _is_bare(events: tuple[object, ...]) -> bool:
    """Say whether the content was delimited by the close, which a reprint without an end of input cannot show."""
    framing = (b"content-length", b"transfer-encoding")
    return any(
        isinstance(event, Response)
        and event.status_code not in (204, 304)
        and not any(name in framing for name, _ in event.headers)
        for event in events
    )
