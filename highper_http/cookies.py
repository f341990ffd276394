"""Cookies: reading what a client sends, writing what it is asked to keep (RFC 6265bis).

Reading splits at semicolons and nothing else: quotes protect no semicolon, backslashes and percent signs mean
themselves, so that no value can swallow the cookie after it and none takes more than one pass. Around a name or value
only SP and HTAB are trimmed: a wider notion of space would let one host's cookie pass for a `__Host-` one.

Writing refuses what a client would cut, or read as an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final, Literal

__all__ = ["SameSite", "format_cookie", "parse_cookies"]

SameSite = Literal["lax", "strict", "none"]

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")
_VALUE: Final = re.compile(r"[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]*\Z")
_DOMAIN: Final = re.compile(r"\.?[0-9A-Za-z](?:[0-9A-Za-z.-]*[0-9A-Za-z])?\Z")
_PATH: Final = re.compile(r"/[\x20-\x3A\x3C-\x7E]*\Z")
_PAIR_BYTES: Final = 4096  # RFC 6265bis section 5.6: clients drop what is longer
_ATTRIBUTE_BYTES: Final = 1024


def parse_cookies(lines: Iterable[str]) -> dict[str, str]:
    """Return the cookies of a request, by name. Of a name sent twice the first counts: the one of the closest path.

    Args:
        lines: values of its Cookie fields. A part without `=`, or without a name, is no cookie.

    Cost: linear.

    Source: RFC 6265bis sections 4.2.1 and 5.8.3.
    """
    cookies: dict[str, str] = {}
    for line in lines:
        for part in line.split(";"):
            name, equals, value = part.partition("=")
            name = name.strip(" \t")
            if equals and name and name not in cookies:
                value = value.strip(" \t")
                quoted = len(value) >= 2 and value[0] == value[-1] == '"'
                cookies[name] = value[1:-1] if quoted else value
    return cookies


def format_cookie(
    name: str,
    value: str,
    *,
    max_age: int | None = None,
    expires: datetime | None = None,
    path: str | None = "/",
    domain: str | None = None,
    secure: bool = False,
    http_only: bool = False,
    same_site: SameSite | None = None,
    partitioned: bool = False,
) -> str:
    """Return the value of a Set-Cookie field.

    Args:
        name: token.
        value: printable ASCII without space, quote, comma, semicolon and backslash; encode what is not.
        max_age: seconds; 0 or less forgets the cookie.
        expires: an aware moment, for clients that know no Max-Age.
        path, domain: where it is sent back; without `domain`, to this very host.
        secure: over https alone.
        http_only: kept from scripts.
        same_site: with which requests of other sites it is sent; None leaves it to the client.
        partitioned: one for each site that embeds us.

    Raises:
        ValueError: a character or length that clients refuse, or attributes that contradict the name's prefix.

    Source: RFC 6265bis sections 4.1.1 to 4.1.3.
    """
    if not _NAME.match(name) or not _VALUE.match(value):
        raise ValueError(f"a cookie cannot be written as {name!r}={value!r}: encode it")
    if len(name) + len(value) > _PAIR_BYTES:
        raise ValueError(f"the cookie {name!r} has more than {_PAIR_BYTES} bytes")
    _check_prefix(name, path, domain, secure)
    if not secure and (same_site == "none" or partitioned):
        raise ValueError(f"the cookie {name!r} has to be secure: SameSite=None and Partitioned demand it")
    parts = [f"{name}={value}"]
    if max_age is not None:
        parts.append(f"Max-Age={max_age:d}")
    if expires is not None:
        if expires.tzinfo is None:
            raise ValueError(f"the cookie {name!r} expires at a moment without time zone")
        parts.append("Expires=" + format_datetime(expires.astimezone(UTC), usegmt=True))
    for attribute, text, form in (("Domain", domain, _DOMAIN), ("Path", path, _PATH)):
        if text is not None:
            if not form.match(text) or len(text) > _ATTRIBUTE_BYTES:
                raise ValueError(f"the cookie {name!r} cannot have the {attribute.lower()} {text!r}")
            parts.append(f"{attribute}={text}")
    flags = (("Secure", secure), ("HttpOnly", http_only), ("Partitioned", partitioned))
    parts += [flag for flag, is_set in flags if is_set]
    if same_site is not None:
        parts.append("SameSite=" + {"lax": "Lax", "strict": "Strict", "none": "None"}[same_site])
    return "; ".join(parts)


def _check_prefix(name: str, path: str | None, domain: str | None, secure: bool) -> None:
    prefix = name.lower()  # clients match prefixes without regard to case
    if prefix.startswith(("__secure-", "__host-")) and not secure:
        raise ValueError(f"the prefix of {name!r} demands a secure cookie")
    if prefix.startswith("__host-") and (path != "/" or domain is not None):
        raise ValueError(f"the prefix of {name!r} demands the path '/' and no domain of the cookie")
