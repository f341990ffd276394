"""Every provider keeps every promise of the list, and the list notices a provider that does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from itertools import count
from math import inf
from typing import Any

import pytest
import trustme
from support.providers import EVERY

from highper_transports.interfaces import IStreamOwner
from highper_transports.memory import MemoryStream, MemoryTransport
from highper_transports.memory import transport as memory_transport
from highper_transports.rest import Rest
from highper_transports.sockets import Binding
from highper_transports.stream import Stream
from highper_transports.testing import PROMISES, Options, Promise, PromiseBroken, check_promise, check_transport
from highper_transports.timers import Timed, TimerWheel
from highper_transports.tls import TLS, client_context, server_context

PROVIDERS = EVERY


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[TLS, TLS]:
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    server = TLS(server_context(str(folder / "server.pem")))
    return server, TLS(client_context(authority=str(folder / "ca.pem")), server_hostname="127.0.0.1")


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.name)
def test_promise(provider: Any, promise: Promise, tls: tuple[TLS, TLS]) -> None:
    """The provider keeps the promise."""
    check_promise(provider, promise, Options(tls=tls))


def test_a_slow_network_keeps_them_too() -> None:
    """Latency and tiny buffers change no promise."""

    class Slow(MemoryTransport):
        def __init__(self) -> None:
            super().__init__(latency=0.003, capacity=40_000)

    check_transport(Slow)


class SynchronousCallbacks(MemoryTransport):
    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        callback(*args)


class BackwardsClock(MemoryTransport):
    def __init__(self) -> None:
        super().__init__()
        readings = count()
        self.now = lambda: self.loop.time() - next(readings) * 1e-3


class EarlyTimers(MemoryTransport):
    def __init__(self) -> None:
        super().__init__()
        self.timers = TimerWheel(lambda: self.loop.time() + 1, lambda when, call: self.loop.call_at(when - 1, call))


class ImmediateTimers(MemoryTransport):
    def __init__(self) -> None:
        super().__init__()

        class Wheel(TimerWheel):
            def arm(self, timed: Timed, deadline: float) -> None:
                if deadline < transport.loop.time():
                    timed.expired(deadline)
                else:
                    super().arm(timed, deadline)

        transport = self
        self.timers = Wheel(self.loop.time, self.loop.call_at)


class OwnSpawn(MemoryTransport):
    def __init__(self) -> None:
        super().__init__()
        self.spawn = self.start

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None) -> Any:
        raise NotImplementedError


class ForeignContext(OwnSpawn):
    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None) -> Any:
        return self.tasks.start(coroutine, copy_context())


class LazyStart(OwnSpawn):
    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None) -> Any:
        return self.loop.create_task(coroutine, context=context)


class StepWithoutTask(OwnSpawn):
    """Drives the first step by hand, as a coroutine driver of one's own would."""

    def start(self, coroutine: Coroutine[Any, Any, Any], context: Context, name: str | None = None) -> Any:
        if asyncio.current_task() is not None:
            return self.tasks.start(coroutine, context)
        done = self.loop.create_future()
        try:
            context.run(coroutine.send, None)
        except StopIteration:
            done.set_result(None)
            return done
        except Exception as error:
            done.set_exception(error)
            return done
        return self.loop.create_task(_rest(coroutine), context=context)


async def _rest(coroutine: Coroutine[Any, Any, Any]) -> None:
    await asyncio.sleep(0)
    coroutine.close()


class LosingWaiter(MemoryTransport):
    def waiter(self) -> Any:
        inner = super().waiter()

        class Waiter:
            waiting = False

            def wake(self, error: BaseException | None = None) -> None:
                if self.waiting:  # a wake-up before the wait is lost
                    inner.wake(error)

            def wake_now(self) -> None:
                inner.wake_now()

            def __await__(self) -> Any:
                self.waiting = True
                return inner.__await__()

        return Waiter()


class PortUntold(MemoryTransport):
    async def listen(self, binding: Binding, opened: Callable[[Stream], object]) -> Any:  # type: ignore[override]
        listener = await super().listen(binding, opened)
        if isinstance(listener.address, tuple):
            self._listeners[binding.host, 0] = listener
            listener.address = (binding.host, 0)
        return listener


