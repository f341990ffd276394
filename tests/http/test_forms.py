"""Forms, urlencoded and multipart."""

from __future__ import annotations

import random
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from highper_http import forms, uploads
from highper_http.errors import BadRequest, ContentTooLarge, UnsupportedMediaType
from highper_http.forms import FormData, FormLimits, UploadFile, parse_form
from highper_http.query import encode_query

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = 'multipart/form-data; boundary="b-42"'


async def cut(content: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def read(content_type: str | None, content: bytes, size: int = 1 << 20, **limits: int) -> FormData:
    return anyio.run(partial(parse_form, content_type, cut(content, size), FormLimits(**limits)))


def part(head: str, content: bytes) -> bytes:
    return b"--b-42\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def field(name: str, content: bytes) -> bytes:
    return part(f'Content-Disposition: form-data; name="{name}"', content)


def file(name: str, filename: str, content: bytes, kind: str = "text/plain") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {kind}'
    return part(head, content)


END = b"--b-42--\r\n"


def test_urlencoded() -> None:
    """Pairs in order, names repeat; the media type may carry parameters."""
    form = read(URLENCODED + "; charset=utf-8", b"a=1&b=%C3%A9+x&a=2", size=3)
    assert form.pairs() == [("a", "1"), ("b", "\xe9 x"), ("a", "2")]
    assert form.field("a") == "1"
    assert form.field("c", "-") == "-"
    assert form.file("a") is None
    assert read(URLENCODED, b"").pairs() == []


@given(st.lists(st.tuples(st.text(min_size=1), st.text())), st.integers(1, 50))
@settings(max_examples=50)
def test_urlencoded_round_trip(pairs: list[tuple[str, str]], size: int) -> None:
    """However the content is cut."""
    pairs = [
        (name.encode("utf-8", "replace").decode(), value.encode("utf-8", "replace").decode()) for name, value in pairs
    ]
    assert read(URLENCODED, encode_query(pairs).encode(), size).pairs() == pairs


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "multipart/mixed; boundary=x", "application/json"])
def test_other_media_types_are_refused(content_type: str | None) -> None:
    """415: it is no form."""
    with pytest.raises(UnsupportedMediaType):
        read(content_type, b"a=b")


@pytest.mark.parametrize("size", [1, 2, 7, 64, 1 << 20])
def test_multipart(size: int) -> None:
    """Fields and files in order, whatever the cuts; near misses of the boundary are content."""
    near = b"\r\n--b-4\r\n--b-43\r\n-\r\r\n--b-4"
    content = (
        field("a", b"1")
        + file("f", "x.bin", near, "application/x-test")
        + field("a", "\xe9".encode() + b"\xff")
        + part('content-disposition: form-data; name="g"; filename=""', b"")
        + END
        + b"epilogue"
    )
    form = read(MULTIPART, content, size)
    assert [name for name, _ in form.pairs()] == ["a", "f", "a", "g"]
    assert form.all("a") == ["1", "\xe9\ufffd"]
    upload = form.file("f")
    assert upload is not None
    assert (upload.filename, upload.content_type, upload.size) == ("x.bin", "application/x-test", len(near))
    assert anyio.run(upload.read) == near
    empty = form.file("g")
    assert empty is not None
    assert (empty.filename, empty.content_type, empty.size) == ("", "application/octet-stream", 0)
    assert form.files() == [upload, empty]
    form.close()


