"""The registry: which engine is used, and why another is not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from highper_core import Connection, EngineUnavailable, HttpConnection, Limits, Role, available, engine, engines
from highper_core.engines import Engine
from highper_core.engines.portable.http import PortableHttpConnection
from highper_core.engines.portable.websocket import PortableWebSocket


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the environment nor what was loaded before decides."""
    monkeypatch.delenv("HIGHPER_ENGINE", raising=False)
    monkeypatch.setattr(engines, "_loaded", {})


@pytest.fixture
def without_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an installation without a compiler."""
    missing = {**engines.ENGINES, "fast": ("highper_core.engines.fast.missing", "FastHttpConnection")}
    monkeypatch.setattr(engines, "ENGINES", missing)


def test_a_named_engine(engine_name: str) -> None:
    """It is loaded once."""
    found = engine(engine_name)
    assert found.name == engine_name
    assert found is engine(engine_name)
    assert repr(found) == f"<Engine {engine_name}>"


def test_a_name_nobody_has() -> None:
    """The text tells which there are."""
    with pytest.raises(EngineUnavailable, match="'swift'; there are fast, portable"):
        engine("swift")


@pytest.mark.usefixtures("without_fast")
def test_auto_without_fast() -> None:
    """The portable engine stands in, and the reason can be told."""
    assert engine().name == "portable"
    reasons = available()
    assert reasons["portable"] is None
    assert "the fast engine cannot be loaded: it was not built" in str(reasons["fast"])


def test_an_engine_that_is_there_and_does_not_load(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it lacks is told, not that it was not built."""
    monkeypatch.setattr(engines, "ENGINES", {"fast": ("highper_core.engines.none.such", "FastHttpConnection")})
    assert "No module named 'highper_core.engines.none'" in str(available()["fast"])


@pytest.mark.usefixtures("without_fast")
def test_fast_demanded_and_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never a silent fallback, whoever demands it."""
    with pytest.raises(EngineUnavailable, match="fast engine cannot be loaded"):
        engine("fast")
    monkeypatch.setenv("HIGHPER_ENGINE", "fast")
    with pytest.raises(EngineUnavailable):
        engine()
    assert engine("portable").name == "portable"


def test_auto_prefers_fast() -> None:
    """Where it is built."""
    assert engine().name == ("fast" if available()["fast"] is None else "portable")


def test_the_environment_decides_for_auto(monkeypatch: pytest.MonkeyPatch) -> None:
    """An argument wins over it, an empty variable says nothing, `auto` in it is auto."""
    monkeypatch.setenv("HIGHPER_ENGINE", "portable")
    assert engine().name == "portable"
    monkeypatch.setenv("HIGHPER_ENGINE", "swift")
    with pytest.raises(EngineUnavailable):
        engine()
    assert engine("portable").name == "portable"
    for value in ("", "auto"):
        monkeypatch.setenv("HIGHPER_ENGINE", value)
        assert engine() in (engine("portable"), engines._loaded.get("fast"))


def test_a_connection(engine_name: str) -> None:
    """The factory passes role and limits on; without limits there are the defaults."""
    connection = HttpConnection(Role.CLIENT, engine_name)
    assert isinstance(connection, Connection)
    assert (connection.role, connection.limits) == (Role.CLIENT, Limits())
    limits = Limits(fields=3)
    assert HttpConnection(Role.SERVER, engine=engine_name, limits=limits).limits is limits


def test_an_engine_is_imported_when_it_is_used() -> None:
    """Importing the core loads none; the portable one loads h11 when it is chosen."""
    script = (
        "import sys, highper_core as core; before = 'h11' in sys.modules;"
        "core.HttpConnection(core.Role.SERVER, 'portable'); print(before, 'h11' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_an_engine_of_others_brings_its_websockets() -> None:
    class Own(PortableWebSocket):
        pass

    made = Engine("theirs", PortableHttpConnection, Own).websocket(Role.SERVER, Limits())
    assert type(made) is Own


def test_an_engine_of_others_without_websockets_says_so() -> None:
    with pytest.raises(EngineUnavailable, match="'theirs' has no WebSockets"):
        Engine("theirs", PortableHttpConnection).websocket(Role.SERVER, Limits())
