"""How a place that is listened at is called, for people."""

from __future__ import annotations

from typing import Any

from highper_transports.sockets import Binding

__all__ = ["describe"]


def describe(binding: Binding, address: Any, *, secure: bool = False) -> str:
    """Return the URL of a place that is listened at.

    Args:
        binding: what was asked for.
        address: what it got: (host, port), or a path.
        secure: TLS is spoken there even if the binding does not say so.
    """
    scheme = "https" if secure or binding.tls is not None else "http"
    if not isinstance(address, tuple):
        return f"{scheme}+unix:{address}"
    host, port = address
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
