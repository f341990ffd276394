# The clocks of one connection: `deadlines.Deadlines` over again in C doubles, compared with it by a test.

from libc.math cimport INFINITY

cdef enum:
    PHASE_OFF = 0
    PHASE_FIRST_BYTE = 1
    PHASE_IDLE = 2
    PHASE_HEAD = 3
    PHASE_CONTENT = 4

cdef struct Times:
    double first_byte
    double idle
    double head
    double content
    double rate
    double grace

cdef struct Clocks:
    int phase
    bint pending  # the phase began in a call that carried no time
    bint paused
    double paused_at
    double started
    double last
    long long received


cdef inline void clocks_begin(Clocks *clocks, int phase) noexcept nogil:
    clocks.phase = phase
    clocks.pending = phase != PHASE_OFF
    clocks.received = 0


cdef inline void clocks_begin_at(Clocks *clocks, int phase, double now) noexcept nogil:
    clocks.phase = phase
    clocks.pending = False
    clocks.received = 0
    clocks.started = clocks.last = clocks.paused_at = now


cdef inline void clocks_receive(Clocks *clocks, long long length, double now) noexcept nogil:
    if clocks.pending:
        clocks_begin_at(clocks, clocks.phase, now)
    clocks.received += length
    clocks.last = now


cdef inline void clocks_pause(Clocks *clocks, double now) noexcept nogil:
    if not clocks.paused:
        clocks.paused = True
        clocks.paused_at = now


cdef inline void clocks_resume(Clocks *clocks, double now) noexcept nogil:
    if clocks.paused:
        clocks.paused = False
        clocks.started += now - clocks.paused_at
        clocks.last += now - clocks.paused_at


cdef inline double clocks_silent_until(const Clocks *clocks, const Times *times) noexcept nogil:
    return clocks.last + times.content


cdef inline double clocks_slow_until(const Clocks *clocks, const Times *times) noexcept nogil:
    if times.rate <= 0:
        return INFINITY
    return clocks.started + max(times.grace, clocks.received / times.rate)


cdef inline bint clocks_stand(const Clocks *clocks) noexcept nogil:
    return clocks.phase == PHASE_OFF or (clocks.paused and clocks.phase == PHASE_CONTENT)


cdef inline double clocks_deadline(const Clocks *clocks, const Times *times) noexcept nogil:
    if clocks_stand(clocks):
        return INFINITY
    if clocks.pending:
        return -INFINITY
    if clocks.phase == PHASE_CONTENT:
        return min(clocks_silent_until(clocks, times), clocks_slow_until(clocks, times))
    if clocks.phase == PHASE_HEAD:
        return clocks.started + times.head
    return clocks.started + (times.idle if clocks.phase == PHASE_IDLE else times.first_byte)


cdef inline int clocks_expired(Clocks *clocks, const Times *times, double now) noexcept nogil:
    """The phase whose deadline has passed, PHASE_CONTENT + 1 for content that is too slow, or PHASE_OFF."""
    if clocks_stand(clocks):
        return PHASE_OFF
    if clocks.pending:
        clocks_begin_at(clocks, clocks.phase, now)
    if now < clocks_deadline(clocks, times):
        return PHASE_OFF
    if clocks.phase == PHASE_CONTENT and clocks_slow_until(clocks, times) < clocks_silent_until(clocks, times):
        return PHASE_CONTENT + 1
    return clocks.phase
