"""`--reload`: for development, a changed source is served without a word to the server."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.services import APPLICATION, serving

from highper_transports.workers import watching

pytest.importorskip("watchfiles")

OPTIONS = ("--port", "0", "--transport", "asyncio", "--reload")


def test_a_changed_source_is_served(tmp_path: Path) -> None:
    """Also to a connection that is kept alive."""
    with serving(tmp_path, *OPTIONS) as service:
        service.ready(1)
        service.wait_for("watching")
        assert service.get().startswith("1 ")
        (tmp_path / "served.py").write_text(APPLICATION.replace('VERSION = "1"', 'VERSION = "changed"'))
        service.wait_for(r"reloading: served\.py")
        service.wait_for("reloaded")
        assert service.get().startswith("changed ")
        assert service.end() == 0


def test_a_mistake_is_told_and_the_next_change_tried(tmp_path: Path) -> None:
    """From the start on: a developer mends the file, not the server."""
    with serving(tmp_path, *OPTIONS, source="broken broken\n") as service:
        service.wait_for("watching")
        service.wait_for(r"importing 'served' failed: SyntaxError")
        service.wait_for("waiting for a change of the sources")
        (tmp_path / "served.py").write_text(APPLICATION)
        service.ready(1)
        (tmp_path / "served.py").write_text("broken again and again\n")
        service.wait_for("the reload was given up, the workers stay")
        assert service.get().startswith("1 ")
        (tmp_path / "served.py").write_text(APPLICATION.replace('VERSION = "1"', 'VERSION = "mended"'))
        service.wait_for("reloaded")
        assert service.get().startswith("mended ")
        assert service.end() == 0


def test_only_the_named_directories_are_watched(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    with serving(tmp_path, *OPTIONS, "--reload-dir", "library") as service:
        service.ready(1)
        service.wait_for("watching library")
        (tmp_path / "other.py").write_text("1\n")
        (tmp_path / "library" / "part.py").write_text("1\n")
        service.wait_for(r"reloading: library/part\.py")
        service.wait_for("reloaded")
        assert "other.py" not in service.log
        assert service.end() == 0


def test_without_the_library_it_is_an_error_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    monkeypatch.setattr(watching, "find_spec", lambda name: None)
    with pytest.raises(watching.WatchingUnavailable, match=r"pip install 'highper\[reload\]'"):
        watching.require()
