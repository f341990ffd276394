"""What the documents say is so: snippets run, tables agree with the code, links and names of tests exist."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from highper_core import Fault, Limits
from highper_http.cli import run as run_command

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
PAGES = sorted({*DOCUMENTS, *ROOT.glob("*.md")})
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def snippets() -> list[object]:
    found: list[object] = []
    for path in DOCUMENTS:
        text = path.read_text()
        for match in SNIPPET.finditer(text):
            line = text.count("\n", 0, match.start()) + 2
            found.append(pytest.param(path, line, match[1], id=f"{path.name}:{line}"))
    return found


@pytest.mark.parametrize(("path", "line", "source"), snippets())
def test_snippet_runs(path: Path, line: int, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each in a namespace and a directory of its own; its assertions hold."""
    monkeypatch.chdir(tmp_path)
    module = ModuleType("snippet")
    exec(compile("\n" * (line - 1) + source, str(path), "exec"), module.__dict__)


def test_commands_of_the_readme() -> None:
    """Two commands, each one line that starts from a bare clone: one serves the demo, one passes the tests."""
    start, check = re.findall(r"^```sh\n(.*?)\n```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert start.startswith("python3 -m venv .venv && ")
    assert start.endswith(" && .venv/bin/highper run examples.demo:app")
    assert check.startswith("python3 -m venv .venv && ")
    assert check.endswith(" --group test && .venv/bin/pytest -q")
    assert "\n" not in start + check


def test_port_of_the_readme() -> None:
    """Where the README and the demo say that it listens, it does."""
    [option] = [option for option in run_command.params if option.name == "port"]
    for path in (ROOT / "README.md", ROOT / "examples" / "demo.py"):
        assert set(re.findall(r"127\.0\.0\.1:(\d+)", path.read_text())) == {str(option.default)}


def test_options_and_variables_are_documented() -> None:
    """The guide's table has every option of `highper run`, its variable and its default."""
    rows = re.findall(r"^\| `(--[^`]+)` \| `(\w+)`", (ROOT / "docs" / "guide.md").read_text(), re.MULTILINE)
    documented = {name.split()[0].split("/")[0]: variable for name, variable in rows}
    options = [option for option in run_command.params if option.opts[0].startswith("--")]
    expected = {}
    for option in options:
        variables = [option.envvar] if isinstance(option.envvar, str) else list(option.envvar or ())
        expected[option.opts[0]] = variables[0]
    assert documented == expected


def test_limits_are_documented() -> None:
    """The table has every limit with its default."""
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+?) \|", (ROOT / "docs" / "core.md").read_text(), re.MULTILINE)
    documented = {name: value for name, value in rows if name in Limits.__slots__}
    units = {"KiB": 1024, "MiB": 1024**2, "s": 1, "B": 1, "KiB/s": 1024}

    def read(text: str) -> object:
        number, _, unit = text.partition(" ")
        constants = {"None": None, "True": True, "False": False}
        return constants[number] if number in constants else float(number) * units.get(unit, 1)

    assert {name: read(value) for name, value in documented.items()} == {
        name: getattr(Limits(), name) for name in Limits.__slots__
    }


def test_faults_are_documented() -> None:
    """The table has every fault with the status it is answered with."""
    rows = re.findall(r"^\| `([A-Z_0-9]+)` \| (\d+|-) \|", (ROOT / "docs" / "core.md").read_text(), re.MULTILINE)
    expected = {fault.name: str(fault.status_hint or "-") for fault in Fault if fault}
    assert dict(rows) == expected


def test_the_life_cycle_is_drawn_from_the_tables() -> None:
    """The committed picture is what its script draws now."""
    spec = importlib.util.spec_from_file_location("lifecycle", ROOT / "docs" / "lifecycle.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "lifecycle.svg").read_text() == module.svg()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link names a file, and every fragment a heading of it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target:
            continue
        name, _, fragment = target.partition("#")
        place = path if not name else path.parent / name
        assert place.exists(), target
        if fragment:
            headings = re.findall(r"^#+ (.+)$", place.read_text(), re.MULTILINE)
            assert fragment in {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_named_files_exist(path: Path) -> None:
    """A file or test of ours that a page names in code style is there: what is proved is proved somewhere."""
    named = re.findall(r"`((?:tests|fuzz|perf|docs|examples|highper_\w+)/[\w./-]*)(?:::(\w+))?`", path.read_text())
    for name, test in named:
        assert (ROOT / name).exists(), name
        assert not test or f"def {test}(" in (ROOT / name).read_text(), f"{name}::{test}"
