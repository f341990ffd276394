# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The half of a compiled WebSocket that speaks: its state, its clocks, and the frames we send.

What is legal when comes from the table of `closing`. A refused event leaves no trace.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact
from cpython.unicode cimport PyUnicode_AsUTF8String, PyUnicode_GET_LENGTH
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from highper_core.closing import TABLE, ClosingInput, WebSocketState
from highper_core.errors import Fault, LocalProtocolError
from highper_core.events cimport BytesFragment, CloseConnection, Ping, Pong, TextFragment
from highper_core.frames import close_payload
from highper_core.state import Role

from ._frames cimport *
from ._keepalive cimport *
from ._websocket_bounds cimport websocket_bounds_of

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text)
    void *PyUnicode_DATA(object text)

cdef enum:
    STATES = 4
    INPUTS = 9
    ILLEGAL = 255
    ABNORMAL = 1006
    GOING_AWAY = 1001
    JOINED_PAYLOAD = 16384  # payload up to this size is copied behind its header

cdef unsigned char _table[STATES * INPUTS]
assert len(TABLE) == sizeof(_table), "the table of states has another shape"
memcpy(_table, <const char *><bytes>TABLE, sizeof(_table))

cdef tuple _STATES = tuple(WebSocketState)
cdef object _NONE = Fault.NONE, _CLIENT = Role.CLIENT
cdef int EVENT_ILLEGAL = Fault.EVENT_ILLEGAL
cdef int CONTROL_TOO_LONG = Fault.CONTROL_TOO_LONG
cdef int PONG_TIMEOUT = Fault.PONG_TIMEOUT
cdef int CLOSE_TIMEOUT = Fault.CLOSE_TIMEOUT


cdef object _refuse(int fault, str detail=""):
    raise LocalProtocolError(Fault(fault), detail)