@given(
    st.lists(st.tuples(st.booleans(), st.binary(max_size=60).filter(lambda data: b"\r\n--b-42" not in b"\r\n" + data))),
    st.integers(1, 80),
)
@settings(max_examples=60)
def test_multipart_round_trip(parts: list[tuple[bool, bytes]], size: int) -> None:
    """Any content that does not hold the boundary comes back, byte by byte the same."""
    content = b"".join([file("n", "f", data) if is_file else field("n", data) for is_file, data in parts]) + END
    form = read(MULTIPART, content, size)

    async def collect() -> list[bytes | str]:
        return [await value.read() if isinstance(value, UploadFile) else value for value in form.all("n")]

    expected = [data if is_file else data.decode("utf-8", "replace") for is_file, data in parts]
    assert anyio.run(collect) == expected
    form.close()


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("multipart/form-data", END),
        ("multipart/form-data; boundary=", END),
        ("multipart/form-data; boundary=" + "b" * 71, END),
        ('multipart/form-data; boundary="b "', END),
        ('multipart/form-data; boundary="b\r\nc"', END),
        (MULTIPART, b""),
        (MULTIPART, b"--b-4"),
        (MULTIPART, b"--other--\r\n"),
        (MULTIPART, field("a", b"1")),
        (MULTIPART, field("a", b"1") + b"--b-42"),
        (MULTIPART, field("a", b"1") + b"--b-42-x"),
        (MULTIPART, part("Content-Disposition: form-data", b"") + END),
        (MULTIPART, part('Content-Disposition: attachment; name="a"', b"") + END),
        (MULTIPART, part("X-Other: 1", b"") + END),
        (MULTIPART, part('Content-Disposition: form-data; name="a"\r\ncontent-disposition: form-data', b"") + END),
        (MULTIPART, part("Bad Name: 1", b"") + END),
        (MULTIPART, part("\r\n".join(f"x-{number}: 1" for number in range(9)), b"") + END),
        (MULTIPART, part('Content-Disposition: form-data; name="' + "a" * 9000 + '"', b"") + END),
        (MULTIPART, part("\r\n".join(f"x-{number}: {'a' * 3000}" for number in range(4)), b"") + END),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_broken_multipart_is_a_bad_request(content_type: str, content: bytes, size: int) -> None:
    """400, and nothing of it is believed."""
    with pytest.raises(BadRequest):
        read(content_type, content, size)


@pytest.mark.parametrize(
    ("content", "limits"),
    [
        (field("a", b"1") * 3 + END, {"fields": 2}),
        (file("a", "f", b"1") * 3 + END, {"files": 2}),
        (field("a", b"1" * 11) + END, {"field": 10}),
        (field("a", b"1" * 100) + END, {"total": 100}),
        (file("a", "f", b"1" * 100) + END, {"total": 100}),
    ],
)
def test_multipart_limits(content: bytes, limits: dict[str, int]) -> None:
    """413 as soon as a bound is passed; one less is taken."""
    for size in (1, 1 << 20):
        with pytest.raises(ContentTooLarge):
            read(MULTIPART, content, size, **limits)
    read(MULTIPART, content, **{name: value + 200 for name, value in limits.items()}).close()


@pytest.mark.parametrize(
    ("content", "limits"), [(b"a=1&b=2&c=3", {"fields": 2}), (b"a=" + b"1" * 11, {"field": 10}), (b"a=1", {"total": 2})]
)
def test_urlencoded_limits(content: bytes, limits: dict[str, int]) -> None:
    """The same bounds."""
    with pytest.raises(ContentTooLarge):
        read(URLENCODED, content, **limits)
    read(URLENCODED, content, **{name: value + 1 for name, value in limits.items()})


