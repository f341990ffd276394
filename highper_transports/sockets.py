"""Where to listen: addresses as text, and the listening sockets they mean.

host:port  [::1]:8080  :8080     TCP; an empty host or * is every interface, both families
unix:/run/app.sock               a Unix socket; a stale file is replaced, a live one is not
fd://3                           a listening socket that was inherited
"""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
import sys
from dataclasses import dataclass
from typing import Any

from .errors import BindingInvalid
from .tls import TLS
from .trust import TrustedPeers

__all__ = ["Binding", "address_of", "most_connections", "parse_binding", "peer_name"]

BACKLOG = 2048
SPARE_DESCRIPTORS = 64  # for listeners, files, name look-ups and what the application opens


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """One place to listen at: TCP, a Unix path, or an inherited descriptor.

    Args:
        host: name or address; "" for every interface.
        port: 0 for a free one.
        path: of a Unix socket, instead of host and port.
        fd: of a listening socket, instead of either. It is duplicated; the caller's stays open.
        mode: permissions of the Unix socket's file.
        backlog: connections the system holds before we accept them.
        reuse_port: let several processes bind the same port (SO_REUSEPORT).
        tls: how streams are secured; None for plain ones.
        proxy_protocol: proxies that announce their clients by a PROXY header, before TLS; nobody else is let in.

    Raises:
        BindingInvalid: more than one kind of place, a port out of range, or nobody to believe a PROXY header from.
    """

    host: str = ""
    port: int = 0
    path: str | None = None
    fd: int | None = None
    mode: int = 0o666
    backlog: int = BACKLOG
    reuse_port: bool = False
    tls: TLS | None = None
    proxy_protocol: TrustedPeers | None = None

    def __post_init__(self) -> None:
        places = (self.path is not None) + (self.fd is not None) + bool(self.host or self.port)
        if places > 1:
            raise BindingInvalid("a binding is a host and port, a path, or a descriptor, not several of them")
        if not 0 <= self.port <= 65535:
            raise BindingInvalid(f"a port is from 0 to 65535, not {self.port}")
        if self.proxy_protocol is not None and not self.proxy_protocol:
            raise BindingInvalid("the PROXY protocol needs proxies that are trusted: name their addresses")

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}"
        if self.fd is not None:
            return f"fd://{self.fd}"
        host = f"[{self.host}]" if ":" in self.host else self.host or "*"
        return f"{host}:{self.port}"

    def open(self) -> list[socket.socket]:
        """Return listening, non-blocking sockets: several where a name means several addresses.

        Raises:
            BindingInvalid: the place cannot be listened at; the cause is attached.
        """
        try:
            if self.fd is not None:
                return [self._inherited(self.fd)]
            if self.path is not None:
                return [self._unix(self.path)]
            return self._tcp()
        except OSError as error:
            raise BindingInvalid(f"cannot listen at {self}: {error.strerror or error}") from error

    def _inherited(self, fd: int) -> socket.socket:
        listener = socket.socket(fileno=os.dup(fd))
        try:
            if listener.type != socket.SOCK_STREAM:
                raise OSError(errno.EINVAL, "not a stream socket")
            if not listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                listener.listen(self.backlog)
            listener.setblocking(False)
        except BaseException:
            listener.close()
            raise
        return listener

    def _unix(self, path: str) -> socket.socket:
        if not path.startswith("\0"):
            _remove_stale(path)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(path)
            if not path.startswith("\0"):
                os.chmod(path, self.mode)
            listener.listen(self.backlog)
            listener.setblocking(False)
        except BaseException:
            listener.close()
            raise
        return listener

    def _tcp(self) -> list[socket.socket]:
        if self.host in ("", "*"):
            if socket.has_dualstack_ipv6():
                try:
                    return [self._bind(socket.AF_INET6, ("::", self.port), dual_stack=True)]
                except OSError as error:  # a machine may know the family and have no address of it
                    if error.errno == errno.EADDRINUSE:
                        raise
            return [self._bind(socket.AF_INET, ("0.0.0.0", self.port))]
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        listeners: list[socket.socket] = []
        port = self.port
        failure: OSError | None = None
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                listener = self._bind(family, (address[0], port, *address[2:]))
            except OSError as error:
                failure = error
                if error.errno == errno.EADDRINUSE:
                    break
                continue  # a name may mean a family this machine has no address of
            listeners.append(listener)
            port = port or listener.getsockname()[1]  # every address of a name gets the same free port
        if failure is not None and (failure.errno == errno.EADDRINUSE or not listeners):
            for listener in listeners:
                listener.close()
            raise failure
        return listeners

    def _bind(self, family: int, address: tuple[Any, ...], *, dual_stack: bool = False) -> socket.socket:
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio looks at it for TCP_NODELAY
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if self.reuse_port:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual_stack)
            listener.bind(address)
            listener.listen(self.backlog)
            listener.setblocking(False)
        except BaseException:
            listener.close()
            raise
        return listener


def parse_binding(text: str, *, tls: TLS | None = None) -> Binding:
    """Return the binding that `text` means: `host:port`, `[::1]:port`, `:port`, `unix:/path` or `fd://N`.

    Raises:
        BindingInvalid: it is none of these.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if path:
            return Binding(path=path, tls=tls)
    elif text.startswith("fd://"):
        number = text.removeprefix("fd://")
        if number.isascii() and number.isdigit():
            return Binding(fd=int(number), tls=tls)
    else:
        host, colon, port = text.rpartition(":")
        bracketed = host.startswith("[") and host.endswith("]")
        if colon and port.isascii() and port.isdigit() and (bracketed or ":" not in host):
            host = host[1:-1] if bracketed else host
            return Binding(host="" if host == "*" else host, port=int(port), tls=tls)
    raise BindingInvalid(f"not an address to listen at: {text!r} (host:port, [::1]:port, unix:/path or fd://N)")


def most_connections() -> int:
    """Return how many streams this process can hold open: its limit of descriptors, some left to spare."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if limit == resource.RLIM_INFINITY else max(1, limit - SPARE_DESCRIPTORS)


def address_of(listener: Any) -> Any:
    """Return what a socket is bound to: (host, port), or a path."""
    return peer_name(listener.getsockname())


def peer_name(name: Any) -> Any:
    """Return a socket's name as (host, port) or a path, None where it has none."""
    if isinstance(name, tuple):
        return name[:2]
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    return name or None


def _remove_stale(path: str) -> None:
    """Remove a socket file that nobody listens at.

    Raises:
        OSError: somebody does, or it is not a socket.
    """
    try:
        is_socket = stat.S_ISSOCK(os.stat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise OSError(errno.EEXIST, "a file that is no socket is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
    raise OSError(errno.EADDRINUSE, "somebody listens there")
