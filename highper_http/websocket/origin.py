"""Whose pages may open a WebSocket.

A browser lets any page open one to any server, with the user's cookies, and tells whose page it is. So a server that
believes in cookies judges that itself (RFC 6455 section 10.2). Who is no browser need not say where it comes from, and
could say anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import SetupError

__all__ = ["Origins"]

_DEFAULT_PORTS = {"http": ":80", "https": ":443", "ws": ":80", "wss": ":443"}


class Origins:
    """Origins that are let in.

    Args:
        allowed: origins as browsers write them, "https://example.com:8443"; "*" for all; None for pages of the very
            host and port that is asked, by whatever scheme.

    Raises:
        SetupError: what is no origin.
    """

    __slots__ = ("_allowed", "_every")

    def __init__(self, allowed: str | Iterable[str] | None = None) -> None:
        self._every = allowed == "*"
        self._allowed: frozenset[str] | None = None
        if allowed is not None and not self._every:
            names = [allowed] if isinstance(allowed, str) else list(allowed)
            for name in names:
                scheme, separator, authority = name.partition("://")
                if name != "null" and not (scheme and separator and authority and "/" not in authority):
                    raise SetupError(f"an origin is written as 'https://a.example', not {name!r}")
            self._allowed = frozenset(map(_canonical, names))

    def allow(self, origin: str | None, host: str) -> bool:
        """Tell whether a page may open a WebSocket.

        Args:
            origin: value of Origin; None where there is none.
            host: authority that was asked.
        """
        if origin is None or self._every:
            return True
        origin = _canonical(origin)
        if self._allowed is not None:
            return origin in self._allowed
        scheme, _, authority = origin.partition("://")
        return bool(authority) and authority == _canonical(f"{scheme}://{host}").partition("://")[2]


def _canonical(origin: str) -> str:
    origin = origin.lower()
    return origin.removesuffix(_DEFAULT_PORTS.get(origin.partition(":")[0], " "))