def test_large_urlencoded_content_is_decoded_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoding millions of percent signs takes long, so large content does not hold the loop up."""
    threads = []
    parse = forms.parse_query

    def noted(query: bytes) -> list[tuple[str, str]]:
        threads.append(threading.current_thread() is threading.main_thread())
        return parse(query)

    monkeypatch.setattr(forms, "parse_query", noted)
    assert read(URLENCODED, b"a=%41%zz").field("a") == "A%zz"
    assert read(URLENCODED, b"a=" + b"%" * 70_000 + b"%41").field("a") == "%" * 70_000 + "A"
    assert threads == [True, False]


# Files


def test_a_large_file_goes_to_disk(tmp_path: Path) -> None:
    """Above the threshold it is a temporary file, written and read by worker threads; `save` keeps it."""
    content = random.Random(1).randbytes(10_000)

    async def scenario() -> None:
        form = await parse_form(MULTIPART, cut(file("f", "x", content) + END, 700), FormLimits(memory=4096))
        upload = form.file("f")
        assert upload is not None
        assert not upload.in_memory
        assert await upload.read(5) == content[:5]
        await upload.save(tmp_path / "kept")
        assert (tmp_path / "kept").read_bytes() == content
        assert await upload.read(5) == content[5:10]  # saving moved nothing
        assert await upload.seek(-1, 2) == 9_999
        assert await upload.read() == content[-1:]
        assert repr(upload) == "UploadFile('x', 'text/plain', 10000 bytes)"
        form.close()
        form.close()
        with pytest.raises(ValueError, match="closed"):
            await upload.read()

    anyio.run(scenario)


def test_a_small_file_stays_in_memory(tmp_path: Path) -> None:
    """Nothing is written to disk for it."""

    async def scenario() -> None:
        form = await parse_form(MULTIPART, cut(file("f", "x", b"content") + END, 5))
        upload = form.file("f")
        assert upload is not None
        assert upload.in_memory
        assert await upload.read(3) == b"con"
        assert await upload.seek(0) == 0
        await upload.save(str(tmp_path / "kept"))
        form.close()

    anyio.run(scenario)
    assert (tmp_path / "kept").read_bytes() == b"content"


@pytest.mark.parametrize("fault", [RuntimeError("the client left"), None], ids=["raised", "cancelled"])
def test_files_are_closed_when_a_form_fails(fault: Exception | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ends the reading, no temporary file is left open."""
    opened: list[Any] = []

    def make(factory: Callable[..., Any]) -> Any:
        opened.append(factory())
        return opened[-1]

    monkeypatch.setattr(uploads.tempfile, "TemporaryFile", partial(make, uploads.tempfile.TemporaryFile))

    async def chunks() -> AsyncIterator[bytes]:
        yield file("f", "x", b"1" * 100)[:-10]
        if fault is None:
            await anyio.sleep_forever()
        else:
            raise fault

    async def scenario() -> None:
        with anyio.move_on_after(0.05):
            await parse_form(MULTIPART, chunks(), FormLimits(memory=10))

    if fault is None:
        anyio.run(scenario)
    else:
        with pytest.raises(type(fault)):
            anyio.run(scenario)
    assert [each.closed for each in opened] == [True]


@pytest.mark.parametrize(
    ("filename", "safe"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\x.txt", "x.txt"),
        ("a/b\\c", "c"),
        ("..", "upload"),
        ("", "upload"),
        ("/", "upload"),
        (".htaccess", "htaccess"),
        ("a\0b\r\n\u202ec", "abc"),
        ('a<b>:"|?*c', "abc"),
        ("caf\xe9 \u4e2d.txt", "caf\xe9 \u4e2d.txt"),
        ("name. ", "name"),
    ],
)
def test_safe_names(filename: str, safe: str) -> None:
    """The last part alone, without what leads elsewhere or hides."""
    assert UploadFile(filename, "", memory=0).safe_name == safe


@given(st.text())
def test_safe_names_stay_in_their_directory(filename: str) -> None:
    """Whatever a client calls a file."""
    name = UploadFile(filename, "", memory=0).safe_name
    assert name not in ("", ".", "..")
    assert not set(name) & set("/\\\0")
    assert len(name.encode("utf-8", "replace")) <= 255
    assert (Path("/uploads") / name).parent == Path("/uploads")


def test_long_names_are_cut() -> None:
    """To what file systems take."""
    assert 100 < len(UploadFile("\u4e2d" * 1000, "", memory=0).safe_name.encode()) <= 255


@pytest.mark.parametrize("unit", [b"\r\n--b-4", b"\r", b"\n", b"-", b"\r\n", b"\r\n--b-42x"])
def test_reading_is_linear(unit: bytes) -> None:
    """Twice the content makes at most twice the calls back, however close it comes to the boundary."""

    def calls(content: bytes, size: int) -> int:
        count = 0
        original = forms._Multipart._add_data

        def counted(self: Any, data: bytes, start: int, end: int) -> None:
            nonlocal count
            count += 1
            original(self, data, start, end)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(forms._Multipart, "_add_data", counted)
            read(MULTIPART, file("f", "x", content) + END, size).close()
        return count

    for size in (16, 4096):
        assert calls(unit * 4000, size) <= 2 * calls(unit * 2000, size) + 10


@pytest.mark.parametrize("size", [1, 2, 3, 1 << 20])
def test_multipart_preamble(size: int) -> None:
    """What stands before the first boundary is refused, however the content is cut; RFC 7578 knows no preamble."""
    with pytest.raises(BadRequest):
        read("multipart/form-data; boundary=b", b"\r\na--b--\r\n", size)


def test_malformed_multipart_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A client cannot fill the logs with malformed forms (Tornado CVE-2025-47287)."""
    with caplog.at_level(0), pytest.raises(BadRequest):
        read(MULTIPART, b"--b-42\rx")
    assert not [record for record in caplog.records if record.name != "asyncio"]
