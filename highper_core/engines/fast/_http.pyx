# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""The compiled HTTP/1 connection: events in, octets out, and the cycle. Reading is in `_reading`.

A usual response is framed in C into one object; every other head goes through `writer`, whose bytes the former equal.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact

from highper_core.errors import Fault, LocalProtocolError
from highper_core.events import END_OF_MESSAGE
from highper_core.events cimport ConnectionClosed, Data, EndOfMessage, InformationalResponse, Request, Response
from highper_core.state import Input, State
from highper_core.writer import UNKNOWN, trailer_section, write_request, write_response

from ._clocks cimport *
from ._life cimport *
from ._output cimport *
from ._reading cimport HttpReader

cdef bytes LAST_CHUNK = b"0\r\n\r\n", HEAD = b"HEAD", CONNECT = b"CONNECT"
cdef object _END_OF_MESSAGE = END_OF_MESSAGE

cdef int EVENT_ILLEGAL = Fault.EVENT_ILLEGAL
cdef int CONTENT_FORBIDDEN = Fault.CONTENT_FORBIDDEN
cdef int CONTENT_LENGTH_MISMATCH = Fault.CONTENT_LENGTH_MISMATCH


cdef object _refuse(object fault, str detail=""):
    raise LocalProtocolError(Fault(fault), detail)


