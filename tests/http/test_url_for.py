"""URLs of named routes: `url_for` makes what the route matches, with the same values, and refuses anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.routes import handler, matched

from highper_http.middleware import compose
from highper_http.routing import Pattern, Router


def test_url_for_reaches_mounted_names() -> None:
    """Names are flat across routers; parameters are encoded."""
    root = Router()
    api = root.group("/api/:tenant")
    api.add("GET", "/caf\u00e9/{id:int}/*rest", handler, name="deep")
    assert root.url_for("deep", tenant="a/b", id=-3, rest="x y/z") == "/api/a%2Fb/caf%C3%A9/-3/x%20y/z"
    assert api.url_for("deep", id=1, rest="") == "/caf%C3%A9/1/"
    with pytest.raises(LookupError):
        root.url_for("shallow")


@pytest.mark.parametrize(
    ("pattern", "params"),
    [
        ("/:a", {}),
        ("/:a", {"a": "x", "b": "y"}),
        ("/:a", {"a": ""}),
        ("/:a", {"a": ".."}),
        ("/:a", {"a": "\0"}),
        ("/:a", {"a": "\ud800"}),
        ("/*a", {"a": "x/../y"}),
        ("/{a:int}", {"a": "x"}),
        ("/{a:int}", {"a": 1.5}),
        ("/{a:int}", {"a": True}),
        ("/{a:int}", {"a": 10**39}),
        ("/{a:float}", {"a": float("inf")}),
        ("/{a:float}", {"a": float("nan")}),
        ("/{a:uuid}", {"a": 5}),
    ],
)
def test_url_for_refuses_what_would_not_match(pattern: str, params: dict[str, object]) -> None:
    """No URL is made that leads elsewhere."""
    router = Router()
    router.add("GET", pattern, handler, name="route")
    with pytest.raises(ValueError, match=r"."):
        router.url_for("route", **params)


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text not in (".", "..")
)

VALUES = {
    "{%s:int}": st.integers(-(10**39) + 1, 10**39 - 1),
    "{%s:float}": st.floats(allow_nan=False, allow_infinity=False),
    "{%s:uuid}": st.uuids(),
    ":%s": TEXT,
}


@given(st.data())
def test_url_for_and_match_are_inverse(data: st.DataObject) -> None:
    """Whatever the values, the route is found again and yields them."""
    kinds = data.draw(st.lists(st.sampled_from([*VALUES, "static", "caf\u00e9 %%41"]), max_size=6))
    catch_all = data.draw(st.booleans())
    pattern, params = "", {}
    for index, kind in enumerate(kinds):
        pattern += "/" + (kind % f"p{index}" if kind in VALUES else kind.replace("%%", "%").replace(" ", "~"))
        if kind in VALUES:
            params[f"p{index}"] = data.draw(VALUES[kind])
    if catch_all:
        pattern += "/*rest"
        rest = data.draw(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
        params["rest"] = rest if {".", ".."}.isdisjoint(rest.split("/")) else "rest"
    router = Router()
    router.add("GET", pattern or "/", handler, name="route")
    target = router.url_for("route", **params)
    assert matched(router.compile(compose), target.encode("ascii")) == (pattern or "/", tuple(params.values()))
    assert dict(zip(Pattern(pattern or "/").names, params.values(), strict=True)) == params
