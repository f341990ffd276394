"""Flaws that other HTTP/1.1 software had, one test for each kind, named after it (reference/reliability.md section 2).

Most are cases of the suite, gathered here by what went wrong; those that need an application or a clock are played out.
"""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Coroutine
from time import process_time
from typing import Any

import pytest
from conformance.conversation import check, converse
from conformance.cuts import bytes_of, cuts
from conformance.load_cases import load

from highper_core import (
    NEED_DATA,
    PAUSED,
    Data,
    Fault,
    HttpConnection,
    LocalProtocolError,
    RemoteProtocolError,
    Request,
    Response,
    Role,
)
from highper_core.testing import read
from highper_http import App, Server
from highper_http.access_log import escape
from highper_transports.memory import MemoryTransport

CASES = {case.id: case for case in load()}
HEAD = b"Host: a\r\n"
GET = b"GET / HTTP/1.1\r\n" + HEAD + b"\r\n"
Play = Callable[[Any, Any], Coroutine[Any, Any, None]]


def hold(engine: str, *ids: str) -> None:
    """The cases called `ids` hold, whole and byte by byte."""
    for name in ids:
        case = CASES[name]
        data = bytes_of(case)
        for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
            check(case, converse(case, engine, pieces))


def play(app: App, engine: str, player: Play) -> None:
    """Serve `app` in memory and let `player(peer, server)` be its client."""

    async def main(_: Any) -> None:
        async with Server(app, bind=["server:1"], transport="memory", engine=engine, access_log=False) as server:
            transport: Any = server._transport
            peer = await transport.dial(server.addresses[0])
            await player(peer, server)
            peer.close()
            await asyncio.sleep(1)
            assert server._service is not None
            assert not server._service.open, "a stream outlived its peer"

    MemoryTransport.run(main)


async def answers(peer: Any) -> list[bytes]:
    """Return the status-lines and contents of everything that comes until the end."""
    received = await peer.receive_all()
    found = []
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        found.append(head.split(b" ")[1] + b" " + received[:length].strip())
        received = received[length:]
    return found


def test_int_as_parser(engine_name: str) -> None:
    """Digits are digits: no sign, prefix, underscore, whitespace, or number that wraps around."""
    hold(engine_name, "length-plus", "length-minus", "length-hex", "length-underscore", "length-wraps-around")
    hold(engine_name, "chunks-size-plus", "chunks-size-minus", "chunks-size-prefix", "chunks-size-underscore")
    hold(engine_name, "chunks-size-leading-space", "chunks-size-17-digits", "chunks-sign-bit-size")
    hold(engine_name, "host-port-sign", "host-port-overflow", "target-connect-port-sign", "version-sign")
    hold(engine_name, "response-sign", "response-length-invalid", "response-chunk-size-invalid")


def test_unicode_before_grammar(engine_name: str) -> None:
    """Nothing is decoded, lowered or classed as text before the grammar has accepted it."""
    hold(engine_name, "length-unicode-digit", "length-superscript-digit", "chunks-size-unicode-digit")
    hold(engine_name, "coding-kelvin", "coding-full-width", "field-kelvin-in-name", "version-superscript")
    hold(engine_name, "request-line-next-line", "request-line-no-break-space", "response-unicode-digit")


def test_lenient_line_ends_in_chunks(engine_name: str) -> None:
    """CRLF exactly: behind sizes, in extensions, behind data, in trailers, at the end."""
    hold(engine_name, "chunks-size-bare-lf", "chunks-size-bare-cr", "chunks-size-cr-crlf", "chunks-last-bare-lf")
    hold(engine_name, "chunks-extension-bare-lf", "chunks-extension-bare-cr", "chunks-extension-quoted-lf")
    hold(
        engine_name, "chunks-data-two-other-octets", "chunks-data-bare-lf", "chunks-data-lf-cr", "chunks-data-too-long"
    )
    hold(engine_name, "trailer-bare-lf", "trailer-bare-cr", "chunks-final-bare-lf", "response-chunk-unterminated")


def test_trailers_skipped_or_unbounded(engine_name: str) -> None:
    """Trailers obey the parser and the limits of header fields, and forbidden names are refused."""
    hold(engine_name, "trailer-without-colon", "trailer-bad-name", "trailer-space-before-colon", "trailer-nul")
    hold(engine_name, "trailer-folded", "trailer-is-a-request", "trailer-length", "trailer-coding", "trailer-host")
    hold(engine_name, "limit-trailers-passed", "limit-trailers-endless", "limit-trailer-line-passed")
    hold(engine_name, "limit-trailer-fields-passed", "trailer-not-merged", "response-trailer-forbidden")


