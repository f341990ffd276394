"""Routers: registration, conflicts, methods, middleware and mounting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from support.routes import handler, matched, other, table

from highper_http.endpoint import Call
from highper_http.errors import BadRequest, HTTPError, MethodNotAllowed, NotFound, RouteConflict, SetupError
from highper_http.middleware import compose
from highper_http.routing import Router


@pytest.mark.parametrize(
    "pattern",
    [
        "users",
        "/a//b",
        "//",
        "/:",
        "/:1a",
        "/:a-b",
        "/{}",
        "/{id:}",
        "/{id:integer}",
        "/{id",
        "/id}",
        "/a{id}",
        "/{id}.json",
        "/*",
        "/*rest/more",
        "/{rest:path}/more",
        "/a?b",
        "/a#b",
        "/a b\n",
        "/%zz",
        "/%ff",
        "/%00",
        "/a\\b",
    ],
)
def test_malformed_patterns_are_refused_at_registration(pattern: str) -> None:
    """A pattern that could not mean what was intended never reaches a request."""
    with pytest.raises(SetupError):
        Router().add("GET", pattern, handler)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("/a", "/a"),
        ("/:id", "/:name"),
        ("/{id}", "/:name"),
        ("/{id:str}", "/:name"),
        ("/{id:int}/x", "/{number:int}/x"),
        ("/*rest", "/{all:path}"),
        ("/caf\u00e9", "/caf%c3%a9"),
        ("/%61", "/a"),
    ],
)
def test_equivalent_patterns_conflict(first: str, second: str) -> None:
    """Two routes no request could tell apart are refused; for another method they are fine."""
    router = Router()
    router.add("GET", first, handler)
    router.add("POST", second, handler)
    with pytest.raises(RouteConflict):
        router.add("GET", second, handler)


def test_duplicate_names_conflict() -> None:
    """A parameter name is unique in a pattern, a route name in an application, prefixes included."""
    with pytest.raises(RouteConflict):
        Router().add("GET", "/:id/{id:int}", handler)
    router = Router()
    router.add("GET", "/a", handler, name="a")
    with pytest.raises(RouteConflict):
        router.add("GET", "/b", handler, name="a")
    child = Router()
    child.add("GET", "/c", handler, name="a")
    with pytest.raises(RouteConflict):
        router.mount("/x", child)
    assert matched(router.compile(compose), b"/x/c")[0] == ""  # nothing of the refused mount stayed
    child = router.group("/:id")
    child.add("GET", "/:id", handler)
    with pytest.raises(RouteConflict):
        router.compile(compose)


def test_conflicts_across_routers_are_found_before_the_first_request() -> None:
    """At the mount when the routes are there already, at compilation when they came later."""
    early = Router()
    early.add("GET", "/a", handler)
    root = Router()
    root.add("GET", "/x/a", handler)
    with pytest.raises(RouteConflict):
        root.mount("/x", early)
    late = root.group("/x")
    late.add("GET", "/a", handler)
    with pytest.raises(RouteConflict):
        root.compile(compose)


@pytest.mark.parametrize(
    "register",
    [
        lambda router: router.add([], "/", handler),
        lambda router: router.add(["GET", "get"], "/", handler),
        lambda router: router.add("G T", "/", handler),
        lambda router: router.add("", "/", handler),
        lambda router: router.add("GET", "/", None),
        lambda router: router.add("GET", "/", lambda: None),
        lambda router: router.use("no middleware"),
        lambda router: router.mount("/*rest", Router()),
        lambda router: router.mount("x", Router()),
        lambda router: router.mount("/x", handler),
        lambda router: router.mount("/x", router),
        lambda router: router.group("/a").group("/b").use(router),
    ],
)
def test_wrong_registrations_are_refused(register: Callable[[Any], object]) -> None:
    """Methods, handlers, middleware and mounts are judged when they are registered."""
    with pytest.raises(SetupError):
        register(Router())


def test_empty_pattern_is_the_place_of_a_mount() -> None:
    """`""` below a prefix is the prefix itself, `"/"` the prefix with a slash; at the root, `""` is nothing."""
    router = Router()
    users = router.group("/users/")
    users.add("GET", "", handler)
    routes = router.compile(compose)
    assert matched(routes, b"/users") == ("/users", ())
    assert matched(routes, b"/users/") == ("", ())
    users.add("GET", "/", handler)
    assert matched(router.compile(compose), b"/users/") == ("/users/", ())
    router.add("GET", "", handler)
    with pytest.raises(SetupError):
        router.compile(compose)


def test_decorators_return_the_handler_and_register_it() -> None:
    """Every method has its decorator."""
    router = Router()
    for name in ("get", "post", "put", "patch", "delete", "head", "options", "any"):
        assert getattr(router, name)("/" + name, name=name)(handler) is handler
    routes = router.compile(compose)
    for name in ("post", "put", "patch", "delete", "head", "options"):
        assert matched(routes, b"/" + name.encode(), name.upper().encode())[0] == "/" + name
    assert router.url_for("any") == "/any"


def test_options_of_a_route_reach_its_table() -> None:
    """What was said at registration is on the route a request finds."""
    router = Router()
    route = router.add("get", "/", handler, name="n", inline=True, cancel_on_disconnect=False, max_body=7)
    found = router.compile(compose).match(b"GET", b"/")[0]
    for each in (route, found):
        assert (each.methods, each.name, each.cancel_on_disconnect, each.max_body) == (("GET",), "n", False, 7)
        assert each.call == Call.INLINE_1


def test_head_is_answered_by_get_unless_it_has_a_route() -> None:
    """RFC 9110 section 9.3.2: the same fields as GET, so the same route."""
    router = Router()
    router.add("GET", "/a", handler)
    router.add("GET", "/b/:x", handler)
    router.add("HEAD", "/b/:x", other)
    routes = router.compile(compose)
    assert routes.match(b"HEAD", b"/a")[0].handler is handler
    assert routes.match(b"HEAD", b"/b/1")[0].handler is other


def test_any_yields_to_a_method_of_its_own() -> None:
    """`any` takes every method, also one nobody registered, but CONNECT, which would open a tunnel."""
    router = Router()
    router.any("/x/:y")(handler)
    router.get("/x/:y")(other)
    router.any("/s")(handler)
    routes = router.compile(compose)
    assert routes.match(b"GET", b"/x/1")[0].handler is other
    assert routes.match(b"HEAD", b"/x/1")[0].handler is other
    for method in (b"POST", b"OPTIONS", b"PROPFIND", b"LOCK"):
        assert routes.match(method, b"/x/1")[0].handler is handler
        assert routes.match(method, b"/s")[0].handler is handler
    assert routes.match(b"CONNECT", b"/s")[0] is routes.method_not_allowed
    assert routes.match(b"CONNECT", b"s")[0] is routes.tunnel


def test_a_method_without_route_tells_which_have_one() -> None:
    """RFC 9110 section 15.5.6: a 405 carries Allow."""
    router = Router()
    router.add(["GET", "DELETE"], "/a/:id", handler)
    router.add("PURGE", "/a/me", handler)
    routes = router.compile(compose)
    route, values = routes.match(b"POST", b"/a/me")
    assert route is routes.method_not_allowed
    assert values == ("GET, HEAD, DELETE, OPTIONS, PURGE",)
    assert routes.match(b"PURGE", b"/a/you") == (routes.method_not_allowed, ("GET, HEAD, DELETE, OPTIONS",))
    assert routes.match(b"OPTIONS", b"/a/you?x") == (routes.options, ("GET, HEAD, DELETE, OPTIONS",))
    assert routes.match(b"OPTIONS", b"/b")[0] is routes.not_found
    assert routes.match(b"POST", b"/b")[0] is routes.not_found
    assert routes.match(b"OPTIONS", b"*") == (routes.options, ("GET, HEAD, DELETE, OPTIONS, PURGE",))
    assert routes.match(b"GET", b"*")[0] is routes.malformed


def test_an_explicit_options_route_is_no_reason_for_not_found() -> None:
    """A path that only answers OPTIONS is there."""
    routes = table("/o", "/p/:x", method="OPTIONS")
    assert matched(routes, b"/o", b"OPTIONS") == ("/o", ())
    assert routes.match(b"GET", b"/o") == (routes.method_not_allowed, ("OPTIONS",))
    assert routes.match(b"GET", b"/p/1") == (routes.method_not_allowed, ("OPTIONS",))


class Recorder:
    """Stands for request and response of a prepared route."""

    def __init__(self, allow: str = "") -> None:
        self.allow = allow
        self.said: list[object] = []

    def param(self, name: str) -> str:
        assert name == "allow"
        return self.allow

    def status(self, code: int) -> Recorder:
        self.said.append(code)
        return self

    def header(self, name: str, value: str) -> Recorder:
        self.said.append((name, value))
        return self


def test_prepared_answers() -> None:
    """What no route of the application answers is answered by routes of the table's own."""
    routes = table("/")
    request = Recorder("GET, HEAD, OPTIONS")
    with pytest.raises(NotFound):
        routes.not_found.endpoint(request)
    with pytest.raises(BadRequest):
        routes.malformed.endpoint(request)
    with pytest.raises(HTTPError) as tunnel:
        routes.tunnel.endpoint(request)
    assert tunnel.value.status == 501
    with pytest.raises(MethodNotAllowed) as refused:
        routes.method_not_allowed.endpoint(request)
    assert refused.value.headers == [("allow", "GET, HEAD, OPTIONS")]
    routes.options.endpoint(request, request)
    assert request.said == [204, ("allow", "GET, HEAD, OPTIONS")]
    assert routes.options.names == ("allow",)


