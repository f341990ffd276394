# One peer's TLS without its socket: what the network brings and takes on one side, content on the other.

cdef enum:
    ROOM = 294912  # of `plain`: what one recv can hold, and a record that was begun before it


cdef class Session:
    cdef object tls  # ssl.SSLObject
    cdef object incoming  # memory BIOs
    cdef object outgoing
    cdef readonly bint open  # the handshake is done
    cdef readonly bint ended  # the peer will send no more, and said so
    cdef bint parted  # so did we

    # Take `count` bytes from the peer, decrypt all that is complete, and return how many bytes of content went into
    # `plain`, a bytearray of ROOM. What `intake` (or None) misses goes there first.
    cdef Py_ssize_t absorb(self, const char *data, Py_ssize_t count, object plain, object intake) except -1
    # Begin a handshake, as a client.
    cdef int greet(self) except -1
    # Return what must go to the peer for the protocol's own sake; often nothing.
    cdef bytes answer(self)
    # Return content as records: bytes, or a list of bytes.
    cdef object encrypt(self, bytes data)
    # Tell the peer that we will send no more; return the record.
    cdef bytes part(self)

    cdef Py_ssize_t _decrypt(self, Py_ssize_t filled, object plain, object intake) except -1
