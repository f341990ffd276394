# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The compiled WebSocket: octets in, events out.

A message that lies whole in one piece of input goes from there to its final object in one pass that unmasks it and sees
whether it is ASCII. Any other is collected in one object, whose size follows what has come, never what was announced.
At rest nothing is held but this record.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from highper_core.errors import Fault, LocalProtocolError, RemoteProtocolError, remote_error
from highper_core.events import NEED_DATA
from highper_core.events cimport BytesFragment, CloseConnection, ConnectionClosed, Ping, Pong, TextFragment
from highper_core.frames import close_payload, parse_close
from highper_core.state import Role

from ._frames cimport *
from ._keepalive cimport *
from ._mask cimport mask_octets, turned
from ._utf8 cimport utf8_goes_on
from ._websocket_speaker cimport *

cdef extern from "Python.h":
    object PyUnicode_New(Py_ssize_t length, Py_UCS4 most)
    void *PyUnicode_DATA(object text)
    int _PyBytes_Resize(PyObject **octets, Py_ssize_t length) except -1

cdef enum:
    PIECE = 65536  # what is inflated at once
    FIRST_ROOM = 1024
    SPARE = 16  # empty buffers that are kept for the next connection that needs one

cdef object _NEED_DATA = NEED_DATA, _SERVER = Role.SERVER, _CLIENT = Role.CLIENT
cdef list _spare = []