def test_transfer_encoding_guessed(engine_name: str) -> None:
    """The final coding is exactly chunked, once; anything else is refused."""
    hold(engine_name, "coding-unknown-alone", "coding-unknown-last", "coding-twice", "coding-twice-lines")
    hold(engine_name, "coding-prefixed", "coding-suffixed", "coding-identity", "coding-identity-chunked")
    hold(engine_name, "coding-trailing-comma", "coding-leading-comma", "coding-quoted", "coding-vertical-tab")
    hold(engine_name, "coding-1-0", "coding-empty", "coding-parameter", "field-folded-coding", "response-coding-twice")


def test_length_with_coding_kept_alive(engine_name: str) -> None:
    """Both at once are refused and the connection closes; what they hide is never read."""
    hold(engine_name, "coding-with-length", "coding-behind-length", "coding-with-length-zero")
    hold(engine_name, "pipelined-smuggled-behind-conflict", "response-length-and-coding")


def test_names_normalised(engine_name: str) -> None:
    """A name is a token, and no other name."""
    hold(engine_name, "field-space-before-colon", "field-tab-before-colon", "field-length-space-before-colon")
    hold(engine_name, "field-underscore-is-not-hyphen", "field-similar-names", "trailer-similar-name")
    hold(engine_name, "field-bare-cr-in-name", "field-nul-in-name", "field-control-in-name", "field-obs-text-in-name")


def test_two_parsers_that_differ(engine_name: str) -> None:
    """A limit holds whatever the pieces in which a line comes, on every engine."""
    limits = [case for case in CASES.values() if case.topic == "limits" and case.silence is None]
    assert len(limits) > 40
    for case in limits:
        if len(case.input) < 400:
            records = {repr(converse(case, engine_name, pieces)) for pieces in cuts(bytes_of(case))}
            assert len(records) == 1, case.id


def test_host_trusted(engine_name: str) -> None:
    """Host is judged before anybody builds a URL from it."""
    hold(engine_name, "host-missing", "host-repeated-differing", "host-repeated-equal", "host-path", "host-userinfo")
    hold(engine_name, "host-fragment", "host-backslash", "host-list", "host-port-letters", "host-ipv6-unclosed")
    hold(engine_name, "host-percent-malformed", "target-absolute-userinfo", "target-absolute-empty-host")


@pytest.mark.parametrize("unit", [b"1\r\na\r\n", b"1;a=b\r\na\r\n"], ids=["chunks", "extensions"])
def test_work_that_grows_faster_than_input(engine_name: str, unit: bytes) -> None:
    """Many small chunks cost what their octets cost, also one octet at a time."""
    head = b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"

    def cost(count: int) -> float:
        spent = []
        for _ in range(3):
            connection = HttpConnection(Role.SERVER, engine_name)
            started = process_time()
            for octet in head + unit * count:
                connection.receive_data(bytes((octet,)))
                while connection.next_event() is not NEED_DATA:
                    pass
            spent.append(process_time() - started)
        return min(spent) / count

    assert cost(2000) <= 3 * cost(200)


