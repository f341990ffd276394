"""Which engines there are, and which one is used.

`fast` is compiled; `portable` reads with h11 behind a strict gate. Both show the same events, states, faults and bytes.
An explicit name wins over the environment variable HIGHPER_ENGINE, which wins over `auto`: fast where it is built, else
portable. Fast demanded and missing is an error, never a silent fallback. An engine is imported when it is first used.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..errors import EngineUnavailable
from ..limits import Limits

if TYPE_CHECKING:
    from ..connection import Connection
    from ..permessage_deflate import Deflate
    from ..state import Role
    from ..websocket import MaskSource, WebSocket

__all__ = ["AUTO", "ENGINES", "Engine", "HttpConnection", "WebSocketConnection", "available", "engine"]

AUTO: Final = "auto"
VARIABLE: Final = "HIGHPER_ENGINE"

ENGINES: Final = {
    "fast": ("highper_core.engines.fast._http", "FastHttpConnection"),
    "portable": ("highper_core.engines.portable.http", "PortableHttpConnection"),
}
"""Module and class of each engine's HTTP connection, in the order of preference."""

WEBSOCKETS: Final = {
    "fast": ("highper_core.engines.fast._websocket", "FastWebSocket"),
    "portable": ("highper_core.engines.portable.websocket", "PortableWebSocket"),
}
"""The same of its WebSockets, which are imported when the first one is made."""

_DEFAULT_LIMITS: Final = Limits()
_loaded: dict[str, Engine] = {}


class Engine:
    """A provider of connections; provides `interfaces.IEngine`.

    Args:
        name: its name in the registry.
        http_connection: class of its HTTP connections.
        websocket_connection: class of its WebSockets; None for that of the engine which is called `name` here.
    """

    __slots__ = ("name", "http_connection", "_websocket")

    def __init__(
        self, name: str, http_connection: type[Connection], websocket_connection: type[WebSocket] | None = None
    ) -> None:
        self.name = name
        self.http_connection = http_connection
        self._websocket = websocket_connection

    def http(self, role: Role, limits: Limits) -> Connection:
        """Return a fresh HTTP connection."""
        return self.http_connection(role, limits)

    def websocket(
        self,
        role: Role,
        limits: Limits,
        deflate: Deflate | None = None,
        mask_source: MaskSource | None = None,
        gather: bool = True,
    ) -> WebSocket:
        """Return a fresh WebSocket, whose opening handshake is done.

        Raises:
            EngineUnavailable: it cannot be loaded, or this engine has none.
        """
        if self._websocket is None:
            if self.name not in WEBSOCKETS:
                raise EngineUnavailable(f"the engine {self.name!r} has no WebSockets")
            self._websocket = _imported(self.name, *WEBSOCKETS[self.name])
        return self._websocket(role, limits, deflate, mask_source, gather)

    def __repr__(self) -> str:
        return f"<Engine {self.name}>"


def engine(name: str = AUTO) -> Engine:
    """Return the engine called `name`, imported at first use.

    Args:
        name: "fast", "portable" or "auto".

    Raises:
        EngineUnavailable: there is no such engine, or it cannot be loaded.
    """
    if name == AUTO:
        name = os.environ.get(VARIABLE) or AUTO
    if name == AUTO:
        try:
            return _load("fast")
        except EngineUnavailable:
            return _load("portable")
    return _load(name)


def available() -> dict[str, str | None]:
    """Return, for each engine, None when it can be used or the reason why not. Imports all of them."""
    reasons: dict[str, str | None] = {}
    for name in ENGINES:
        try:
            _load(name)
        except EngineUnavailable as error:
            reasons[name] = str(error)
        else:
            reasons[name] = None
    return reasons


def HttpConnection(role: Role, engine: str = AUTO, limits: Limits | None = None) -> Connection:
    """Return a fresh HTTP connection.

    Args:
        role: our side.
        engine: "fast", "portable" or "auto".
        limits: bounds it obeys; None for the defaults.

    Raises:
        EngineUnavailable: there is no such engine, or it cannot be loaded.
    """
    return _choose(engine).http(role, _DEFAULT_LIMITS if limits is None else limits)


def WebSocketConnection(
    role: Role,
    engine: str = AUTO,
    limits: Limits | None = None,
    *,
    deflate: Deflate | None = None,
    mask_source: MaskSource | None = None,
    gather: bool = True,
) -> WebSocket:
    """Return a fresh WebSocket, whose opening handshake is done.

    Args:
        role: our side.
        engine: "fast", "portable" or "auto".
        limits: bounds it obeys; None for the defaults.
        deflate: the compression that was agreed on, None for none.
        mask_source: where a CLIENT's masking keys come from, as `os.urandom`; a SERVER has none.
        gather: show messages whole; else what there is of them, as it comes.

    Raises:
        EngineUnavailable: there is no such engine, or it cannot be loaded.
        ValueError: a CLIENT without a mask source, or a SERVER with one.
    """
    bounds = _DEFAULT_LIMITS if limits is None else limits
    return _choose(engine).websocket(role, bounds, deflate, mask_source, gather)


_choose = engine


def _load(name: str) -> Engine:
    found = _loaded.get(name)
    if found is None:
        if name not in ENGINES:
            raise EngineUnavailable(f"no engine is called {name!r}; there are {', '.join(ENGINES)}")
        found = _loaded[name] = Engine(name, _imported(name, *ENGINES[name]))
    return found


def _imported(name: str, module: str, attribute: str) -> Any:
    """Return a class of the engine called `name`."""
    try:
        return getattr(import_module(module), attribute)
    except ImportError as error:
        absent = isinstance(error, ModuleNotFoundError) and error.name == module
        why = "it was not built, which takes a C compiler when Highper is installed" if absent else str(error)
        raise EngineUnavailable(f"the {name} engine cannot be loaded: {why}") from error
