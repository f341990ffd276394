# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""An epoll set and its place in a loop: whom it watches, and what is to be called soon. It knows of no stream's life.

In a loop of ours what is to be called soon is run before a turn. Any other loop is asked to run it, and watches the
epoll descriptor for as long as something is open here.
"""

cimport cython
from cpython.list cimport PyList_GET_SIZE
from libc.stdint cimport uint32_t, uint64_t

import os

from ._kernel cimport EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, Kernel
from ._outgoing cimport Outgoing


@cython.no_gc_clear  # its methods rely on what it refers to, also while a cycle is taken apart
cdef class EpollSet:
    """One epoll set.

    Args:
        loop: whose it is.
        embedded: the loop is not ours.
        kernel: another one, for tests.

    Attributes:
        fd: the epoll descriptor.
    """

    def __cinit__(self, loop, bint embedded, Kernel kernel=None):
        self.fd = -1
        self.kernel = kernel or Kernel()
        self.now = self.kernel.clock()
        self.loop = loop
        self.embedded = embedded
        self._pending = []
        self._gathered = []
        self.fd = self.kernel.epoll_create1()
        if self.fd < 0:
            raise OSError(-self.fd, os.strerror(-self.fd))

    def __dealloc__(self):
        if self.fd >= 0:
            self.kernel.close(self.fd)

    # Descriptors

    cdef int watch(self, int fd, uint32_t events, uint32_t generation) noexcept:
        """Add a socket of ours to the set; return 0 or a negative error number."""
        return self.kernel.epoll_ctl(self.fd, EPOLL_CTL_ADD, fd, events, <uint64_t>generation << 32 | <uint32_t>fd)

    cdef int change(self, int fd, uint32_t events, uint32_t generation) noexcept:
        """Wait for other events of a socket of ours; return 0 or a negative error number."""
        return self.kernel.epoll_ctl(self.fd, EPOLL_CTL_MOD, fd, events, <uint64_t>generation << 32 | <uint32_t>fd)

    cdef int forget(self, int fd) noexcept:
        """Take a descriptor out of the set."""
        return self.kernel.epoll_ctl(self.fd, EPOLL_CTL_DEL, fd, 0, 0)

    def watch_foreign(self, int fd, uint32_t events):
        """Add a descriptor of the loop's users to the set.

        Raises:
            OSError: it cannot be watched; a regular file, for one.
        """
        self._control(EPOLL_CTL_ADD, fd, events)

    def change_foreign(self, int fd, uint32_t events):
        """Wait for other events of a descriptor of the loop's users."""
        self._control(EPOLL_CTL_MOD, fd, events)

    def forget_foreign(self, int fd):
        """Take a descriptor of the loop's users out of the set, if it is still there: it may have been closed."""
        self.forget(fd)

    def _control(self, int operation, int fd, uint32_t events):
        cdef int error = self.kernel.epoll_ctl(self.fd, operation, fd, events, <uint32_t>FOREIGN | <uint32_t>fd)
        if error < 0:
            raise OSError(-error, os.strerror(-error))

    # What was written

    cdef bint gather(self, Outgoing stream) except -1:
        """Return whether `stream` will be flushed when the sockets that are ready now were served."""
        if self.gathering:
            self._gathered.append(stream)
        return self.gathering

    cdef int scatter(self) except -1:
        """Flush what was gathered."""
        cdef Py_ssize_t done = 0
        cdef Outgoing stream
        self.gathering = False
        try:
            while done < PyList_GET_SIZE(self._gathered):
                stream = self._gathered[done]
                done += 1
                if stream.gathered:
                    self._flush(stream)
        finally:
            del self._gathered[:done]
        return 0

    cdef int _flush(self, Outgoing stream) except -1:
        try:
            stream.flush()
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            self.receiver_failed(stream, error)
        return 0

    # What is to be called soon

    def soon(self, callback, *args):
        """Call back on the next pass, never synchronously."""
        self.later((callback, args) if args else callback)

    cdef int later(self, object item) except -1:
        """Have a callback, one with arguments, or a stream that ends, ready for the next pass."""
        self._pending.append(item)
        if self.embedded and not self._planned:
            self._planned = True
            self.loop.call_soon(self.run_pending)
        return 0

    def run_pending(self):
        """Call what was to be called soon, for a foreign loop."""
        self._planned = False
        self.now = self.kernel.clock()
        self._run_pending()

    cdef int _run_pending(self) except -1:
        cdef Py_ssize_t done = 0
        cdef list batch = self._pending
        self._pending = []
        try:
            for item in batch:
                done += 1
                try:
                    if isinstance(item, Outgoing):
                        (<Outgoing>item).finish()
                    elif type(item) is tuple:
                        (<tuple>item)[0](*(<tuple>item)[1])
                    else:
                        item()
                except (KeyboardInterrupt, SystemExit):
                    raise
                except BaseException as error:
                    self.report("callback failed", error)
        finally:
            if done < len(batch):
                self._pending[:0] = batch[done:]
                if self.embedded and not self._planned:
                    self._planned = True
                    self.loop.call_soon(self.run_pending)
        return 0

    # Inside a foreign loop

    def serve(self):
        """One turn, for a foreign loop that found the epoll descriptor readable."""
        raise NotImplementedError

    cdef int _attach(self) except -1:
        self.loop.add_reader(self.fd, self.serve)
        self._attached = True
        return 0

    cdef int _detach(self) except -1:
        self._attached = False
        if not self.loop.is_closed():
            self.loop.remove_reader(self.fd)
        return 0

    cdef int report(self, str message, object error) except -1:
        """Tell the loop's exception handler."""
        self.loop.call_exception_handler({"message": message, "exception": error})
        return 0

    cdef int receiver_failed(self, Outgoing stream, object error) except -1:
        """Tell so, and end the stream if there is one: its receiver is in no known state."""
        self.report("receiver of a stream failed", error)
        if stream is not None:
            stream.end(error)
        return 0
