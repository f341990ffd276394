"""How a stream is secured: contexts with our defaults, and the time a handshake may take."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

__all__ = ["TLS", "client_context", "server_context"]

ALPN = ("http/1.1",)


@dataclass(frozen=True, slots=True)
class TLS:
    """A context and the bound of its handshake.

    Args:
        context: from `server_context`, `client_context`, or made elsewhere.
        handshake_timeout: seconds.
        server_hostname: for a CLIENT: the name the certificate must carry; None for the address connected to.
    """

    context: ssl.SSLContext
    handshake_timeout: float = 10.0
    server_hostname: str | None = None


def server_context(
    certificate: str,
    key: str | None = None,
    *,
    password: str | None = None,
    client_authority: str | None = None,
    alpn: tuple[str, ...] = ALPN,
) -> ssl.SSLContext:
    """Return a context for accepting: TLS 1.2 and later, no compression, no renegotiation.

    Args:
        certificate: PEM file with the chain.
        key: PEM file with its private key; None where the chain's file holds it.
        password: of the key.
        client_authority: PEM file; clients must then present a certificate it signed.
        alpn: protocols in our order of preference.

    Raises:
        OSError, ssl.SSLError: a file cannot be read or does not fit the other.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key, password)
    if client_authority is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_authority)
    context.set_alpn_protocols(list(alpn))
    return context


def client_context(*, authority: str | None = None, alpn: tuple[str, ...] = ALPN) -> ssl.SSLContext:
    """Return a context for connecting that verifies the peer, by `authority` (PEM file) or the system's store."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(list(alpn))
    return context
