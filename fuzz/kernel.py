"""A real application on the epoll transport, over a kernel that lies.

What must hold, whatever the kernel says: every answer is the one its request demands, whole and in order, unless the
connection was broken by an error that was made up, or by its client; nothing spins; afterwards no descriptor, record,
task, stream or timer is left; and the next connection, on a kernel that has calmed down, is served.

    python fuzz/kernel.py --seeds 1000            # two or three worlds a second
    python fuzz/kernel.py --first 17 --seeds 1    # one world again
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from lying.world import World
from simulation.ledger import Ledger


def main() -> int:
    """Run worlds; the exit code tells whether all held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    ledger, calls = Ledger(), Counter[str]()
    for seed in range(options.first, options.first + options.seeds):
        world = World(seed)
        ledger.add(world.run())
        calls += world.script.calls
        for line in ledger.violations:
            print(line, flush=True)
        ledger.violations.clear()
        ledger.ends["violations"] += bool(world.ledger.violations)
    for name, count in sorted(calls.items()):
        print(f"{name:24}{count:12,}")
    print(f"{ledger.requests:,} answers; clients: {dict(ledger.ends)}")
    return 1 if ledger.ends["violations"] else 0


if __name__ == "__main__":
    sys.exit(main())
