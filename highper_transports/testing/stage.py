"""What a promise is played on: a transport, pairs of streams, receivers that remember."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from ..sockets import Binding
from ..stream import Receiver, Stream

if TYPE_CHECKING:
    from ..interfaces import IListener
    from ..tls import TLS

__all__ = ["PROMISES", "Options", "Promise", "PromiseBroken", "Recorder", "Stage", "check_promise", "check_transport"]

PATIENCE = 10.0  # seconds after which something that must happen has not


class PromiseBroken(AssertionError):
    """A provider does not do what every provider promises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a provider is judged with.

    Args:
        eager: the loop of `run` starts first steps at once where no task is current.
        tls: both sides of a TLS stream, server's and client's; None to leave TLS out.
        host: name to listen at.
    """

    eager: bool = True
    tls: tuple[TLS, TLS] | None = None
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise; calling it plays it on a stage."""

    name: str
    text: str
    play: Callable[[Stage], Coroutine[Any, Any, None]]


PROMISES: list[Promise] = []


def promise(play: Callable[[Stage], Coroutine[Any, Any, None]]) -> Callable[[Stage], Coroutine[Any, Any, None]]:
    """Add a promise to the list."""
    PROMISES.append(Promise(play.__name__, (play.__doc__ or "").strip(), play))
    return play


def ensure(kept: bool, text: str) -> None:
    """Raise PromiseBroken with `text` unless `kept`."""
    if not kept:
        raise PromiseBroken(text)


class Recorder(Receiver):
    """Remembers what its stream tells.

    Attributes:
        calls: names of the calls in order; successive `received` count as one, and so do successive `filled`.
        data: bytes so far.
        count: bytes that went into an intake.
        error: what `lost` was called with.
        answer: called with the recorder on every call, after it was noted.
    """

    def __init__(self, stream: Stream, answer: Callable[[Recorder], object] | None = None) -> None:
        self.stream = stream
        self.calls: list[str] = []
        self.data = bytearray()
        self.count = 0
        self.error: BaseException | None = None
        self.answer = answer
        stream.receiver = self

    def _note(self, call: str) -> None:
        if call not in ("received", "filled") or self.calls[-1:] != [call]:
            self.calls.append(call)
        if self.answer is not None:
            self.answer(self)

    def received(self, data: bytes, now: float) -> None:
        """Remember bytes."""
        ensure(isinstance(data, bytes) and len(data) > 0, "received() gets non-empty bytes")
        self.data += data
        self._note("received")

    def filled(self, count: int, now: float) -> None:
        """Remember how much went into an intake."""
        ensure(count > 0, "filled() tells of some bytes")
        self.count += count
        self._note("filled")

    def ended(self) -> None:
        """Remember the end of input."""
        self._note("ended")

    def lost(self, error: BaseException | None) -> None:
        """Remember the end."""
        self.error = error
        self._note("lost")

    def writing_paused(self) -> None:
        """Remember pressure."""
        self._note("paused")

    def writing_resumed(self) -> None:
        """Remember its end."""
        self._note("resumed")

    def expired(self, now: float) -> None:
        """Remember the deadline."""
        self._note("expired")

    def woken(self, stream: Stream) -> None:
        """Go on with another stream."""
        self.stream = stream
        self._note("woken")


@dataclass
class Stage:
    """A transport to play on, and what was opened on it."""

    transport: Any
    options: Options
    listeners: list[IListener] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)

    async def listen(self, opened: Callable[[Stream], object], **place: Any) -> IListener:
        """Listen at a free port, or at `place`."""
        listener: IListener = await self.transport.listen(Binding(**(place or {"host": self.options.host})), opened)
        self.listeners.append(listener)
        return listener

    async def connect(self, address: Any, opened: Callable[[Stream], object], **options: Any) -> Stream:
        """Connect to what is listened at."""
        stream: Stream = await self.transport.connect(address, opened, **options)
        self.streams.append(stream)
        return stream

    async def pair(self, **place: Any) -> tuple[Recorder, Recorder]:
        """Return the receivers of both ends of a new stream, the connecting one first."""
        far: list[Recorder] = []
        near: list[Recorder] = []
        tls = self.options.tls if "tls" in place else None
        listener = await self.listen(lambda stream: far.append(Recorder(stream)), **place)
        options = {} if tls is None else {"tls": tls[1]}
        await self.connect(listener.address, lambda stream: near.append(Recorder(stream)), **options)
        await self.until(lambda: bool(far), "an accepted stream is announced")
        self.streams.append(far[0].stream)
        return near[0], far[0]

    async def until(self, predicate: Callable[[], bool], text: str) -> None:
        """Wait until `predicate()`; `text` says what is promised."""
        for _ in range(100):
            if predicate():
                return
            await anyio.sleep(0)
        for _ in range(int(PATIENCE / 0.02)):
            if predicate():
                return
            await anyio.sleep(0.02)
        raise PromiseBroken(text)

    async def in_callback(self, action: Callable[[], Any]) -> Any:
        """Return what `action()` returns when it is called by the loop, where no task is current."""
        results: list[Any] = []
        self.transport.call_soon(lambda: results.append(_outcome(action)))
        await self.until(lambda: bool(results), "call_soon() calls back")
        result, error = results[0]
        if error is not None:
            raise error
        return result

    async def strike(self) -> None:
        """Close what was opened."""
        for listener in self.listeners:
            listener.close()
        for stream in self.streams:
            stream.abort()
        await anyio.sleep(0.01)


def _outcome(action: Callable[[], Any]) -> tuple[Any, BaseException | None]:
    try:
        return action(), None
    except Exception as error:
        return None, error


def check_promise(provider: Any, promise: Promise, options: Options = Options()) -> None:
    """Play one promise in a new loop of `provider`.

    Raises:
        PromiseBroken: it does not hold.
    """

    async def main(transport: Any) -> None:
        stage = Stage(transport, options)
        try:
            async with asyncio.timeout(3 * PATIENCE):
                await promise.play(stage)
        finally:
            await stage.strike()

    try:
        provider.run(main)
    except PromiseBroken:
        raise
    except Exception as error:
        raise PromiseBroken(f"{type(error).__name__}: {error}") from error


def check_transport(
    provider: Any, *, eager: bool = True, tls: tuple[TLS, TLS] | None = None, host: str = "127.0.0.1"
) -> None:
    """Judge a provider by the whole list.

    Args:
        provider: class that provides `ITransport`, or an object with its `run` and `unavailable`.
        eager, tls, host: as in `Options`.

    Raises:
        PromiseBroken: what does not hold, by name.
    """
    reason = provider.unavailable()
    if reason is not None:
        raise PromiseBroken(f"it cannot run here: {reason}")
    options = Options(eager=eager, tls=tls, host=host)
    broken: list[str] = []
    for item in PROMISES:
        try:
            check_promise(provider, item, options)
        except PromiseBroken as error:
            broken.append(f"{item.name}: {item.text}\n    {error}")
    if broken:
        raise PromiseBroken("\n".join(broken))
