"""Where log lines go as long as nobody has said it."""

from __future__ import annotations

import logging

__all__ = ["log_to_stderr"]


def log_to_stderr(level: int | str = logging.INFO, *, process: bool = False) -> None:
    """Write log lines to standard error, unless this program has configured logging already.

    Args:
        level: least severe level that is written.
        process: each line names its process.
    """
    pid = "[%(process)d] " if process else ""
    logging.basicConfig(level=level, format=f"%(asctime)s {pid}%(levelname)s %(name)s %(message)s")
