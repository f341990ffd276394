# cython: annotation_typing=False
"""The WebSocket that a listener's callbacks are given."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Final

from highper_core.frames import CloseCode

from .._native import call_in, copy_of
from .listener import WebSocketListener
from .settings import Policy
from .speaker import Speaker

if TYPE_CHECKING:
    from highper_transports.stream import Stream

    from .opened import Opened
    from .settings import SocketSettings
    from .site import Site

__all__ = ["Callbacks", "ListenedSocket"]

logger = logging.getLogger("highper.error")

BLOCK: Final = int(Policy.BLOCK)


class Callbacks:
    """A listener's methods, looked up once.

    Attributes:
        listener: whose.
        site: of the server; None until there is one.
        text, data: told of messages.
    """

    __slots__ = ("data", "listener", "site", "text")

    def __init__(self, listener: WebSocketListener, site: Site | None) -> None:
        kind = type(listener)
        self.listener = listener
        self.site: Any = site
        whole = listener.on_message
        self.text: Any = whole if kind.on_text is WebSocketListener.on_text else listener.on_text
        self.data: Any = whole if kind.on_bytes is WebSocketListener.on_bytes else listener.on_bytes


class ListenedSocket(Speaker):
    """One WebSocket of a listener: all of a WebSocket but receiving.

    Where the policy is to block, it is not read from while the peer does not take what is sent.

    While its stream dozes, a context in which nothing was set is not kept: another copy says the same.
    """

    __slots__ = ("_callbacks", "_variables")

    def __init__(self, settings: SocketSettings, opened: Opened, callbacks: Callbacks, variables: Context) -> None:
        Speaker.__init__(self, settings, opened)
        self._callbacks = callbacks
        self._variables: Context = variables

    # What comes, from the driver

    def opened(self) -> None:
        """Tell so, and let go of the request."""
        listener = self._callbacks.listener
        self._call(listener.on_open)
        if not listener.keep_request:
            opened = self._opened
            self._opened = None
            if opened is not None and (opened.subprotocol is not None or opened.locals is not None):
                extras = self._have_extras()
                extras.subprotocol = opened.subprotocol
                extras.locals = extras.locals or opened.locals

    def arrived(self, content: Any, finished: bool) -> None:
        """Tell of a message."""
        if self.shut:
            return
        callbacks = self._callbacks
        try:
            call_in(self._variables, callbacks.text if type(content) is str else callbacks.data, self, content)
        except Exception as error:
            self._failed(error)
        if self.pressed and self._settings.policy == BLOCK:
            self.full = True

    def pinged(self, data: bytes) -> None:
        """Tell of a Ping."""
        self._call(self._callbacks.listener.on_ping, data)

    def ponged(self, data: bytes) -> None:
        """Tell of a Pong."""
        Speaker.ponged(self, data)
        self._call(self._callbacks.listener.on_pong, data)

    def relieved(self) -> None:
        """Send what waits, and read on."""
        Speaker.relieved(self)
        if not self.pressed:
            self.make_room()
            if self._backlog is None:
                self._call(self._callbacks.listener.on_writable)

    def ending(self, code: int, reason: str) -> None:
        """Tell of the end."""
        Speaker.ending(self, code, reason)
        if self.core is not None:  # it was opened
            self._call(self._callbacks.listener.on_close, self.close_code, self.close_reason)

    # Dozing

    def _doze(self) -> bool:
        if not Speaker._doze(self):
            return False
        if _adds_nothing(self._variables, self._callbacks.site.variables):
            self._variables = None  # type: ignore[assignment]
        return True

    def woken(self, stream: Stream) -> None:
        """Have a stream and a context again."""
        self._have_variables()
        Speaker.woken(self, stream)

    def _have_variables(self) -> None:
        if self._variables is None:
            self._variables = copy_of(self._callbacks.site.variables)

    def _call(self, callback: Callable[..., object], *args: Any) -> None:
        self._have_variables()
        try:
            self._variables.run(callback, self, *args)
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        logger.error("a callback of %s failed", type(self._callbacks.listener).__qualname__, exc_info=error)
        self._shut(CloseCode.INTERNAL_ERROR.value)


def _adds_nothing(variables: Context, base: Context) -> bool:
    """Whether a context holds the very values of the one it is a copy of."""
    if len(variables) != len(base):
        return False
    return all(base.get(variable, base) is value for variable, value in variables.items())
