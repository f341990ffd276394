"""The garbage collector and what start-up made: modules, routes, an application's own objects.

They live as long as the process, yet every full collection would look at all of them again, and stop every connection
meanwhile. So a process that is a server's own puts them out of its reach.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["startup_spared"]


@contextmanager
def startup_spared() -> Iterator[None]:
    """Spare what exists now from collections while the block runs; garbage is collected first.

    Undone at the end unless somebody had spared objects before.
    """
    spared = gc.get_freeze_count()
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        if not spared:
            gc.unfreeze()
