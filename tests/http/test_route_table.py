"""Matching: precedence, decoding, forms of the target, and what it costs."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import highper_http.routing
from highper_http.errors import RouteConflict, SetupError
from highper_http.middleware import compose
from highper_http.routing import Kind, Pattern, Router, RouteTable
from highper_http.routing.kinds import classify


def handler(request: Any) -> None:
    """Do nothing."""


def table(*patterns: str) -> RouteTable:
    router = Router()
    for pattern in patterns:
        router.add("GET", pattern, handler)
    return router.compile(compose)


def matched(routes: RouteTable, target: bytes) -> tuple[str, tuple[Any, ...]]:
    route, values = routes.match(b"GET", target)
    return route.path, values


NONE = ("", ())
BAD = b"the request-target cannot be decoded"


@pytest.mark.parametrize(
    ("patterns", "target", "path", "values"),
    [
        (["/", "/:x"], b"/", "/", ()),
        (["/a"], b"/a?x=/b", "/a", ()),
        (["/a"], b"/a/", "", ()),
        (["/a/"], b"/a", "", ()),
        (["/a/"], b"/a/", "/a/", ()),
        (["/:x"], b"/", "", ()),
        (["/:x"], b"/a/", "", ()),
        (["/:x/"], b"/a/", "/:x/", ("a",)),
        (["/:x"], b"/a//", "", ()),
        (["/:x/:y"], b"//a", "", ()),
        (["/users/me", "/users/:id"], b"/users/me", "/users/me", ()),
        (["/users/me", "/users/:id"], b"/users/you?q", "/users/:id", ("you",)),
        (["/users/me/x", "/users/:id/y"], b"/users/me/y", "/users/:id/y", ("me",)),
        (["/:a/b/:c", "/a/:b/c"], b"/a/b/c", "/a/:b/c", ("b",)),
        (["/:a/b/:c", "/a/:b/c"], b"/a/b/d", "/:a/b/:c", ("a", "d")),
        (["/{n:int}", "/{n:float}", "/{n:uuid}", "/:n"], b"/12", "/{n:int}", (12,)),
        (["/{n:int}", "/{n:float}", "/{n:uuid}", "/:n"], b"/-12", "/{n:int}", (-12,)),
        (["/{n:int}", "/{n:float}", "/{n:uuid}", "/:n"], b"/1.5", "/{n:float}", (1.5,)),
        (["/{n:int}", "/{n:float}", "/{n:uuid}", "/:n"], b"/1.5.", "/:n", ("1.5.",)),
        (["/{n:int}", "/:n"], b"/1.5", "/:n", ("1.5",)),
        (["/{n:float}"], b"/7", "/{n:float}", (7.0,)),
        (["/{n:int}"], b"/+7", "", ()),
        (["/{n:int}"], b"/1_0", "", ()),
        (["/{n:int}"], b"/-", "", ()),
        (["/{n:int}"], "/\u0661".encode(), "", ()),
        (["/{n:int}"], b"/" + b"9" * 40, "", ()),
        (["/{n:float}"], b"/" + b"9" * 400, "", ()),
        (["/{n:int}/x", "/:n/y"], b"/5/y", "/:n/y", ("5",)),
        (["/{n:int}/x", "/{n:float}/y", "/:n/z"], b"/5/z", "/:n/z", ("5",)),
        (["/{n:int}/x", "/{n:float}/y", "/:n/z"], b"/5/y", "/{n:float}/y", (5.0,)),
        (["/5/x", "/{n:int}/y"], b"/5/y", "/{n:int}/y", (5,)),
        (["/f/*rest"], b"/f/a/b//c/", "/f/*rest", ("a/b//c/",)),
        (["/f/*rest"], b"/f/", "/f/*rest", ("",)),
        (["/f/*rest"], b"/f", "", ()),
        (["/*all", "/f/:x/z"], b"/f/1/y", "/*all", ("f/1/y",)),
        (["/*all", "/f/:x/z"], b"/f/1/z", "/f/:x/z", ("1",)),
        (["/*all", "/f/*rest", "/f/:x/z"], b"/f/1/y", "/f/*rest", ("1/y",)),
        (["/*all", "/:x/:y"], b"/f/1/y", "/*all", ("f/1/y",)),
        (["/:x/*rest", "/*all"], b"/f", "/*all", ("f",)),
        (["/a/*rest", "/:x/b"], b"/a/b", "/a/*rest", ("b",)),
        (["/a/:x/*rest", "/a/*rest"], b"/a/", "/a/*rest", ("",)),
    ],
)
def test_the_first_difference_decides(
    patterns: list[str], target: bytes, path: str, values: tuple[object, ...]
) -> None:
    """Static, typed, untyped, catch-all, segment by segment; what does not fit later is found otherwise."""
    for order in itertools.permutations(patterns):
        assert matched(table(*order), target) == (path, values)


@pytest.mark.parametrize(
    ("target", "path", "values"),
    [
        (b"/a%2Fb", "/:x", ("a/b",)),
        (b"/%61/s", "/a/s", ()),
        (b"/%61/%73?%zz", "/a/s", ()),
        (b"/caf%c3%a9", "/caf\u00e9", ()),
        (b"/caf%C3%A9", "/caf\u00e9", ()),
        (b"/%E2%82%AC", "/:x", ("\u20ac",)),
        (b"/a%2fs", "/:x", ("a/s",)),
        (b"/%3A", "/:x", (":",)),
        (b"/a%25%32%35", "/:x", ("a%25",)),
        (b"/..", "/:x", ("..",)),
        (b"/x/%2e%2e/y", "/x/*rest", ("../y",)),
        (b"/x/a%2Fb/c", "/x/*rest", ("a/b/c",)),
        (b"/x/../a/s", "/x/*rest", ("../a/s",)),
    ],
)
def test_decoding_comes_after_splitting(target: bytes, path: str, values: tuple[object, ...]) -> None:
    """An encoded slash splits nothing, equivalent spellings are one (RFC 3986 section 6.2.2), dot segments stay."""
    assert matched(table("/:x", "/a/s", "/caf\u00e9", "/x/*rest"), target) == (path, values)


@pytest.mark.parametrize("path", [b"/%", b"/%4", b"/%zz", b"/a%", b"/%ff", b"/x/%c3", b"/s/%c3/%a9", b"/%00", b"/\xff"])
def test_what_cannot_be_decoded_is_a_bad_request(path: bytes) -> None:
    """Malformed percent-encoding, octets that are not UTF-8, and NUL: 400, wherever a route might be."""
    routes = table("/:x", "/x/*rest", "/s/:a/:b")
    assert routes.match(b"GET", path)[0] is routes.malformed
    assert routes.match(b"POST", path)[0] is routes.malformed


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"http://host/a", "/a"),
        (b"http://host:80/a?b", "/a"),
        (b"https://host", "/"),
        (b"http://host?/a", "/"),
        (b"http://host/:x/b", "/:x/:y"),
    ],
)
def test_absolute_form_is_routed_by_its_path(target: bytes, path: str) -> None:
    """RFC 9112 section 3.2.2; the authority is none of the router's business."""
    assert matched(table("/", "/a", "/:x/:y"), target)[0] == path


