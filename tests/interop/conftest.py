"""A server in a process of its own for each transport, and the foreign programs that talk to it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from http_command import free_port, running
from support.providers import REAL_NAMES

import highper_http

HERE = Path(__file__).parent
INSTALLED = Path(highper_http.__file__).parents[1]


@pytest.fixture(scope="session", params=REAL_NAMES)
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    """Port of a running server."""
    port = free_port()
    command = [sys.executable, "-P", "-m", "highper_http", "run", "interop_app:app", "--port", str(port)]
    command += ["--transport", request.param, "--no-access-log", "--log-level", "critical"]
    path = os.pathsep.join([str(INSTALLED), os.environ.get("PYTHONPATH", "")])
    with running(command, port, cwd=HERE, env={**os.environ, "PYTHONPATH": path}) as process:
        yield port
        assert process.poll() is None


@pytest.fixture(scope="session")
def url(port: int) -> str:
    """Where it is."""
    return f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Return the path of a program. The gate installs them all and demands them; elsewhere its tests are skipped."""

    def find(name: str) -> str:
        found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
        if found is None:
            missing = pytest.fail if "HIGHPER_REQUIRE_PEERS" in os.environ else pytest.skip
            missing(f"{name} is not installed; .ci/run installs it")
        return found

    return find
