"""The promises every WebSocket of an engine keeps, one function each; `testing.check_websocket_engine` runs them.

They are kept short of a conformance suite: `tests/conformance` holds the frames case by case. Source: RFC 6455, 7692.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final

from zope.interface.verify import verifyObject

from .closing import WebSocketState
from .errors import Fault, LocalProtocolError
from .events import (
    NEED_DATA,
    BytesFragment,
    CloseConnection,
    ConnectionClosed,
    Data,
    Event,
    Ping,
    Pong,
    TextFragment,
)
from .frames import Opcode, serialize_frame
from .interfaces import IWebSocketConnection
from .limits import Limits
from .permessage_deflate import Deflate, Deflater, DeflateSettings
from .state import Role
from .testing import every_split, read
from .websocket import frame_message

if TYPE_CHECKING:
    from .engines import Engine
    from .websocket import WebSocket

__all__ = ["PROMISES"]

_KEY: Final = b"\x37\xfa\x21\x3d"
_SIDES: Final = ((Role.SERVER, _KEY), (Role.CLIENT, b""))  # who reads, and what the peer masks with
_KEEPING: Final = DeflateSettings(
    threshold=0, server_no_context_takeover=False, client_no_context_takeover=False, memory=1 << 20
)


def _socket(
    engine: Engine,
    role: Role = Role.SERVER,
    settings: DeflateSettings | None = None,
    gather: bool = True,
    **limits: float | None,
) -> WebSocket:
    deflate = None if settings is None else Deflate(role, settings.parameters, settings)
    mask_source = (lambda _: _KEY) if role is Role.CLIENT else None
    return engine.websocket(role, Limits(**limits), deflate, mask_source, gather)  # type: ignore[arg-type]


def _frame(opcode: Opcode, payload: bytes = b"", finished: bool = True, key: bytes = _KEY) -> bytes:
    return serialize_frame(opcode, payload, finished=finished, mask=key)


def _refusal(action: Callable[[], object]) -> Fault:
    try:
        action()
    except LocalProtocolError as error:
        return error.fault
    return Fault.NONE


def provides_the_interface(engine: Engine) -> None:
    """A WebSocket of either role has every attribute and method, and what it was made with."""
    for role in Role:
        socket = _socket(engine, role, _KEEPING, gather=False)
        verifyObject(IWebSocketConnection, socket, tentative=True)
        assert (socket.role, socket.limits, socket.gather) == (role, Limits(), False)
        assert socket.deflate is not None


def masks_as_a_client_alone(engine: Engine) -> None:
    """A client's randomness is an argument, and a server has none."""
    for role, source in ((Role.CLIENT, None), (Role.SERVER, bytes)):
        try:
            engine.websocket(role, Limits(), None, source)
        except ValueError:
            continue
        raise AssertionError(f"a {role.name} with the mask source {source}")


def starts_at_rest(engine: Engine) -> None:
    """A fresh WebSocket is open, buffers nothing and needs data; what is received or written ends its rest."""
    socket = _socket(engine)
    assert (socket.state, socket.must_close, socket.is_resting) == (WebSocketState.OPEN, False, True)
    assert (socket.unparsed, socket.data_to_send(), socket.buffers_to_send()) == (0, b"", [])
    assert (socket.next_event(), socket.latency < 0) == (NEED_DATA, True)
    read(socket, _frame(Opcode.TEXT, b"abc")[:-1])
    assert not socket.is_resting
    read(socket, _frame(Opcode.TEXT, b"abc")[-1:])
    assert socket.is_resting
    socket.send_message("x")
    assert not socket.is_resting
    socket.data_to_send()
    assert socket.is_resting


def reads_the_same_however_cut(engine: Engine) -> None:
    """Messages and control events do not depend on where the bytes were cut."""
    for role, key in _SIDES:
        data = b"".join(_frame(*frame, key) for frame in _FRAMES)
        for pieces in every_split(data):
            assert read(_socket(engine, role), *pieces) == (_EVENTS, Fault.NONE), (role, pieces)


_FRAMES: Final = (
    (Opcode.TEXT, b"a\xe2\x82", False),
    (Opcode.PING, b"p", True),
    (Opcode.CONTINUATION, b"", False),
    (Opcode.CONTINUATION, b"\xac", True),
    (Opcode.BINARY, bytes(130), True),
    (Opcode.PONG, b"", True),
    (Opcode.TEXT, b"", True),
    (Opcode.CLOSE, b"\x0f\xa1why", True),
)
_EVENTS: Final[list[Event]] = [
    Ping(b"p"),
    TextFragment("a\u20ac"),
    BytesFragment(bytes(130)),
    Pong(b""),
    TextFragment(""),
    CloseConnection(4001, "why"),
]


