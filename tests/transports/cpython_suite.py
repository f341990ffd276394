"""Run one of CPython's own asyncio test modules on our loop: `cpython_suite.py MODULE`.

Every loop that a test makes by a policy, or as asyncio's default kind, is an `EpollLoop`.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import unittest
from importlib import import_module
from typing import Any

from highper_transports.epoll.loop import EpollLoop

STANDARD = asyncio.SelectorEventLoop


class _Standard(type):
    """What a test calls to make a loop, and asks what a loop is."""

    def __call__(cls, selector: Any = None) -> asyncio.AbstractEventLoop:
        return EpollLoop() if selector is None else STANDARD(selector)

    def __instancecheck__(cls, loop: object) -> bool:
        return isinstance(loop, STANDARD)


class _Loop(metaclass=_Standard):
    """Stands in for asyncio's loop over a selector."""


def _suite(name: str) -> unittest.TestSuite:
    module = import_module(f"test.test_asyncio.{name}")
    if name != "test_events":
        return unittest.defaultTestLoader.loadTestsFromModule(module)
    # the same tests for each of asyncio's selectors; one more class is one more selector
    utils = import_module("test.test_asyncio.utils")

    class EpollLoopTests(module.UnixEventLoopTestsMixin, module.SubprocessTestsMixin, utils.TestCase):  # type: ignore[misc,name-defined]
        def create_event_loop(self) -> asyncio.AbstractEventLoop:
            return EpollLoop()

    return unittest.defaultTestLoader.loadTestsFromTestCase(EpollLoopTests)


def main(name: str) -> int:
    """Return the exit code of the run."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    policy: Any = asyncio.DefaultEventLoopPolicy
    policy._loop_factory = EpollLoop
    suite = _suite(name)
    asyncio.SelectorEventLoop = _Loop  # type: ignore[assignment,misc]
    result = unittest.TextTestRunner(verbosity=1).run(suite)
    return 0 if result.wasSuccessful() and result.testsRun > result.expectedFailures.__len__() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
