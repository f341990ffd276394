"""Files as answers: opened once, checked on the open descriptor, so that nothing can be exchanged in between."""

from __future__ import annotations

import mimetypes
import os
import stat
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from .errors import NotFound

__all__ = ["OpenFile"]


class OpenFile:
    """A regular file, open for reading, with its size at that moment.

    Args:
        file: the open file; owned.
        size: its bytes.
        content_type: media type its name suggests.
    """

    __slots__ = ("content_type", "file", "size")

    def __init__(self, file: BinaryIO, size: int, content_type: str) -> None:
        self.file = file
        self.size = size
        self.content_type = content_type

    @staticmethod
    def at(path: str | PathLike[str], root: str | PathLike[str] | None = None) -> OpenFile:
        """Open the regular file at `path`.

        Args:
            path: where it lives; relative to `root` if there is one.
            root: directory it must not leave, symbolic links followed.

        Raises:
            NotFound: nothing there that may be served.
        """
        place = os.fspath(path)
        if root is not None:
            place = _within(place, Path(root))
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a FIFO must not hang us
        except (OSError, ValueError):
            raise NotFound() from None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            raise NotFound()
        return OpenFile(os.fdopen(descriptor, "rb", buffering=0), status.st_size, _media_type(place))

    def close(self) -> None:
        """Close the file. Idempotent."""
        self.file.close()


def _within(path: str, root: Path) -> str:
    try:
        base = root.resolve(strict=True)
        place = (base / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        raise NotFound() from None
    if os.path.isabs(path) or not place.is_relative_to(base):
        raise NotFound()
    return str(place)


def _media_type(path: str) -> str:
    guessed, coding = mimetypes.guess_type(path)
    if guessed is None or coding is not None:
        return "application/octet-stream"
    return f"{guessed}; charset=utf-8" if guessed.startswith("text/") else guessed
