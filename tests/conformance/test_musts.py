"""The table of RFC 9112's MUSTs names cases that exist, on both sides of each rule; the cases reach every fault."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from conformance.load_cases import load

from highper_core import Fault, Role

MUSTS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("musts.toml").read_text())["must"]
CASES = {case.id: case for case in load()}
OURS = range(Fault.EVENT_ILLEGAL, Fault.REASON_INVALID + 1)  # faults of our own side, never of the peer
WEBSOCKET = range(Fault.HANDSHAKE_METHOD_INVALID, 256)
FEWEST_CASES = 340


@pytest.mark.parametrize("must", MUSTS, ids=lambda must: f"{must['section']} {must['rule']}")
def test_must(must: dict[str, Any]) -> None:
    """An accepted case and a refused one show it, or a reason says why not."""
    accepts, refuses = must.get("accepts", []), must.get("refuses", [])
    assert [name for name in (*accepts, *refuses) if name not in CASES] == []
    assert (accepts and refuses) or must.get("reason")
    assert [name for name in accepts if CASES[name].fault] == []
    assert [name for name in refuses if not CASES[name].fault and CASES[name].behind != "unparsed"] == []


def test_sections_are_in_order() -> None:
    """The table reads like the RFC."""
    sections = [tuple(map(int, must["section"].split("."))) for must in MUSTS]
    assert sections == sorted(sections)
    assert {section[0] for section in sections} == set(range(2, 10))


def test_every_fault_from_the_wire_has_a_case() -> None:
    """No rule that a peer can break goes without a case."""
    shown = {case.fault for case in CASES.values()}
    assert [fault.name for fault in Fault if fault not in shown and fault not in (*OURS, *WEBSOCKET)] == []


def test_there_are_enough_and_no_two_are_the_same() -> None:
    """Cases differ in more than their names."""
    told = [
        (case.role, case.input, case.limits, case.asked, case.end_of_input, case.switch, case.silence)
        for case in CASES.values()
    ]
    assert len(set(map(repr, told))) == len(told) >= FEWEST_CASES
    titles = [(case.topic, case.title) for case in CASES.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.id)
def test_case_is_coherent(case: Any) -> None:
    """A refused case promises no answer behind it, and a server's fault a status unless it closes in silence."""
    assert not (case.fault and case.behind in ("answered", "handed over"))
    assert not (case.behind != "absent" and (case.end_of_input or case.silence is not None))
    assert not (case.status and (case.role is Role.CLIENT or not case.fault))
