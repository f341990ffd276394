"""What an error looks like to its client: JSON, HTML or plain text, whichever it would rather have.

JSON carries the members of RFC 9457. Nothing that an exception said leaves the process for a 5xx, unless in developer
mode, which shows the traceback instead.
"""

from __future__ import annotations

import html
import traceback

import orjson

from .errors import HTTPError, phrase
from .negotiation import preferred

__all__ = ["render_error"]

OFFERS = ("application/json", "text/html", "text/plain")

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 sans-serif;max-width:60rem;margin:4rem auto;padding:0 1rem}}pre{{overflow:auto}}</style>
<h1>{title}</h1>{rest}
"""


def render_error(status: int, error: BaseException, accept: str | None, *, debug: bool) -> tuple[bytes, bytes]:
    """Return media type and content of an error's answer.

    Args:
        status: its status code.
        error: what was raised.
        accept: the request's Accept field.
        debug: developer mode: tell everything.
    """
    detail = error.detail if isinstance(error, HTTPError) and (status < 500 or debug) else ""
    trace = traceback.format_exception(error) if debug and status >= 500 else None
    offer = preferred(accept, OFFERS) or OFFERS[0]
    if offer == "text/html":
        return b"text/html; charset=utf-8", _html(status, detail, trace)
    if offer == "text/plain":
        return b"text/plain; charset=utf-8", _text(status, detail, trace)
    problem: dict[str, object] = {"title": phrase(status), "status": status}
    if detail:
        problem["detail"] = detail
    if trace is not None:
        problem["traceback"] = trace
    return b"application/json", orjson.dumps(problem)


def _html(status: int, detail: str, trace: list[str] | None) -> bytes:
    title = html.escape(f"{status} {phrase(status)}")
    rest = f"<p>{html.escape(detail)}</p>" if detail else ""
    if trace is not None:
        rest += f"<pre>{html.escape(''.join(trace))}</pre>"
    return _PAGE.format(title=title, rest=rest).encode("utf-8", "backslashreplace")


def _text(status: int, detail: str, trace: list[str] | None) -> bytes:
    lines = [f"{status} {phrase(status)}", *([detail] if detail else []), *(["", *trace] if trace is not None else [])]
    return "\n".join(line.rstrip("\n") for line in lines).encode("utf-8", "backslashreplace") + b"\n"
