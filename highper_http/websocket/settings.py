"""What is decided about the WebSockets of a route before one is opened."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from ..errors import SetupError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from highper_core.limits import Limits
    from highper_core.permessage_deflate import DeflateSettings

__all__ = ["Policy", "SocketSettings", "listed"]


class Policy(IntEnum):
    """What becomes of messages that a slow peer has no room for.

    BLOCK: who sends waits. DROP_OLDEST: the oldest that waits is dropped. CONFLATE: a message replaces the one of its
    key that waits. CLOSE: the WebSocket is closed with 1013.
    """

    BLOCK = 0
    DROP_OLDEST = 1
    CONFLATE = 2
    CLOSE = 3

    @classmethod
    def named(cls, name: str) -> Policy:
        """Return the policy of that name: "block", "drop-oldest", "conflate" or "close".

        Raises:
            SetupError: there is none.
        """
        for policy in cls:
            if policy.name.lower().replace("_", "-") == name:
                return policy
        raise SetupError(f"a send policy is block, drop-oldest, conflate or close, not {name!r}")


def listed(subprotocols: Iterable[str]) -> tuple[str, ...]:
    """Return names of subprotocols.

    Raises:
        TypeError: it is one name, whose letters would be names.
    """
    if isinstance(subprotocols, (str, bytes)):
        raise TypeError(f"subprotocols are a list of names, not {subprotocols!r}")
    return tuple(subprotocols)


class SocketSettings:
    """Settings that the WebSockets of a route, or of a client, share.

    Args:
        policy: name of a `Policy`.
        limits: bounds; None for those of the server.
        deflate: compression to agree on; None for none.
        subprotocols: those spoken here; of them the first that the client names is chosen.

    Raises:
        SetupError: there is no such policy.
        TypeError: `subprotocols` is no list.
    """

    __slots__ = ("policy", "limits", "deflate", "subprotocols")

    def __init__(
        self,
        *,
        policy: str = "block",
        limits: Limits | None = None,
        deflate: DeflateSettings | None = None,
        subprotocols: Iterable[str] = (),
    ) -> None:
        self.policy = Policy.named(policy)
        self.limits = limits
        self.deflate = deflate
        self.subprotocols = listed(subprotocols)
