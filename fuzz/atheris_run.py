"""Run a harness under atheris, with coverage of the Python sources: the portable engine and the HTTP layer.

Usage: python fuzz/atheris_run.py HARNESS [libFuzzer arguments]. What is imported is a copy without extensions, since a
compiled module shows atheris nothing; coverage of the compiled engine is `run.py`'s business.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from pathlib import Path

from instrument import copy_packages

__all__ = ["main"]

INSTRUMENTED = ["highper_core", "highper_http", "h11"]


def main() -> None:
    """Import the harness named by the first argument with coverage, then fuzz it until told to stop."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    try:
        import atheris
    except ImportError:
        raise SystemExit("this needs atheris: python -m pip install atheris") from None
    copies = tempfile.TemporaryDirectory()
    sys.path.insert(0, str(copy_packages(Path(copies.name))))
    os.environ.setdefault("HIGHPER_FUZZ_ENGINE", "portable")
    os.environ.setdefault("HIGHPER_FUZZ_SAMPLE", "0")
    with atheris.instrument_imports(include=INSTRUMENTED):
        harness = importlib.import_module(sys.argv.pop(1))
    atheris.Setup(sys.argv, harness.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
