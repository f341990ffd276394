"""Telling when sources change, for development.

The watching library has threads, and a supervisor that forks must have none; so it runs in a process of its own.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec

from highper_core.errors import HighperError

from .post import LOST, Post

__all__ = ["CHANGED", "WATCHING", "WatchingUnavailable", "require", "watch"]

WATCHING = "watching"  # a report: from now on nothing is missed
CHANGED = "changed"  # a report: sources did, those that follow
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


class _Line:
    """What the library asks several times a second: whether to stop. Its first question says that it watches."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._silent = True

    def is_set(self) -> bool:
        if self._silent:
            self._silent = False
            self._post.say(WATCHING)
        return any(word == LOST for word, _ in self._post.words())


def watch(post: Post, directories: Sequence[str]) -> int:
    """Report changes of Python sources below `directories` until the supervisor is gone. Blocking."""
    from watchfiles import PythonFilter
    from watchfiles import watch as changes

    for batch in changes(*directories, watch_filter=PythonFilter(), stop_event=_Line(post)):
        names = sorted({os.path.relpath(path) for _, path in batch})
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        post.say(CHANGED, ", ".join(names[:NAMED]) + more)
    return 0
