# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""One peer's TLS without its socket: what the network brings and takes on one side, content on the other.

Frugal, because most sessions rest: a memory BIO never gives back what it has grown to, so nothing larger than PIECE is
put into one at a time. What came is decrypted at once and whole; no content waits in here, at most a part of a record.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize, PyBytes_GET_SIZE

import ssl

cdef enum:
    PIECE = 4096  # bytes put into a BIO at a time, and content of a record

cdef object WantRead = ssl.SSLWantReadError
cdef object ZeroReturn = ssl.SSLZeroReturnError
cdef object MemoryBIO = ssl.MemoryBIO


cdef class Session:
    """A TLS connection over memory BIOs.

    Args:
        context: an `ssl.SSLContext`.
        server_side: we were connected to.
        hostname: for a client, the name that the certificate must carry.

    Attributes:
        open: the handshake is done.
        ended: the peer said that it will send no more.
    """

    def __init__(self, context, bint server_side, hostname=None):
        self.incoming = MemoryBIO()
        self.outgoing = MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side, hostname)

    @property
    def alpn(self):
        """Negotiated ALPN protocol, or None."""
        return self.tls.selected_alpn_protocol()

    cdef int greet(self) except -1:
        try:
            self.tls.do_handshake()
            self.open = True
        except WantRead:
            pass
        return 0

    cdef Py_ssize_t absorb(self, const char *data, Py_ssize_t count, object plain, object intake) except -1:
        cdef Py_ssize_t begin = 0, length, filled = 0
        while begin < count and not self.ended:
            length = min(count - begin, <Py_ssize_t>PIECE)
            self.incoming.write(PyBytes_FromStringAndSize(data + begin, length))
            begin += length
            if not self.open:
                self.greet()
            if self.open:
                filled = self._decrypt(filled, plain, intake)
        return filled

    cdef Py_ssize_t _decrypt(self, Py_ssize_t filled, object plain, object intake) except -1:
        """Read what is complete; return how much of `plain` is filled."""
        cdef Py_ssize_t count, room
        if not self.incoming.pending:
            return filled
        try:
            while True:
                if intake is not None and intake.missing:
                    room = intake.missing
                    count = self.tls.read(room, intake.room)
                    intake.advance(count)
                else:
                    room = ROOM - filled
                    count = self.tls.read(room, memoryview(plain)[filled:] if filled else plain)
                    filled += count
                if not count:
                    self.ended = True
                    break
                if not self.incoming.pending and (count < room or not self.tls.pending()):
                    break
        except WantRead:
            pass
        except ZeroReturn:
            self.ended = True
        return filled

    cdef bytes answer(self):
        return self.outgoing.read() if self.outgoing.pending else b""

    cdef object encrypt(self, bytes data):
        cdef Py_ssize_t begin, length = PyBytes_GET_SIZE(data)
        if length <= PIECE:
            if length:
                self.tls.write(data)
            return self.outgoing.read()
        whole = memoryview(data)
        records = []
        for begin in range(0, length, PIECE):
            self.tls.write(whole[begin : begin + PIECE])
            records.append(self.outgoing.read())
        return records

    cdef bytes part(self):
        if not self.open or self.parted:
            return b""
        self.parted = True
        try:
            self.tls.unwrap()
        except ssl.SSLError:  # it waits for the peer's own, or the session is broken
            pass
        return self.outgoing.read()