def test_other_forms() -> None:
    """Asterisk-form is for OPTIONS, authority-form for CONNECT, and a name alone for nothing."""
    routes = table("/")
    assert routes.match(b"OPTIONS", b"http://host")[0] is routes.options
    assert routes.match(b"OPTIONS", b"http://host/x")[0] is routes.not_found
    assert routes.match(b"GET", b"host:1")[0] is routes.malformed
    assert routes.match(b"GET", b"")[0] is routes.malformed
    assert routes.match(b"CONNECT", b"host:1")[0] is routes.tunnel
    assert routes.match(b"CONNECT", b"http://host/")[0] is routes.tunnel
    router = Router()
    router.add("CONNECT", "/:authority", handler)
    assert router.compile(compose).match(b"CONNECT", b"host:1")[1] == ("host:1",)


def test_static_matches_allocate_nothing() -> None:
    """The answer for a static path is one object, made at start-up."""
    routes = table("/a", "/:x")
    assert routes.match(b"GET", b"/a") is routes.match(b"GET", b"/a")


# The table against a search that tries everything

SEGMENTS = st.sampled_from(["a", "1", "2.5", ":p", "{p:int}", "{p:float}", "{p:uuid}"])
PATTERNS = st.tuples(st.lists(SEGMENTS, max_size=4), st.sampled_from(["", "/", "/*r"])).map(
    lambda parts: "".join([f"/{part.replace('p', f'p{index}')}" for index, part in enumerate(parts[0])]) + parts[1]
)
PATHS = st.lists(st.sampled_from(["a", "b", "1", "2.5", "", "12345678-1234-5678-1234-56789abcdef0"]), max_size=6)


def searched(patterns: Iterable[str], segments: list[str]) -> str:
    """Return the pattern that the rules prefer, found by trying every one."""

    def fits(pattern: Pattern) -> bool:
        for index, segment in enumerate(pattern.segments):
            if segment.kind is Kind.REST:
                return index < len(segments)
            if index >= len(segments):
                return False
            text = segments[index].encode()
            if segment.kind is Kind.STATIC:
                if text != segment.static:
                    return False
            elif not text or not (segment.kind in (classify(text), 4) or (segment.kind == 2 and classify(text) == 1)):
                return False
        return len(segments) == len(pattern.segments)

    fitting = [pattern for pattern in map(Pattern, patterns) if fits(pattern)]
    return min(fitting, key=lambda pattern: pattern.precedence).text if fitting else ""


