"""Which build the packages in a tree are, and another one like it from another commit."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

__all__ = ["build_commit", "identify", "is_built"]

WITNESS = "highper_core/connection"  # a compiled module that every build has
SCRIPT = """
import platform, sysconfig
tuned = "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or "")
print(platform.python_implementation().lower(), platform.python_version() + "-tuned" * tuned)
print(platform.machine(), sysconfig.get_config_var("EXT_SUFFIX"))
"""


def is_built(python: str, tree: Path) -> bool:
    """Return whether `tree` holds compiled packages for this Python."""
    return _witness(tree, _describe(python)[3]).exists()


def identify(python: str, tree: Path) -> str:
    """Return what instruction counts depend on besides our source: Python, Cython, compiler, processor family.

    Cython and compiler are read from a module that they made, because those installed now may be others.

    Raises:
        RuntimeError: `tree` holds no compiled packages for this Python.
    """
    implementation, version, machine, suffix = _describe(python)
    witness = _witness(tree, suffix)
    if not witness.exists():
        raise RuntimeError(f"{tree} holds no compiled packages for {implementation} {version}")
    image = witness.read_bytes()
    return f"{implementation}-{version}-{_compiler(image)}-{_cython(image)}-{machine}"


def _describe(python: str) -> list[str]:
    """Return implementation, version, processor family and suffix of compiled modules."""
    return subprocess.run([python, "-c", SCRIPT], capture_output=True, text=True, check=True).stdout.split()


def _witness(tree: Path, suffix: str) -> Path:
    return tree / f"{WITNESS}{suffix}"


def _cython(image: bytes) -> str:
    found = re.search(rb"_cython_(\d+)_(\d+)_(\w+)", image)
    return "cython-" + b".".join(found.groups()).decode() if found else "cython-unknown"


def _compiler(image: bytes) -> str:
    for name, pattern in (("clang", rb"clang version (\d+\.\d+\.\d+)"), ("gcc", rb"GCC: \([^)]*\) (\d+\.\d+\.\d+)")):
        if found := re.search(pattern, image):
            return f"{name}-{found[1].decode()}"
    return "compiler-unknown"


def build_commit(python: str, repository: Path, commit: str, cython: str, scratch: Path) -> Path:
    """Build `commit` of `repository` with that Cython; return the tree its packages are in.

    Raises:
        subprocess.CalledProcessError: it cannot be checked out or built.
    """
    source, tree = scratch / "source", scratch / "tree"
    subprocess.run(["git", "clone", "-q", "--no-checkout", str(repository), str(source)], check=True)
    subprocess.run(["git", "checkout", "-q", commit], cwd=source, check=True)
    constraints = scratch / "constraints.txt"
    constraints.write_text(f"cython=={cython}\n")
    # newer releases of pip have an option of its own for what builds
    environment = os.environ | {"PIP_CONSTRAINT": str(constraints), "PIP_BUILD_CONSTRAINT": str(constraints)}
    command = [python, "-m", "pip", "install", "-q", "--no-deps", "--target", str(tree), str(source)]
    subprocess.run(command, check=True, env=environment)
    return tree