cdef class WebSocketSpeaker(WebSocket):
    """State, clocks and output of one WebSocket."""

    def __init__(self, role, limits, deflate=None, mask_source=None, gather=True):
        WebSocket.__init__(self, role, limits, deflate, mask_source, gather)
        self._bounds = websocket_bounds_of(limits)
        self._mask_source = mask_source
        self._sending = NO_MESSAGE
        socket_clocks_begin(&self._clock)

    @property
    def state(self):
        """Where it is in its life."""
        return _STATES[self._state]

    @property
    def latency(self):
        """Seconds from our last Ping to its Pong; negative before there was one."""
        return self._clock.latency

    cdef int _advance(self, int what) except -1:
        cdef int after = _table[self._state * INPUTS + what]
        assert after != ILLEGAL, f"{ClosingInput(what).name} in {self.state.name}"
        self._state = after
        return 0

    cdef int _demand(self, int what) except -1:
        if _table[self._state * INPUTS + what] == ILLEGAL:
            _refuse(EVENT_ILLEGAL, f"{ClosingInput(what).name} in {self.state.name}")
        return 0

    # Events in

    cpdef object send(self, object event):
        """Frame one event into the output."""
        cdef bytes data
        if isinstance(event, TextFragment):
            self._send_fragment(TEXT, (<TextFragment>event).text, (<TextFragment>event).finished)
        elif isinstance(event, BytesFragment):
            self._send_fragment(BINARY, (<BytesFragment>event).data, (<BytesFragment>event).finished)
        elif isinstance(event, (Ping, Pong)):
            self._demand(IN_SEND_PING if isinstance(event, Ping) else IN_SEND_PONG)
            data = event.data
            if len(data) > LONGEST_CONTROL:
                _refuse(CONTROL_TOO_LONG)
            self._put_frame(
                FIN | (PING if isinstance(event, Ping) else PONG), PyBytes_AS_STRING(data), len(data), data
            )
        elif isinstance(event, CloseConnection):
            self._demand(IN_SEND_CLOSE)
            self._put_close(close_payload((<CloseConnection>event).code, (<CloseConnection>event).reason))
            self._advance(IN_SEND_CLOSE)
            socket_clocks_close(&self._clock)
        else:
            _refuse(EVENT_ILLEGAL, f"{type(event).__name__} cannot be sent")

    cpdef object send_message(self, object message):
        """Frame a whole message: exactly `send` of one finished fragment, without building it."""
        self._send_fragment(TEXT if isinstance(message, str) else BINARY, message, True)

    cpdef object send_framed(self, bytes frames, bint compressed=False):
        """Put a whole message that `frame_message` has framed into the output of a SERVER."""
        self._demand(IN_SEND_MESSAGE)
        if self.role is _CLIENT or self._sending != NO_MESSAGE or compressed and self.deflate is None:
            _refuse(EVENT_ILLEGAL)
        if compressed and self._deflater is not None:
            self._deflater.reset()
        self._put(frames)
        self._clock.spoke = True

    cdef int _send_fragment(self, int opcode, object content, bint finished) except -1:
        cdef bytes payload = None
        cdef const char *octets
        cdef Py_ssize_t length
        cdef int first = opcode
        self._demand(IN_SEND_MESSAGE)
        if opcode == TEXT and not isinstance(content, str):
            raise TypeError("text is a str")
        if self._sending != NO_MESSAGE and self._sending != opcode:
            _refuse(EVENT_ILLEGAL, "another kind of message is under way")
        if opcode == TEXT and PyUnicode_IS_COMPACT_ASCII(content):
            octets = <const char *>PyUnicode_DATA(content)
            length = PyUnicode_GET_LENGTH(content)
        else:
            payload = _encoded(content) if opcode == TEXT else _octets(content)
            octets = PyBytes_AS_STRING(payload)
            length = len(payload)
        if self._sending == NO_MESSAGE:
            self._compressing = self.deflate is not None and self.deflate.compresses(length, finished=finished)
            if self._compressing:
                first |= RSV1
        else:
            first = CONTINUATION
        if self._compressing:
            if self._deflater is None:
                self._deflater = self.deflate.deflater()
            payload = self._deflater.deflate(octets[:length] if payload is None else payload, finished)
            octets = PyBytes_AS_STRING(payload)
            length = len(payload)
        self._put_frame(first | (FIN if finished else 0), octets, length, payload)
        self._sending = NO_MESSAGE if finished else opcode
        self._clock.spoke = True
        return 0

    # Octets out

    cdef Py_ssize_t _put_frame(self, int first, const char *payload, Py_ssize_t length, bytes whole) except -1:
        """Frame `length` octets at `payload`, those of `whole` where that is given; return the frame's size."""
        cdef uint32_t key = 0
        cdef char header[LONGEST_HEADER]
        cdef bytes mask
        cdef bint masked = self._mask_source is not None
        if masked:
            mask = self._mask_source(4)
            if len(mask) != 4:
                raise ValueError(f"the mask source returned {len(mask)} bytes for 4")
            memcpy(&key, PyBytes_AS_STRING(mask), 4)
        if masked or whole is None or length <= JOINED_PAYLOAD:
            self._put(made_frame(first, payload, length, masked, key))
        else:
            self._put(header[:put_header(header, first, length, False, 0)])
            self._put(whole)
        return header_size(length, masked) + length

    cdef int _put(self, bytes piece) except -1:
        if self._framed is None:
            self._framed = piece
        elif type(self._framed) is list:
            (<list>self._framed).append(piece)
        else:
            self._framed = [self._framed, piece]
        return 0

    cdef int _put_close(self, bytes payload) except -1:
        """Nothing but Pongs may follow, so the one that waits goes first."""
        self._put_late_pong()
        self._put_frame(FIN | CLOSE, PyBytes_AS_STRING(payload), len(payload), payload)
        self._sending = NO_MESSAGE
        return 0

    cdef int _answer_ping(self, bytes payload) except -1:
        """Frame the Pong, or keep it for later in place of an older one (RFC 6455 section 5.5.3)."""
        if self._late_pong is not None or self._pongs >= self._bounds.pongs:
            self._late_pong = payload
        else:
            self._pongs += self._put_frame(FIN | PONG, PyBytes_AS_STRING(payload), len(payload), payload)
        return 0

    cdef int _put_late_pong(self) except -1:
        cdef bytes payload = self._late_pong
        if payload is not None:
            self._put_frame(FIN | PONG, PyBytes_AS_STRING(payload), len(payload), payload)
            self._late_pong = None
        return 0

    cpdef bytes data_to_send(self):
        """Return and forget the framed bytes, joined."""
        self._put_late_pong()
        self._pongs = 0
        framed = self._framed
        if framed is None:
            return b""
        self._framed = None
        return b"".join(<list>framed) if type(framed) is list else <bytes>framed

    cpdef list buffers_to_send(self):
        """Return and forget the framed bytes, as the pieces they were framed in."""
        self._put_late_pong()
        self._pongs = 0
        framed, self._framed = self._framed, None
        if type(framed) is list:
            return <list>framed
        return [] if framed is None else [framed]

    # Failing

    cdef int _fail(self, int fault) except -1:
        """Fail the connection: tell the peer, where it may be told, and read no more (RFC 6455 section 7.1.7)."""
        code = Fault(fault).close_code
        if self._state == OPEN and code is not None and code != ABNORMAL:
            self._put_close(close_payload(code))
        self._fault = fault
        self._advance(IN_FAULT)
        socket_clocks_stop(&self._clock)
        return 0

    # Deadlines

    cpdef double next_deadline(self) except? -1.0:
        """Monotonic second at which `expired` wants to be asked."""
        return socket_clocks_deadline(&self._clock, &self._bounds.times)

    cpdef object expired(self, double now):
        """Do what is due: send a Ping, begin to close, or fail."""
        cdef int due = socket_clocks_due(&self._clock, &self._bounds.times, now)
        cdef bytes payload
        if due == DUE_NOTHING:
            return _NONE
        if due == DUE_PING:
            self._pings += 1
            payload = self._own_ping()
            self._put_frame(FIN | PING, PyBytes_AS_STRING(payload), len(payload), payload)
            return _NONE
        if due == DUE_IDLE:
            self.send(CloseConnection(GOING_AWAY))
            return Fault.IDLE_TIMEOUT
        self._fail(PONG_TIMEOUT if due == DUE_SILENT else CLOSE_TIMEOUT)
        return Fault(self._fault)

    cdef bytes _own_ping(self):
        cdef uint32_t number = self._pings
        cdef unsigned char octets[4]
        cdef int i
        for i in range(4):
            octets[i] = number >> (24 - 8 * i) & 255
        return (<char *>octets)[:4]

    cpdef object pause_reading(self, double now):
        """Stop the clocks of the peer's silence: we do not read."""
        socket_clocks_pause(&self._clock, now)

    cpdef object resume_reading(self, double now):
        """Start them again."""
        socket_clocks_resume(&self._clock, now)


cdef bytes _encoded(object text):
    try:
        return PyUnicode_AsUTF8String(text)
    except UnicodeEncodeError as error:
        raise LocalProtocolError(Fault.TEXT_INVALID, str(error)) from error


cdef bytes _octets(object data):
    return data if PyBytes_CheckExact(data) else bytes(memoryview(data))
