"""A WebSocket by itself, of either engine: who makes it, what may be sent when, and how that is written."""

from __future__ import annotations

import inspect
import itertools

import pytest
from support.lone_websocket import KEY, client, in_states, pull, refusal, server
from zope.interface.interface import Method
from zope.interface.verify import verifyObject

from highper_core import EngineUnavailable, Event, Fault, Limits, LocalProtocolError, Role
from highper_core.closing import ROWS, TABLE, ClosingInput, WebSocketState, next_closing_state
from highper_core.engines import WebSocketConnection, available, engine
from highper_core.errors import RemoteProtocolError
from highper_core.events import BytesFragment, CloseConnection, Data, Ping, Pong, TextFragment
from highper_core.frames import Opcode, serialize_frame
from highper_core.interfaces import IWebSocketConnection
from highper_core.state import ILLEGAL
from highper_core.websocket import frame_message

# Construction


def test_who_masks(engine_name: str) -> None:
    """A client brings its randomness, a server has none."""
    with pytest.raises(ValueError, match="mask source"):
        WebSocketConnection(Role.CLIENT, engine_name)
    with pytest.raises(ValueError, match="mask source"):
        WebSocketConnection(Role.SERVER, engine_name, mask_source=bytes)
    wrong = WebSocketConnection(Role.CLIENT, engine_name, mask_source=lambda _: b"abc")
    with pytest.raises(ValueError, match="3 bytes for 4"):
        wrong.send_message("x")


def test_an_engine_that_is_not_there() -> None:
    """Is said to be so."""
    with pytest.raises(EngineUnavailable, match="no engine is called"):
        WebSocketConnection(Role.SERVER, "steam")


def test_the_engine_that_was_asked_for(engine_name: str) -> None:
    """Compiled where it was demanded: no silent fallback."""
    assert engine_name in available()
    made = engine(engine_name).websocket(Role.SERVER, Limits())
    assert type(made).__module__.startswith(f"highper_core.engines.{engine_name}")
    assert (made.role, made.limits, made.deflate, made.gather) == (Role.SERVER, Limits(), None, True)


def test_both_engines_provide_the_interface(engine_name: str) -> None:
    """Every attribute, every method, and its parameters."""
    socket = server(engine_name)
    verifyObject(IWebSocketConnection, socket, tentative=True)
    for name, description in IWebSocketConnection.namesAndDescriptions():
        if isinstance(description, Method):
            parameters = inspect.signature(getattr(socket, name)).parameters
            assert tuple(parameters) == description.getSignatureInfo()["positional"], name


# States


def test_the_table_is_its_rows() -> None:
    """What is not in a row is illegal."""
    rows = {(state, what): after for state, what, after in ROWS}
    assert len(rows) == len(ROWS)
    for state, what in itertools.product(WebSocketState, ClosingInput):
        assert next_closing_state(state, what) == rows.get((state, what), ILLEGAL)
    assert len(TABLE) == len(WebSocketState) * len(ClosingInput)


SENT: list[tuple[Event, ClosingInput]] = [
    (TextFragment("a"), ClosingInput.SEND_MESSAGE),
    (BytesFragment(b"a", False), ClosingInput.SEND_MESSAGE),
    (Ping(b"a"), ClosingInput.SEND_PING),
    (Pong(b"a"), ClosingInput.SEND_PONG),
    (CloseConnection(1001, "a"), ClosingInput.SEND_CLOSE),
]


@pytest.mark.parametrize("index", range(len(SENT)))
def test_what_may_be_sent_when(engine_name: str, index: int) -> None:
    """The full product of states and events: legal by the table, or refused without a trace."""
    event, what = SENT[index]
    for state, socket in in_states(engine_name):
        assert socket.state.name == state
        socket.data_to_send()
        after = next_closing_state(socket.state, what)
        if after == ILLEGAL:
            assert refusal(socket, event) is Fault.EVENT_ILLEGAL
            assert (socket.state.name, socket.data_to_send()) == (state, b"")
        else:
            socket.send(event)
            assert socket.state == after
            assert socket.data_to_send() != b""


def test_when_to_close(engine_name: str) -> None:
    """A server closes as soon as both Closes have gone, a client when the server has; whoever failed, at once."""
    for state, socket in in_states(engine_name):
        assert socket.must_close is (state in ("CLOSED", "FAILED"))
    asking = client(engine_name)
    assert pull(asking, b"\x88\x00") == [CloseConnection(1005)]
    assert (asking.state, asking.must_close) == (WebSocketState.CLOSED, False)
    asking.receive_data(b"")
    assert asking.must_close


