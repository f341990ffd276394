"""Every case through a whole application over the memory transport: both engines, every way of cutting.

Time is virtual, so each conversation is followed to its very end, by a deadline where need be: what is answered, that
nothing else is, and whether the connection closes at once or at rest.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conformance.cuts import bytes_of, cuts
from conformance.load_cases import Case, load
from conformance.reporting import Answer, application, expected_answers, read_answers

from highper_core import Role
from highper_http import Server
from highper_transports.errors import StreamBroken
from highper_transports.memory import MemoryTransport

CASES = [case for case in load() if case.role is Role.SERVER]
AT_ONCE = 6.0  # seconds; a refusal may drain unread content for 5


async def converse(transport: Any, address: Any, pieces: list[bytes], case: Case) -> tuple[list[Answer], float, bool]:
    """Play the client; return the answers, the seconds it took, and whether the stream was broken at last."""
    peer = await transport.dial(address)
    started = transport.now()
    for piece in pieces:
        peer.send(piece)
        await asyncio.sleep(0)
    if case.end_of_input:
        peer.half_close()
    received, is_broken = b"", False
    try:
        while data := await peer.receive():
            received += data
    except StreamBroken:
        is_broken = True
    peer.close()
    return list(read_answers(received, case)), transport.now() - started, is_broken


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case: Case, engine_name: str) -> None:
    """The answers are those of the case however its bytes are cut, and nothing outlives them."""
    expected = expected_answers(case)

    async def main(_: Any) -> None:
        async with Server(
            application(),
            bind=["server:1"],
            transport="memory",
            engine=engine_name,
            limits=case.limits,
            access_log=False,
        ) as server:
            transport: Any = server._transport
            for pieces in cuts(bytes_of(case)):
                answers, seconds, is_broken = await converse(transport, server.addresses[0], pieces, case)
                if is_broken:  # by a client that sends on behind a closed conversation; the answer may be lost on it
                    assert expected[-1][2], "the connection was to stay open"
                    assert answers in (expected, expected[:-1]), pieces
                else:
                    assert answers == expected, pieces
                if case.silence is None and (case.behind == "unparsed" or case.end_of_input):
                    assert seconds <= AT_ONCE, "the connection stays open"

    MemoryTransport.run(main)
