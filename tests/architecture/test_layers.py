"""The layers hold: core <- transports <- http, for imports and for the cimports of compiled modules."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("highper_core", "highper_transports", "highper_http")
COMPILED = sorted(
    path for package in PACKAGES for kind in ("pxd", "pyx") for path in (ROOT / package).rglob(f"*.{kind}")
)


def test_import_contract() -> None:
    """Every contract of `[tool.importlinter]` in pyproject.toml is kept."""
    script = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-P", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


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
