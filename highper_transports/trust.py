"""Which peers are believed when they say on whose behalf they come.

127.0.0.1  ::1  10.0.0.0/8  2001:db8::/32     addresses and networks
unix                                          whoever can reach our Unix sockets
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any

from .errors import BindingInvalid

if TYPE_CHECKING:
    from .stream import Stream

__all__ = ["TrustedPeers"]

UNIX = "unix"


@dataclass(frozen=True, slots=True)
class TrustedPeers:
    """Networks, and perhaps those who come over a Unix socket. False when it is nobody.

    An IPv4 address is the same however it is written: a listener of both families shows it as `::ffff:192.0.2.7`.
    """

    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    unix: bool = False

    @classmethod
    def of(cls, peers: str | Iterable[str]) -> TrustedPeers:
        """Return those that `peers` names: several texts, or one with commas between.

        Raises:
            BindingInvalid: an address that is none, or a network with bits set beyond its prefix.
        """
        names = [name.strip() for name in (peers.split(",") if isinstance(peers, str) else peers)]
        return cls(tuple(_network(name) for name in names if name not in ("", UNIX)), UNIX in names)

    def __bool__(self) -> bool:
        return self.unix or bool(self.networks)

    def believes(self, stream: Stream) -> bool:
        """Tell whether the peer of `stream` is one of them.

        It is the peer a PROXY header named, where there was one. Such a peer is never `unix`: the header shows that
        it is not the one who reached our socket.
        """
        return self.admits(stream.peer, stream.local if stream.presented is None else None)

    def admits(self, peer: Any, local: Any) -> bool:
        """Tell whether who comes from `peer` to our socket `local` is one of them."""
        return self.covers(peer[0]) if isinstance(peer, tuple) else self.unix and isinstance(local, str)

    def covers(self, host: str) -> bool:
        """Tell whether the address `host` is in one of the networks. What is no address is in none."""
        address = read_address(host)
        return address is not None and any(address in network for network in self.networks)


def read_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return the address that `text` is, IPv4 where it is one mapped into IPv6; None for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:  # of an interface of somebody's machine, where it means something
            return None
        return address.ipv4_mapped or address
    return address


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(text)
    except ValueError as error:
        raise BindingInvalid(f"not an address, a network or the word unix: {text!r} ({error})") from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is not None and network.prefixlen >= 96:
        return IPv4Network((mapped, network.prefixlen - 96))
    return network