cdef class FastWebSocket(WebSocketSpeaker):
    """One WebSocket, either role, read and written in C. Arguments as for `websocket.WebSocket`."""

    # Octets in

    cpdef object receive_data(self, object data, double now=0.0):
        """Append bytes from the peer; empty means end of input."""
        if not len(data):
            self._ended = True
            return
        if self._ended:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, "bytes after the end of input")
        socket_clocks_receive(&self._clock, now)
        if self._state == OPEN or self._state == CLOSING:
            if self._input is None:
                self._input = _spare.pop() if _spare else Incoming()
            self._input.now = now
            self._input.append(data)

    @property
    def unparsed(self):
        """Bytes received and not yet parsed."""
        return 0 if self._input is None else self._input.length()

    @property
    def is_resting(self):
        """True when it is OPEN, nothing is buffered either way, and no message is under way in either direction."""
        if self._state != OPEN or self._ended or self._input is not None and (self._input.is_inside() or self.unparsed):
            return False
        return self._framed is None and self._late_pong is None and self._sending == NO_MESSAGE

    @property
    def must_close(self):
        """True when the stream is to be closed once what is framed has been written."""
        if self._state == CLOSED:
            return self.role is _SERVER or self._ended
        return self._state == FAILED

    # Events out

    cpdef object next_event(self):
        """Return the next event, or NEED_DATA."""
        if self._fault:
            raise remote_error(Fault(self._fault))
        if self._state == CLOSED:
            return self._after_close()
        try:
            if not self.gather and self._input is not None and self._input.gathered is not None:
                event = self._shown_so_far()
                if event is not None:
                    return event
            return self._read()
        except RemoteProtocolError as error:
            self._refused(error)

    cdef object _refused(self, object error):
        self._fail(error.fault)
        self._drop()
        raise error

    cdef object _after_close(self):
        if not self._ended or self._told:
            return _NEED_DATA
        self._told = True
        self._advance(IN_END_OF_INPUT)
        socket_clocks_stop(&self._clock)
        return ConnectionClosed()

    cdef void _drop(self) noexcept:
        self._input = None

    cdef object _read(self):
        cdef object event
        if self._input is None:
            return self._starve()
        while True:
            if self._input.inflating:
                event = self._inflate()
            elif not self._input.in_frame:
                if not self._read_header():
                    return self._starve()
                event = None
            elif self._input.opcode >= CLOSE:
                if self._input.length() < self._input.remaining:
                    return self._starve()
                event = self._read_control()
            else:
                if self._input.remaining and not self._input.length():
                    return self._starve()
                event = self._read_data()
            if event is not None:
                return event

    cdef object _starve(self):
        cdef Incoming input = self._input
        if input is not None and not input.length() and not input.is_inside():
            input.compressed = False
            if len(_spare) < SPARE:
                _spare.append(input)
            self._input = None
        if self._ended:
            raise remote_error(Fault.CLOSE_MISSING)
        return _NEED_DATA

    cdef int _read_header(self) except -1:
        """Begin a frame; 0 when its header is not there yet."""
        cdef Expectation expected
        cdef Header header
        cdef int fault
        expected.masked = self._mask_source is None
        expected.deflate = self.deflate is not None
        expected.in_message = self._input.in_message
        expected.compressed = self._input.compressed
        expected.length = self._input.announced
        expected.frame_bound = self._bounds.frame
        expected.message_bound = self._bounds.message
        fault = parse_header(<const unsigned char *>self._input.data(), self._input.length(), &expected, &header)
        if fault:
            raise remote_error(Fault(fault))
        if not header.size:
            return 0
        self._input.consume(header.size)
        self._input.in_frame = True
        self._input.finished = (header.first & FIN) != 0
        self._input.opcode = header.first & 15
        self._input.remaining = header.length
        self._input.key = header.key
        if self._input.opcode >= CLOSE:
            return 1
        if not self._input.in_message:
            self._input.kind = self._input.opcode
            self._input.compressed = (header.first & RSV1) != 0
            self._input.announced = 0
            self._input.left = self._bounds.message
            self._input.text.have = self._input.text.needed = 0
        self._input.announced += header.length
        self._input.in_message = not self._input.finished
        return 1

    # Control frames

    cdef object _read_control(self):
        cdef Py_ssize_t length = self._input.remaining
        cdef bytes payload = PyBytes_FromStringAndSize(NULL, length)
        mask_octets(PyBytes_AS_STRING(payload), self._input.data(), length, self._input.key)
        self._input.consume(length)
        self._input.in_frame = False
        if self._input.opcode == CLOSE:
            return self._read_close(payload)
        self._advance(IN_CONTROL)
        if self._input.opcode == PING:
            self._answer_ping(payload)
            return Ping(payload)
        if payload == self._own_ping():
            socket_clocks_answered(&self._clock, self._input.now)
        return Pong(payload)

    cdef object _read_close(self, bytes payload):
        fault, code, reason = parse_close(payload)
        if fault:
            raise remote_error(fault)
        if self._state == OPEN:
            self._put_close(close_payload(code))
        self._advance(IN_CLOSE)
        self._drop()
        if self.role is _CLIENT:
            socket_clocks_close(&self._clock)
        else:
            socket_clocks_stop(&self._clock)
        return CloseConnection(code, reason)

    # Data frames

    cdef object _read_data(self):
        """Take as much of the frame's payload as is there."""
        cdef Py_ssize_t length = min(<long long>self._input.length(), self._input.remaining)
        cdef uint32_t key = self._input.key
        cdef bint last, whole
        cdef bytes payload
        cdef object event
        self._input.remaining -= length
        self._input.in_frame = self._input.remaining > 0
        last = self._input.finished and not self._input.in_frame
        whole = last and self._input.opcode == self._input.kind
        if self._input.compressed:
            payload = PyBytes_FromStringAndSize(NULL, length)
            mask_octets(PyBytes_AS_STRING(payload), self._input.data(), length, key)
            if self._inflater is None:
                self._inflater = self.deflate.inflater()
            self._inflater.receive(payload)
            self._input.inflating = True
            event = None
        elif whole and self._input.gathered is None and not self._input.text.have and self.gather:
            event = self._whole(self._input.data(), length)
        else:
            event = self._absorb(self._input.data(), length, key, last)
        self._input.key = turned(key, length)
        self._input.consume(length)
        return event

    cdef object _inflate(self):
        """Show the next piece of what the inflater was given, or its end; None for nothing to show."""
        cdef long long left = self._input.left
        cdef bytes piece = self._inflater.inflate(PIECE if left < 0 else min(<long long>PIECE, left))
        if len(piece):
            if left >= 0:
                if len(piece) > left:
                    raise remote_error(Fault.MESSAGE_TOO_LARGE)
                self._input.left = left - len(piece)
            return self._absorb(PyBytes_AS_STRING(piece), len(piece), 0, False)
        if self._input.in_frame or not self._input.finished:
            self._input.inflating = False
            return None
        if not self._input.ending:
            self._input.ending = True
            self._inflater.end()
            return None
        self._input.ending = False
        self._input.inflating = False
        self._inflater.ended()
        return self._absorb(NULL, 0, 0, True)

    cdef object _whole(self, const char *p, Py_ssize_t length):
        """Show a message that lies at `p`, all of it."""
        cdef object text
        cdef bytes data
        self._end_message()
        if self._input.kind == BINARY:
            data = PyBytes_FromStringAndSize(NULL, length)
            mask_octets(PyBytes_AS_STRING(data), p, length, self._input.key)
            return BytesFragment(data, True)
        if not length:
            return TextFragment("", True)
        text = PyUnicode_New(length, 127)
        if mask_octets(<char *>PyUnicode_DATA(text), p, length, self._input.key):  # not ASCII: its octets are the source
            text = _decoded(<char *>PyUnicode_DATA(text), length)
        return TextFragment(text, True)

    cdef object _absorb(self, const char *p, Py_ssize_t length, uint32_t key, bint last):
        """Take a run of the message, show what there is to show of it."""
        return self._gather(p, length, key, last) if self.gather else self._show(p, length, key, last)

    cdef object _gather(self, const char *p, Py_ssize_t length, uint32_t key, bint last):
        cdef char *to
        cdef bint beyond
        cdef bytes whole
        if length:
            self._make_room(length)
            to = PyBytes_AS_STRING(self._input.gathered) + self._input.size
            beyond = mask_octets(to, p, length, key)
            if self._input.kind == TEXT and (beyond or self._input.text.needed):
                if not utf8_goes_on(&self._input.text, to, to + length):
                    raise remote_error(Fault.TEXT_INVALID)
            self._input.size += length
        if not last:
            return None
        if self._input.text.needed:
            raise remote_error(Fault.TEXT_INVALID)
        self._end_message()
        if self._input.gathered is not None:
            self._resize(self._input.size)
        whole = b"" if self._input.gathered is None else self._input.gathered
        self._input.gathered = None
        self._input.size = 0
        if self._input.kind == TEXT:
            return TextFragment(_decoded(whole, len(whole)), True)
        return BytesFragment(whole, True)

    cdef int _make_room(self, Py_ssize_t length) except -1:
        """Have room for `length` octets more, and for what the frame will bring where enough of it has come."""
        cdef Py_ssize_t begun = self._input.text.have if self._input.gathered is None else 0
        cdef Py_ssize_t needed = self._input.size + begun + length
        cdef Py_ssize_t room = max(2 * needed, 64)
        if self._input.gathered is not None and needed <= len(self._input.gathered):
            return 0
        if self._input.finished and not self._input.compressed:
            room = min(needed + self._input.remaining, max(room, FIRST_ROOM))
        if self._input.gathered is None:
            self._input.gathered = PyBytes_FromStringAndSize(NULL, room)
            memcpy(PyBytes_AS_STRING(self._input.gathered), self._input.text.octets, begun)
            self._input.size = begun
        else:
            self._resize(room)
        return 0

    cdef int _resize(self, Py_ssize_t length) except -1:
        """Give what is gathered another length. Nobody else refers to it."""
        cdef PyObject *octets = <PyObject *>self._input.gathered
        Py_INCREF(<object>octets)
        self._input.gathered = None
        _PyBytes_Resize(&octets, length)
        self._input.gathered = <bytes>octets
        Py_DECREF(<object>octets)
        return 0

    cdef object _show(self, const char *p, Py_ssize_t length, uint32_t key, bint last):
        """Show a run as it comes; of text, the characters that are complete."""
        cdef Py_ssize_t begun = self._input.text.have if self._input.kind == TEXT else 0
        cdef bytes run = PyBytes_FromStringAndSize(NULL, begun + length)
        cdef char *to = PyBytes_AS_STRING(run)
        memcpy(to, self._input.text.octets, begun)
        mask_octets(to + begun, p, length, key)
        if self._input.kind == TEXT:
            if not utf8_goes_on(&self._input.text, to + begun, to + begun + length):
                raise remote_error(Fault.TEXT_INVALID)
            if last and self._input.text.needed:
                raise remote_error(Fault.TEXT_INVALID)
        if last:
            self._end_message()
        length += begun - (self._input.text.have if self._input.kind == TEXT else 0)
        if not length and not last:
            return None
        return TextFragment(_decoded(to, length), last) if self._input.kind == TEXT else BytesFragment(run, last)

    cdef object _shown_so_far(self):
        """Show what was gathered of a message that is not to be gathered any more; None for nothing to show."""
        cdef Py_ssize_t length = self._input.size - self._input.text.have
        cdef bytes whole = self._input.gathered
        self._input.gathered = None
        self._input.size = 0
        if not length:
            return None
        if self._input.kind == TEXT:
            return TextFragment(_decoded(whole, length), False)
        return BytesFragment(whole[:length], False)

    cdef int _end_message(self) except -1:
        self._advance(IN_MESSAGE)
        if not self._clock.closing:
            self._clock.message = self._input.now
        return 0


cdef object _decoded(const char *octets, Py_ssize_t length):
    try:
        return PyUnicode_DecodeUTF8(octets, length, NULL)
    except UnicodeDecodeError as error:
        raise remote_error(Fault.TEXT_INVALID, str(error)) from error