def shows_what_there_is(engine: Engine) -> None:
    """Without gathering, fragments are shown as they come, never half a character; they make up the message."""
    data = _frame(Opcode.TEXT, b"a\xe2\x82", False) + _frame(Opcode.CONTINUATION, b"\xacb")
    for pieces in every_split(data):
        assert read(_socket(engine, gather=False), *pieces) == ([TextFragment("a\u20acb")], Fault.NONE), pieces
    socket = _socket(engine, gather=False)
    assert read(socket, data[:-4]) == ([TextFragment("a", False)], Fault.NONE)
    assert read(socket, data[-4:]) == ([TextFragment("\u20acb")], Fault.NONE)


def refuses_at_the_first_bad_byte(engine: Engine) -> None:
    """A fault is told when its byte has come and no sooner, however the bytes were cut, and stays; so is its Close."""
    for role, data, fault in _REFUSED:
        for pieces in every_split(data):
            socket = _socket(engine, role, websocket_message=4, websocket_frame=300)
            assert read(socket, *pieces)[1] is fault, (data, pieces)
            assert read(socket) == ([], fault)
            assert (socket.state, socket.must_close) == (WebSocketState.FAILED, True)
            code = (fault.close_code or 0).to_bytes(2, "big")
            assert socket.data_to_send() == _frame(Opcode.CLOSE, code, key=_KEY if role is Role.CLIENT else b"")
        patient = _socket(engine, role, websocket_message=4, websocket_frame=300)
        assert read(patient, *filter(None, [data[:-1]]))[1] is Fault.NONE, data


_REFUSED: Final = (
    (Role.SERVER, b"\xc1", Fault.RESERVED_BIT_SET),
    (Role.SERVER, b"\x83", Fault.OPCODE_INVALID),
    (Role.SERVER, b"\x09", Fault.CONTROL_FRAGMENTED),
    (Role.SERVER, b"\x80", Fault.CONTINUATION_UNEXPECTED),
    (Role.SERVER, _frame(Opcode.TEXT, b"a", False) + b"\x81", Fault.MESSAGE_INTERRUPTED),
    (Role.SERVER, b"\x81\x01", Fault.MASK_MISSING),
    (Role.CLIENT, b"\x81\x81", Fault.MASK_UNEXPECTED),
    (Role.CLIENT, b"\x89\x7e", Fault.CONTROL_TOO_LONG),
    (Role.CLIENT, b"\x82\x7e\x00\x7d", Fault.FRAME_LENGTH_INVALID),
    (Role.CLIENT, b"\x82\x7f" + bytes(6) + b"\xff\xff", Fault.FRAME_LENGTH_INVALID),
    (Role.CLIENT, b"\x01\x02\xc3\x28", Fault.TEXT_INVALID),
    (Role.CLIENT, b"\x01\x02\xed\xa0", Fault.TEXT_INVALID),
    (Role.CLIENT, b"\x81\x01\xc3", Fault.TEXT_INVALID),
    (Role.CLIENT, b"\x88\x01\x03", Fault.CLOSE_INVALID),
    (Role.CLIENT, b"\x88\x02\x03\xed", Fault.CLOSE_INVALID),
    (Role.CLIENT, b"\x88\x03\x03\xe8\xff", Fault.CLOSE_REASON_INVALID),
    (Role.CLIENT, b"\x82\x7e\x01\x2d", Fault.FRAME_TOO_LARGE),
    (Role.CLIENT, b"\x82\x05", Fault.MESSAGE_TOO_LARGE),
    (Role.CLIENT, b"\x02\x03abc\x80\x02", Fault.MESSAGE_TOO_LARGE),
)


def answers_pings(engine: Engine) -> None:
    """A Ping is answered by its Pong; of those that nobody fetches no more than a bound, and the newest."""
    socket = _socket(engine, websocket_pongs=16)
    assert read(socket, _frame(Opcode.PING, b"ab"))[0] == [Ping(b"ab")]
    assert socket.data_to_send() == _frame(Opcode.PONG, b"ab", key=b"")
    for number in range(200):
        read(socket, _frame(Opcode.PING, b"%03d" % number))
    written = socket.data_to_send()
    assert len(written) <= 16 + 2 * 5
    assert written.endswith(b"\x8a\x03199")


