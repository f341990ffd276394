"""What starting costs: importing the core with its fast engine, and from the command line to the first answer.

Usage: python perf/startup.py [--rounds N] [--python PATH]. Status 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HOME = Path(__file__).parent
IMPORT_LIMIT = 0.025
ANSWER_LIMIT = 0.300
UNWANTED = ("h11", "wsproto", "asyncio", "ssl")

_IMPORT = "import highper_core; highper_core.engine('fast')"
_REPORT = f"""
import sys
from highper_core import HttpConnection, Role
connection = HttpConnection(Role.SERVER, engine="fast")
print(type(connection).__name__, *(name for name in {UNWANTED!r} if name in sys.modules))
"""


def main() -> int:
    """Measure both; return a process status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--python", default=sys.executable)
    options = parser.parse_args()
    return int(not all([_check_import(options.python, options.rounds), _check_first_answer(options.python)]))


def _check_import(python: str, rounds: int) -> bool:
    """Time the import and the engine net of an empty program, both in turn, and see what it drew in.

    What counts is processor time: with one thread and warm files it is what passes on an idle machine, and a
    neighbour does not spoil it.
    """
    pairs = [(_seconds(python, _IMPORT), _seconds(python, "pass")) for _ in range(rounds)]
    net, elapsed = (statistics.median(full[kind] - empty[kind] for full, empty in pairs) for kind in (0, 1))
    engine, *drawn_in = subprocess.run(
        [python, "-c", _REPORT], env=_environment(), capture_output=True, text=True, check=True
    ).stdout.split()
    print(f"import with engine, net: {net * 1e3:.1f} ms (promised: under {IMPORT_LIMIT * 1e3:.0f})", end="")
    print(f"; elapsed {elapsed * 1e3:.1f} ms")
    print(f"connection class: {engine}; of {', '.join(UNWANTED)} imported: {', '.join(drawn_in) or 'none'}")
    return net < IMPORT_LIMIT and not drawn_in


def _check_first_answer(python: str) -> bool:
    """Time from starting the process to the last byte of the first answer."""
    times = [_first_answer(python) for _ in range(7)]
    median = statistics.median(times)
    print(f"start to first answer: {median * 1e3:.0f} ms (promised: under {ANSWER_LIMIT * 1e3:.0f})")
    return median < ANSWER_LIMIT


def _seconds(python: str, program: str) -> tuple[float, float]:
    """Return processor time and elapsed time of `program`."""
    started = time.perf_counter()
    process = subprocess.Popen([python, "-c", program], env=_environment())
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{program!r} failed")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started


def _first_answer(python: str) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.perf_counter()
    process = subprocess.Popen(
        [python, str(HOME / "servers" / "highper_app.py"), "uvloop"],
        env={**_environment(), "PORT": str(port)},
        stdout=subprocess.DEVNULL,
    )
    try:
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
                    client.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")
                    while client.recv(65536):
                        pass
                return time.perf_counter() - started
            except ConnectionRefusedError:
                if process.poll() is not None or time.perf_counter() - started > 20:
                    raise RuntimeError("the server did not start") from None
                time.sleep(0.001)
    finally:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(HOME.parent), os.environ.get("PYTHONPATH", "")])}


if __name__ == "__main__":
    sys.exit(main())
