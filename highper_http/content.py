"""Content as text or as data, and what it means that it is not."""

from __future__ import annotations

from typing import Any

import msgpack  # type: ignore[import-untyped]
import orjson

from .errors import BadRequest, UnsupportedMediaType
from .headers import charset_of, codec_of

__all__ = ["read_json", "read_msgpack", "read_text"]


def read_text(content: bytes, media_type: str | None) -> str:
    """Return content as text, in the charset its media type names, else UTF-8.

    Raises:
        BadRequest: it is not text in that charset.
        UnsupportedMediaType: the charset is unknown.
    """
    charset = charset_of(media_type) or "utf-8"
    codec = codec_of(charset)
    try:
        if codec is None:
            raise LookupError(charset)
        return content.decode(codec)
    except UnicodeDecodeError:
        raise BadRequest(f"the content is not {charset[:40]}") from None
    except (LookupError, ValueError):
        raise UnsupportedMediaType(f"unknown charset {charset[:40]!r}") from None


def read_json(content: bytes) -> Any:
    """Return content read as JSON (RFC 8259).

    Raises:
        BadRequest: it is not JSON.
    """
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"the content is not JSON: {error}") from None


def read_msgpack(content: bytes) -> Any:
    """Return content read as MessagePack.

    Raises:
        BadRequest: it is not MessagePack.
    """
    try:
        return msgpack.unpackb(content)
    except (ValueError, msgpack.UnpackException):
        raise BadRequest("the content is not MessagePack") from None
