"""The end of a server's requests: they are answered, and after a while those that are not are cancelled."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from anyio import move_on_after, sleep

from highper_core.frames import CloseCode
from highper_transports.driver import Driver
from highper_transports.timers import Timed

if TYPE_CHECKING:
    from highper_transports.service import Service

    from .dispatch import Dispatcher
    from .websocket.site import Site

__all__ = ["cut_off", "drain"]

PAUSE = 0.05  # seconds between two looks at handlers that have no stream to wait for
GRACE = 1.0  # seconds a cancelled request has to answer before its stream is aborted


async def drain(
    service: Service,
    dispatcher: Dispatcher,
    site: Site,
    tell: Callable[[], Awaitable[None]],
    seconds: float,
    quiet: float | None = None,
) -> None:
    """Accept nobody, let running requests answer, close WebSockets, and end every stream.

    Args:
        service, dispatcher, site: whose streams and whose handlers.
        tell: tells the application first, as long as that takes.
        seconds: until what runs is cancelled.
        quiet: of a server that others have replaced: seconds that a connection may rest before it is closed. None to
            close those at once.
    """
    transport = service.transport
    latest = transport.now() + seconds + GRACE
    deadline = _CutOff(lambda: cut_off(service, dispatcher, site))
    transport.timers.arm(deadline, transport.now() + seconds)
    service.decline()
    with move_on_after(seconds):
        await tell()
    dispatcher.part()
    site.part(service, (CloseCode.GOING_AWAY if quiet is None else CloseCode.SERVICE_RESTART).value)
    try:
        if quiet is not None:
            await service.withdraw(quiet, seconds)
        await service.stop(seconds + GRACE)
        while dispatcher.is_sheltering and not deadline.is_over:
            await sleep(PAUSE)
        while site.tasks and transport.now() < latest:
            await sleep(PAUSE)
    finally:
        transport.timers.cancel(deadline)
        cut_off(service, dispatcher, site)


def cut_off(service: Service, dispatcher: Dispatcher, site: Site) -> None:
    """Cancel every handler that still runs; one that has not answered yet answers 503."""
    site.cancel_all(service)
    dispatcher.stopping = True
    dispatcher.cancel_sheltered()
    for stream in list(service.awake):
        driver = stream.receiver
        for exchange in driver.exchanges if isinstance(driver, Driver) else ():
            if exchange.task is not None:
                exchange.task.cancel()


class _CutOff(Timed):
    """The end of the time that running requests have."""

    __slots__ = ("_act", "is_over")

    def __init__(self, act: Callable[[], None]) -> None:
        Timed.__init__(self)
        self._act = act
        self.is_over = False

    def expired(self, now: float) -> None:
        self.is_over = True
        self._act()
