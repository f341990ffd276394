"""What providers, streams and the layers above promise each other.

A *transport* is a provider: asyncio, uvloop, memory. A *stream* is one peer's byte stream. A *receiver* is whoever a
stream hands its bytes to: the driver, or what took the stream over. A stream at *rest* has no receiver, and need not
be an object any more; when bytes come, its *owner* is asked for one. One that *dozes* is no object either, but its
receiver is kept, and gets another. An *application* is whom the driver hands exchanges to. All calls happen on the
thread of the transport's loop unless a method says otherwise.

    bytes -> stream -> driver (a receiver) -> connection -> event -> exchange -> application
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import TYPE_CHECKING, Any, BinaryIO

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from .exchange import Exchange
    from .intake import Intake
    from .sockets import Binding
    from .stream import Receiver, Stream
    from .timers import TimerWheel

__all__ = ["IApplication", "IListener", "IReceiver", "IRest", "IStream", "IStreamOwner", "ITransport", "IWaiter"]


class ITransport(Interface):
    """A provider of byte streams, a clock and tasks. Third parties register one under `highper.transports`.

    Made with no argument it belongs to the running loop.
    """

    name: str = Attribute("Name in the registry.")
    timers: TimerWheel = Attribute("The one `TimerWheel` of this transport.")
    rest: Any = Attribute("The `IRest` of this transport: its streams at rest.")

    def unavailable() -> str | None:
        """Return why this provider cannot run here, or None. Called on the class."""

    def run(main: Callable[[ITransport], Coroutine[Any, Any, Any]]) -> Any:
        """Create a loop, run `main(transport)` in it and return its result. Blocking. Called on the class."""

    def now() -> float:
        """Monotonic seconds of the loop's clock."""

    def call_soon(callback: Callable[..., object], *args: Any) -> None:
        """Call back on the next pass of the loop, never synchronously."""

    def spawn(coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None) -> Any:
        """Run `coroutine` in a new task with `contextvars.Context` `context`, called `name`; return the task.

        The first step runs at once where no task is current and the loop allows it, else on the next pass. The task
        is a real one of the loop: `current_task`, timeouts, task groups and cancellation work from its first step.
        """

    def waiter() -> IWaiter:
        """Return a fresh one-shot waiter."""

    def watch_signal(number: int, callback: Callable[[], object] | None) -> None:
        """Call back when the process gets signal `number`; None to stop watching. Nothing is watched by default."""

    async def listen(binding: Binding, opened: Callable[[Stream], object]) -> IListener:
        """Accept streams on a `sockets.Binding`; call `opened(stream)` for each.

        That sets its `receiver`, or its `owner` and lets it `rest`. Where proxies announce their clients on a secure
        binding (`Binding.proxy_protocol`), the header comes before the handshake: such a stream was told to `present`
        it already, or the binding is refused. On a plain one the header is its first bytes.
        """

    async def connect(address: Any, opened: Callable[[Stream], object], *, tls: Any = None) -> Stream:
        """Open a stream to `address`; call `opened(stream)` before any byte is delivered.

        Raises:
            ConnectFailed: the peer could not be reached.
        """


class IListener(Interface):
    """An accepting endpoint."""

    address: Any = Attribute("Bound address: (host, port), or a path.")

    def pause() -> None:
        """Accept nobody until resumed; who connects meanwhile waits. Idempotent."""

    def resume() -> None:
        """Accept again. Idempotent."""

    def close() -> None:
        """Stop accepting. Streams already accepted live on. Idempotent."""


class IWaiter(Interface):
    """A one-shot event one task waits for."""

    def wake(error: BaseException | None = None) -> None:
        """End the wait, with `error` raised in the waiting task. Idempotent; never runs the task synchronously."""

    def wake_now() -> None:
        """End the wait, and let the waiting task go on inside this call, where no task is current; else as `wake`."""

    def __await__() -> Generator[Any, None, None]:
        """Wait. Cancellation of the waiting task leaves the waiter spent."""


class IRest(Interface):
    """The streams of one transport that rest or doze, which need not be objects."""

    def hasten(owner: IStreamOwner, deadline: float) -> None:
        """Let no stream of `owner` that is at rest now rest longer than until `deadline`."""

    def close(owner: IStreamOwner) -> None:
        """Close every stream at rest of `owner`, which is told by `lost_at_rest`, never synchronously."""

    def abort(owner: IStreamOwner) -> None:
        """End now what is left of them, as where a close waits for the peer."""

    def rouse(owner: IStreamOwner) -> None:
        """Give every receiver of `owner` whose stream dozes a stream. The other calls leave those alone."""

    def recall(place: int, receiver: Receiver) -> Stream:
        """Give one receiver a stream, and return it.

        Args:
            place: what `IStream.doze` returned.
            receiver: whose stream dozes.
        """

    def write(place: int, receiver: Receiver, data: bytes) -> bool:
        """Send bytes on a stream that dozes, and let it doze where the system takes all of them at once.

        Returns:
            False where that cannot be, and nothing was sent: recall it, and write.
        """


