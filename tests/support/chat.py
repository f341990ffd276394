"""The chat of `examples/`, served as its users do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .services import ROOT, Service, serving

__all__ = ["PATH", "chat"]

PATH = os.pathsep.join([str(ROOT), str(Path(__file__).parents[2])])  # of Python: what is installed, and the examples


@contextmanager
def chat(directory: Path, *arguments: str, **environ: str) -> Iterator[Service]:
    """Run it with options of `highper run`, on a port of its own unless they tell one."""
    command = [sys.executable, "-P", "-m", "highper_http", "run", "examples.chat.server:app", "--port", "0"]
    command += ["--no-access-log", *arguments]
    with serving(directory, source=None, command=command, env={"PYTHONPATH": PATH, **environ}) as service:
        yield service
