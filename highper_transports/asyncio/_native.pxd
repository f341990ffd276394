# Entering a context, and the set of all tasks.


cpdef object run_in(object context, object step)
