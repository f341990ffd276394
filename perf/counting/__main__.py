"""Run the cases. Usage: python perf/counting TREE MARKS. TREE holds the packages, MARKS is the compiled marks.c.

Outside of callgrind it does the work and counts nothing.
"""

import gc
import itertools
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    tree, library = sys.argv[1:]
    perf = Path(__file__).parents[1]
    sys.path[:0] = [tree, str(perf), str(perf / "micro")]
    gc.disable()
    # the Date field is formatted when the second changes, which would fall into one count and not into another
    time.time = itertools.repeat(1.8e9).__next__

    from counting.cases import run

    run(library)
