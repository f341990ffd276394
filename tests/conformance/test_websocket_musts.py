"""The table of RFC 6455's and 7692's MUSTs names cases and tests that exist; the cases reach every fault of a frame."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from conformance.load_websocket import load_websocket

from highper_core import Fault

HERE = Path(__file__)
MUSTS: list[dict[str, Any]] = tomllib.loads(HERE.with_name("musts_websocket.toml").read_text())["must"]
CASES = {case.id: case for case in load_websocket()}
ELSEWHERE = {Fault.PONG_TIMEOUT, Fault.CLOSE_TIMEOUT, Fault.HANDSHAKE_TIMEOUT}  # deadlines, shown in tests/core
FEWEST_CASES = 110


@pytest.mark.parametrize("must", MUSTS, ids=lambda must: f"{must['section']} {must['rule']}")
def test_must(must: dict[str, Any]) -> None:
    """Cases on both sides of the rule show it, or a test, or a reason says why not."""
    accepts, refuses = must.get("accepts", []), must.get("refuses", [])
    assert [name for name in (*accepts, *refuses) if name not in CASES] == []
    assert (accepts and refuses) or must.get("tests") or must.get("reason")
    assert [name for name in accepts if CASES[name].fault] == []
    assert [name for name in refuses if not CASES[name].fault] == []
    for name in must.get("tests", ()):
        path, _, test = name.partition("::")
        assert re.search(rf"^def {test}\(", (HERE.parents[2] / path).read_text(), re.MULTILINE), name


def test_sections_are_in_order() -> None:
    """The table reads like the RFCs."""
    sections = [tuple(map(int, re.findall(r"\d+", must["section"]))) for must in MUSTS]
    assert sections == sorted(sections)


def test_every_fault_of_a_frame_has_a_case() -> None:
    """No rule that a peer can break goes without one."""
    shown = {case.fault for case in CASES.values()}
    faults = [fault for fault in Fault if fault >= Fault.RESERVED_BIT_SET and fault not in ELSEWHERE]
    assert [fault.name for fault in faults if fault not in shown] == []


def test_there_are_enough_and_no_two_are_the_same() -> None:
    """Cases differ in more than their names."""
    told = [
        repr((case.role, case.input, case.limits, case.deflate, case.send, case.end_of_input))
        for case in CASES.values()
    ]
    assert len(set(told)) == len(told) >= FEWEST_CASES
    assert len({(case.topic, case.title) for case in CASES.values()}) == len(told)
