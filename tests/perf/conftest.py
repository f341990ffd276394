"""The tools of `perf/` are scripts beside each other; their tests find them as they find themselves."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "perf"))
