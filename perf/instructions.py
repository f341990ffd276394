"""Instructions that parsing, routing, framing and a whole exchange cost, against what they cost before.

Usage: python perf/instructions.py [--write] [--base COMMIT] [--tolerance 0.05] [--python PATH]

Counted by callgrind, so the figures are the same on every run of one build and a small loss can be told from noise.
Builds are told apart by Python, Cython and compiler versions. For a build that `perf/instructions/` has a baseline for,
that is what counts are compared with; for any other, the commit that last wrote baselines is built and counted first.
Status 1 when something costs more than `--tolerance` above its baseline. `--write` makes the counts the new baseline:
commit it together with the reason.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from counting.builds import build_commit, identify, is_built
from counting.callgrind import count_instructions

ROOT = Path(__file__).parents[1]
BASELINES = Path(__file__).parent / "instructions"


def main() -> int:
    """Count and compare; return a process status."""
    options = _options()
    tree = _tree(options.python)
    key = identify(options.python, tree)
    print(f"build: {key}", flush=True)
    counts = count_instructions(options.python, tree)
    file = BASELINES / f"{key}.json"
    if options.write:
        BASELINES.mkdir(exist_ok=True)
        file.write_text(json.dumps(counts, indent=2) + "\n")
        print(f"written to {file.relative_to(ROOT)}")
        return 0
    if options.base is None and file.exists():
        print("baseline: committed")
        before = json.loads(file.read_text())
    else:
        commit = options.base or last_written(ROOT)
        print(f"baseline: {commit}, built and counted now", flush=True)
        before = count_commit(options.python, commit, key)
    rows, broken = compare(before, counts, options.tolerance)
    print("\n".join(rows))
    return int(broken)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="make the counts the baseline of this build")
    parser.add_argument("--base", metavar="COMMIT", help="compare with this commit, whether or not there is a baseline")
    parser.add_argument("--tolerance", type=float, default=0.05, help="share by which a count may grow")
    parser.add_argument("--python", default=sys.executable, help="interpreter, with the packages' dependencies")
    return parser.parse_args()


def _tree(python: str) -> Path:
    """Return this checkout where it is built in place, else where `python` has the packages from."""
    if is_built(python, ROOT):
        return ROOT
    script = "import importlib.util as u; found = u.find_spec('highper_core'); print(found.origin if found else '')"
    answer = subprocess.run([python, "-P", "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    return Path(answer).parents[1] if answer else ROOT


def last_written(repository: Path) -> str:
    """Return the commit that last wrote a baseline: small losses since then cannot add up unseen.

    Raises:
        RuntimeError: the history holds none.
    """
    command = ["git", "log", "-1", "--format=%H", "--", "perf/instructions"]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout.strip()
    if not answer:
        raise RuntimeError("no commit has written baselines; name one with --base")
    return answer


def count_commit(python: str, commit: str, key: str) -> dict[str, float]:
    """Build `commit` as the build `key` was, and count the same cases there.

    Raises:
        RuntimeError: it came out as another build, or cannot run the cases.
    """
    cython = re.search(r"cython-([\w.]+)", key)
    if cython is None or cython[1] == "unknown":
        raise RuntimeError("which Cython made this build cannot be told, so it cannot be made again")
    with tempfile.TemporaryDirectory() as scratch:
        tree = build_commit(python, ROOT, commit, cython[1], Path(scratch))
        if (found := identify(python, tree)) != key:
            raise RuntimeError(f"the baseline was built as {found}, not as {key}")
        return count_instructions(python, tree)


def compare(before: dict[str, float], after: dict[str, float], tolerance: float) -> tuple[list[str], bool]:
    """Return a table, and whether any count grew by more than `tolerance`.

    A case that has no baseline is shown and not judged; one that is gone breaks the comparison.
    """
    rows = [f"{'case':<12}{'before':>10}{'now':>10}{'change':>9}"]
    broken = False
    for name in sorted(before.keys() | after.keys()):
        if name not in before:
            rows.append(f"{name:<12}{'-':>10}{after[name]:>10.0f}{'new':>9}")
        elif name not in after:
            rows.append(f"{name:<12}{before[name]:>10.0f}{'-':>10}{'gone':>9}")
            broken = True
        else:
            change = after[name] / before[name] - 1
            too_much = change > tolerance
            broken = broken or too_much
            verdict = "  too much" if too_much else ""
            rows.append(f"{name:<12}{before[name]:>10.0f}{after[name]:>10.0f}{change:>+9.1%}{verdict}")
    return rows, broken


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(f"instructions.py: {error}")