class ListenerTakesStreams(MemoryTransport):
    async def listen(self, binding: Binding, opened: Callable[[Stream], object]) -> Any:  # type: ignore[override]
        streams: list[Stream] = []

        def noted(stream: Stream) -> None:
            streams.append(stream)
            opened(stream)

        listener: Any = await super().listen(binding, noted)
        close = listener.close

        def close_all() -> None:
            close()
            for stream in streams:
                stream.abort()

        listener.close = close_all
        return listener


class SharedAddress(MemoryTransport):
    async def listen(self, binding: Binding, opened: Callable[[Stream], object]) -> Any:  # type: ignore[override]
        self._listeners.pop((binding.host, binding.port), None)
        return await super().listen(binding, opened)


def broken_stream(**changes: Callable[..., Any]) -> type[MemoryTransport]:
    """Return a provider whose streams differ in some methods."""
    slots = {"__slots__": ("extra",)}
    kind = type("BrokenStream", (MemoryStream,), {**slots, **changes})

    class Broken(MemoryTransport):
        def _join(self, listener: Any, opened: Any) -> MemoryStream:
            kept = memory_transport.MemoryStream
            memory_transport.MemoryStream = kind  # type: ignore[misc]
            try:
                return super()._join(listener, opened)
            finally:
                memory_transport.MemoryStream = kept  # type: ignore[misc]

    return Broken


def reversed_lists(self: MemoryStream, data: bytes | list[bytes]) -> None:
    MemoryStream.write(self, data[::-1] if isinstance(data, list) else data)


def synchronous_write(self: MemoryStream, data: bytes | list[bytes]) -> None:
    MemoryStream.write(self, data)
    self.outgoing._arrive()


def synchronous_resume(self: MemoryStream) -> None:
    MemoryStream.resume_reading(self)
    self.incoming._arrive()


def deaf_pause(self: MemoryStream) -> None:
    pass


def silent_pressure(self: MemoryStream, paused: bool) -> None:
    pass


def close_drops(self: MemoryStream) -> None:
    self.outgoing.push_end()
    self._end(None)


def lost_twice(self: MemoryStream, error: BaseException | None) -> None:
    receiver = self.receiver
    MemoryStream.deliver_loss(self, error)
    if receiver is not None:
        receiver.lost(error)


def lost_with_reason(self: MemoryStream, error: BaseException | None) -> None:
    MemoryStream.deliver_loss(self, error or OSError("closed"))


def no_reason(self: MemoryStream, error: BaseException | None) -> None:
    MemoryStream.deliver_loss(self, None)


def eof_closes(self: MemoryStream) -> None:
    self.close()


def eof_swallowed(self: MemoryStream) -> None:
    pass


def deadlines_stay(self: MemoryStream, error: BaseException | None) -> None:
    deadline = self.deadline
    receiver = self.receiver
    MemoryStream.deliver_loss(self, error)
    self.receiver = receiver
    self.transport.timers.arm(self, deadline)


def raises_after_end(self: MemoryStream, data: bytes | list[bytes]) -> None:
    if self.is_gone:
        raise OSError("gone")
    MemoryStream.write(self, data)


def owner_first(self: MemoryStream, error: BaseException | None) -> None:
    owner, self.owner = self.owner, None
    if owner is not None:
        owner.lost(self)
    MemoryStream.deliver_loss(self, error)


def rest_keeps_the_receiver(self: MemoryStream, deadline: float) -> None:
    receiver = self.receiver
    MemoryStream.rest(self, deadline)
    self.receiver = receiver


def waking_costs_bytes(self: MemoryStream, data: bytes, now: float) -> None:
    if self.receiver is None:
        self._wake()
    else:
        self.receiver.received(data, now)


def rest_for_ever(self: MemoryStream, deadline: float) -> None:
    MemoryStream.rest(self, inf)


def end_wakes(self: MemoryStream) -> None:
    receiver = self._wake() if self.receiver is None else self.receiver
    receiver.ended()


class ForeignRest(MemoryTransport):
    """Ends everybody's rest where one owner's is meant."""

    def __init__(self) -> None:
        super().__init__()

        class Everybody(Rest):
            def _of(self, owner: IStreamOwner) -> list[Stream]:
                return list(self._streams)

        self.rest = Everybody()


