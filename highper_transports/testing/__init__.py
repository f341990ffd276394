"""The one list of promises that every provider of streams is judged by, third-party ones included.

    from highper_transports.testing import check_transport
    check_transport(MyTransport)

Each promise is a coroutine function whose docstring is the promise; it runs in a loop of the provider's own. What
fails is collected, so one run tells all that is wrong.
"""

from . import accepting, clock, dozing, ends, rest, streams, tasks
from .stage import PROMISES, Options, Promise, PromiseBroken, Recorder, Stage, check_promise, check_transport

__all__ = [
    "PROMISES",
    "Options",
    "Promise",
    "PromiseBroken",
    "Recorder",
    "Stage",
    "check_promise",
    "check_transport",
]

del accepting, clock, dozing, ends, rest, streams, tasks  # imported for the promises they add