def test_a_fault_stays(engine_name: str) -> None:
    """Every further call raises it, and what is received is dropped."""
    for state, socket in in_states(engine_name):
        if state == "FAILED":
            faults = []
            for _ in range(2):
                socket.receive_data(b"\x89\x80\0\0\0\0")
                with pytest.raises(RemoteProtocolError) as caught:
                    socket.next_event()
                faults.append(caught.value.fault)
            assert faults[0] is faults[1]
            assert socket.unparsed == 0


def test_bytes_behind_the_end(engine_name: str) -> None:
    """Are a mistake of ours."""
    socket = server(engine_name)
    socket.receive_data(b"")
    with pytest.raises(LocalProtocolError):
        socket.receive_data(b"x")


# Sending


def test_messages_written(engine_name: str) -> None:
    """Text and bytes of every size, by event and at once, masked and not, joined and in pieces."""
    for size in (0, 1, 125, 126, 16384, 16385, 65535, 65536):
        for message in ("x" * size, "é" * size, b"x" * size):
            opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
            payload = message.encode() if isinstance(message, str) else message
            event = TextFragment(message) if isinstance(message, str) else BytesFragment(message)
            for socket, mask in ((server(engine_name), b""), (client(engine_name), KEY)):
                expected = serialize_frame(opcode, payload, mask=mask)
                socket.send_message(message)
                assert socket.data_to_send() == expected
                socket.send(event)
                socket.send_message(message)
                assert b"".join(socket.buffers_to_send()) == 2 * expected
                assert (socket.data_to_send(), socket.buffers_to_send()) == (b"", [])


def test_bytes_of_any_kind(engine_name: str) -> None:
    """Bytes-like objects are bytes; a number is not."""
    socket = server(engine_name)
    socket.send(BytesFragment(bytearray(b"ab")))
    socket.send(BytesFragment(memoryview(b"cd")))
    socket.send_message(bytearray(b"ef"))  # type: ignore[arg-type]
    assert socket.data_to_send() == b"\x82\x02ab\x82\x02cd\x82\x02ef"
    with pytest.raises(TypeError):
        socket.send_message(5)  # type: ignore[arg-type]
    assert socket.data_to_send() == b""


def test_fragments_written(engine_name: str) -> None:
    """A message in fragments, control frames between; the other kind, or a framed one, only behind it."""
    socket = server(engine_name)
    socket.send(TextFragment("a", False))
    socket.send(Ping(b"p"))
    assert refusal(socket, BytesFragment(b"b")) is Fault.EVENT_ILLEGAL
    with pytest.raises(LocalProtocolError):
        socket.send_framed(frame_message("x"))
    socket.send(TextFragment("", False))
    socket.send(TextFragment("c"))
    socket.send_message(b"d")
    assert socket.data_to_send() == b"\x01\x01a\x89\x01p\x00\x00\x80\x01c\x82\x01d"


def test_what_cannot_be_sent(engine_name: str) -> None:
    """Is refused by name, and leaves no trace."""
    socket = server(engine_name)
    for event, fault in (
        (Ping(bytes(126)), Fault.CONTROL_TOO_LONG),
        (Pong(bytes(126)), Fault.CONTROL_TOO_LONG),
        (TextFragment("\ud800"), Fault.TEXT_INVALID),
        (CloseConnection(1006), Fault.CLOSE_INVALID),
        (CloseConnection(1000, "x" * 124), Fault.CONTROL_TOO_LONG),
        (Data(b"x"), Fault.EVENT_ILLEGAL),
    ):
        assert refusal(socket, event) is fault
    assert (socket.data_to_send(), socket.state.name, socket.is_resting) == (b"", "OPEN", True)


def test_closing_inside_a_message(engine_name: str) -> None:
    """A Close may be sent there; the message is never finished."""
    socket = server(engine_name)
    socket.send(TextFragment("a", False))
    socket.send(CloseConnection(1011))
    assert socket.data_to_send() == b"\x01\x01a\x88\x02\x03\xf3"
    assert refusal(socket, TextFragment("b")) is Fault.EVENT_ILLEGAL
