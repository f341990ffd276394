"""Let the Autobahn suite judge us: both engines, server and client, with and without compression.

Usage: python tests/autobahn/run.py WSTEST OUT [--all] [--only plain|deflate] [--engine E ...] [--side S ...]
                                    [--transport T]

WSTEST is the suite's program. Runs the 301 cases of sections 1-7, 9 and 10 without compression, and sections 12 and 13
with it; of those two 12.1 and 13.1 alone unless `--all`. Prints a table and writes it to OUT/summary.md; status 1 for
any case that is neither OK nor informational, and when cases are missing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PLAIN = [f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 9, 10)]
QUICK = ["12.1.*", "13.1.*"]
WHOLE = ["12.*", "13.*"]
COUNTS = {"plain": 301, "quick": 36, "whole": 216}


def main() -> int:
    """Run, report; return a process status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("wstest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--all", action="store_true", help="sections 12 and 13 whole")
    parser.add_argument("--only", choices=["plain", "deflate"], help="without compression alone, or with it")
    parser.add_argument("--engine", nargs="+", default=["fast", "portable"])
    parser.add_argument("--side", nargs="+", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--transport", default="auto")
    options = parser.parse_args()
    sets = {} if options.only == "deflate" else {"plain": PLAIN}
    if options.only != "plain":
        sets |= {"whole": WHOLE} if options.all else {"quick": QUICK}
    rows, bad = [], []
    for name, cases in sets.items():
        for engine in options.engine:
            for side in options.side:
                started = time.monotonic()
                out = options.out / f"{name}-{engine}-{side}"
                found = judge(options.wstest, out, side, engine, options.transport, cases)
                counted = Counter(found.values())
                rows.append((name, engine, side, len(found), counted, time.monotonic() - started))
                bad += [f"{name} {engine} {side} {case}: {said}" for case, said in found.items() if said not in GOOD]
                if len(found) != COUNTS[name]:
                    bad.append(f"{name} {engine} {side}: {len(found)} cases for {COUNTS[name]}")
    table = _table(rows)
    print(table + "\n".join(bad))
    (options.out / "summary.md").write_text(table)
    return int(bool(bad))


GOOD = ("OK", "INFORMATIONAL")
SIDES = {"server": ["server"], "listener": ["server", "--style", "listener"], "client": ["client"]}
"""Whom the suite talks to: a coroutine, a listener, and our client."""


def judge(wstest: Path, out: Path, side: str, engine: str, transport: str, cases: list[str]) -> dict[str, str]:
    """Return for each case what the suite says of our `side`; of its close, too, where that is not good."""
    out.mkdir(parents=True, exist_ok=True)
    ours = [sys.executable, str(HERE / "echo.py"), *SIDES[side], "--engine", engine, "--transport", transport]
    if cases != PLAIN:
        ours.append("--deflate")
    spec: dict[str, Any] = {"outdir": str(out), "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    theirs = [str(wstest), "--spec", str(out / "spec.json"), "--mode"]
    if side != "client":
        with subprocess.Popen(ours, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                url = f"ws://127.0.0.1:{int(server.stdout.readline())}"
                spec["servers"] = [{"agent": "highper", "url": url}]
                (out / "spec.json").write_text(json.dumps(spec))
                subprocess.run([*theirs, "fuzzingclient"], check=True, stdout=subprocess.DEVNULL, timeout=3600)
            finally:
                server.terminate()
    else:
        port = _free_port()
        spec["url"] = f"ws://127.0.0.1:{port}"
        (out / "spec.json").write_text(json.dumps(spec))
        with subprocess.Popen([*theirs, "fuzzingserver", "--webport", "0"], stdout=subprocess.DEVNULL) as server:
            try:
                _wait(port)
                subprocess.run([*ours, "--port", str(port)], check=True, timeout=3600)
            finally:
                server.terminate()
    told = json.loads((out / "index.json").read_text())["highper"]
    return {case: _verdict(one) for case, one in told.items()}


def _verdict(one: dict[str, str]) -> str:
    closed = one["behaviorClose"]
    return one["behavior"] if closed in GOOD or one["behavior"] not in GOOD else f"closed {closed}"


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait(port: int) -> None:
    import socket

    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("the suite does not listen")


def _table(rows: list[tuple[str, str, str, int, Counter[str], float]]) -> str:
    lines = ["| cases | engine | side | run | OK | informational | non-strict | other | s |", "|---" * 9 + "|"]
    for name, engine, side, count, said, seconds in rows:
        known = (said["OK"], said["INFORMATIONAL"], said["NON-STRICT"])
        figures = (count, *known, count - sum(known), round(seconds))
        lines.append(f"| {name} | {engine} | {side} | " + " | ".join(map(str, figures)) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
