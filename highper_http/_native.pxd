# Steps of coroutines, contexts, and the clock.


cdef class Step:
    cdef object outcome

    cpdef object go(self)


cpdef object resume(object coroutine, Step step)
cpdef object run_in(object variables, Step step)
cpdef object call_in(object variables, object function, object first, object second)
cpdef object copy_of(object variables)
cpdef bint is_text(bytes octets) noexcept
cpdef long clock_second() noexcept
