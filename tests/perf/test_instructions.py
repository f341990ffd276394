"""The gate on instruction counts: what it computes, what it compares with, when it says no."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import instructions
import pytest
from counting import builds
from counting.slopes import FEW, MANY, slopes

import highper_core

ROOT = Path(__file__).parents[2]


def dump(name: str, number: int, total: int) -> str:
    return (
        f"version: 1\ndesc: Trigger: Client Request: {name} {number}\n\nsummary: {total}\nfn=x\n1 2\ntotals: {total}\n"
    )


def test_start_up_cancels() -> None:
    dumps = [
        dump("parse", FEW, 7_000 + FEW * 30),
        dump("parse", MANY, 7_000 + MANY * 30),
        "desc: Trigger: Program end\n",
    ]
    assert slopes(dumps) == {"parse": 30.0}


@pytest.mark.parametrize("dumps", [[], ["desc: Trigger: Program termination\ntotals: 0\n"], [dump("parse", FEW, 1)]])
def test_a_case_without_both_counts_is_an_error(dumps: list[str]) -> None:
    with pytest.raises(RuntimeError):
        slopes(dumps)


@pytest.mark.parametrize(
    ("before", "after", "broken"),
    [
        ({"parse": 1000.0}, {"parse": 1049.0}, False),
        ({"parse": 1000.0}, {"parse": 1051.0}, True),
        ({"parse": 1000.0, "route": 1000.0}, {"parse": 500.0, "route": 1100.0}, True),  # no gain pays for a loss
        ({"parse": 1000.0}, {"parse": 1000.0, "route": 9.0}, False),
        ({"parse": 1000.0, "route": 9.0}, {"parse": 1000.0}, True),
    ],
)
def test_the_gate_is_five_percent_of_each_case(before: dict[str, float], after: dict[str, float], broken: bool) -> None:
    rows, verdict = instructions.compare(before, after, 0.05)
    assert verdict is broken
    assert len(rows) == 1 + len(before.keys() | after.keys())


def tree_of(tmp_path: Path, image: bytes) -> Path:
    suffix = builds._describe(sys.executable)[3]
    (tmp_path / "highper_core").mkdir(parents=True)
    (tmp_path / f"{builds.WITNESS}{suffix}").write_bytes(image)
    return tmp_path


def test_a_build_is_named_after_what_made_it(tmp_path: Path) -> None:
    gcc = b"\0GCC: (Debian 12.2.0-14) 12.2.0\0 _cython_3_3_1.generator \0"
    clang = b"\0GCC: (GNU) 14.1.0\0clang version 19.1.7 (x)\0_cython_3_4_0a1\0"
    version = ".".join(map(str, sys.version_info[:3]))
    named = builds.identify(sys.executable, tree_of(tmp_path / "a", gcc))
    assert named.startswith(f"{sys.implementation.name}-{version}")
    assert "-gcc-12.2.0-cython-3.3.1-" in named
    assert "-clang-19.1.7-cython-3.4.0a1-" in builds.identify(sys.executable, tree_of(tmp_path / "b", clang))


def test_a_tree_without_compiled_packages_is_an_error(tmp_path: Path) -> None:
    assert not builds.is_built(sys.executable, tmp_path)
    with pytest.raises(RuntimeError, match="no compiled packages"):
        builds.identify(sys.executable, tmp_path)


def git(repository: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=repository, check=True, capture_output=True, text=True).stdout.strip()


def test_the_base_is_the_commit_that_last_wrote_baselines(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "nothing")
    with pytest.raises(RuntimeError, match="--base"):
        instructions.last_written(tmp_path)
    baseline = tmp_path / "perf" / "instructions" / "x.json"
    baseline.parent.mkdir(parents=True)
    baseline.write_text("{}")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "baselines")
    written = git(tmp_path, "rev-parse", "HEAD")
    git(tmp_path, "commit", "-q", "--allow-empty", "-m", "later")
    assert instructions.last_written(tmp_path) == written


class Gate:
    """`instructions.main` with counting and building replaced; `built` says which commits were built."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, committed: dict[str, float] | None) -> None:
        self.built: list[str] = []
        self.monkeypatch = monkeypatch
        self.baselines = tmp_path
        if committed is not None:
            (tmp_path / "key-cython-3.3.1-x.json").write_text(json.dumps(committed))
        monkeypatch.setattr(instructions, "BASELINES", tmp_path)
        monkeypatch.setattr(instructions, "ROOT", tmp_path)
        monkeypatch.setattr(instructions, "identify", lambda python, tree: "key-cython-3.3.1-x")
        monkeypatch.setattr(instructions, "is_built", lambda python, tree: True)
        monkeypatch.setattr(instructions, "last_written", lambda repository: "base")
        monkeypatch.setattr(instructions, "build_commit", self._build)
        monkeypatch.setattr(instructions, "count_instructions", self._count)

    def _build(self, python: str, repository: Path, commit: str, cython: str, scratch: Path) -> Path:
        assert cython == "3.3.1"
        self.built.append(commit)
        return scratch

    def _count(self, python: str, tree: Path) -> dict[str, float]:
        return {"parse": 1000.0 if tree == self.baselines else 900.0}  # the base is cheaper than the present

    def run(self, *arguments: str) -> int:
        self.monkeypatch.setattr(sys, "argv", ["instructions.py", *arguments])
        return instructions.main()


def test_a_known_build_is_compared_with_its_committed_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(tmp_path, monkeypatch, {"parse": 990.0})
    assert gate.run() == 0
    assert gate.built == []


def test_an_unknown_build_is_compared_with_the_base_counted_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(tmp_path, monkeypatch, None)
    assert gate.run() == 1
    assert gate.built == ["base"]


def test_a_base_that_is_named_is_counted_whatever_is_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(tmp_path, monkeypatch, {"parse": 990.0})
    assert gate.run("--base", "other", "--tolerance", "0.2") == 0
    assert gate.built == ["other"]


def test_a_base_that_comes_out_as_another_build_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(tmp_path, monkeypatch, None)
    names = {tmp_path: "key-cython-3.3.1-x"}
    monkeypatch.setattr(instructions, "identify", lambda python, tree: names.get(tree, "another"))
    with pytest.raises(RuntimeError, match="another"):
        gate.run()


def test_writing_makes_the_counts_the_baseline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(tmp_path, monkeypatch, None)
    assert gate.run("--write") == 0
    assert gate.run() == 0
    assert gate.built == []


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_the_cases_do_their_work_outside_of_callgrind(tmp_path: Path) -> None:
    """They break when an interface they use changes, and that is to be seen here before it is seen in the gate."""
    try:
        highper_core.engine("fast")
    except highper_core.EngineUnavailable:
        pytest.skip("only the compiled engine is counted")
    source, library = tmp_path / "marks.c", tmp_path / "marks.so"
    source.write_text("void instrument(void) {} void begin(void) {} void end(const char *name) { (void)name; }")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    tree = Path(highper_core.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-P", str(ROOT / "perf" / "counting"), str(tree), str(library)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
