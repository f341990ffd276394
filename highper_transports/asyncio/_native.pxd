# What is asked of a loop for every task.


cdef class TaskMaker:
    cdef type kind
    cdef bint late
    cdef dict options
    cdef object name

    cpdef object make(self, object coroutine, object context, object name)


cdef class FirstSteps:
    cdef public object context
    cdef public object step
    cdef public bint keeping
    cdef public list kept


cdef class Registration:
    cdef object members
    cdef set data
    cdef list pending
    cdef set iterating
    cdef object forget

    cpdef object add(self, object member)


cpdef object run_in(object context, object step)
