# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""One socket of ours that speaks TLS, while somebody uses it.

The stream is announced when the handshake is done, which has a deadline. From then on the session hangs on the record,
and outlasts the stream when that is laid to rest. All that came with one `recv` is decrypted and delivered at once, so
that nothing but a part of a record can be left at rest.

    handshake --done--> open --close_notify of the peer--> half-closed, its end is told and we may still write
        |--failed, too late--> gone     |--end of input without one--> truncated: lost, with a reason

`write_eof` sends our close_notify and ends our side of the socket; the peer may go on. `close` sends it too, and does
not wait for the answer. Pressure is counted in bytes as they travel.
"""

from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF

import ssl

from highper_core.proxy_protocol import ProxyHeaderInvalid, ProxyHeaderReader

from ..proxied import refuse

from ..stream cimport Receiver, Stream
from ..timers cimport TimerWheel
from ._listener cimport Listener
from ._outgoing cimport CLOSING, ENDED, PAUSED
from ._sockets cimport Sockets
from ._records cimport Record, stream_of
from ._session cimport ROOM, Session
from ._stream cimport EpollStream, set_up

cdef enum:
    ANSWERS = 16384  # bytes of the protocol's own that a peer may make us send without reading them
    SMALL = 4096  # pieces of a list that share a record


cdef object _plain(Sockets poller):
    """Return where content is decrypted to; one of a poller, for its thread has no other at a time."""
    if poller.plain is None:
        poller.plain = bytearray(ROOM)
    return poller.plain


cdef class SecureStream(EpollStream):
    """A peer's bytes through TLS over a socket of ours."""

    cpdef bint give_way(self) except -1:
        """Do not: one reception may be several deliveries."""
        return False

    # Reading

    cdef int arrived(self, const char *bytes_, Py_ssize_t count, double now) except -1:
        if self.header is not None:
            return self._read_header(bytes_[:count], now)
        return self._absorb(bytes_, count, now)

    cdef int _absorb(self, const char *data, Py_ssize_t count, double now) except -1:
        cdef bint fresh
        cdef int fd = self.fd
        cdef Py_ssize_t filled, before
        cdef Listener place
        cdef Record *record
        cdef SecureStream heir
        plain = _plain(self.poller)
        sink = self.sink
        before = 0 if sink is None else sink.filled
        if self.session is None:
            self.session = Session(self.tls.context, True)
        fresh = not self.session.open
        try:
            filled = self.session.absorb(data, count, plain, sink)
        except (ssl.SSLError, ValueError) as error:
            self._answer()  # an alert
            return self.end(error)
        self._answer()
        if self.ending:
            return 0
        if fresh:
            if not self.session.open:
                return 0
            content = PyBytes_FromStringAndSize(PyByteArray_AS_STRING(plain), filled)
            self._opened()
            if self.fd < 0:  # laid to rest, perhaps with bytes to wake for
                record = self.poller.records.get(fd)
                if record != NULL and record.generation == self.generation and stream_of(record) == NULL:
                    return _rouse(self.poller.places[record.place], fd, record, content, now)
                return 0
            self.held = content
        elif sink is not None and sink.filled > before:
            if not sink.missing:
                self.sink = None
            if filled:
                self._hold(plain, filled)
            if self.receiver is not None:
                self.receiver.filled(sink.filled - before, now)
        else:
            return self._take(filled, now)
        return self._catch_up(now)

    cdef int _take(self, Py_ssize_t count, double now) except -1:
        """Deliver content that is in the poller's `plain`, or hold it back."""
        cdef Receiver receiver
        cdef bytes data
        if self.held is not None:
            self._hold(self.poller.plain, count)
        elif count:
            data = PyBytes_FromStringAndSize(PyByteArray_AS_STRING(self.poller.plain), count)
            receiver = self.receiver
            if receiver is None:
                receiver = self._wake()
            receiver.received(data, now)
            if not self.session.ended:
                return 0
        return self._catch_up(now)

    def _hold(self, plain, Py_ssize_t count):
        cdef bytes data = PyBytes_FromStringAndSize(PyByteArray_AS_STRING(plain), count)
        self.held = data if self.held is None else self.held + data

    cdef int _catch_up(self, double now) except -1:
        """Deliver what was held back, and the end of input behind it, unless reading is paused."""
        cdef bytes data
        if self.deaf & (PAUSED | CLOSING) or self.fd < 0:
            return 0
        data, self.held = self.held, None
        if data:
            self.deliver(data, now)
            if self.deaf & (PAUSED | CLOSING) or self.fd < 0:
                return 0
        if self.session is not None and self.session.ended and not self.end_told:
            self.end_told = True
            self.deaf |= ENDED
            self.update()
            self.deliver_end()
        return 0

    cpdef object rest(self, double deadline):
        """Have no receiver until bytes come; not as a record alone while an end of input is to be told."""
        if self.session is not None and self.session.ended:
            Stream.rest(self, deadline)
        else:
            EpollStream.rest(self, deadline)

    cpdef int doze(self, double deadline) except? -1:
        """Be a record and a receiver alone; not while there is something to be delivered."""
        if self.session is None or self.session.ended or self.held is not None or self.sink is not None:
            return -1
        return EpollStream.doze(self, deadline)

    cdef int input_ended(self) except -1:
        """The socket's own end of input; without the session's before it, it is none."""
        if self.session is None or not self.session.ended:
            self.end(ConnectionResetError("TLS ended without close_notify"))
        return 0

    cpdef object resume_reading(self):
        """Deliver bytes again, first those that came before the pause took effect."""
        EpollStream.resume_reading(self)
        if self.held is not None or self.session.ended and not self.end_told:
            self.poller.later(self._resumed)

    def _resumed(self):
        try:
            self._catch_up(self.poller.now)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.poller.receiver_failed(self, error)

    def receive_into(self, intake):
        """Write content into the room of `intake`, until it is full or None is given."""
        self.sink = intake if intake is not None and intake.missing else None

    # The handshake

    cdef int begin(self, object proxies) except -1:
        if proxies is not None:
            if not proxies.admits(self.peer, self.local):
                refuse(self.peer)
                self.abort()
                return 0
            self.header = ProxyHeaderReader()
        return 0

    cdef int _read_header(self, bytes data, double now) except -1:
        cdef bytes behind
        try:
            found = self.header.receive_data(data)
        except ProxyHeaderInvalid as error:
            refuse(self.peer, error)
            self.abort()
            return 0
        if found is None:
            return 0
        self.header = None
        header, behind = found
        self.present(header)
        return self._absorb(PyBytes_AS_STRING(behind), PyBytes_GET_SIZE(behind), now) if behind else 0

    cdef int _opened(self) except -1:
        """The handshake is done: announce the stream."""
        cdef Record *record = self.poller.records.get(self.fd)
        opened, self.opened = self.opened, None
        self.failed = None
        self.tls = None
        self.alpn = self.session.alpn
        (<TimerWheel>self.transport.timers).cancel(self)
        Py_INCREF(self.session)
        record.secure = <PyObject *>self.session
        try:
            opened(self)
        except BaseException:
            self.abort()
            raise
        return 0

    cdef int _answer(self) except -1:
        """Send what the session has to say of its own."""
        cdef bytes data = self.session.answer()
        if not data or self.eof_written or self.deaf & CLOSING:
            return 0
        if not self.queued:
            self.answers = 0
        self.answers += PyBytes_GET_SIZE(data)
        if self.answers > ANSWERS:
            return self.end(ConnectionAbortedError("TLS: the peer reads no answers"))
        return self.put(data)

    cpdef object deliver_loss(self, object error):
        """Tell that the stream is gone; before it was announced, whoever waits for that."""
        failed, self.failed = self.failed, None
        self.opened = None
        self.held = None
        self.sink = None
        EpollStream.deliver_loss(self, error)
        if failed is not None:
            failed(error or TimeoutError("the TLS handshake took too long"))

    # Writing

    cpdef object write(self, object data):
        """Encrypt and send bytes, or a list of bytes; queue what the system does not take."""
        if self.eof_written or self.deaf & CLOSING:
            return
        try:
            if isinstance(data, list):
                self._put_list(self._records(<list>data))
            elif data:
                records = self.session.encrypt(data if type(data) is bytes else bytes(data))
                if type(records) is bytes:
                    self.put(<bytes>records)
                else:
                    self._put_list(<list>records)
        except ssl.SSLError as error:
            self.end(error)

    def _records(self, list data):
        """Return a list of bytes as records; small pieces share one."""
        cdef Py_ssize_t length = 0
        records = []
        small = []
        for piece in data:
            if length + len(piece) > SMALL and small:
                self._add(records, b"".join(small))
                small.clear()
                length = 0
            small.append(piece)
            length += len(piece)
        self._add(records, b"".join(small))
        return records

    def _add(self, list records, bytes data):
        made = self.session.encrypt(data)
        if type(made) is bytes:
            records.append(made)
        else:
            records += made

    cpdef object write_eof(self):
        """Send close_notify after what is queued, and the end of input behind it."""
        if not (self.eof_written or self.deaf & CLOSING):
            self.put(self.session.part())
            if not self.ending:
                self.put_end()

    cpdef object close(self):
        """Close after what is queued was written, and close_notify behind it."""
        if self.session is not None and not (self.eof_written or self.deaf & CLOSING):
            self.put(self.session.part())
        EpollStream.close(self)


