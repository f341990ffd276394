"""Whether C can be compiled here; `CC=/bin/false` says no, as in a build without extensions."""

from __future__ import annotations

import os
import shlex
import subprocess

__all__ = ["COMPILES"]


def _compiles() -> bool:
    command = [*shlex.split(os.environ.get("CC", "cc")), "-fsyntax-only", "-x", "c", "-"]
    try:
        return subprocess.run(command, input=b"int main(void) { return 0; }", capture_output=True).returncode == 0
    except OSError:
        return False


COMPILES = _compiles()
