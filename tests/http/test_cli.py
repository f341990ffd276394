"""The command: options, variables, one clear line when it cannot start, exit codes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from highper_http import Server, cli
from highper_http.cli import main


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Server]:
    """Servers that would have listened; `run` returns at once."""
    (tmp_path / "sample_app.py").write_text(
        "from highper_http import App\napp = App()\nclass box:\n    inner = app\nnumber = 7\n"
        "async def handler(req): return 'x'\n"
    )
    (tmp_path / "broken_app.py").write_text("import no_such_module_at_all\n")
    (tmp_path / "raising_app.py").write_text("1 / 0\n")
    (tmp_path / "failing_app.py").write_text(
        "from highper_http import App\napp = App()\n@app.on_startup\ndef start(): raise ValueError('no database')\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("PORT", "HIGHPER_ENGINE"):
        monkeypatch.delenv(name, raising=False)
    servers: list[Server] = []
    monkeypatch.setattr(Server, "run", lambda server, overseer: servers.append(server))
    monkeypatch.setattr(cli, "log_to_stderr", lambda level, process: None)
    return servers


def invoke(*arguments: str, env: dict[str, str] | None = None) -> Any:
    return CliRunner().invoke(main, list(arguments), env=env)


def test_options(started: list[Server]) -> None:
    """Every option reaches the server."""
    done = invoke(
        *("run", "sample_app:app", "--host", "::1", "--port", "0", "--transport", "asyncio", "--engine", "portable"),
        *("--no-access-log", "--debug", "--drain", "3", "--log-level", "warning"),
    )
    assert done.exit_code == 0, done.output
    [server] = started
    assert [str(binding) for binding in server.bindings] == ["[::1]:0"]
    assert (server.transport_name, server.engine_name) == ("asyncio", "portable")
    assert (server.access_log, server.debug, server.drain) == (False, True, 3.0)


def test_variables(started: list[Server]) -> None:
    """HIGHPER_* and PORT are honoured; the command line wins."""
    env = {"HIGHPER_HOST": "0.0.0.0", "PORT": "81", "HIGHPER_ACCESS_LOG": "0", "HIGHPER_TRANSPORT": "asyncio"}
    assert invoke("run", "sample_app", env=env).exit_code == 0
    assert invoke("run", "sample_app", "--port", "82", env={**env, "HIGHPER_PORT": "83"}).exit_code == 0
    assert invoke("run", "sample_app", env={**env, "HIGHPER_PORT": "83"}).exit_code == 0
    env = {"HIGHPER_BIND": "127.0.0.1:1 unix:/tmp/a"}
    assert invoke("run", "sample_app:handler", "--fd", "7", env=env).exit_code == 0
    assert [[str(binding) for binding in server.bindings] for server in started] == [
        ["0.0.0.0:81"],
        ["0.0.0.0:82"],
        ["0.0.0.0:83"],
        ["127.0.0.1:1", "unix:/tmp/a", "fd://7"],
    ]
    assert started[0].access_log is False


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["missing_module:app"], "there is no module 'missing_module'"),
        (["examples/missing.py"], "did you mean examples.missing:app?"),
        (["./sample_app.py:box"], "did you mean sample_app:box?"),
        (["sample_app.app"], "did you mean sample_app:app?"),
        (["sample_app:missing"], "module 'sample_app' has no 'missing'"),
        (["sample_app:number"], "neither an application nor a handler"),
        (["broken_app"], "importing 'broken_app' failed: No module named 'no_such_module_at_all'"),
        (["raising_app"], "importing 'raising_app' failed: ZeroDivisionError"),
        ([":app"], "named module:attribute"),
        (["sample_app", "--bind", "nowhere"], "not an address to listen at"),
        (["sample_app", "--keyfile", "k"], "--keyfile needs --certfile"),
        (["sample_app", "--certfile", "missing.pem"], "the certificate cannot be used"),
    ],
)
def test_what_cannot_start_is_one_line_and_3(started: list[Server], arguments: list[str], text: str) -> None:
    """No traceback, a sentence; a supervisor need not try again."""
    done = invoke("run", *arguments)
    assert done.exit_code == 3, done.output
    assert text in done.output
    assert done.output.count("\n") == 1


@pytest.mark.parametrize("arguments", [["run"], ["run", "a:b", "--port", "x"], ["run", "a:b", "--engine", "x"], ["go"]])
def test_wrong_usage_is_2(started: list[Server], arguments: list[str]) -> None:
    """click's own answer."""
    assert invoke(*arguments).exit_code == 2


def test_info() -> None:
    """Version, Python, engines and transports, and why one is missing."""
    done = invoke("info")
    assert done.exit_code == 0
    for word in ("highper ", "Python 3.", "portable", "fast", "asyncio", "uvloop", "memory", "available"):
        assert word in done.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["failing_app:app", "--port", "0"], "the application failed to start: ValueError: no database"),
        (["sample_app", "--transport", "carrier-pigeon"], "no transport is called 'carrier-pigeon'"),
        (["sample_app", "--host", "192.0.2.77"], "cannot listen at 192.0.2.77:8000"),
    ],
)
def test_a_start_that_fails_for_real(started: list[Server], tmp_path: Path, arguments: list[str], text: str) -> None:
    """The same in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "highper_http", "run", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert done.returncode == 3
    assert text in done.stderr
    assert "Traceback" not in done.stderr
