"""What providers, streams and the layers above promise each other.

A *transport* is a provider: asyncio, uvloop, memory. A *stream* is one peer's byte stream. A *receiver* is whoever a
stream hands its bytes to: the driver, or what took the stream over. An *application* is whom the driver hands
exchanges to. All calls happen on the thread of the transport's loop unless a method says otherwise.

    bytes -> stream -> driver (a receiver) -> connection -> event -> exchange -> application
"""

from __future__ import annotations

from zope.interface import Attribute, Interface

__all__ = ["IApplication", "IListener", "IReceiver", "IStream", "ITransport", "IWaiter"]


class ITransport(Interface):
    """A provider of byte streams, a clock and tasks. Third parties register one under `highper.transports`."""

    name = Attribute("Name in the registry.")

    def unavailable() -> str | None:
        """Return why this provider cannot run here, or None. Called on the class."""

    def run(main) -> object:
        """Create a loop, run the coroutine function `main(transport)` in it and return its result. Blocking."""

    def now() -> float:
        """Monotonic seconds of the loop's clock."""

    def call_soon(callback, *args) -> None:
        """Call back on the next pass of the loop, never synchronously."""

    def spawn(coroutine, context):
        """Run `coroutine` in a new task with `contextvars.Context` `context`; return the task.

        The first step runs at once where no task is current and the loop allows it, else on the next pass. The task
        is a real one of the loop: `current_task`, timeouts, task groups and cancellation work from its first step.
        """

    def waiter() -> IWaiter:
        """Return a fresh one-shot waiter."""

    async def listen(binding, opened) -> IListener:
        """Accept streams on a `sockets.Binding`; call `opened(stream)` for each, which sets `stream.receiver`."""

    async def connect(address, opened, *, tls=None) -> IStream:
        """Open a stream to `address`; call `opened(stream)` before any byte is delivered.

        Raises:
            ConnectFailed: the peer could not be reached.
        """

    timers = Attribute("The one `TimerWheel` of this transport.")


class IListener(Interface):
    """An accepting endpoint."""

    address = Attribute("Bound address: (host, port), or a path.")

    def close() -> None:
        """Stop accepting. Streams already accepted live on. Idempotent."""


class IWaiter(Interface):
    """A one-shot event one task waits for."""

    def wake(error=None) -> None:
        """End the wait, with `error` raised in the waiting task. Idempotent; never runs the task synchronously."""

    def __await__():
        """Wait. Cancellation of the waiting task leaves the waiter spent."""


class IStream(Interface):
    """One peer's bytes. Never raises on a dead peer: the receiver is told by `lost`."""

    receiver = Attribute("The `IReceiver` that gets this stream's bytes; replaced on takeover.")
    transport = Attribute("The `ITransport` it belongs to.")
    peer = Attribute("Remote address, or None.")
    local = Attribute("Local address, or None.")
    scheme = Attribute("'http' or 'https'.")
    alpn = Attribute("Negotiated ALPN protocol, or None.")

    def write(data) -> None:
        """Queue bytes, or a list of bytes. Accepted whole; `writing_paused`/`writing_resumed` tell the pressure."""

    def write_eof() -> None:
        """Send end of input after what is queued (a TLS stream closes instead)."""

    def close() -> None:
        """Close after what is queued was written. `lost(None)` follows."""

    def abort() -> None:
        """Close now; queued bytes are lost, the peer sees a reset where the system allows. `lost` follows."""

    def pause_reading() -> None:
        """Deliver no more bytes until resumed. Idempotent."""

    def resume_reading() -> None:
        """Deliver bytes again, never synchronously. Idempotent."""


class IReceiver(Interface):
    """Whom a stream hands its bytes to."""

    def received(data, now) -> None:
        """`data` is non-empty bytes."""

    def ended() -> None:
        """The peer will send no more; we may still write."""

    def lost(error) -> None:
        """The stream is gone: None after our own close, else why. Comes exactly once, last."""

    def writing_paused() -> None:
        """The write buffer passed its high-water mark."""

    def writing_resumed() -> None:
        """The write buffer fell to its low-water mark."""

    def expired(now) -> None:
        """The stream's deadline in the timer wheel has passed."""


class IApplication(Interface):
    """What the driver of a SERVER connection hands its exchanges to."""

    def begin(exchange) -> None:
        """Take charge of an exchange whose request head has arrived. Called synchronously; must not raise.

        Whatever it starts ends with `exchange.close()`, exactly once.
        """

    def disconnected(exchange, error) -> None:
        """The peer vanished while the exchange was open: cancel what runs, unless the route opted out."""
