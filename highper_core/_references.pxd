# The guard of the pool.

from .context cimport RequestContext


cpdef bint parts_unheld(RequestContext context) noexcept
cpdef RequestContext take_unheld(list free)
