"""Forms with files, as a browser would send them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

__all__ = ["Files", "encode_multipart"]

File: TypeAlias = "tuple[str, bytes] | tuple[str, bytes, str]"
Files: TypeAlias = Mapping[str, File]

_BOUNDARY = b"highper-test-boundary"
_ESCAPES = str.maketrans({"\r": "%0D", "\n": "%0A", '"': "%22"})


def encode_multipart(fields: Mapping[str, str], files: Files) -> tuple[str, bytes]:
    """Return media type and content of a multipart form.

    Args:
        fields: those without a file, which come first.
        files: for each field name the file's name and its bytes, and its media type if it matters.

    Raises:
        ValueError: something holds the boundary.

    Source: RFC 7578, and the HTML Standard, multipart-form-data, for the escapes.
    """
    parts = [(f'name="{_escaped(name)}"', "", value.encode()) for name, value in fields.items()]
    for name, (filename, content, *rest) in files.items():
        media_type = rest[0] if rest else "application/octet-stream"
        disposition = f'name="{_escaped(name)}"; filename="{_escaped(filename)}"'
        parts.append((disposition, f"content-type: {media_type}\r\n", content))
    body = b""
    for disposition, more, content in parts:
        head = f"content-disposition: form-data; {disposition}\r\n{more}\r\n".encode()
        if _BOUNDARY in head + content:
            raise ValueError(f"a part holds the boundary {_BOUNDARY.decode()!r}")
        body += b"--%s\r\n%s%s\r\n" % (_BOUNDARY, head, content)
    return f"multipart/form-data; boundary={_BOUNDARY.decode()}", body + b"--%s--\r\n" % _BOUNDARY


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
