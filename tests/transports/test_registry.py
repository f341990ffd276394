"""Providers by name."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from highper_transports import registry
from highper_transports.asyncio import AsyncioTransport
from highper_transports.epoll import EpollTransport
from highper_transports.errors import TransportUnavailable
from highper_transports.uvloop import UvloopTransport


def test_auto_is_epoll_where_it_runs_and_the_fast_engine_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EpollTransport, "unavailable", classmethod(lambda cls: None))
    monkeypatch.setattr(registry, "_fast_is_built", lambda: True)
    assert registry.transport("auto") is EpollTransport
    assert registry.transport("auto", running=True) is EpollTransport
    monkeypatch.setattr(registry, "_fast_is_built", lambda: False)
    assert registry.transport("auto") is UvloopTransport
    assert registry.transport("auto", running=True) is AsyncioTransport


def test_auto_is_uvloop_elsewhere_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EpollTransport, "unavailable", classmethod(lambda cls: "not built"))
    assert registry.transport("auto") is UvloopTransport
    assert registry.transport("auto", running=True) is AsyncioTransport
    monkeypatch.setattr(UvloopTransport, "unavailable", classmethod(lambda cls: "not installed"))
    assert registry.transport() is AsyncioTransport
    assert registry.why_not("uvloop") == "not installed"


def test_every_provider_says_why_not() -> None:
    found = registry.available()
    assert {"asyncio", "epoll", "uvloop", "memory"} <= set(found)
    assert found["asyncio"] is None


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(TransportUnavailable, match="asyncio"):
        registry.transport("carrier-pigeon")


def test_third_parties_register_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = [
        SimpleNamespace(name="theirs", value="highper_transports.asyncio:AsyncioTransport"),
        SimpleNamespace(name="broken", value="highper_transports.nowhere:Nothing"),
        SimpleNamespace(name="asyncio", value="somewhere:Else"),
    ]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: theirs)
    registry._registered.cache_clear()
    try:
        assert registry.transport("theirs") is AsyncioTransport
        assert registry.transport("asyncio") is AsyncioTransport
        assert "does not load" in str(registry.why_not("broken"))
        assert registry.names() == ["asyncio", "epoll", "uvloop", "memory", "broken", "theirs"]
    finally:
        registry._registered.cache_clear()


def test_uvloop_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("highper_transports.uvloop.transport.find_spec", lambda name: None)
    assert "not installed" in str(UvloopTransport.unavailable())


def test_epoll_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("highper_transports.epoll.transport._missing", "not built (because)")
    assert "because" in str(registry.why_not("epoll"))
    monkeypatch.setattr("sys.platform", "darwin")
    assert "Linux" in str(EpollTransport.unavailable())
