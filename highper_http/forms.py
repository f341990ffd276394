"""Forms: urlencoded and multipart content as fields and files (URL Standard section 5, RFC 7578).

Content is read as it arrives and every part is bounded while it does (`FormLimits`). A file stays in memory up to a
threshold and continues in an unnamed temporary file, which worker threads write, so that no disk stops the loop. Where
a multipart body is cut into parts is the python-multipart package's work.

What a form holds belongs to its request: files are closed when the request ends, `UploadFile.save` keeps one.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from anyio import to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from .errors import BadRequest, ContentTooLarge, UnsupportedMediaType
from .headers import parse_parameters
from .query import MultiDict, parse_query
from .uploads import UploadFile

__all__ = ["FormData", "FormLimits", "UploadFile", "parse_form"]

KIB: Final = 1024
MIB: Final = 1024 * KIB
_HYPHEN: Final = 0x2D
_AT_ONCE: Final = 64 * KIB  # urlencoded content decoded in place
_SILENT: Final = logging.Logger("python_multipart", logging.CRITICAL + 1)  # a client must not fill logs with its errors


@dataclass(frozen=True, slots=True, kw_only=True)
class FormLimits:
    """Bounds of one form; what passes them is answered 413, an oversized part head 400."""

    total: int = 16 * MIB  # bytes of content, files included
    fields: int = 1000
    files: int = 100
    field: int = 1 * MIB  # bytes of one field that is no file
    part_head: int = 8 * KIB  # bytes of the field lines of one part
    memory: int = 256 * KIB  # bytes of one file before it goes to disk


class FormData(MultiDict[str | UploadFile]):
    """The fields and files of a form, in order. Names may repeat."""

    __slots__ = ()

    def field(self, name: str, default: str | None = None) -> str | None:
        """Return the first value called `name` that is no file, or `default`."""
        return next((value for value in self.all(name) if isinstance(value, str)), default)

    def file(self, name: str) -> UploadFile | None:
        """Return the first file called `name`, or None."""
        return next((value for value in self.all(name) if isinstance(value, UploadFile)), None)

    def files(self) -> list[UploadFile]:
        """Return every file, in order."""
        return [value for _, value in self.pairs() if isinstance(value, UploadFile)]

    def close(self) -> None:
        """Close every file. What was not saved is gone."""
        _close(self.files())


async def parse_form(
    content_type: str | None, chunks: AsyncIterator[bytes], limits: FormLimits | None = None
) -> FormData:
    """Read a form.

    Args:
        content_type: media type of the content, with its parameters.
        chunks: the content, however cut.
        limits: bounds; None for the defaults.

    Raises:
        UnsupportedMediaType: neither urlencoded nor multipart/form-data.
        BadRequest: malformed, or ended before its end.
        ContentTooLarge: a bound was passed.

    Cost: linear; one copy of what is kept.
    """
    limits = limits or FormLimits()
    kind, parameters = parse_parameters(content_type or "")
    if kind == "application/x-www-form-urlencoded":
        return await _read_urlencoded(chunks, limits)
    if kind != "multipart/form-data":
        raise UnsupportedMediaType("a form is application/x-www-form-urlencoded or multipart/form-data")
    boundary = parameters.get("boundary", "")
    if not 1 <= len(boundary) <= 70 or not boundary.isascii() or not boundary.isprintable() or boundary[-1] == " ":
        raise BadRequest("the media type names no proper boundary")
    return await _Multipart(boundary.encode(), limits).read(chunks)


async def _read_urlencoded(chunks: AsyncIterator[bytes], limits: FormLimits) -> FormData:
    content = bytearray()
    async for chunk in chunks:
        content += chunk
        if len(content) > limits.total:
            raise ContentTooLarge(f"a form may have {limits.total} bytes")
    if content.count(b"&") >= limits.fields:
        raise ContentTooLarge(f"a form may have {limits.fields} fields")
    # a thread for what would hold up everybody else
    raw = bytes(content)
    pairs = parse_query(raw) if len(raw) <= _AT_ONCE else await to_thread.run_sync(parse_query, raw)
    if any(len(name) > limits.field or len(value) > limits.field for name, value in pairs):
        raise ContentTooLarge(f"a field of a form may have {limits.field} bytes")
    return FormData(pairs)


class _Multipart:
    """Collects the parts of one multipart body.

    The parser calls back while it is given bytes; a callback cannot wait, so what belongs into files is noted and
    written once the parser has returned.
    """

    def __init__(self, boundary: bytes, limits: FormLimits) -> None:
        self._limits = limits
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin_part,
                "on_header_field": partial(self._add_to_head, 0),
                "on_header_value": partial(self._add_to_head, 1),
                "on_header_end": self._end_line,
                "on_headers_finished": self._end_head,
                "on_part_data": self._add_data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
            max_header_count=8,
            max_header_size=limits.part_head,
        )
        self._parser.logger = _SILENT
        self._pairs: list[tuple[str, str | UploadFile]] = []
        self._files = 0
        self._line = (bytearray(), bytearray())
        self._head: dict[bytes, bytes] = {}
        self._head_size = 0
        self._name = ""
        self._text = bytearray()
        self._file: UploadFile | None = None
        self._unwritten: list[tuple[UploadFile, bytes]] = []
        self._ended = False

    async def read(self, chunks: AsyncIterator[bytes]) -> FormData:
        """Return the form; close its files when that fails."""
        total = 0
        try:
            async for chunk in chunks:
                if not total and chunk and chunk[0] != _HYPHEN:  # the parser would look for it in this chunk alone
                    raise BadRequest("the form does not start with its boundary")
                total += len(chunk)
                if total > self._limits.total:
                    raise ContentTooLarge(f"a form may have {self._limits.total} bytes")
                self._parser.write(chunk)
                for file, data in self._unwritten:
                    await file.write(data)
                self._unwritten.clear()
            if not self._ended:
                raise BadRequest("the form ended before its last boundary")
            for file in self._uploads():
                await file.seek(0)
        except FormParserError as error:
            _close(self._uploads())
            raise BadRequest("the form is not multipart/form-data as its boundary promises") from error
        except BaseException:
            _close(self._uploads())
            raise
        return FormData(self._pairs)

    def _uploads(self) -> list[UploadFile]:
        return [value for _, value in self._pairs if isinstance(value, UploadFile)]

    def _begin_part(self) -> None:
        self._head = {}
        self._head_size = 0

    def _add_to_head(self, side: int, data: bytes, start: int, end: int) -> None:
        self._head_size += end - start
        if self._head_size > self._limits.part_head:
            raise BadRequest(f"the head of a part may have {self._limits.part_head} bytes")
        self._line[side].extend(data[start:end])

    def _end_line(self) -> None:
        name, value = self._line
        if bytes(name).lower() in self._head:
            raise BadRequest("a part has a field twice")
        self._head[bytes(name).lower()] = bytes(value)
        name.clear()
        value.clear()

    def _end_head(self) -> None:
        text = self._head.get(b"content-disposition", b"").decode("utf-8", "replace")
        kind, parameters = parse_parameters(text)
        name = parameters.get("name")
        if kind != "form-data" or name is None:
            raise BadRequest("a part of a form has a name in its content-disposition")
        self._name = name
        filename = parameters.get("filename")
        if filename is None:
            self._file = None
            if len(self._pairs) - self._files >= self._limits.fields:
                raise ContentTooLarge(f"a form may have {self._limits.fields} fields")
            return
        self._files += 1
        if self._files > self._limits.files:
            raise ContentTooLarge(f"a form may have {self._limits.files} files")
        media_type = self._head.get(b"content-type", b"application/octet-stream").decode("latin-1").strip(" \t")
        self._file = UploadFile(filename, media_type, memory=self._limits.memory)
        self._pairs.append((name, self._file))

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._file is not None:
            self._unwritten.append((self._file, data[start:end]))
            return
        self._text += data[start:end]
        if len(self._text) > self._limits.field:
            raise ContentTooLarge(f"a field of a form may have {self._limits.field} bytes")

    def _end_part(self) -> None:
        if self._file is None:
            self._pairs.append((self._name, self._text.decode("utf-8", "replace")))
            self._text.clear()

    def _end(self) -> None:
        self._ended = True


def _close(files: Iterable[UploadFile]) -> None:
    for file in files:
        file.close()
