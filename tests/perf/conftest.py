"""The tools in `perf/` are scripts beside the packages: let tests import them."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "perf"))