cdef SecureStream _new(Sockets poller, object transport, int fd, Record *record):
    cdef SecureStream stream = SecureStream(transport)
    set_up(stream, poller, fd, record)
    stream.scheme = "https"
    stream.sends_files = False
    return stream


def greet(EpollStream plain not None, tls, hostname, opened, failed):
    """Speak TLS as a client on a stream that was just connected; return the stream to use instead of it.

    Args:
        plain: has done nothing yet, and is not used any more.
        tls: `TLS`.
        hostname: what the certificate must carry.
        opened: called with the stream when the handshake is done.
        failed: called with an error where it comes to nothing.

    Raises:
        ValueError: the context wants a name and there is none.
    """
    cdef Session session = Session(tls.context, False, hostname)
    cdef int fd = plain.fd
    cdef Record *record = plain.poller.records.get(fd)
    cdef SecureStream stream = _new(plain.poller, plain.transport, fd, record)
    stream.peer = plain.peer
    stream.local = plain.local
    plain.fd = -1
    plain.deaf = CLOSING
    Py_DECREF(plain)  # the record's reference
    stream.session = session
    stream.opened = opened
    stream.failed = failed
    (<TimerWheel>stream.transport.timers).arm(stream, stream.kernel.clock() + <double>tls.handshake_timeout)
    session.greet()
    stream._answer()
    return stream


