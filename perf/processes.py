"""What a reload, a killed worker and one worker less cost: requests lost, and how long the slowest answer took.

    python perf/processes.py [--transport NAME] [--rounds 10]

Keep-alive clients and clients with a connection for each request hammer two workers, with one listening socket for
both and with one each (SO_REUSEPORT), while the same thing is done to them again and again.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.hammer import Hammer
from support.services import Service, serving

KEPT, CHURNING = 8, 8


def reload(service: Service, number: int) -> None:
    """Replace everybody."""
    service.send(signal.SIGHUP)
    service.wait_for("reloaded", number)
    time.sleep(0.5)


def kill(service: Service, number: int) -> None:
    """Kill the worker that became ready last."""
    ready = service.ready(2)
    os.kill(ready[-1], signal.SIGKILL)
    service.ready(len(ready) + 1)
    time.sleep(11)  # it is steady again, so that the next one is replaced at once, too


def fewer(service: Service, number: int) -> None:
    """One worker more, then one less."""
    service.send(signal.SIGTTIN)
    service.ready(2 + number)
    time.sleep(0.5)
    service.send(signal.SIGTTOU)
    time.sleep(0.5)


def measure(act: Callable[[Service, int], None], rounds: int, transport: str, *options: str) -> str:
    """Do something `rounds` times under load; return a row."""
    arguments = ["--workers", "2", "--port", "0", "--transport", transport, "--no-access-log", *options]
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory), *arguments) as service:
        service.ready(2)
        with Hammer(service.address, ["/"] * KEPT, churning=CHURNING) as hammer:
            time.sleep(0.5)
            for number in range(1, rounds + 1):
                act(service, number)
        answers, lost = sum(hammer.answers.values()), hammer.lost
        refused = sum("Refused" in text for text in lost)
        return f"{answers:8} answers {len(lost):4} lost ({refused} refused)  slowest {hammer.slowest * 1e3:6.0f} ms"


def main() -> None:
    """Print a row for each kind of event and socket."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--transport", default="auto")
    parser.add_argument("--rounds", type=int, default=10)
    chosen = parser.parse_args()
    for act in (reload, kill, fewer):
        for name, options in (("shared", []), ("reuse-port", ["--reuse-port"])):
            rounds = chosen.rounds if act is not kill else max(1, chosen.rounds // 3)
            row = measure(act, rounds, chosen.transport, *options)
            print(f"{act.__name__:8} x {rounds:2}  {name:10}  {row}", flush=True)


if __name__ == "__main__":
    main()