def closes_when_asked(engine: Engine) -> None:
    """A Close is answered with its code; then a server closes, and a client waits until the server has."""
    for role, key in _SIDES:
        socket = _socket(engine, role)
        close = _frame(Opcode.CLOSE, b"\x0f\xa1why", key=key)
        events, fault = read(socket, close + b"\xff")
        assert (events, fault) == ([CloseConnection(4001, "why")], Fault.NONE)
        assert socket.data_to_send() == _frame(Opcode.CLOSE, b"\x0f\xa1", key=_KEY if role is Role.CLIENT else b"")
        assert (socket.state, socket.must_close) == (WebSocketState.CLOSED, role is Role.SERVER)
        assert read(socket, end=True) == ([ConnectionClosed()], Fault.NONE)
        assert (socket.must_close, socket.next_event()) == (True, NEED_DATA)
        assert _refusal(lambda socket=socket: socket.receive_data(b"x")) is Fault.EVENT_ILLEGAL  # type: ignore[misc]


def asks_to_close(engine: Engine) -> None:
    """Behind our Close nothing but Pongs is written, messages are still shown, and the peer's Close ends it."""
    socket = _socket(engine)
    socket.send(CloseConnection(1001, "bye"))
    assert (socket.data_to_send(), socket.state) == (b"\x88\x05\x03\xe9bye", WebSocketState.CLOSING)
    for event in (TextFragment("x"), Ping(b""), CloseConnection()):
        assert _refusal(lambda event=event: socket.send(event)) is Fault.EVENT_ILLEGAL  # type: ignore[misc]
    late = _frame(Opcode.BINARY, b"late") + _frame(Opcode.PING, b"x") + _frame(Opcode.CLOSE)
    assert read(socket, late) == ([BytesFragment(b"late"), Ping(b"x"), CloseConnection(1005)], Fault.NONE)
    assert socket.data_to_send() == b"\x8a\x01x"
    assert (socket.state, socket.must_close) == (WebSocketState.CLOSED, True)


def tells_where_the_input_ended(engine: Engine) -> None:
    """The end of input without a Close is a fault, and nobody is told."""
    for data in (b"", b"\x81", _frame(Opcode.TEXT, b"a", False)):
        socket = _socket(engine)
        assert read(socket, *([data] if data else []), end=True) == ([], Fault.CLOSE_MISSING)
        assert (socket.state, socket.must_close) == (WebSocketState.FAILED, True)


def writes_what_was_said(engine: Engine) -> None:
    """The bytes of a frame follow from the event and, of a client, the mask source; a message is its one fragment."""
    for role, key in ((Role.SERVER, b""), (Role.CLIENT, _KEY)):
        socket = _socket(engine, role)
        for event, opcode, payload, finished in _WRITTEN:
            socket.send(event)
            assert socket.data_to_send() == _frame(opcode, payload, finished, key), event
        for size in (0, 125, 126, 65535, 65536):
            socket.send_message("x" * size)
            socket.send_message(b"y" * size)
            assert b"".join(socket.buffers_to_send()) == (
                _frame(Opcode.TEXT, b"x" * size, key=key) + _frame(Opcode.BINARY, b"y" * size, key=key)
            ), size


_WRITTEN: Final = (
    (TextFragment("\u20ac", False), Opcode.TEXT, b"\xe2\x82\xac", False),
    (Ping(b"p"), Opcode.PING, b"p", True),
    (TextFragment("b"), Opcode.CONTINUATION, b"b", True),
    (BytesFragment(memoryview(b"\0\xff")), Opcode.BINARY, b"\0\xff", True),
    (Pong(b"q"), Opcode.PONG, b"q", True),
)


def a_refused_event_leaves_no_trace(engine: Engine) -> None:
    """What must not be sent raises, writes nothing and changes no state."""
    for event, fault in (
        (Data(b"x"), Fault.EVENT_ILLEGAL),
        (BytesFragment(b"other kind"), Fault.EVENT_ILLEGAL),
        (TextFragment("\ud800"), Fault.TEXT_INVALID),
        (Ping(bytes(126)), Fault.CONTROL_TOO_LONG),
        (CloseConnection(1006), Fault.CLOSE_INVALID),
        (CloseConnection(1000, "x" * 124), Fault.CONTROL_TOO_LONG),
    ):
        socket = _socket(engine)
        socket.send(TextFragment("a", False))
        socket.data_to_send()
        assert _refusal(lambda socket=socket, event=event: socket.send(event)) is fault, event  # type: ignore[misc]
        assert (socket.state, socket.data_to_send()) == (WebSocketState.OPEN, b"")
        socket.send(TextFragment("b"))
        assert socket.data_to_send() == b"\x80\x01b"


