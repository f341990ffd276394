"""A file that came with a form: in memory while it is small, then in an unnamed temporary file."""

from __future__ import annotations

import shutil
import tempfile
from io import SEEK_SET, BytesIO
from os import PathLike
from typing import IO, Final

from anyio import to_thread

__all__ = ["UploadFile"]

_NAME_CHARACTERS: Final = 255  # what file systems take


class UploadFile:
    """One file of a form.

    Args:
        filename: as the client named it: not to be trusted, see `safe_name`.
        content_type: as the client said.
        memory: bytes before the file goes to disk.
    """

    __slots__ = ("filename", "content_type", "size", "_memory", "_file", "_on_disk")

    def __init__(self, filename: str, content_type: str, *, memory: int) -> None:
        self.filename = filename
        self.content_type = content_type
        self.size = 0
        self._memory = memory
        self._file: IO[bytes] = BytesIO()
        self._on_disk = False

    @property
    def safe_name(self) -> str:
        """The last part of the name, fit for a directory of one's own: no separator, no control, no leading dot.

        "upload" where nothing is left.
        """
        last = self.filename.replace("\\", "/").rpartition("/")[2]
        kept = "".join([character for character in last if character.isprintable() and character not in '<>:"|?*'])
        kept = kept.strip(". ")
        while len(kept.encode("utf-8", "replace")) > _NAME_CHARACTERS:
            kept = kept[: len(kept) * 3 // 4].rstrip(". ")
        return kept or "upload"

    @property
    def in_memory(self) -> bool:
        """True while no temporary file was needed."""
        return not self._on_disk

    async def write(self, data: bytes) -> None:
        """Append `data`."""
        self.size += len(data)
        if self._on_disk or self.size > self._memory:
            await to_thread.run_sync(self._write_to_disk, data)
        else:
            self._file.write(data)

    async def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes, or all that is left."""
        return await to_thread.run_sync(self._file.read, size) if self._on_disk else self._file.read(size)

    async def seek(self, offset: int, whence: int = SEEK_SET) -> int:
        """Move to `offset`; return the position."""
        if self._on_disk:
            return await to_thread.run_sync(self._file.seek, offset, whence)
        return self._file.seek(offset, whence)

    async def save(self, path: str | PathLike[str]) -> None:
        """Write the whole file to `path`, over what is there. Never build `path` from `filename`."""
        await to_thread.run_sync(self._save, path)

    def close(self) -> None:
        """Let go of the content. May be called again."""
        self._file.close()

    def _write_to_disk(self, data: bytes) -> None:
        if not self._on_disk:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the request
            file.write(self._file.getvalue())  # type: ignore[attr-defined]
            self._file = file
            self._on_disk = True
        self._file.write(data)

    def _save(self, path: str | PathLike[str]) -> None:
        position = self._file.tell()
        self._file.seek(0)
        with open(path, "wb") as target:
            shutil.copyfileobj(self._file, target)
        self._file.seek(position)

    def __repr__(self) -> str:
        return f"UploadFile({self.filename!r}, {self.content_type!r}, {self.size} bytes)"