class PatientRest(MemoryTransport):
    """Lets those at rest rest as long as they were told."""

    def __init__(self) -> None:
        super().__init__()

        class Patient(Rest):
            def hasten(self, owner: IStreamOwner, deadline: float) -> None:
                pass

        self.rest = Patient()


BROKEN = {
    "call_soon_is_never_synchronous": SynchronousCallbacks,
    "clock_is_monotonic": BackwardsClock,
    "timers_keep_their_time": EarlyTimers,
    "a_past_deadline_is_met_soon_not_at_once": ImmediateTimers,
    "the_context_is_the_given_one": ForeignContext,
    "spawn_starts_at_once_where_no_task_is_current": LazyStart,
    "the_first_step_is_in_a_real_task": StepWithoutTask,
    "timeouts_work_in_the_first_step": StepWithoutTask,
    "task_groups_work_in_the_first_step": StepWithoutTask,
    "a_waiter_wakes_once": LosingWaiter,
    "port_0_is_a_free_port": PortUntold,
    "closing_a_listener_leaves_its_streams": ListenerTakesStreams,
    "an_address_is_listened_at_once": SharedAddress,
    "bytes_keep_their_order": broken_stream(write=reversed_lists),
    "delivery_is_never_synchronous": broken_stream(write=synchronous_write),
    "reading_can_be_paused": broken_stream(resume_reading=synchronous_resume),
    "reading_can_be_paused_inside_received": broken_stream(pause_reading=deaf_pause),
    "pressure_is_told": broken_stream(deliver_pressure=silent_pressure),
    "close_writes_what_is_queued": broken_stream(close=close_drops),
    "closing_inside_received_is_final": broken_stream(deliver_loss=lost_twice),
    "half_close_leaves_the_other_direction": broken_stream(write_eof=eof_closes),
    "end_of_input_waits_for_a_paused_reader": broken_stream(write_eof=eof_swallowed),
    "a_reset_is_told_with_its_reason": broken_stream(deliver_loss=no_reason),
    "a_streams_deadline_is_told_to_its_receiver": broken_stream(deliver_loss=deadlines_stay),
    "nothing_raises_after_the_end": broken_stream(write=raises_after_end),
    "a_stream_at_rest_wakes_its_owner": broken_stream(deliver_loss=owner_first),
    "a_stream_rests_and_wakes_again_and_again": broken_stream(rest=rest_keeps_the_receiver),
    "a_stream_may_be_laid_while_it_is_read": broken_stream(deliver=waking_costs_bytes),
    "a_rest_ends_at_its_deadline": broken_stream(rest=rest_for_ever),
    "the_end_of_input_and_a_reset_end_a_rest": broken_stream(deliver_end=end_wakes),
    "those_at_rest_are_closed_by_owner": ForeignRest,
    "a_rest_can_be_cut_short": PatientRest,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_provider_fails(name: str) -> None:
    """A provider that breaks the promise is told so."""
    promise = next(item for item in PROMISES if item.name == name)
    check_promise(MemoryTransport, promise)
    with pytest.raises(PromiseBroken):
        check_promise(BROKEN[name], promise)


def test_our_own_close_has_no_reason() -> None:
    """Closing is told with None."""
    promise = next(item for item in PROMISES if item.name == "close_writes_what_is_queued")
    with pytest.raises(PromiseBroken, match="our own close"):
        check_promise(broken_stream(deliver_loss=lost_with_reason), promise)


def test_everything_broken_is_told_at_once() -> None:
    """`check_transport` names every promise that is broken, not the first alone."""
    with pytest.raises(PromiseBroken) as caught:
        check_transport(broken_stream(write=reversed_lists, write_eof=eof_closes))
    assert "bytes_keep_their_order" in str(caught.value)
    assert "half_close_leaves_the_other_direction" in str(caught.value)


def test_an_unavailable_provider_is_told_so() -> None:
    """A provider that cannot run here keeps no promise."""

    class Absent(MemoryTransport):
        @classmethod
        def unavailable(cls) -> str | None:
            return "no such system"

    with pytest.raises(PromiseBroken, match="no such system"):
        check_transport(Absent)