class IStream(Interface):
    """One peer's bytes. Never raises on a dead peer: the receiver is told by `lost`.

    Implementations derive from `stream.Stream`, which is the record that a `TimerWheel` files.
    """

    receiver: Any = Attribute("The `IReceiver` that gets this stream's bytes; replaced on takeover; None at rest.")
    owner: Any = Attribute("The `IStreamOwner` of a stream that rests now and then, told of the end; or None.")
    transport: Any = Attribute("The `ITransport` it belongs to.")
    peer: Any = Attribute("Remote address, or None.")
    local: Any = Attribute("Local address, or None.")
    scheme: str = Attribute("'http' or 'https'.")
    alpn: str | None = Attribute("Negotiated ALPN protocol, or None.")
    sends_files: bool = Attribute("Whether `send_file` works.")
    fills: bool = Attribute("Whether `receive_into` works.")
    dozes: bool = Attribute("Whether `doze` may be worth asking: the provider can keep less than this object.")
    presented: Any = Attribute("The `ProxyHeader` that told whom the stream stands for, or None.")
    unwritten: int = Attribute("Bytes accepted by `write` and not yet by the peer's system.")

    def write(data: bytes | list[bytes]) -> None:
        """Queue bytes, or a list of bytes. Accepted whole; `writing_paused`/`writing_resumed` tell the pressure."""

    def write_eof() -> None:
        """Send end of input after what is queued (a TLS stream closes instead)."""

    def receive_into(intake: Intake | None) -> None:
        """Write what comes into the room of `intake` and tell `receiver.filled`, until it is full or None is given.

        Only where `fills`.
        """

    async def send_file(file: BinaryIO, offset: int, length: int, timeout: float = 30.0) -> None:
        """Move `length` bytes of `file` from `offset` without copying them through here; only where `sends_files`.

        Raises:
            StreamBroken: the stream or the file ended first, or the peer took too little within `timeout` seconds.
        """

    def give_way() -> bool:
        """Let others that are ready at the same time come as far first; False where there are none.

        If so, `receiver.proceed` is called behind them, at the latest in the loop's next pass. Asked while bytes are
        delivered, or in `proceed` itself.
        """

    def limit_writes(high: int, low: int) -> None:
        """Set the water marks of the write buffer. They outlast a rest."""

    def present(header: Any) -> None:
        """Stand for whom a `ProxyHeader` names, from now on and through every rest: `peer`, `local`, and `scheme`."""

    def rest(deadline: float) -> None:
        """Let the stream go: it has an `owner`, nothing unwritten, and loses its receiver.

        This object is not used any more; what `owner.wake` gets may be another one for the same peer. Bytes wake the
        owner, never synchronously, also those that came before. The end of input, an error or `deadline` end the
        stream without waking it, and `owner.lost_at_rest` tells.
        """

    def doze(deadline: float) -> int:
        """Let the stream go, but keep its receiver: it has an `owner`, and nothing unwritten.

        This object is not used any more. Bytes, the end of input, an error and `deadline` give the receiver another
        one for the same peer, by `woken`, and then tell as ever; the water marks are to be set again.

        Returns:
            what `IRest.recall` takes; -1 where nothing has changed, for all of this object is needed.
        """

    def close() -> None:
        """Close after what is queued was written. `lost(None)` follows, never synchronously, and nothing before it."""

    def abort() -> None:
        """Close now; queued bytes are lost, the peer sees a reset where the system allows. As `close`."""

    def pause_reading() -> None:
        """Deliver no more bytes until resumed. Idempotent."""

    def resume_reading() -> None:
        """Deliver bytes again, never synchronously. Idempotent."""


class IReceiver(Interface):
    """Whom a stream hands its bytes to. Implementations derive from `stream.Receiver`."""

    def received(data: bytes, now: float) -> None:
        """`data` is non-empty bytes."""

    def filled(count: int, now: float) -> None:
        """`count` bytes came and are in the intake that was given to `receive_into`."""

    def proceed(now: float) -> None:
        """The stream gave way to others, and they have come as far."""

    def ended() -> None:
        """The peer will send no more; we may still write."""

    def lost(error: BaseException | None) -> None:
        """The stream is gone: None after our own close, else why. Comes exactly once, last."""

    def writing_paused() -> None:
        """The write buffer passed its high-water mark."""

    def writing_resumed() -> None:
        """The write buffer fell to its low-water mark."""

    def expired(now: float) -> None:
        """The stream's deadline in the timer wheel has passed."""

    def shutdown() -> None:
        """The server stops: end as soon as nothing runs."""

    def woken(stream: Stream) -> None:
        """The stream that was told to `doze` is this one now."""


class IStreamOwner(Interface):
    """Who keeps account of streams that rest, and of their ends: `lost` or `lost_at_rest` tells of each, once."""

    def wake(stream: Stream) -> Receiver:
        """Give a stream that was at rest a receiver, and return it: bytes are about to be delivered."""

    def lost(stream: Stream) -> None:
        """A stream that was awake is gone, and its receiver, if any, was told."""

    def lost_at_rest(count: int) -> None:
        """`count` streams that were at rest are gone."""

    def dozed(stream: Stream) -> None:
        """A stream dozes: this object is not used any more."""

    def roused(stream: Stream) -> None:
        """A stream that dozed is this one now, and awake."""


class IApplication(Interface):
    """What the driver of a SERVER connection hands its exchanges to."""

    def begin(exchange: Exchange) -> None:
        """Take charge of an exchange whose request head has arrived. Called synchronously; must not raise.

        Whatever it starts ends with `exchange.close()`, exactly once.
        """

    def disconnected(exchange: Exchange, error: BaseException | None) -> None:
        """The peer vanished while the exchange was open: cancel what runs, unless the route opted out."""
