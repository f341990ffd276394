"""A file that says which process to signal."""

from __future__ import annotations

import os
from contextlib import suppress

from highper_core.errors import HighperError

__all__ = ["PidFile", "PidFileTaken"]


class PidFileTaken(HighperError):
    """The file names a process that lives."""


class PidFile:
    """Holds this process's id from `write` to `remove`.

    Args:
        path: of the file; it appears whole or not at all.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)

    def write(self) -> None:
        """Create the file, in place of one whose process is gone.

        Raises:
            PidFileTaken: its process lives.
            OSError: it cannot be written.
        """
        pid = self._read()
        if pid and pid != os.getpid() and _lives(pid):
            raise PidFileTaken(f"{self._path} says that process {pid} runs already")
        new = f"{self._path}.{os.getpid()}"
        with open(new, "w") as file:
            file.write(f"{os.getpid()}\n")
        os.replace(new, self._path)

    def remove(self) -> None:
        """Remove the file if it is still ours. Idempotent."""
        if self._read() == os.getpid():
            with suppress(OSError):
                os.unlink(self._path)

    def _read(self) -> int:
        try:
            with open(self._path) as file:
                return int(file.read(32))
        except (OSError, ValueError):
            return 0


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it is another user's, or no number of a process
        return True
    return True
