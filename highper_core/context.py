"""The record of one request: everything that belongs to it, listed once.

Request and response objects are made by the layer above; the record only holds them. It is taken from a pool when the
head of a request has arrived and given back when its exchange is over.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import Context
from typing import TYPE_CHECKING, Any

__all__ = ["Locals", "Part", "RequestContext"]


class Locals:
    """What middleware and handlers leave for each other: attributes and items are the same thing."""

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def __delitem__(self, name: str) -> None:
        del self.__dict__[name]

    def __contains__(self, name: object) -> bool:
        return name in self.__dict__

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict__)

    def __len__(self) -> int:
        return len(self.__dict__)

    def get(self, name: str, default: Any = None) -> Any:
        """Return what was left under `name`, or `default`."""
        return self.__dict__.get(name, default)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...

    def __repr__(self) -> str:
        return f"Locals({self.__dict__!r})"


class Part:
    """A part of a record, made by the layer above: its request, or its response."""

    __slots__ = ()

    def _detach(self) -> None:
        """Let go of what outlives the request. The rest can still be read."""
        raise NotImplementedError

    def _reset(self) -> None:
        """Become as newly made; for a pool."""
        raise NotImplementedError


class RequestContext:
    """One request.

    Attributes:
        id: unique in this process; 0 while the record is in a pool.
        request, response: objects of the layer above, reused with the record.
        locals: what middleware and handlers leave for each other; made at first use and never reused.
        connection: protocol state of the peer pair, or None.
        exchange: the exchange that carries the request, or None.
        task: the task that runs the handler, or None.
        variables: the `contextvars.Context` the handler runs in, or None.
    """

    __slots__ = ("_locals", "connection", "exchange", "id", "request", "response", "task", "variables")

    def __init__(self, request: Part, response: Part) -> None:
        self.id = 0
        self.request: Any = request
        self.response: Any = response
        self._locals: Locals | None = None
        self.connection: Any = None
        self.exchange: Any = None
        self.task: Any = None
        self.variables: Context | None = None

    @property
    def locals(self) -> Locals:
        """What middleware and handlers leave for each other."""
        found = self._locals
        if found is None:
            found = self._locals = Locals()
        return found

    def detach(self) -> None:
        """Let go of what outlives the request, here and in the objects held. The rest can still be read."""
        self.connection = None
        self.exchange = None
        self.task = None
        self.variables = None
        self.request._detach()
        self.response._detach()

    def reset(self) -> None:
        """Become as newly made."""
        self.id = 0
        self.connection = None
        self.exchange = None
        self.task = None
        self.variables = None
        self.request._reset()
        self.response._reset()
        self._locals = None

    def __repr__(self) -> str:
        return f"<RequestContext {self.id}>"
