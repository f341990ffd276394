"""Ways to cut the bytes of a case, and what is sent behind it.

The cuts are `highper_core.testing.SPLITS`. A case of many thousand octets would have as many single cuts; of those it
gets the ones near its ends and a thin row between, since its middle is one octet repeated.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from conformance.load_cases import Case

from highper_core import Data, EndOfMessage, Event, Request, Response, Role
from highper_core.testing import SPLITS

__all__ = ["BEHIND", "behind", "bytes_of", "cuts"]

_LONG: Final = 1500  # octets from which single cuts are thinned out
_ENDS: Final = 120
_ROW: Final = 40

_REQUEST: Final = b"GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"
_RESPONSE: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"

BEHIND: Final[dict[Role, tuple[bytes, tuple[Event, ...]]]] = {
    Role.SERVER: (_REQUEST, (Request(method=b"GET", target=b"/behind", headers=[(b"host", b"a")]), EndOfMessage())),
    Role.CLIENT: (
        _RESPONSE,
        (
            Response(status_code=200, reason=b"OK", headers=[(b"content-length", b"4")]),
            Data(b"next"),
            EndOfMessage(),
        ),
    ),
}
"""The second message, for each role that reads it: its bytes, and its events where it is answered."""


def behind(case: Case) -> bytes:
    """Return the bytes that are sent behind `case`."""
    return b"" if case.behind == "absent" else BEHIND[case.role][0]


def bytes_of(case: Case) -> bytes:
    """Return the bytes of `case` with those behind it."""
    return case.input + behind(case)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Yield `data` cut in every way."""
    for name, split in SPLITS.items():
        if not data:
            yield []
        elif name != "each cut" or len(data) <= _LONG:
            yield from split(data)
        else:
            row = range(_ENDS, len(data) - _ENDS, len(data) // _ROW)
            for at in [*range(1, _ENDS), *row, *range(len(data) - _ENDS, len(data))]:
                yield [data[:at], data[at:]]
