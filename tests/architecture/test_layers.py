"""The layers hold: core <- transports <- http, for imports and for the cimports of compiled modules."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).parents[2]
PACKAGES = ("highper_core", "highper_transports", "highper_http")
COMPILED = sorted(
    path for package in PACKAGES for kind in ("pxd", "pyx") for path in (ROOT / package).rglob(f"*.{kind}")
)


def test_import_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every contract of `[tool.importlinter]` in pyproject.toml is kept."""
    monkeypatch.chdir(ROOT)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


@pytest.mark.parametrize("path", COMPILED, ids=lambda path: str(path.relative_to(ROOT)))
def test_cimports_point_downwards(path: Path) -> None:
    """A compiled module cimports and imports only its own layer and those below."""
    own = path.relative_to(ROOT).parts[0]
    allowed = PACKAGES[: PACKAGES.index(own) + 1]
    named = re.findall(r"^\s*(?:from|cimport|import)\s+(highper_\w+)", path.read_text(), re.MULTILINE)
    assert set(named) <= set(allowed)


def test_core_declarations_touch_no_loop() -> None:
    """What import-linter cannot read, the `.pyx` sources of the core, keeps the same rule."""
    forbidden = re.compile(
        r"^\s*(?:from|cimport|import)\s+(asyncio|socket|ssl|time|random|secrets|threading|posix)\b", re.M
    )
    found = [
        path.name
        for path in COMPILED
        if path.is_relative_to(ROOT / "highper_core") and forbidden.search(path.read_text())
    ]
    assert found == []