def test_layers_are_ordered_from_the_root_inwards() -> None:
    """Application, router, group, route; those of the root also around what no route matches."""
    seen: list[Sequence[Any]] = []

    def spy(endpoint: Any, call: Call, layers: Sequence[Any]) -> tuple[Any, Call]:
        seen.append((endpoint, tuple(layers)))
        return endpoint, call

    async def layer(request: Any, response: Any, next: Any) -> None: ...

    outer, inner, grouped, own = (lambda *_, n=n: n for n in range(4))
    root = Router()
    child = Router()
    child.use(inner)
    group = child.group("/g", grouped)
    group.add("GET", "/x", handler, middleware=[own])
    root.mount("/c", child)
    assert root.use(outer) is outer
    assert root.use(Router()) is not None
    routes = root.compile(spy)
    assert seen[0] == (handler, (outer, inner, grouped, own))
    assert {layers for _, layers in seen[1:]} == {(outer,)}
    assert routes.match(b"GET", b"/c/g/x")[0].handler is handler


def test_a_router_may_be_mounted_twice() -> None:
    """Below prefixes with parameters too; routes added after the mount count."""
    child = Router()
    root = Router()
    root.mount("/a/:one", child)
    root.mount("/b", child)
    child.add("GET", "/{two:int}", handler)
    routes = root.compile(compose)
    assert matched(routes, b"/a/x/5") == ("/a/:one/{two:int}", ("x", 5))
    assert matched(routes, b"/b/5") == ("/b/{two:int}", (5,))
    assert routes.match(b"GET", b"/a/x/5")[0].names == ("one", "two")


def test_uuid_is_matched_in_either_case() -> None:
    """RFC 9562 section 4: output is lower case, input either."""
    value = UUID("12345678-1234-5678-1234-56789ABCDEF0")
    routes = table("/{id:uuid}")
    assert matched(routes, f"/{value}".encode()) == ("/{id:uuid}", (value,))
    assert matched(routes, f"/{value}".upper().encode()) == ("/{id:uuid}", (value,))
    assert matched(routes, f"/{value.hex}".encode())[0] == ""
