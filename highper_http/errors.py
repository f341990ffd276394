"""What an application raises to answer, and what goes wrong before it can run.

    HighperError                          highper_core
    ├─ HTTPError(status, detail)          answered with that status
    │  ├─ BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · MethodNotAllowed 405
    │  ├─ NotAcceptable 406 · RequestTimeout 408 · Conflict 409 · Gone 410 · ContentTooLarge 413
    │  ├─ UnsupportedMediaType 415 · UnprocessableContent 422 · TooManyRequests 429
    │  └─ InternalServerError 500 · ServiceUnavailable 503
    ├─ SetupError                         at registration or start-up only
    │  ├─ RouteConflict                   two routes that no request could tell apart
    │  ├─ ConfigError                     an option that cannot be honoured
    │  └─ StartupFailed                   the application's own start-up code raised
    ├─ ResponseError                      a handler used its response wrongly
    └─ WebSocketClosed(code, reason)      no message can be received or sent any more

The detail of a 4xx is told to the client; the text of a 5xx stays in the log, unless the application runs in
developer mode.
"""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from highper_core.errors import HighperError
from highper_core.frames import CloseCode

__all__ = [
    "BadRequest",
    "ConfigError",
    "Conflict",
    "ContentTooLarge",
    "Forbidden",
    "Gone",
    "HTTPError",
    "InternalServerError",
    "MethodNotAllowed",
    "NotAcceptable",
    "NotFound",
    "RequestTimeout",
    "ResponseError",
    "RouteConflict",
    "ServiceUnavailable",
    "SetupError",
    "StartupFailed",
    "TooManyRequests",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "WebSocketClosed",
    "phrase",
]


def phrase(status: int) -> str:
    """Return the registered reason phrase of `status`, or its class's name."""
    if status in _RENAMED:
        return _RENAMED[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Client Error" if 400 <= status < 500 else "Server Error" if status >= 500 else "Unknown"


# RFC 9110 names that the standard library still spells the older way
_RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}


class HTTPError(HighperError):
    """The answer is an error, and this is which one.

    Args:
        status: 400 to 599.
        detail: one sentence for the client; kept from it when `status` is 500 or above.
        headers: field lines the answer carries besides its own.

    Raises:
        ValueError: `status` is not an error's.
    """

    def __init__(self, status: int, detail: str = "", *, headers: Iterable[tuple[str, str]] = ()) -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"an HTTPError has a status from 400 to 599, not {status!r}")
        super().__init__(detail or phrase(status))
        self.status = status
        self.detail = detail
        self.headers = list(headers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status}, {self.detail!r})"


class _Named(HTTPError):
    """An error whose class says its status."""

    code = 500

    def __init__(self, detail: str = "", *, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(self.code, detail, headers=headers)


class BadRequest(_Named):
    """400: the request cannot be understood. Source: RFC 9110 section 15.5.1."""

    code = 400


class Unauthorized(_Named):
    """401: credentials are missing or wrong.

    Args:
        challenge: value of the WWW-Authenticate field, which such an answer must carry.

    Source: RFC 9110 section 15.5.2.
    """

    code = 401

    def __init__(self, detail: str = "", *, challenge: str = "Bearer", headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(detail, headers=[("www-authenticate", challenge), *headers])


class Forbidden(_Named):
    """403: understood and refused."""

    code = 403


class NotFound(_Named):
    """404: nothing lives there."""

    code = 404


class MethodNotAllowed(_Named):
    """405: something lives there, and does not take this method.

    Args:
        allow: methods it does take.

    Source: RFC 9110 section 15.5.6.
    """

    code = 405

    def __init__(self, allow: Iterable[str], detail: str = "", *, headers: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(detail, headers=[("allow", ", ".join(allow)), *headers])


class NotAcceptable(_Named):
    """406: no representation that the client would take."""

    code = 406


class RequestTimeout(_Named):
    """408: the request did not arrive in time."""

    code = 408


class Conflict(_Named):
    """409: at odds with the state of the resource."""

    code = 409


class Gone(_Named):
    """410: it lived there once."""

    code = 410


class ContentTooLarge(_Named):
    """413: more content than the route takes."""

    code = 413


class UnsupportedMediaType(_Named):
    """415: content in a form the route does not read."""

    code = 415


class UnprocessableContent(_Named):
    """422: content of the right form that says something impossible."""

    code = 422


class _Later(_Named):
    """An error that says when to come back."""

    def __init__(
        self, detail: str = "", *, retry_after: int | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        lines = [] if retry_after is None else [("retry-after", str(retry_after))]
        super().__init__(detail, headers=[*lines, *headers])


class TooManyRequests(_Later):
    """429: slow down. `retry_after` is in seconds. Source: RFC 6585 section 4."""

    code = 429


class InternalServerError(_Named):
    """500: our fault."""

    code = 500


class ServiceUnavailable(_Later):
    """503: not now. `retry_after` is in seconds."""

    code = 503


class SetupError(HighperError):
    """The application is put together wrongly. Raised at registration or start-up, never for a request."""


class RouteConflict(SetupError):
    """Two routes that no request could tell apart, or two with one name."""


class ConfigError(SetupError):
    """An option that cannot be honoured; the text says which and why."""


class StartupFailed(SetupError):
    """The application's own start-up code raised; the cause is attached."""


class ResponseError(HighperError):
    """A response was used out of order: finished twice, or changed after its head had left."""


class WebSocketClosed(HighperError):
    """No message comes any more, and none can be sent. That is how most WebSockets end.

    Args:
        code: close code; 1006 where the stream ended without the closing handshake.
        reason: the peer's, or ours.

    Source: RFC 6455 sections 7.1.5 and 7.1.6.
    """

    def __init__(self, code: int = 1006, reason: str = "") -> None:
        super().__init__(f"the WebSocket is closed: {code}{f' {reason!r}' if reason else ''}")
        self.code = code
        self.reason = reason

    @property
    def is_clean(self) -> bool:
        """Whether the peers had said all they wanted: 1000, 1001, or no code."""
        return self.code in (CloseCode.NORMAL, CloseCode.GOING_AWAY, CloseCode.NO_STATUS)
