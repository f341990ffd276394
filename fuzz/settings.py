"""What the environment of a fuzzing process decides, read once.

HIGHPER_FUZZ_ENGINE: engine under test (default fast).
HIGHPER_FUZZ_START: `raw`, an input is the bytes themselves; `valid`, it spells a valid message and edits of it.
HIGHPER_FUZZ_SAMPLE: every n-th input, by its checksum, also goes to the other engine and to the other readers.
"""

from __future__ import annotations

import os
import zlib

__all__ = ["ENGINE", "OTHER_ENGINE", "SAMPLE", "START_VALID", "cuts_of", "is_sampled"]

ENGINE = os.environ.get("HIGHPER_FUZZ_ENGINE", "fast")
OTHER_ENGINE = "portable" if ENGINE == "fast" else "fast"
START_VALID = os.environ.get("HIGHPER_FUZZ_START", "raw") == "valid"
SAMPLE = int(os.environ.get("HIGHPER_FUZZ_SAMPLE", "1"))


def is_sampled(data: bytes) -> bool:
    """Say whether `data` gets the dear oracles too; the same answer each time it is run."""
    return SAMPLE > 0 and zlib.adler32(data) % SAMPLE == 0


def cuts_of(data: bytes) -> list[int]:
    """Return where to cut `data`: everywhere for one in sixteen, else at up to four offsets. A function of `data`."""
    seed = zlib.crc32(data)
    if seed & 15 == 0:
        return list(range(1, len(data)))
    return [(seed >> shift) % (len(data) + 1) for shift in (4, 9, 14, 19)[: 1 + seed % 4]]
