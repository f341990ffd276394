# An awake stream that is secured by TLS.

from ._listener cimport Listener
from ._sockets cimport Sockets
from ._records cimport Record
from ._session cimport Session
from ._stream cimport EpollStream


cdef class SecureStream(EpollStream):
    cdef Session session  # None before the first byte of a peer that connected to us
    cdef object header  # reads the PROXY header that comes first, until it is whole; or None
    cdef object tls  # TLS, until the session is open
    cdef object opened  # called once it is
    cdef object failed  # called with an error where it does not get there; or None
    cdef object sink  # intake for content
    cdef bytes held  # content that came before a pause took effect
    cdef bint end_told
    cdef Py_ssize_t answers  # bytes of the protocol's own that the peer has not read

    # The peer was accepted: it may greet us, behind a PROXY header where `proxies` is not None.
    cdef int begin(self, object proxies) except -1

    cdef int _absorb(self, const char *data, Py_ssize_t count, double now) except -1
    cdef int _read_header(self, bytes data, double now) except -1
    cdef int _take(self, Py_ssize_t count, double now) except -1
    cdef int _catch_up(self, double now) except -1
    cdef int _opened(self) except -1
    cdef int _answer(self) except -1


# Return the stream of a peer that was accepted, in its handshake; `opened` is called at the end of that.
cdef SecureStream greet_peer(Sockets poller, object transport, int fd, Record *record, object tls, object opened)
# Return a stream anew for a record that has a session.
cdef SecureStream resume(Sockets poller, object transport, int fd, Record *record)
# Bytes came for a record at rest that has a session.
cdef int stir(Listener place, int fd, Record *record, const char *data, Py_ssize_t count, double now) except -1
# Say farewell for a record at rest that has a session, as far as the system takes it at once.
cdef int part(Sockets poller, int fd, Record *record) except -1
