"""Every engine keeps the published promises, and the check notices when one does not."""

from __future__ import annotations

from typing import Any

import pytest
from wsproto.frame_protocol import Frame

from highper_core import NEED_DATA, Connection, Event, Fault, Limits, LocalProtocolError, Role, engine
from highper_core.closing import WebSocketState
from highper_core.engines import Engine
from highper_core.engines.portable.http import PortableHttpConnection as PORTABLE
from highper_core.engines.portable.websocket import PortableWebSocket
from highper_core.events import BytesFragment, CloseConnection, Pong, Signal, TextFragment
from highper_core.permessage_deflate import Deflate
from highper_core.testing import check_http_engine, check_websocket_engine
from highper_core.websocket import MaskSource, WebSocket


def test_every_engine_keeps_them(engine_name: str) -> None:
    """The lists of promises hold."""
    assert "reads_the_same_however_cut" in check_http_engine(engine(engine_name))
    assert "refuses_at_the_first_bad_byte" in check_websocket_engine(engine(engine_name))


class _NeverRests(PORTABLE):
    @property
    def is_resting(self) -> bool:
        return False


class _ForgivesMisuse(PORTABLE):
    def start_next_cycle(self) -> None:
        pass


class _KeepsSecrets(PORTABLE):
    @property
    def trailing_data(self) -> tuple[bytes, bool]:
        raise RuntimeError


@pytest.mark.parametrize(
    ("cls", "error", "promise"),
    [
        (_NeverRests, AssertionError, "starts_at_rest"),
        (_ForgivesMisuse, AssertionError, "pauses_between_requests"),
        (_KeepsSecrets, RuntimeError, "provides_the_interfaces"),
    ],
)
def test_a_broken_promise_is_named(cls: type[Connection], error: type[Exception], promise: str) -> None:
    """An engine that breaks one is told which."""
    with pytest.raises(error) as caught:
        check_http_engine(Engine("careless", cls))
    assert f"{promise!r}" in caught.value.__notes__[0]


# WebSockets


class _AlwaysOpen(PortableWebSocket):
    @property
    def state(self) -> WebSocketState:
        return WebSocketState.OPEN


class _Unmasked(PortableWebSocket):
    def __init__(
        self,
        role: Role,
        limits: Limits,
        deflate: Deflate | None = None,
        mask_source: MaskSource | None = None,
        gather: bool = True,
    ) -> None:
        super().__init__(role, limits, deflate, bytes if role is Role.CLIENT else None, gather)


class _NeverAtRest(PortableWebSocket):
    @property
    def is_resting(self) -> bool:
        return False


class _OverlooksSlowPongs(PortableWebSocket):
    def receive_data(self, data: bytes | bytearray | memoryview, now: float = 0.0) -> None:
        self._slow = len(data) == 1
        super().receive_data(data, now)

    def next_event(self) -> Event | Signal:
        event = super().next_event()
        return super().next_event() if isinstance(event, Pong) and self._slow else event


class _LosesFragments(PortableWebSocket):
    def next_event(self) -> Event | Signal:
        event = super().next_event()
        if isinstance(event, TextFragment) and not event.finished:
            return NEED_DATA
        return event


class _SilentOnPings(PortableWebSocket):
    def _answer_ping(self, payload: bytes) -> None:
        pass


class _OwesEveryPong(PortableWebSocket):
    def _answer_ping(self, payload: bytes) -> None:
        self._pongs = 0
        super()._answer_ping(payload)


class _ClosesTwice(PortableWebSocket):
    def send(self, event: Event) -> None:
        if isinstance(event, CloseConnection) and self._state is WebSocketState.CLOSING:
            return
        super().send(event)


class _HangsUp(PortableWebSocket):
    @property
    def must_close(self) -> bool:
        return self._state is WebSocketState.CLOSED or super().must_close


class _EndsWithoutAWord(PortableWebSocket):
    def _starve(self) -> Signal:
        return NEED_DATA


class _SpeaksInBetween(PortableWebSocket):
    def send_framed(self, frames: bytes, compressed: bool = False) -> None:
        self._out.append(frames)


class _SendsHalves(PortableWebSocket):
    def send_message(self, message: str | bytes) -> None:
        kind: Any = TextFragment if isinstance(message, str) else BytesFragment
        self.send(kind(message, False))
        self.send(kind(message[:0]))


class _ForgetsItsMessage(PortableWebSocket):
    def send(self, event: Event) -> None:
        try:
            super().send(event)
        except LocalProtocolError:
            self._sending = None
            raise


class _Bursts(PortableWebSocket):
    def _inflate(self, frame: Frame) -> Event | None:
        self._left = -1
        return super()._inflate(frame)


class _NeverGivesUp(PortableWebSocket):
    def expired(self, now: float) -> Fault:
        super().expired(now)
        return Fault.NONE


class _WaitsForever(PortableWebSocket):
    def expired(self, now: float) -> Fault:
        fault = super().expired(now)
        return Fault.NONE if fault is Fault.CLOSE_TIMEOUT else fault


class _KeepsNoInterface(PortableWebSocket):
    @property
    def latency(self) -> float:
        raise RuntimeError


class _WebSocketsOnly:
    """An engine of somebody else."""

    name = "careless"

    def __init__(self, cls: type[WebSocket]) -> None:
        self.websocket = cls


@pytest.mark.parametrize(
    ("cls", "promise"),
    [
        (_KeepsNoInterface, "provides_the_interface"),
        (_Unmasked, "masks_as_a_client_alone"),
        (_NeverAtRest, "starts_at_rest"),
        (_OverlooksSlowPongs, "reads_the_same_however_cut"),
        (_LosesFragments, "shows_what_there_is"),
        (_AlwaysOpen, "refuses_at_the_first_bad_byte"),
        (_SilentOnPings, "answers_pings"),
        (_OwesEveryPong, "answers_pings"),
        (_HangsUp, "closes_when_asked"),
        (_ClosesTwice, "asks_to_close"),
        (_EndsWithoutAWord, "tells_where_the_input_ended"),
        (_SendsHalves, "writes_what_was_said"),
        (_ForgetsItsMessage, "a_refused_event_leaves_no_trace"),
        (_SpeaksInBetween, "sends_what_was_framed"),
        (_Bursts, "compresses_what_was_agreed"),
        (_NeverGivesUp, "keeps_deadlines"),
        (_WaitsForever, "ends_in_time"),
    ],
)
def test_a_broken_promise_of_a_websocket_is_named(cls: type[WebSocket], promise: str) -> None:
    """Each kind of carelessness, and the promise that it breaks first."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 the note says which
        check_websocket_engine(_WebSocketsOnly(cls))  # type: ignore[arg-type]
    assert f"{promise!r}" in caught.value.__notes__[0]
