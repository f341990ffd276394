# The clocks of one WebSocket: `keepalive.KeepAlive` over again in C doubles, compared with it by a test.

from libc.math cimport INFINITY

cdef enum:
    DUE_NOTHING = 0
    DUE_PING = 1
    DUE_SILENT = 2
    DUE_IDLE = 3
    DUE_LATE = 4

cdef struct SocketTimes:
    double ping_interval  # infinity for none, also below
    double ping_timeout
    double idle
    double close

cdef struct SocketClocks:
    double received
    double message  # while closing: the start of that
    double pinged  # negative for none, also below
    double paused
    double latency
    unsigned char pending  # flags, an octet each
    unsigned char closing
    unsigned char spoke


cdef inline void socket_clocks_begin(SocketClocks *clocks) noexcept nogil:
    clocks.received = clocks.message = 0
    clocks.pinged = clocks.paused = clocks.latency = -1
    clocks.pending = True
    clocks.closing = clocks.spoke = False


cdef inline void socket_clocks_close(SocketClocks *clocks) noexcept nogil:
    clocks.closing = clocks.pending = True


cdef inline void socket_clocks_stop(SocketClocks *clocks) noexcept nogil:
    clocks.closing = True
    clocks.pending = False
    clocks.message = INFINITY


cdef inline void socket_clocks_tell(SocketClocks *clocks, double now) noexcept nogil:
    if clocks.pending:
        clocks.pending = False
        clocks.message = now
        if not clocks.closing:
            clocks.received = now
    if clocks.spoke:
        clocks.spoke = False
        if not clocks.closing:
            clocks.message = now


cdef inline void socket_clocks_receive(SocketClocks *clocks, double now) noexcept nogil:
    socket_clocks_tell(clocks, now)
    clocks.received = now


cdef inline void socket_clocks_answered(SocketClocks *clocks, double now) noexcept nogil:
    if clocks.pinged >= 0:
        clocks.latency = now - clocks.pinged
        clocks.pinged = -1


cdef inline void socket_clocks_pause(SocketClocks *clocks, double now) noexcept nogil:
    socket_clocks_tell(clocks, now)
    if clocks.paused < 0:
        clocks.paused = now


cdef inline void socket_clocks_resume(SocketClocks *clocks, double now) noexcept nogil:
    cdef double away
    if clocks.paused >= 0:
        away = now - clocks.paused
        clocks.paused = -1
        clocks.received += away
        if not clocks.closing:
            clocks.message += away
        if clocks.pinged >= 0:
            clocks.pinged += away


cdef inline double socket_clocks_silence(const SocketClocks *clocks, const SocketTimes *times) noexcept nogil:
    if clocks.pinged >= 0:
        return max(clocks.pinged, clocks.received) + times.ping_timeout
    return clocks.received + times.ping_interval


cdef inline double socket_clocks_deadline(const SocketClocks *clocks, const SocketTimes *times) noexcept nogil:
    if clocks.pending:
        return -INFINITY
    if clocks.closing:
        return clocks.message + times.close
    if clocks.paused >= 0:
        return INFINITY
    return min(socket_clocks_silence(clocks, times), clocks.message + times.idle)


cdef inline int socket_clocks_due(SocketClocks *clocks, const SocketTimes *times, double now) noexcept nogil:
    socket_clocks_tell(clocks, now)
    if now < socket_clocks_deadline(clocks, times):
        return DUE_NOTHING
    if clocks.closing:
        socket_clocks_stop(clocks)
        return DUE_LATE
    if clocks.message + times.idle <= now:
        return DUE_IDLE
    if clocks.pinged >= 0:
        return DUE_SILENT
    clocks.pinged = now
    return DUE_PING