def test_unbounded_queues(engine_name: str) -> None:
    """Requests behind one that is being handled stay outside, but for a bounded number of octets."""
    app = App()
    done = asyncio.Event()

    @app.get("/")
    async def stuck(req: Any) -> str:
        await done.wait()
        return "done"

    async def player(peer: Any, server: Any) -> None:
        total = 4 * 1024 * 1024
        peer.send(GET * (total // len(GET)))
        await asyncio.sleep(60)
        assert peer.stream.unwritten > total - 1024 * 1024
        peer.reset()
        await asyncio.sleep(1)

    play(app, engine_name, player)


def test_decompression_bombs(engine_name: str) -> None:
    """No coding is undone behind the application's back, so nothing grows; an unknown transfer coding is refused."""
    hold(engine_name, "coding-unknown-first", "coding-unknown-first-line", "coding-unknown-with-parameter")
    bomb = gzip.compress(bytes(1024 * 1024))
    connection = HttpConnection(Role.SERVER, engine_name)
    fields = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    connection.receive_data(b"POST / HTTP/1.1\r\n" + fields + bomb)
    content = b""
    while (event := connection.next_event()) is not PAUSED:
        content += bytes(event.data) if isinstance(event, Data) else b""
    assert content == bomb


def test_order_of_answers(engine_name: str) -> None:
    """A quick answer does not overtake a slow one, nor does a refusal."""
    app = App()

    @app.get("/{seconds:int}")
    async def wait(req: Any) -> str:
        await asyncio.sleep(req.param("seconds"))
        return str(req.param("seconds"))

    async def player(peer: Any, server: Any) -> None:
        peer.send(b"".join(b"GET /%d HTTP/1.1\r\n%s\r\n" % (seconds, HEAD) for seconds in (9, 0, 5, 1)))
        peer.send(b"GET /0 HTTP/1.1\r\n\r\n" + GET)
        *good, refusal = await answers(peer)
        assert good == [b"200 9", b"200 0", b"200 5", b"200 1"]
        assert refusal.startswith(b"400 ")

    play(app, engine_name, player)


@pytest.mark.parametrize("fields", [b"", b"Connection: upgrade\r\nUpgrade: h2c\r\n"], ids=["plain", "upgrade"])
def test_body_left_unread(engine_name: str, fields: bytes) -> None:
    """Content that the application ignores is never read as a request, whether an upgrade was declined or not."""
    app = App()
    asked = []

    @app.use
    async def ignore(req: Any, res: Any, next: Any) -> None:
        asked.append(req.target)
        res.status(403).text("no")

    smuggled = b"GET /smuggled HTTP/1.1\r\n" + HEAD + b"\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(smuggled)

    async def player(peer: Any, server: Any) -> None:
        peer.send(b"POST /first HTTP/1.1\r\n" + HEAD + fields + length + smuggled)
        peer.send(b"GET /second HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n")
        assert await answers(peer) == [b"403 no", b"403 no"]
        assert asked == [b"/first", b"/second"]

    play(app, engine_name, player)


@pytest.mark.parametrize(
    "template",
    [
        b"G%sT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1%s1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX%s: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: x%s\r\nUpgrade: y%s\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a%s\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a%s\r\nx\r\n0\r\nX%s: %s\r\n\r\n",
    ],
    ids=["method", "target", "version", "name", "options", "host", "chunked"],
)
def test_crash_on_odd_bytes(engine_name: str, template: bytes) -> None:
    """Any octet anywhere is accepted or refused by a fault, and never ends otherwise."""
    for octet in range(256):
        connection = HttpConnection(Role.SERVER, engine_name)
        connection.receive_data(template.replace(b"%s", bytes((octet,))))
        _, fault = read(connection)
        assert fault is Fault.NONE or fault.status_hint is not None, octet


def test_hang_after_a_late_error(engine_name: str) -> None:
    """Whoever waits for content is told of the error that spoils it, at once."""
    app = App()
    told: list[Fault] = []

    @app.post("/")
    async def upload(req: Any) -> str:
        try:
            return str(len(await req.body()))
        except RemoteProtocolError as error:
            told.append(error.fault)
            raise

    async def player(peer: Any, server: Any) -> None:
        transport = peer.stream.transport
        peer.send(b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await asyncio.sleep(1)
        started = transport.now()
        peer.send(b"nonsense\r\n")
        (refusal,) = await answers(peer)
        assert refusal.startswith(b"400 ")
        assert told == [Fault.CHUNK_SIZE_INVALID]
        assert transport.now() - started < 6

    play(app, engine_name, player)


def test_busy_loop_on_half_open_sockets(engine_name: str) -> None:
    """A client that ended its side is waited on, not spun on; virtual time would stand still under a busy loop."""
    app = App()

    @app.get("/")
    async def slow(req: Any) -> str:
        await asyncio.sleep(3600)
        return "late"

    async def player(peer: Any, server: Any) -> None:
        spent = process_time()
        peer.send(GET)
        peer.half_close()
        assert await answers(peer) == [b"200 late"]
        assert process_time() - spent < 1.0

    play(app, engine_name, player)


@pytest.mark.parametrize("poison", [b"\r\nSet-Cookie: a=b", b"\n", b"\r", b"\0", b"\x7f"])
def test_log_and_response_injection(engine_name: str, poison: bytes) -> None:
    """No CR, LF, NUL or other control leaves in a field, a reason or a request-line, nor reaches a log as it is."""
    connection = HttpConnection(Role.SERVER, engine_name)
    connection.receive_data(GET)
    while connection.next_event() is not PAUSED:
        pass
    for head in (
        Response(status_code=200, headers=[(b"x", b"a" + poison)]),
        Response(status_code=200, headers=[(b"x" + poison, b"a")]),
        Response(status_code=200, reason=b"OK" + poison),
    ):
        states = (connection.our_state, connection.their_state)
        with pytest.raises(LocalProtocolError):
            connection.send(head)
        with pytest.raises(LocalProtocolError):
            connection.send_message(head, b"content")
        assert connection.data_to_send() == b""
        assert (connection.our_state, connection.their_state) == states
    client = HttpConnection(Role.CLIENT, engine_name)
    for request in (
        Request(method=b"GET", target=b"/" + poison, headers=[(b"host", b"a")]),
        Request(method=b"GET" + poison, target=b"/", headers=[(b"host", b"a")]),
        Request(method=b"GET", target=b"/", headers=[(b"host", b"a" + poison)]),
    ):
        with pytest.raises(LocalProtocolError):
            client.send(request)
        assert client.data_to_send() == b""
    line = escape(b'"' + poison)
    assert line.isprintable()
    assert '"' not in line
