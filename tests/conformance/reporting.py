"""An application that tells the content it saw, and what must come back for a case.

A refusal for the wrong reason, a request that was smuggled, content cut short or run over: each shows in the answers,
since every answer names the method and the length of the content that it answers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from conformance.load_cases import Case

from highper_core import Data, EndOfMessage, Fault, Request
from highper_http import App
from highper_http import Request as AppRequest
from highper_http import Response as AppResponse

__all__ = ["Answer", "application", "expected_answers", "read_answers"]

Answer = tuple[int, bytes, bool]
"""Status, content, and whether the connection closes behind it. The content of a refusal is left out."""

_NONE = Request(method=b"", target=b"")


def application() -> App:
    """Return an application that answers every request with its method and the length of its content."""
    app = App()

    @app.use
    async def report(req: AppRequest, res: AppResponse, next: Callable[[], Awaitable[None]]) -> None:
        content = await req.body()
        res.status(405 if req.method == "CONNECT" else 200).text(f"{req.method} {len(content)}")

    return app


def expected_answers(case: Case) -> list[Answer]:
    """Return what a server that declines every switch must answer, in order.

    An application that waits for content that will never be whole is cancelled, and answers nothing; one that would
    have to collect too much of it answers 413; a message left open is answered 408 when its time is up.
    """
    answers: list[Answer] = []
    request, length = _NONE, 0
    for event in case.events:
        if isinstance(event, Request):
            request, length = event, 0
        elif isinstance(event, Data):
            length += len(event.data)
        elif isinstance(event, EndOfMessage):
            answers.append(_report(request.method, length))
    closes = case.behind == "unparsed" or (case.switch and request.http_version == b"1.0")
    if case.fault:
        has_answer = case.status is not None and case.fault is not Fault.CONTENT_INCOMPLETE
        return [*answers, (case.status or 0, b"", True)] if has_answer else answers
    if closes or (case.end_of_input and b"close" in request.headers.all(b"connection")):
        status, content, _ = answers.pop()
        return [*answers, (status, content, True)]
    if case.behind in ("answered", "handed over"):
        return [*answers, _report(b"GET", 0)]
    if case.end_of_input:
        return answers
    is_too_large = request.content_length > case.limits.buffered_content
    return [*answers, (413 if is_too_large else 408, b"", True)]


def _report(method: bytes, length: int) -> Answer:
    content = b"%s %d" % (method, length)
    return 405 if method == b"CONNECT" else 200, b"" if method == b"HEAD" else content, False


def read_answers(data: bytes, case: Case) -> Iterator[Answer]:
    """Yield the final responses in `data`, which must hold nothing else.

    Raises:
        AssertionError: `data` is not a series of responses of known length.
    """
    methods = [event.method for event in case.events if isinstance(event, Request)]
    while data:
        head, separator, data = data.partition(b"\r\n\r\n")
        assert separator, head
        status_line, *lines = head.split(b"\r\n")
        version, code, _ = status_line.split(b" ", 2)
        assert version == b"HTTP/1.1"
        if code == b"100":
            continue
        fields = dict(line.lower().split(b": ", 1) for line in lines)
        has_content = not (methods and methods.pop(0) == b"HEAD")
        length = int(fields[b"content-length"]) if has_content else 0
        content, data = data[:length], data[length:]
        assert len(content) == length
        status = int(code)
        yield status, content if status in (200, 405) else b"", fields.get(b"connection") == b"close"