def sends_what_was_framed(engine: Engine) -> None:
    """A server puts a message that was framed for many between its own; a client has none, and none fits inside one."""
    frames = frame_message("for many")
    socket = _socket(engine)
    socket.send_message("a")
    socket.send_framed(frames)
    socket.send_message("b")
    assert socket.data_to_send() == b"\x81\x01a" + frames + b"\x81\x01b"
    assert _refusal(lambda: socket.send_framed(frames, True)) is Fault.EVENT_ILLEGAL
    socket.send(TextFragment("a", False))
    assert _refusal(lambda: socket.send_framed(frames)) is Fault.EVENT_ILLEGAL
    client = _socket(engine, Role.CLIENT)
    assert _refusal(lambda: client.send_framed(frames)) is Fault.EVENT_ILLEGAL
    ours, theirs = _socket(engine, Role.SERVER, _KEEPING), _socket(engine, Role.CLIENT, _KEEPING)
    for _ in range(2):
        ours.send_message("own " * 50)
        ours.send_framed(frame_message("for many", window_bits=9), True)
    assert read(theirs, ours.data_to_send())[0] == [TextFragment("own " * 50), TextFragment("for many")] * 2


def compresses_what_was_agreed(engine: Engine) -> None:
    """Both sides keep the context they agreed on, and what is inflated is held to the bound of a message."""
    ours, theirs = _socket(engine, Role.CLIENT, _KEEPING), _socket(engine, Role.SERVER, _KEEPING)
    lengths = []
    for _ in range(2):
        ours.send_message("\u20acuro " * 50)
        data = ours.data_to_send()
        lengths.append(len(data))
        assert read(theirs, data[:9], data[9:]) == ([TextFragment("\u20acuro " * 50)], Fault.NONE)
    assert lengths[1] < lengths[0] < 100
    payload = Deflater(15, False, 6, 8).deflate(bytes(100_000), True)
    bomb = serialize_frame(Opcode.BINARY, payload, compressed=True, mask=_KEY)
    for gather in (True, False):
        socket = _socket(engine, Role.SERVER, _KEEPING, gather, websocket_message=1000)
        events, fault = read(socket, bomb)
        assert fault is Fault.MESSAGE_TOO_LARGE
        assert sum(len(event.data) for event in events if isinstance(event, BytesFragment)) <= 1000
    socket = _socket(engine, Role.SERVER, _KEEPING)
    nonsense = serialize_frame(Opcode.BINARY, b"\xff\xff", compressed=True, mask=_KEY)
    assert read(socket, nonsense)[1] is Fault.DEFLATE_INVALID


def keeps_deadlines(engine: Engine) -> None:
    """Silence is pinged, then given up; while we do not read there is none."""
    socket = _socket(engine, websocket_ping_interval=5, websocket_ping_timeout=3)
    assert (socket.next_deadline(), socket.expired(10.0)) == (-inf, Fault.NONE)
    assert (socket.next_deadline(), socket.expired(15.0)) == (15.0, Fault.NONE)
    ping = socket.data_to_send()
    assert ping[:1] == b"\x89"
    read(socket, _frame(Opcode.PONG, ping[2:]), now=15.5)
    assert (socket.latency, socket.next_deadline()) == (0.5, 20.5)
    socket.pause_reading(16.0)
    assert (socket.next_deadline(), socket.expired(100.0)) == (inf, Fault.NONE)
    socket.resume_reading(101.0)
    assert (socket.next_deadline(), socket.expired(105.5)) == (105.5, Fault.NONE)
    assert (socket.next_deadline(), socket.expired(108.5)) == (108.5, Fault.PONG_TIMEOUT)
    assert (socket.must_close, socket.next_deadline()) == (True, inf)


def ends_in_time(engine: Engine) -> None:
    """A socket without messages is closed politely, and a Close must be answered."""
    socket = _socket(engine, websocket_ping_interval=None, websocket_idle_timeout=6, websocket_close_timeout=2)
    assert socket.expired(0.0) is Fault.NONE
    assert (socket.next_deadline(), socket.expired(6.0)) == (6.0, Fault.IDLE_TIMEOUT)
    assert (socket.state, socket.data_to_send()) == (WebSocketState.CLOSING, b"\x88\x02\x03\xe9")
    assert (socket.expired(7.0), socket.next_deadline()) == (Fault.NONE, 9.0)
    assert (socket.expired(9.0), socket.must_close) == (Fault.CLOSE_TIMEOUT, True)


PROMISES: Final = (
    provides_the_interface,
    masks_as_a_client_alone,
    starts_at_rest,
    reads_the_same_however_cut,
    shows_what_there_is,
    refuses_at_the_first_bad_byte,
    answers_pings,
    closes_when_asked,
    asks_to_close,
    tells_where_the_input_ended,
    writes_what_was_said,
    a_refused_event_leaves_no_trace,
    sends_what_was_framed,
    compresses_what_was_agreed,
    keeps_deadlines,
    ends_in_time,
)
