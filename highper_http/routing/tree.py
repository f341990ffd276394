"""The segment tree of parameter routes, made deterministic at start-up.

Patterns of one method form a tree, one level per segment. Where a path fits a static child and a parameter alike,
searching such a tree means trying one and coming back for the other, which costs a power of the path's length for
unlucky routes. So the search is done before the first request: a `State` is the set of tree nodes that a path can
have reached, and one step, decided by one segment alone, leads to the next. Matching takes each segment once and never
turns back; its cost is the number of segments and does not depend on the number of routes.

A state remembers the catch-all that serves when the path goes on where no pattern does, and the route that serves when
it ends; both are the preferred ones of all that match (`Pattern.precedence`), which is what searching with coming back
would have found.

Distinct sets of nodes can, for patterns that overlap in many segments at once, become too many. Start-up counts them
and refuses such routes; no request pays for them.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import SetupError
from .kinds import Kind, classify
from .pattern import Segment
from .route import Route

__all__ = ["State", "build"]

STEPS = 500_000  # the most transitions a table may need; an application of 10,000 routes needs about 20,000


class State:
    """A set of tree nodes a path can have reached.

    Attributes:
        static: the next state, by the bytes of the next segment.
        parameter: the next state for any other segment that is not empty, or None.
        typed: the next states for an int, a float and a uuid, `parameter`'s routes among them; None where no
            parameter here is typed.
        end: the route that serves when the path ends here, or None.
        rest: the catch-all that serves when the path goes on and no next state does, or None.
    """

    __slots__ = ("static", "parameter", "typed", "end", "rest")

    def __init__(self, end: Route | None, rest: Route | None) -> None:
        self.static: dict[bytes, State] = {}
        self.parameter: State | None = None
        self.typed: tuple[State | None, ...] | None = None
        self.end = end
        self.rest = rest


class _Node:
    """A node of the tree: what may follow one sequence of segments."""

    __slots__ = ("static", "kinds", "route", "rest", "number")

    def __init__(self, number: int) -> None:
        self.static: dict[bytes, _Node] = {}
        self.kinds: dict[int, _Node] = {}
        self.route: Route | None = None
        self.rest: Route | None = None
        self.number = number


def build(routes: Iterable[Route]) -> tuple[State, int]:
    """Return the state before the first segment, and the number of segments of the longest pattern.

    Args:
        routes: no two of one shape.

    Raises:
        SetupError: the routes overlap in too many segments at once.

    Cost: about a microsecond for each transition; for usual routes as many as their segments.
    """
    root = _Node(0)
    count = depth = 0
    for route in routes:
        node = root
        depth = max(depth, len(route.pattern.segments))
        for segment in route.pattern.segments:
            if segment.kind is Kind.REST:
                node.rest = route
                break
            count += 1
            node = _child(node, segment, count)
        else:
            node.route = route
    return _determine(root), depth


def _child(node: _Node, segment: Segment, number: int) -> _Node:
    if segment.kind is Kind.STATIC:
        return node.static.setdefault(segment.static, _Node(number))
    return node.kinds.setdefault(segment.kind, _Node(number))


class _Builder:
    """Makes the state of each set of nodes once, and lists those whose steps are still to be found."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[int, ...], int], State] = {}
        self.waiting: list[tuple[State, list[_Node]]] = []
        self._steps = 0

    def reach(self, nodes: list[_Node], inherited: Route | None) -> State:
        """Return the state of `nodes`, reached where `inherited` is the preferred catch-all so far."""
        self._steps += 1
        if self._steps > STEPS:
            raise SetupError("the routes overlap in too many segments at once: give some of them a static segment")
        key = tuple(sorted([node.number for node in nodes])), id(inherited)
        state = self._known.get(key)
        if state is None:
            before = [] if inherited is None else [inherited]
            ends = [node.route for node in nodes if node.route is not None]
            rests = [node.rest for node in nodes if node.rest is not None]
            state = self._known[key] = State(_preferred(ends + before), _preferred(rests + before))
            self.waiting.append((state, nodes))
        return state


def _determine(root: _Node) -> State:
    builder = _Builder()
    start = builder.reach([root], None)
    while builder.waiting:
        state, nodes = builder.waiting.pop()
        for key in {key: None for node in nodes for key in node.static}:
            found = [node.static[key] for node in nodes if key in node.static]
            found += _takers(nodes, classify(key)) if key else []
            state.static[key] = builder.reach(found, state.rest)
        untyped = _takers(nodes, Kind.STR)
        if untyped:
            state.parameter = builder.reach(untyped, state.rest)
        if any(kind < Kind.STR for node in nodes for kind in node.kinds):
            typed = [_takers(nodes, kind) for kind in (Kind.INT, Kind.FLOAT, Kind.UUID)]
            state.typed = tuple([builder.reach(found, state.rest) if found else None for found in typed])
    return start


def _takers(nodes: list[_Node], narrowest: int) -> list[_Node]:
    """Return the parameter children of `nodes` that take a segment of that narrowest kind."""
    return [node.kinds[kind] for node in nodes for kind in _TAKING[narrowest] if kind in node.kinds]


def _preferred(routes: list[Route]) -> Route | None:
    return min(routes, key=_precedence, default=None)


def _precedence(route: Route) -> tuple[int, ...]:
    return route.pattern.precedence


_TAKING: dict[int, tuple[Kind, ...]] = {
    Kind.INT: (Kind.INT, Kind.FLOAT, Kind.STR),
    Kind.FLOAT: (Kind.FLOAT, Kind.STR),
    Kind.UUID: (Kind.UUID, Kind.STR),
    Kind.STR: (Kind.STR,),
}
