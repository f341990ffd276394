"""The HTTP layer: applications, routers, requests and responses, and the server that runs them."""

from highper_core.limits import Limits

from .app import App
from .errors import (
    BadRequest,
    ConfigError,
    Conflict,
    ContentTooLarge,
    Forbidden,
    Gone,
    HTTPError,
    InternalServerError,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    RequestTimeout,
    ResponseError,
    RouteConflict,
    ServiceUnavailable,
    SetupError,
    StartupFailed,
    TooManyRequests,
    Unauthorized,
    UnprocessableContent,
    UnsupportedMediaType,
    WebSocketClosed,
)
from .forms import FormData, FormLimits, UploadFile
from .middleware import Middleware, Next
from .request import Request
from .response import Response
from .routing import Route, Router
from .server import Server
from .websocket import Backoff, WebSocket, WebSocketDenied, WebSocketListener, connect

__all__ = [
    "App",
    "Backoff",
    "BadRequest",
    "ConfigError",
    "Conflict",
    "ContentTooLarge",
    "Forbidden",
    "FormData",
    "FormLimits",
    "Gone",
    "HTTPError",
    "InternalServerError",
    "Limits",
    "MethodNotAllowed",
    "Middleware",
    "Next",
    "NotAcceptable",
    "NotFound",
    "Request",
    "RequestTimeout",
    "Response",
    "ResponseError",
    "Route",
    "RouteConflict",
    "Router",
    "Server",
    "ServiceUnavailable",
    "SetupError",
    "StartupFailed",
    "TooManyRequests",
    "Unauthorized",
    "UnprocessableContent",
    "UnsupportedMediaType",
    "UploadFile",
    "WebSocket",
    "WebSocketClosed",
    "WebSocketDenied",
    "WebSocketListener",
    "connect",
]
