# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False, embedsignature=True, freethreading_compatible=True
"""Addresses of sockets: as the kernel tells them, as a record keeps them, as users read them.

A record keeps what `accept4` said in 19 bytes. What does not fit, a path or a scope, is asked for again.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

import os

from ._kernel cimport Kernel, sockaddr_storage, socklen_t
from ._records cimport Record

cdef extern from "<arpa/inet.h>" nogil:
    const char *inet_ntop(int family, const void *source, char *target, socklen_t size)
    uint16_t ntohs(uint16_t value)

cdef extern from "<net/if.h>" nogil:
    char *if_indextoname(unsigned int index, char *name)
    enum:
        IF_NAMESIZE

cdef extern from "<netinet/in.h>" nogil:
    struct in_addr:
        uint32_t s_addr

    struct in6_addr:
        uint8_t s6_addr[16]

    struct sockaddr_in:
        uint16_t sin_port
        in_addr sin_addr

    struct sockaddr_in6:
        uint16_t sin6_port
        in6_addr sin6_addr
        uint32_t sin6_scope_id

    enum:
        AF_INET
        AF_INET6
        AF_UNIX

cdef extern from "<stddef.h>" nogil:
    size_t PATH_OFFSET "offsetof(struct sockaddr_un, sun_path)"

cdef extern from "<sys/un.h>" nogil:
    struct sockaddr_un:
        char sun_path[108]

cdef enum:
    ASK = 1  # flag of a record: the address is more than it holds
    TEXT = 64


cdef int keep_peer(Record *record, sockaddr_storage *address, socklen_t length) noexcept:
    """Note who was accepted."""
    cdef sockaddr_in6 *six = <sockaddr_in6 *>address
    cdef sockaddr_in *four = <sockaddr_in *>address
    record.family = <uint8_t>address.ss_family
    if address.ss_family == AF_INET:
        record.port = ntohs(four.sin_port)
        memcpy(record.address, &four.sin_addr, 4)
    elif address.ss_family == AF_INET6:
        record.port = ntohs(six.sin6_port)
        memcpy(record.address, &six.sin6_addr, 16)
        if six.sin6_scope_id:
            record.flags |= ASK
    elif length > PATH_OFFSET:
        record.flags |= ASK
    return 0


cdef object kept_peer(Kernel kernel, int fd, Record *record):
    """Return the peer of a record as (host, port) or a path, None where it has no name."""
    if record.flags & ASK:
        return peer_name(kernel, fd)
    if record.family == AF_INET or record.family == AF_INET6:
        return _pair(record.family, record.address, record.port)
    return None


cdef object _pair(int family, const void *address, int port):
    cdef char text[TEXT]
    if inet_ntop(family, address, text, TEXT) == NULL:
        return None
    return (<bytes>text).decode("ascii"), port


cdef object name_of(sockaddr_storage *address, socklen_t length):
    """Return a socket's name as (host, port) or a path, None where it has none."""
    cdef sockaddr_in6 *six = <sockaddr_in6 *>address
    cdef sockaddr_in *four = <sockaddr_in *>address
    cdef char interface[IF_NAMESIZE]
    cdef char *path
    if address.ss_family == AF_INET:
        return _pair(AF_INET, &four.sin_addr, ntohs(four.sin_port))
    if address.ss_family == AF_INET6:
        host, port = _pair(AF_INET6, &six.sin6_addr, ntohs(six.sin6_port))
        if six.sin6_scope_id:
            if if_indextoname(six.sin6_scope_id, interface) == NULL:
                return f"{host}%{six.sin6_scope_id}", port
            return f"{host}%{(<bytes>interface).decode()}", port
        return host, port
    if address.ss_family == AF_UNIX and length > PATH_OFFSET:
        path = (<sockaddr_un *>address).sun_path
        if path[0]:
            return os.fsdecode(<bytes>path)
        return os.fsdecode((path)[: length - PATH_OFFSET])
    return None


cdef object local_name(Kernel kernel, int fd):
    """Ask for a socket's own name."""
    cdef sockaddr_storage address
    cdef socklen_t length = sizeof(address)
    return None if kernel.getsockname(fd, &address, &length) < 0 else name_of(&address, length)


cdef object peer_name(Kernel kernel, int fd):
    """Ask for the name of a socket's peer."""
    cdef sockaddr_storage address
    cdef socklen_t length = sizeof(address)
    return None if kernel.getpeername(fd, &address, &length) < 0 else name_of(&address, length)
