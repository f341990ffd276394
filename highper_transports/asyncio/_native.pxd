# What is asked of a loop for every task.


cpdef object new_task(type kind, object coroutine, dict options, object context, object name)
cpdef object run_in(object context, object step)