cdef class FastHttpConnection(HttpReader):
    """One HTTP conversation, either role, read and written in C.

    Args:
        role: which side we are.
        limits: bounds it obeys.
    """

    cdef void _begin_anew(self) noexcept:
        HttpReader._begin_anew(self)
        self._piece = None
        self._pieces = None

    cdef void _begin_cycle(self) noexcept:
        HttpReader._begin_cycle(self)
        self._end_content()

    cdef void _end_content(self) noexcept:
        """Nothing may follow until a head was sent."""
        self._framed.framing = FRAMING_NONE
        self._framed.remaining = 0
        self._framed.droppable = NO_CONTENT

    # Events in

    cpdef object send(self, object event):
        """Frame one event into the output."""
        if isinstance(event, Data):
            self._demand(IN_DATA)
            self._send_data((<Data>event).data)
        elif isinstance(event, EndOfMessage):
            self._demand(IN_END_OF_MESSAGE)
            self._send_end((<EndOfMessage>event).headers)
            self._advance(self._ours, IN_END_OF_MESSAGE)
        elif isinstance(event, ConnectionClosed):
            self._demand(IN_CONNECTION_CLOSED)
            self._advance(self._ours, IN_CONNECTION_CLOSED)
        elif not self._send_plain(event, -1, None):
            self._commit_head(event, self._write_head(event, UNKNOWN))

    cpdef object send_message(self, object head, bytes content=b""):
        """Frame a head, its whole content and the end: exactly `send` of the three events, all or nothing."""
        cdef Content before = self._framed
        if not self._send_plain(head, len(content), content):
            written = self._write_head(head, len(content))
            if not isinstance(head, Request) and self._input_of(head) != IN_RESPONSE:
                _refuse(EVENT_ILLEGAL, "only a message that ends can be sent whole")
            self._framed.framing = written.framing
            self._framed.remaining = written.length
            self._framed.droppable = written.droppable
            try:
                self._account(len(content))
                if self._framed.framing == FRAMING_KNOWN_LENGTH and self._framed.remaining:
                    _refuse(CONTENT_LENGTH_MISMATCH)
            except LocalProtocolError:
                self._framed = before
                raise
            self._commit_head(head, written)
            self._send_data(content)
            self._send_end(_END_OF_MESSAGE.headers)
        self._advance(self._ours, IN_END_OF_MESSAGE)

    def send_file(self, length):
        """Account for `length` bytes of content that the caller moves itself."""
        self._demand(IN_DATA)
        if self._framed.framing != FRAMING_KNOWN_LENGTH or length < 0:
            _refuse(EVENT_ILLEGAL)
        if length > self._framed.remaining:
            _refuse(CONTENT_LENGTH_MISMATCH)
        self._framed.remaining -= length

    cdef int _demand(self, int what) except -1:
        cdef int state = self._life.states[self._ours]
        if next_state(self._ours, state, what) == ILLEGAL:
            _refuse(EVENT_ILLEGAL, f"{Input(what).name} in {State(state).name}")
        return 0

    cdef bint _may_persist(self) noexcept:
        """Whether a final response may leave the connection open.

        Not when the request was not read, and not while content is held back for a 100: whether it comes after all,
        or the next request, cannot be told then.
        """
        return self._life.keep_alive and self._life.states[CLIENT] != IDLE and not self._waiting_for_continue

    cdef bint _send_plain(self, object event, long long length, bytes content) except -1:
        """Frame a usual final response, and its content where `length` is not negative. False: nothing was done."""
        cdef Content framed
        cdef Exchange exchange
        cdef bytes made
        if type(event) is not Response or self._ours != SERVER or self._method == CONNECT:
            return False
        if next_state(SERVER, self._life.states[SERVER], IN_RESPONSE) == ILLEGAL:
            return False
        exchange.head = self._method == HEAD
        exchange.modern = self._modern
        exchange.keep_alive = self._may_persist()
        made = frame_response(<Response>event, &exchange, &framed, length, content)
        if made is None:
            return False
        self._put(made)
        self._commit_response(False, (<Response>event).status_code, exchange.keep_alive)
        if length > JOINED_CONTENT and framed.framing != FRAMING_NONE:
            self._put(content)
        if length >= 0:
            self._end_content()
        else:
            self._framed = framed
        return True

    cdef object _write_head(self, object event, object length):
        """Judge and write a head; the state is unchanged."""
        if isinstance(event, Request):
            self._demand(IN_REQUEST)
            if next_state(SERVER, self._life.states[SERVER], IN_PEER_REQUEST) == ILLEGAL:
                _refuse(EVENT_ILLEGAL, f"no request to a server in {self.their_state.name}")
            head = write_request(event, length)
        elif isinstance(event, (Response, InformationalResponse)):
            self._demand(self._input_of(event))
            head = write_response(
                event,
                self._method,
                b"1.1" if self._modern else b"1.0",
                self._may_persist(),
                self._upgrade_proposed,
                length,
            )
        else:
            _refuse(EVENT_ILLEGAL, f"{type(event).__name__} cannot be sent")
        if head.fault:
            _refuse(head.fault)
        return head

    cdef int _input_of(self, object event) except -1:
        return self._response_input(isinstance(event, InformationalResponse), event.status_code)

    cdef object _commit_head(self, object event, object head):
        self._put(head.data)
        self._framed.framing = head.framing
        self._framed.remaining = head.length
        self._framed.droppable = head.droppable
        if isinstance(event, Request):
            self._life.keep_alive = self._life.keep_alive and head.keep_alive
            self._method = (<Request>event).method
            self._propose(head.upgrade_proposed)
            self._advance(CLIENT, IN_REQUEST)
        else:
            self._commit_response(isinstance(event, InformationalResponse), event.status_code, head.keep_alive)

    cdef int _commit_response(self, bint interim, int status, bint keep_alive) except -1:
        self._life.keep_alive = self._life.keep_alive and keep_alive
        if self._waiting_for_continue and (status == 100 or status >= 200):
            self._waiting_for_continue = False
            clocks_begin(&self._clocks, PHASE_CONTENT)
        self._advance(SERVER, self._response_input(interim, status))
        return 0

    cdef object _send_data(self, object data):
        cdef bytes octets = data if PyBytes_CheckExact(data) else bytes(data)
        cdef Py_ssize_t length = len(octets)
        if not length:
            return
        self._account(length)
        if self._framed.framing == FRAMING_NONE:
            return
        if self._framed.framing != FRAMING_CHUNKED:
            self._put(octets)
        elif length <= JOINED_CONTENT:
            self._put(frame_chunk(PyBytes_AS_STRING(octets), length))
        else:
            self._put(b"%x\r\n" % length)
            self._put(octets)
            self._put(b"\r\n")

    cdef int _account(self, long long length) except -1:
        """Hold content to what the head promised; on a fault nothing changed."""
        if length and self._framed.framing == FRAMING_KNOWN_LENGTH:
            if length > self._framed.remaining:
                _refuse(CONTENT_LENGTH_MISMATCH)
            self._framed.remaining -= length
        elif length and self._framed.framing == FRAMING_NONE:
            if self._framed.droppable == NO_CONTENT:
                _refuse(CONTENT_FORBIDDEN)
            if self._framed.droppable != ANY_LENGTH:
                if length > self._framed.droppable:
                    _refuse(CONTENT_LENGTH_MISMATCH)
                self._framed.droppable -= length
        return 0

    cdef object _send_end(self, object headers):
        """Frame the end. Trailers without the chunked coding are judged and dropped, as `writer` says."""
        cdef bint trailers = len(headers) > 0
        if self._framed.framing == FRAMING_KNOWN_LENGTH:
            if self._framed.remaining:
                _refuse(CONTENT_LENGTH_MISMATCH)
            if trailers:
                _refuse(EVENT_ILLEGAL)
            return
        written = LAST_CHUNK
        if trailers:
            fault, written = trailer_section(headers)
            if fault:
                _refuse(fault)
        if self._framed.framing == FRAMING_CHUNKED:
            self._put(written)

    # Octets out

    cdef int _put(self, bytes piece) except -1:
        if self._pieces is not None:
            self._pieces.append(piece)
        elif self._piece is None:
            self._piece = piece
        else:
            self._pieces = [self._piece, piece]
            self._piece = None
        return 0

    cpdef bytes data_to_send(self):
        """Return and forget the framed bytes, joined."""
        cdef bytes joined
        if self._pieces is not None:
            joined = b"".join(self._pieces)
            self._pieces = None
            return joined
        joined = self._piece
        self._piece = None
        return b"" if joined is None else joined

    cpdef list buffers_to_send(self):
        """Return and forget the framed bytes, as the pieces they were framed in."""
        cdef list pieces = self._pieces
        if pieces is None:
            pieces = [] if self._piece is None else [self._piece]
        self._piece = None
        self._pieces = None
        return pieces

    # Cycle

    cpdef object start_next_cycle(self):
        """Begin the next exchange on the same connection."""
        if not self.renew():
            _refuse(EVENT_ILLEGAL, f"no next cycle in {self.our_state.name}")

    cpdef bint renew(self) except -1:
        """Begin the next exchange if both roles are DONE; return whether they were."""
        if self._life.states[CLIENT] != DONE or self._life.states[SERVER] != DONE:
            return False
        self._begin_cycle()
        if self._ours == SERVER:
            clocks_begin(&self._clocks, PHASE_HEAD if self._input.length() else PHASE_IDLE)
        return True

    @property
    def is_resting(self):
        """True when both roles are IDLE, nothing is buffered either way and no message has begun."""
        if self._life.states[CLIENT] != IDLE or self._life.states[SERVER] != IDLE or self._ended or self._skipped:
            return False
        return self._piece is None and self._pieces is None and not self._input.length()
