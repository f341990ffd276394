"""An asyncio loop that is one epoll set: ours to serve, everybody else's to be told of.

It is asyncio's own loop with another selector, so that signals, subprocesses, threads, name look-ups and other
libraries' sockets work as they do there. The one thing that differs is `select`, which serves our sockets itself.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Iterator, Mapping
from typing import Any

from ._poller import Poller

__all__ = ["EpollLoop"]

EPOLLIN, EPOLLOUT = 0x001, 0x004


class _Keys(Mapping[Any, selectors.SelectorKey]):
    """What is registered, by descriptor or by whatever has one."""

    def __init__(self) -> None:
        self.by_fd: dict[int, selectors.SelectorKey] = {}

    def find(self, fileobj: Any) -> int:
        """Return the descriptor of `fileobj`, which may have been closed since it was registered.

        Raises:
            ValueError: it has none.
        """
        try:
            fd = fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
            if fd >= 0:
                return fd
        except (AttributeError, TypeError, ValueError):
            pass
        for key in self.by_fd.values():
            if key.fileobj is fileobj:
                return key.fd
        raise ValueError(f"{fileobj!r} has no descriptor")

    def __getitem__(self, fileobj: Any) -> selectors.SelectorKey:
        try:
            return self.by_fd[self.find(fileobj)]
        except ValueError:
            raise KeyError(f"{fileobj!r} is not registered") from None

    def __len__(self) -> int:
        return len(self.by_fd)

    def __iter__(self) -> Iterator[int]:
        return iter(self.by_fd)


class _Selector(selectors.BaseSelector):
    """The poller's set as a loop sees it: other people's descriptors only."""

    def __init__(self, loop: EpollLoop, poller: Poller) -> None:
        self._loop = loop
        self._poller = poller
        self._keys = _Keys()

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a descriptor.

        Raises:
            ValueError: the events are none, or `fileobj` has no descriptor.
            KeyError: it is watched already.
            OSError: it cannot be watched.
        """
        if not events or events & ~(selectors.EVENT_READ | selectors.EVENT_WRITE):
            raise ValueError(f"not a set of events: {events!r}")
        key = selectors.SelectorKey(fileobj, self._keys.find(fileobj), events, data)
        if key.fd in self._keys.by_fd:
            raise KeyError(f"{fileobj!r} (descriptor {key.fd}) is registered already")
        self._poller.watch_foreign(key.fd, _asked(events))
        self._keys.by_fd[key.fd] = key
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """Stop watching a descriptor.

        Raises:
            KeyError: it is not watched.
        """
        key = self._keys[fileobj]
        del self._keys.by_fd[key.fd]
        self._poller.forget_foreign(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """Watch a descriptor for other events, or with other data.

        Raises:
            KeyError: it is not watched.
            OSError: it cannot be watched any more, and is not.
        """
        key = self._keys[fileobj]
        if events != key.events:
            try:
                self._poller.change_foreign(key.fd, _asked(events))
            except OSError:
                self.unregister(fileobj)
                raise
        self._keys.by_fd[key.fd] = key = key._replace(events=events, data=data)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Serve our sockets until the loop has something to do; return who else is ready."""
        found = []
        for fd, events in self._poller.select(timeout, self._loop._scheduled):  # type: ignore[attr-defined]
            key = self._keys.by_fd.get(fd)  # by now: what was served may have unregistered it
            if key is not None:
                told = (selectors.EVENT_READ if events & ~EPOLLOUT else 0) | (
                    selectors.EVENT_WRITE if events & ~EPOLLIN else 0
                )
                if told & key.events:
                    found.append((key, told & key.events))
        return found

    def close(self) -> None:
        """Close the set, and every socket of ours."""
        self._keys.by_fd.clear()
        self._poller.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """Return what is watched."""
        return self._keys


def _asked(events: int) -> int:
    return (EPOLLIN if events & selectors.EVENT_READ else 0) | (EPOLLOUT if events & selectors.EVENT_WRITE else 0)


class EpollLoop(asyncio.SelectorEventLoop):
    """asyncio's loop over the set of a `Poller`.

    Args:
        kernel: another one, for tests.

    Attributes:
        poller: serves our sockets.
    """

    def __init__(self, kernel: Any = None) -> None:
        self.poller = Poller(self, False, kernel)
        super().__init__(_Selector(self, self.poller))
        self.poller.belong(self._ready)  # type: ignore[attr-defined]

    def stop(self) -> None:
        """Stop after the callbacks that are ready."""
        super().stop()
        self.poller.leave()
