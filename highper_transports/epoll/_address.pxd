# Addresses of sockets, as the kernel tells them, as a record keeps them, as users read them.

from ._kernel cimport Kernel, sockaddr_storage, socklen_t
from ._records cimport Record

cdef int keep_peer(Record *record, sockaddr_storage *address, socklen_t length) noexcept
cdef object kept_peer(Kernel kernel, int fd, Record *record)
cdef object name_of(sockaddr_storage *address, socklen_t length)
cdef object local_name(Kernel kernel, int fd)
cdef object peer_name(Kernel kernel, int fd)