@given(st.lists(PATTERNS.filter(bool), max_size=8), PATHS)
def test_the_table_finds_what_an_exhaustive_search_prefers(patterns: list[str], segments: list[str]) -> None:
    """For any set of routes and any path."""
    router = Router()
    kept = []
    for pattern in patterns:
        try:
            router.add("GET", pattern, handler)
        except RouteConflict:
            continue
        kept.append(pattern)
    segments = segments or [""]
    target = "/" + "/".join(segments)
    assert router.compile(compose).match(b"GET", target.encode())[0].path == searched(kept, segments)


@given(st.binary(max_size=40))
def test_any_target_is_answered_by_a_route(target: bytes) -> None:
    """Nothing but routes comes out, whatever goes in."""
    routes = table("/", "/:x", "/{n:int}/a", "/f/*rest")
    route, values = routes.match(b"GET", target)
    assert len(values) == len(route.names)
    assert routes.match(b"GET", b"/" + target)[0].endpoint is not None


# Cost


@pytest.fixture(scope="module")
def sources() -> ModuleType:
    """The table's Python source, also where it was compiled, so that its lines can be counted."""
    folder = Path(highper_http.routing.__file__).parent
    loaded = {}
    for name in ("tree", "table"):
        full = f"highper_http.routing._counted_{name}"
        spec = importlib.util.spec_from_file_location(full, folder / f"{name}.py")
        assert spec is not None
        assert spec.loader is not None
        loaded[name] = sys.modules[full] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    loaded["table"].build = loaded["tree"].build  # type: ignore[attr-defined]
    return loaded["table"]


def steps(routes: Any, target: bytes) -> int:
    """Return how many lines of Python matching `target` runs."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        routes.match(b"GET", target)
    finally:
        sys.settrace(before)
    return count


def counted(sources: ModuleType, patterns: Iterable[str]) -> Any:
    router = Router()
    for pattern in patterns:
        router.add("GET", pattern, handler)
    routes = [route.bound(prefix, layers, compose) for prefix, layers, route in router._walk(Pattern(""), ())]
    return sources.RouteTable(routes, [], compose)


@pytest.mark.parametrize("depth", [4, 8, 12])
def test_overlapping_routes_cost_no_coming_back(sources: ModuleType, depth: int) -> None:
    """All 2**depth mixes of static and parameter, and a path that fits each until its end: linear in depth."""
    choices = [("/a", f"/:p{index}") for index in range(depth)]
    patterns = ["".join(parts) for parts in itertools.product(*choices)]
    routes = counted(sources, [pattern + "/end" for pattern in patterns])
    unlucky = b"/a" * depth + b"/x"
    assert routes.match(b"GET", unlucky)[0] is routes.not_found
    assert steps(routes, unlucky) < 100 + 40 * depth


def test_cost_does_not_grow_with_the_number_of_routes(sources: ModuleType) -> None:
    """Ten routes or ten thousand: the same steps, to the line."""
    few, many = (
        counted(sources, [f"/r{n}/:id/x{n}/{{n:int}}" for n in range(size)] + [f"/s{n}" for n in range(size)])
        for size in (10, 10_000)
    )
    for target in (b"/r7/a/x7/5", b"/s7", b"/r7/a/x7/x", b"/r7/nothing", b"/s7/no"):
        assert steps(few, target) == steps(many, target)


@pytest.mark.parametrize("target", [b"/a" * 8000, b"/%61" * 4000, b"/" * 16000, b"/x/" + b"%41" * 5000, b"/1" * 8000])
def test_long_paths_take_no_more_steps_than_patterns_have_segments(sources: ModuleType, target: bytes) -> None:
    """A path of 16 KiB is split as far as the longest pattern goes, and no further."""
    routes = counted(sources, ["/:a/:b/:c", "/{n:int}/:b/*rest", "/x/:y"])
    assert steps(routes, target) < 250 + 12 * target.count(b"%")  # two passes of decoding, five lines each


def test_too_many_overlaps_are_refused_at_start_up(sources: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that would outgrow its bound is an error of the application, not of a request."""
    depth = 14
    patterns = [
        "".join([f"/k{index}" if index == fixed else f"/:p{index}" for index in range(depth)]) for fixed in range(depth)
    ]
    monkeypatch.setattr(sys.modules["highper_http.routing._counted_tree"], "STEPS", 10_000)
    with pytest.raises(SetupError, match="overlap"):
        counted(sources, patterns)