cdef SecureStream greet_peer(Sockets poller, object transport, int fd, Record *record, object tls, object opened):
    cdef SecureStream stream = _new(poller, transport, fd, record)
    stream.tls = tls
    stream.opened = opened
    (<TimerWheel>transport.timers).arm(stream, poller.kernel.clock() + <double>tls.handshake_timeout)
    return stream


cdef SecureStream resume(Sockets poller, object transport, int fd, Record *record):
    cdef SecureStream stream = _new(poller, transport, fd, record)
    stream.session = <Session>record.secure
    stream.alpn = stream.session.alpn
    return stream


# At rest

cdef int stir(Listener place, int fd, Record *record, const char *data, Py_ssize_t count, double now) except -1:
    cdef Sockets poller = place.poller
    cdef Session session = <Session>record.secure
    cdef Py_ssize_t filled
    cdef bint broken = False
    cdef bytes answer
    plain = _plain(poller)
    try:
        filled = session.absorb(data, count, plain, None)
    except (ssl.SSLError, ValueError):
        filled = 0
        broken = True
    answer = session.answer()
    if answer and poller.kernel.send(fd, PyBytes_AS_STRING(answer), PyBytes_GET_SIZE(answer)) != PyBytes_GET_SIZE(answer):
        broken = True
    if broken:
        return _end(place, fd)
    return _rouse(place, fd, record, PyBytes_FromStringAndSize(PyByteArray_AS_STRING(plain), filled), now)


cdef int _rouse(Listener place, int fd, Record *record, bytes data, double now) except -1:
    """Wake a record at rest for content; end it where the peer ended instead; else leave it alone."""
    cdef SecureStream stream
    if data:
        stream = <SecureStream>place.wake(fd, record)
        stream.held = data
        stream._catch_up(now)
    elif (<Session>record.secure).ended:
        part(place.poller, fd, record)
        _end(place, fd)
    return 0


cdef int _end(Listener place, int fd) except -1:
    place.poller.release(fd)
    place.owner.lost_at_rest(1)
    return 0


cdef int part(Sockets poller, int fd, Record *record) except -1:
    cdef bytes data = (<Session>record.secure).part()
    poller.kernel.send(fd, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))
    return 0
