"""http.client, httpx, aiohttp and h11 as clients."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from typing import Any

import aiohttp
import anyio
import h11
import httpx
import pytest

LINES = "".join(f"line {number}\n" for number in range(200))
CONTENT = bytes(range(256)) * 3000


def told(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def pieces(content: bytes, size: int = 7001) -> Iterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


# http.client


@pytest.fixture
def stdlib(port: int) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        yield connection


def exchange(connection: http.client.HTTPConnection, *arguments: Any, **options: Any) -> tuple[int, bytes]:
    connection.request(*arguments, **options)
    response = connection.getresponse()
    return response.status, response.read()


def test_http_client_keeps_its_connection(stdlib: http.client.HTTPConnection) -> None:
    """Every framing, errors and HEAD between, on one connection."""
    stdlib.connect()
    own = stdlib.sock.getsockname()
    for _ in range(3):
        assert exchange(stdlib, "GET", "/text") == (200, b"Hello, World!")
        assert exchange(stdlib, "HEAD", "/bytes/5000") == (200, b"")
        assert exchange(stdlib, "GET", "/stream/200") == (200, LINES.encode())
        assert exchange(stdlib, "POST", "/echo", CONTENT) == (200, CONTENT)
        status, content = exchange(stdlib, "POST", "/digest", pieces(CONTENT), encode_chunked=True)
        assert (status, json.loads(content)) == (200, told(CONTENT))
        assert exchange(stdlib, "GET", "/nothing")[0] == 404
        assert exchange(stdlib, "GET", "/broken")[0] == 500
        assert exchange(stdlib, "GET", "/cookie") == (204, b"")
        assert json.loads(exchange(stdlib, "GET", "/request")[1])["peer"] == list(own)


def test_http_client_and_unread_content(stdlib: http.client.HTTPConnection) -> None:
    """Content that the handler left unread is passed over and the connection goes on."""
    assert exchange(stdlib, "POST", "/text", b"x" * 10_000)[0] == 405
    assert exchange(stdlib, "POST", "/refuse", b"x" * 100_000) == (403, b"no")
    assert exchange(stdlib, "GET", "/text") == (200, b"Hello, World!")


def test_http_1_0(port: int) -> None:
    """Answered and closed."""

    class OldConnection(http.client.HTTPConnection):
        _http_vsn = 10
        _http_vsn_str = "HTTP/1.0"

    with closing(OldConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", "/stream/200")
        response = connection.getresponse()
        assert response.will_close
        assert response.read() == LINES.encode()


# httpx


@pytest.fixture
def client(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=30) as client:
        yield client


def test_httpx_up_and_down(client: httpx.Client) -> None:
    """Streams both ways."""
    assert client.post("/digest", content=pieces(CONTENT)).json() == told(CONTENT)
    assert client.put("/echo", content=CONTENT).content == CONTENT
    with client.stream("GET", "/stream/200") as response:
        assert "".join(response.iter_text()) == LINES
    with client.stream("GET", "/bytes/5000000") as response:
        first = next(response.iter_raw())  # and away: what was not read is dropped with its connection
    assert first
    assert client.get("/text").text == "Hello, World!"


def test_httpx_forms(client: httpx.Client) -> None:
    """Urlencoded and multipart, as httpx writes them."""
    fields = {"a": ["1", "\u20ac &="], "b": ""}
    expected = [["a", "1"], ["a", "\u20ac &="], ["b", ""]]
    assert client.post("/form", data=fields).json()["fields"] == expected
    files = {"f": ("na\u00efve \u4e2d.bin", CONTENT, "image/x-test")}
    found = client.post("/form", data=fields, files=files).json()
    assert found["fields"] == expected
    assert found["files"][0] == ["na\u00efve \u4e2d.bin", "image/x-test", told(CONTENT)["sha256"]]


def test_httpx_follows_and_keeps_cookies(client: httpx.Client) -> None:
    """Redirects and cookies mean to it what they mean to us."""
    assert client.get("/redirect", follow_redirects=True).text == "Hello, World!"
    client.get("/cookie")
    seen = client.get("/request", params={"q": ["\u00e9", "a+b"]}).json()
    assert seen["cookies"] == {"first": "1", "second": "2"}
    assert seen["query"] == ["\u00e9", "a+b"]
    assert client.get("/broken", headers={"accept": "application/json"}).json()["status"] == 500


def test_httpx_at_once(url: str) -> None:
    """Two hundred requests over twenty connections, each with its own answer."""

    async def scenario() -> None:
        limits = httpx.Limits(max_connections=20)
        async with (
            httpx.AsyncClient(base_url=url, limits=limits, timeout=30) as client,
            anyio.create_task_group() as group,
        ):

            async def one(number: int) -> None:
                content = str(number).encode() * (number + 1)
                assert (await client.post("/echo", content=content)).content == content

            for number in range(200):
                group.start_soon(one, number)

    anyio.run(scenario)


# aiohttp


def test_aiohttp(url: str) -> None:
    """Streams, 100 Continue, forms and many at once."""

    async def upload() -> AsyncIterator[bytes]:
        for piece in pieces(CONTENT):
            yield piece

    async def scenario() -> None:
        jar = aiohttp.CookieJar(unsafe=True)  # for IP addresses too
        async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=20), cookie_jar=jar) as session:
            async with session.post("/digest", data=upload()) as response:
                assert await response.json() == told(CONTENT)
            async with session.post("/echo", data=CONTENT, expect100=True) as response:
                assert await response.read() == CONTENT
            async with session.post("/refuse", data=b"x" * 1000, expect100=True) as response:
                assert response.status == 403
            async with session.get("/stream/200") as response:
                assert response.headers["transfer-encoding"] == "chunked"
                assert await response.text() == LINES
            async with session.head("/bytes/77") as response:
                assert response.headers["content-length"] == "77"
            form = aiohttp.FormData(quote_fields=False)
            form.add_field("a", "\u20ac")
            form.add_field("f", CONTENT, filename="x y.bin", content_type="image/x-test")
            async with session.post("/form", data=form) as response:
                found = await response.json()
                assert found["fields"] == [["a", "\u20ac"]]
                assert found["files"] == [["x y.bin", "image/x-test", told(CONTENT)["sha256"]]]
            await session.get("/cookie")
            async with session.get("/request") as response:
                assert (await response.json())["cookies"] == {"first": "1", "second": "2"}

            async def one(number: int) -> None:
                content = str(number).encode() * (number + 1)
                async with session.post("/echo", data=content) as response:
                    assert await response.read() == content

            async with anyio.create_task_group() as group:
                for number in range(200):
                    group.start_soon(one, number)

    anyio.run(scenario)


# h11


class H11Client:
    """h11 on a socket, which tells every event it saw."""

    def __init__(self, port: int) -> None:
        self.connection = h11.Connection(h11.CLIENT)
        self.socket = socket.create_connection(("127.0.0.1", port), 30)

    def send(self, *events: h11.Event) -> None:
        for event in events:
            self.socket.sendall(self.connection.send(event) or b"")

    def events(self) -> list[h11.Event]:
        """Return the events until the end of a message, or until h11 waits for the rest of our request."""
        found: list[h11.Event] = []
        while not found or not isinstance(found[-1], h11.EndOfMessage | h11.InformationalResponse):
            event = self.connection.next_event()
            if event is h11.NEED_DATA:
                self.connection.receive_data(self.socket.recv(65536))
            else:
                found.append(event)
        return found


@pytest.fixture
def h11_client(port: int) -> Iterator[H11Client]:
    client = H11Client(port)
    with closing(client.socket):
        yield client


HOST = ("host", "example.test")


def test_h11_cycles(h11_client: H11Client) -> None:
    """Every cycle ends where h11 can begin the next; interim responses and chunks are read as they are meant."""
    for _ in range(3):
        h11_client.send(h11.Request(method="GET", target="/stream/3", headers=[HOST]), h11.EndOfMessage())
        head, *data, end = h11_client.events()
        assert (head.status_code, head.http_version, end) == (200, b"1.1", h11.EndOfMessage())
        assert b"".join(bytes(each.data) for each in data) == b"line 0\nline 1\nline 2\n"
        h11_client.connection.start_next_cycle()
        expecting = [HOST, ("expect", "100-continue"), ("transfer-encoding", "chunked")]
        h11_client.send(h11.Request(method="POST", target="/digest", headers=expecting))
        assert [event.status_code for event in h11_client.events()] == [100]
        h11_client.send(h11.Data(data=b"a"), h11.Data(data=b"b" * 70_000), h11.EndOfMessage(headers=[("x-sum", "1")]))
        head, *data, end = h11_client.events()
        assert json.loads(b"".join(bytes(each.data) for each in data)) == told(b"a" + b"b" * 70_000)
        h11_client.connection.start_next_cycle()
    h11_client.send(
        h11.Request(method="GET", target="/text", headers=[HOST, ("connection", "close")]), h11.EndOfMessage()
    )
    assert (b"connection", b"close") in h11_client.events()[0].headers
    assert h11_client.connection.our_state is h11.MUST_CLOSE
    assert h11_client.socket.recv(1) == b""


def test_h11_reads_refusals(port: int) -> None:
    """What we refuse is answered in a way h11 takes for a whole message, and closed."""
    for raw, status in (
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/3.0\r\nhost: a\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 501),
        (b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 20_000 + b"\r\n\r\n", 431),
    ):
        client = H11Client(port)
        with closing(client.socket):
            client.connection.send(h11.Request(method="GET", target="/", headers=[HOST]))
            client.connection.send(h11.EndOfMessage())
            client.socket.sendall(raw)
            head = client.events()[0]
            assert isinstance(head, h11.Response)
            assert head.status_code == status
            assert client.socket.recv(1) == b""


def test_pipelined_requests_are_answered_in_order(port: int) -> None:
    """All in one segment, a slow one first; read by http.client's own parser."""
    paths = ["/slow", "/text", "/stream/5", "/nothing", "/bytes/70000", "/text"]
    with closing(socket.create_connection(("127.0.0.1", port), 30)) as peer:
        peer.sendall(b"".join([f"GET {path} HTTP/1.1\r\nhost: a\r\n\r\n".encode() for path in paths]))
        answers = []
        with peer.makefile("rb") as file:
            for _ in paths:
                response = http.client.HTTPResponse(_Shared(file))  # type: ignore[arg-type]
                response.begin()
                answers.append((response.status, len(response.read())))
    assert answers[:3] == [(200, 4), (200, 13), (200, 35)]
    assert answers[3][0] == 404
    assert answers[4:] == [(200, 70_000), (200, 13)]


class _Shared:
    """A socket whose file outlives each response read from it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def makefile(self, mode: str) -> Any:
        return _Open(self._file)


class _Open:
    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        """Stay open for the next response."""
