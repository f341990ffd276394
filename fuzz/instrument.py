"""Build the compiled engine with coverage and AddressSanitizer, away from the tree, and the program that runs it.

Packages are copied to the build directory and the core's extensions, as pyproject.toml lists them, are built there by
clang with -fsanitize=fuzzer-no-link,address. libFuzzer and ASan live in the program, `native/embed.c`, which stays
without coverage of its own: every edge it reports is one of the core.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

__all__ = ["build", "copy_packages"]

HOME = Path(__file__).parent
ROOT = HOME.parent
PACKAGES = ("highper_core", "highper_transports", "highper_http")
INSTRUMENT = "-fsanitize=fuzzer-no-link,address -O2 -g1 -fno-omit-frame-pointer -w"

_BUILD = """
import sys
from setuptools import Extension, setup
from Cython.Build import cythonize
modules = [Extension(name, [source]) for name, _, source in (line.partition("=") for line in sys.argv[1:])]
sys.argv = ["setup", "-q", "build_ext", "--inplace", "--build-temp", "objects"]
setup(name="instrumented", packages=[], ext_modules=cythonize(modules, language_level=3, quiet=True))
"""


def build(directory: Path, clang: str = "clang") -> tuple[Path, list[str]]:
    """Return the fuzzing program and the names of the modules instrumented for it.

    Args:
        directory: receives copies and products; existing copies are replaced.
        clang: compiler with libFuzzer and AddressSanitizer.

    Raises:
        subprocess.CalledProcessError: something did not compile.
    """
    tree = copy_packages(directory / "tree")
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"].get("ext-modules", [])
    modules = {module["name"]: module["sources"][0] for module in listed if module["name"].startswith("highper_core.")}
    environment = {**os.environ, "CC": clang, "CFLAGS": INSTRUMENT, "LDSHARED": f"{clang} -shared"}
    arguments = [f"{name}={source}" for name, source in modules.items()]
    subprocess.run([sys.executable, "-c", _BUILD, *arguments], cwd=tree, env=environment, check=True)
    return _program(directory, clang), list(modules)


def copy_packages(tree: Path) -> Path:
    """Copy the packages to the directory `tree`, over what is there, without anything compiled; return it."""
    shutil.rmtree(tree, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("*.so", "*.c", "__pycache__"))
    return tree


def _program(directory: Path, clang: str) -> Path:
    program = directory / "embed"
    library, version = sysconfig.get_config_var("LIBDIR"), sysconfig.get_config_var("LDVERSION")
    include = sysconfig.get_path("include")
    compiled = directory / "embed.o"
    subprocess.run(
        [clang, "-O1", "-g", f"-I{include}", "-c", str(HOME / "native" / "embed.c"), "-o", str(compiled)], check=True
    )
    linked = [f"-L{library}", f"-lpython{version}", f"-Wl,-rpath,{library}", "-o", str(program)]
    subprocess.run([clang, "-fsanitize=fuzzer,address", "-rdynamic", str(compiled), *linked], check=True)
    return program
