"""Telling when sources change, for development.

The watching library has threads, and a supervisor that forks must have none; so it runs in a process of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec

from highper_core.errors import HighperError

from .post import LOST, Post

__all__ = ["CHANGED", "WatchingUnavailable", "require", "watch"]

CHANGED = "changed"  # a report: sources did, those that follow
LOOK = 1000  # milliseconds between two looks whether the supervisor lives
NAMED = 3  # files that a report names


class WatchingUnavailable(HighperError):
    """The library that watches files is not installed."""


def require() -> None:
    """Make sure that watching works here.

    Raises:
        WatchingUnavailable: it does not.
    """
    if find_spec("watchfiles") is None:
        raise WatchingUnavailable("reloading on changes needs watchfiles (pip install 'highper[reload]')")


def watch(post: Post, directories: Sequence[str]) -> int:
    """Report changes of Python sources below `directories` until the supervisor is gone. Blocking."""
    from watchfiles import PythonFilter
    from watchfiles import watch as changes

    for batch in changes(*directories, watch_filter=PythonFilter(), rust_timeout=LOOK, yield_on_timeout=True):
        if batch:
            names = sorted({os.path.relpath(path) for _, path in batch})
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            post.say(CHANGED, ", ".join(names[:NAMED]) + more)
        if any(word == LOST for word, _ in post.words()):
            break
    return 0
