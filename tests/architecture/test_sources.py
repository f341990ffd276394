"""The sources keep the habits of the house: size, docstrings, exports, types."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from highper_transports import registry

ROOT = Path(__file__).parents[2]
PACKAGES = ("highper_core", "highper_transports", "highper_http")
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
CEILING = 400


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    "path",
    [path for package in PACKAGES for path in (ROOT / package).rglob("*.p[yx]*") if path.suffix != ".pyc"],
    ids=name,
)
def test_no_file_passes_the_ceiling(path: Path) -> None:
    """Nobody opens a file of more than 400 lines with joy."""
    assert len(path.read_text().splitlines()) <= CEILING


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_public_definitions_have_docstrings(path: Path) -> None:
    """Every module, public class and public function says what it is."""
    tree = ast.parse(path.read_text())
    missing = [] if ast.get_docstring(tree) or not tree.body else [name(path)]
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            missing += [] if ast.get_docstring(node) else [node.name]
            for member in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and not member.name.startswith("_"):
                    overload = any("overload" in ast.dump(decorator) for decorator in member.decorator_list)
                    missing += [] if overload or ast.get_docstring(member) else [f"{node.name}.{member.name}"]
    assert missing == []


@pytest.mark.parametrize("package", PACKAGES)
def test_exports_exist(package: str) -> None:
    """`__all__` names what is there, sorted, once."""
    module = importlib.import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    assert [item for item in module.__all__ if not hasattr(module, item)] == []


def modules() -> list[str]:
    found = []
    for package in PACKAGES:
        spec = importlib.import_module(package)
        found += [
            item.name for item in pkgutil.walk_packages(spec.__path__, f"{package}.") if "__main__" not in item.name
        ]
    return found


def test_every_module_imports_alone() -> None:
    """No module of ours relies on another having been imported first."""
    unbuilt = "highper_transports.epoll." if registry.why_not("epoll") else "nothing"  # its parts are compiled ones
    lines = [f"import {module}" for module in modules() if not module.startswith(unbuilt)]
    script = (
        "import asyncio, os, ssl\n"  # which nearly all import, and which take longest
        f"for line in {lines!r}:\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        try:\n"
        "            exec(line)\n"
        "        except BaseException as error:\n"
        "            print(line, repr(error), flush=True)\n"
        "            os._exit(1)\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=100, check=True)
    assert done.stdout == ""


def test_core_imports_lightly() -> None:
    """Importing the core loads neither h11, wsproto, asyncio nor ssl."""
    heavy = {"asyncio", "h11", "ssl", "wsproto", "zope.interface"}
    script = f"import sys, highper_core; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join)
def test_lint_and_types(command: list[str]) -> None:
    """ruff finds nothing to say and mypy, strict, neither."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
