"""Fields of proxies: who is believed, how far, and what a client can make of them, which is nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fake_exchange import FakeExchange
from hypothesis import example, given
from hypothesis import strategies as st

from highper_core.fields import Fields
from highper_core.limits import Limits
from highper_http import Request
from highper_http.errors import ConfigError
from highper_http.forwarded import MOST_HOPS, Forwarding, Origin
from highper_transports.errors import BindingInvalid
from highper_transports.trust import TrustedPeers

PROXY = ("10.0.0.1", 40000)
STRANGER = ("203.0.113.9", 40000)
TRUSTED = TrustedPeers.of("10.0.0.0/8, 2001:db8:1::/48")


def stream(peer: Any = PROXY, *, scheme: str = "http", local: Any = ("10.9.9.9", 80), presented: Any = None) -> Any:
    return SimpleNamespace(peer=peer, local=local, scheme=scheme, presented=presented)


def by_x(*lines: tuple[str, str], peer: Any = PROXY, scheme: str = "http") -> Origin:
    fields = Fields([(f"x-forwarded-{name}".encode(), value.encode("latin-1")) for name, value in lines])
    return Forwarding(TRUSTED).origin(stream(peer, scheme=scheme), fields)


def by_forwarded(*lines: str, peer: Any = PROXY, scheme: str = "http") -> Origin:
    fields = Fields([(b"forwarded", line.encode("latin-1")) for line in lines])
    return Forwarding(TRUSTED, "forwarded").origin(stream(peer, scheme=scheme), fields)


# Whom to believe


@pytest.mark.parametrize(
    ("peer", "believed"),
    [
        (("10.1.2.3", 1), True),
        (("::ffff:10.1.2.3", 1), True),  # as a listener of both families shows it
        (("11.0.0.1", 1), False),
        (("::ffff:11.0.0.1", 1), False),
        (("2001:db8:1::7", 1), True),
        (("2001:db8:2::7", 1), False),
        (("2001:db8:1::7%eth0", 1), False),
        (("localhost", 1), False),
        (None, False),
        ("/run/proxy.sock", False),
    ],
)
def test_who_is_trusted(peer: Any, believed: bool) -> None:
    """Networks of either family; a name is nobody's address."""
    assert TRUSTED.believes(stream(peer)) is believed


def test_a_unix_socket_is_trusted_by_its_word_alone() -> None:
    """Its clients have no address. One that a PROXY header named has not reached our socket itself."""
    trusted = TrustedPeers.of(["unix"])
    assert trusted.believes(stream(None, local="/run/app.sock"))
    assert not trusted.believes(stream(None, local=("127.0.0.1", 80)))
    assert not trusted.believes(stream("/run/client.sock", local="/run/app.sock", presented=object()))
    assert not trusted.believes(stream(("10.0.0.1", 1), local="/run/app.sock"))
    assert not TRUSTED.believes(stream(None, local="/run/app.sock"))


def test_nobody_is_nobody() -> None:
    """An empty list trusts nobody, and is false."""
    assert not TrustedPeers.of("")
    assert not TrustedPeers.of([])
    assert not TrustedPeers().believes(stream())
    assert TrustedPeers.of("::ffff:10.0.0.0/104") == TrustedPeers.of("10.0.0.0/8")


@pytest.mark.parametrize("text", ["10.0.0.1/8", "proxy.example", "10.0.0.0/33", "*", "10.0.0", "fe80::%eth0/64x"])
def test_a_list_that_is_none(text: str) -> None:
    """A slip in the configuration does not trust others than were meant."""
    with pytest.raises(BindingInvalid, match="not an address, a network or the word unix"):
        TrustedPeers.of(["127.0.0.1", text])


def test_the_kind_of_fields_is_one_of_two() -> None:
    """Not both, and nothing else."""
    with pytest.raises(ConfigError, match="x-forwarded or forwarded, not 'both'"):
        Forwarding(TRUSTED, "both")  # type: ignore[arg-type]


# X-Forwarded-*


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("203.0.113.7", ("203.0.113.7", 0)),
        ("203.0.113.7:1234", ("203.0.113.7", 1234)),
        ("2001:db8::7", ("2001:db8::7", 0)),
        ("[2001:db8::7]", ("2001:db8::7", 0)),
        ("[2001:db8::7]:1234", ("2001:db8::7", 1234)),
        ("::ffff:203.0.113.7", ("203.0.113.7", 0)),
        ("1.1.1.1, 203.0.113.7", ("203.0.113.7", 0)),  # the left one is the client's own word
        ("1.1.1.1, 203.0.113.7, 10.0.0.2", ("203.0.113.7", 0)),
        ("203.0.113.7,10.0.0.2,\t10.0.0.3 ", ("203.0.113.7", 0)),
        ("10.0.0.3, 10.0.0.2", ("10.0.0.3", 0)),  # all are ours: the one that began
        ("garbage, 203.0.113.7", ("203.0.113.7", 0)),
        (", 203.0.113.7 ,,", ("203.0.113.7", 0)),
    ],
)
def test_the_client_is_the_first_that_is_not_trusted(value: str, client: Any) -> None:
    """From the right, through trusted proxies."""
    assert by_x(("for", value)).client == client


@pytest.mark.parametrize(
    "value",
    [
        "unknown",
        "_hidden",
        "203.0.113.7:65536",
        "203.0.113.7:",
        "203.0.113.07",
        "203.0.113",
        "[203.0.113.7]",
        "[2001:db8::7",
        "2001:db8::7]:80",
        "fe80::1%eth0",
        '"203.0.113.7"',
        "203.0.113.7 203.0.113.8",
        "\u0661.1.1.1",
        "10.0.0.1\xa0",
        "localhost",
        "203.0.113.7, nonsense",
        "nonsense, 10.0.0.2",
        "127.0.0.1\x0b",
    ],
)
def test_a_client_that_cannot_be_read_is_unknown(value: str) -> None:
    """And never the proxy, whose address an application may let pass."""
    fields = Fields([(b"x-forwarded-for", value.encode("utf-8"))])
    assert Forwarding(TRUSTED).origin(stream(), fields).client is None


def test_without_fields_a_proxy_speaks_for_itself() -> None:
    """As in a health check."""
    assert by_x() == Origin(PROXY, "http")
    assert by_forwarded(scheme="https") == Origin(PROXY, "https")


@pytest.mark.parametrize("peer", [STRANGER, None, ("::ffff:203.0.113.9", 1)])
def test_a_stranger_is_not_believed(peer: Any) -> None:
    """Whatever fields it sends."""
    lines = [("for", "10.0.0.1"), ("proto", "https"), ("host", "bank.example"), ("port", "443")]
    assert by_x(*lines, peer=peer) == Origin(peer, "http")
    assert by_forwarded("for=10.0.0.1;proto=https;host=bank.example", peer=peer) == Origin(peer, "http")


def test_lines_are_one_list() -> None:
    """Several lines of one name, in order."""
    assert by_x(("for", "1.1.1.1"), ("for", "203.0.113.7"), ("for", "10.0.0.2")).client == ("203.0.113.7", 0)


@pytest.mark.parametrize(
    ("values", "scheme"),
    [
        (["https"], "https"),
        (["HTTPS"], "https"),
        (["http"], "http"),
        (["https", "https"], "http"),
        (["https, http"], "http"),
        (["https,https"], "http"),
        (["httpss"], "http"),
        ([""], "http"),
        (["https\u017f".encode("latin-1", "replace").decode()], "http"),
    ],
)
def test_a_scheme_is_one_value(values: list[str], scheme: str) -> None:
    """Of several nobody knows who wrote which, so nothing secure is claimed, on a secure stream neither."""
    for own in ("http", "https"):
        assert by_x(*(("proto", value) for value in values), scheme=own).scheme == scheme


@pytest.mark.parametrize(
    ("lines", "own", "expected"),
    [
        ([("host", "a.example")], "b.example", "a.example"),
        ([("host", "a.example:8443")], "b.example", "a.example:8443"),
        ([("host", "a.example"), ("port", "8443")], "b.example", "a.example:8443"),
        ([("port", "8443")], "b.example:80", "b.example:8443"),
        ([("port", "443"), ("proto", "https")], "b.example:8000", "b.example"),
        ([("port", "443")], "[2001:db8::1]", "[2001:db8::1]:443"),
        ([("port", "80")], "[2001:db8::1]:1", "[2001:db8::1]"),
        ([("port", "0")], "b.example", "b.example"),
        ([("port", "65536")], "b.example", "b.example"),
        ([("port", "+443")], "b.example", "b.example"),
        ([("port", "443"), ("port", "8443")], "b.example", "b.example"),
        ([("port", "8443")], "", ""),
        ([("host", "a.example, c.example")], "b.example", "b.example"),
        ([("host", "a.example,c.example")], "b.example", "b.example"),
        ([("host", "a.example"), ("host", "c.example")], "b.example", "b.example"),
        ([("host", "a.example/evil")], "b.example", "b.example"),
        ([("host", "user@a.example")], "b.example", "b.example"),
        ([("host", "")], "b.example", "b.example"),
    ],
)
def test_host_and_port(lines: list[tuple[str, str]], own: str, expected: str) -> None:
    """A host is judged as Host is, and taken only where there is one."""
    assert by_x(*lines).authority(own) == expected


# Forwarded


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("for=203.0.113.7", Origin(("203.0.113.7", 0), "http")),
        ('For="[2001:db8:cafe::17]:4711"', Origin(("2001:db8:cafe::17", 4711), "http")),
        ('for="203.0.113.7:4711";PROTO=HTTPS', Origin(("203.0.113.7", 4711), "https")),
        ('for="203.0.113.7:_port";host="a.example:81"', Origin(("203.0.113.7", 0), "http", "a.example:81")),
        (r'for="\2\03.0.113.7"', Origin(("203.0.113.7", 0), "http")),
        ("for=1.1.1.1;proto=https, for=203.0.113.7;proto=http", Origin(("203.0.113.7", 0), "http")),
        ("for=203.0.113.7;proto=https;host=a.example, for=10.0.0.2", Origin(("203.0.113.7", 0), "https", "a.example")),
        ("for=203.0.113.7;proto=https, for=10.0.0.2;host=b", Origin(("203.0.113.7", 0), "https", "b")),
        ("for=203.0.113.7;by=_us;ext=1;;", Origin(("203.0.113.7", 0), "http")),
        (", for=203.0.113.7 , ,", Origin(("203.0.113.7", 0), "http")),
        ("for=unknown;proto=https", Origin(None, "https")),
        ("for=_hidden", Origin(None, "http")),
        ("by=10.0.0.1;proto=https", Origin(None, "https")),
        ("for=203.0.113.7;proto=gopher", Origin(("203.0.113.7", 0), "http")),
        ('for=203.0.113.7;host="a b"', Origin(("203.0.113.7", 0), "http")),
    ],
)
def test_forwarded_elements(value: str, expected: Origin) -> None:
    """RFC 7239 sections 4 to 6; of several proxies the outermost one that is believed."""
    assert by_forwarded(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "for=203.0.113.7:80",
        "for=[2001:db8::7]",
        "for=203.0.113.7;for=203.0.113.8",
        "for=203.0.113.7; proto=https",
        "for =203.0.113.7",
        "for= 203.0.113.7",
        'for="203.0.113.7',
        'for="203.0.113.7"x',
        "for",
        "=203.0.113.7",
        "for=203.0.113.7;proto=https;x",
        'for="203.0.113.7\x7f"',
        'for="[203.0.113.7]"',
        'for="2001:db8::7"',
        'for="203.0.113.7:80000"',
        'for="203.0.113.7:"',
    ],
)
def test_a_malformed_line_tells_nothing(value: str) -> None:
    """Neither client nor a secure scheme, on a secure stream neither."""
    found = by_forwarded(value, scheme="https")
    assert (found.client, found.host) == (None, None)
    assert found.scheme == "http" or value.startswith('for="')


def test_a_quote_left_open_swallows_nothing_on_another_line() -> None:
    """What a client leaves open ends with its own line; on one line together it only makes the client unknown."""
    assert by_forwarded('for="', "for=203.0.113.7;proto=https") == Origin(("203.0.113.7", 0), "https")
    assert by_forwarded('for=", for=203.0.113.7;proto=https') == Origin(None, "http")
    assert by_forwarded('for=10.0.0.9;x=", for="203.0.113.7"') == Origin(None, "http")


@pytest.mark.parametrize("read", [lambda text: by_x(("for", text)), lambda text: by_forwarded(f"for={text}")])
def test_the_other_kind_of_field_is_ignored(read: Any) -> None:
    """A proxy that writes one passes the other on as the client sent it."""
    both = Fields([(b"x-forwarded-for", b"203.0.113.7"), (b"forwarded", b"for=203.0.113.8")])
    assert Forwarding(TRUSTED).origin(stream(), both).client == ("203.0.113.7", 0)
    assert Forwarding(TRUSTED, "forwarded").origin(stream(), both).client == ("203.0.113.8", 0)
    only = Fields([(b"forwarded", b"for=203.0.113.8;proto=https;host=evil")])
    assert Forwarding(TRUSTED).origin(stream(), only) == Origin(PROXY, "http")


def test_hops_are_bounded() -> None:
    """Who comes through more proxies than anybody has is unknown."""
    most = ", ".join(["203.0.113.7"] + ["10.0.0.2"] * (MOST_HOPS - 1))
    assert by_x(("for", most)).client == ("203.0.113.7", 0)
    assert by_x(("for", f"{most}, 10.0.0.2")).client is None
    most = ", ".join(["for=203.0.113.7"] + ["for=10.0.0.2"] * (MOST_HOPS - 1))
    assert by_forwarded(most).client == ("203.0.113.7", 0)
    assert by_forwarded(f"{most}, for=10.0.0.2") == Origin(None, "http")


addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)
strangers = addresses.filter(lambda text: not TRUSTED.covers(text))


def as_node(text: str) -> str:
    return f'"[{text}]"' if ":" in text else text


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
    strangers,
    st.lists(st.sampled_from(["10.0.0.2", "10.200.0.1", "2001:db8:1::9"]), max_size=5),
)
@example("203.0.113.1, 10.0.0.2", "::ffff:1.2.3.4", [])
def test_whatever_a_client_claims_it_is_who_the_proxy_saw(claim: str, client: str, hops: list[str]) -> None:
    """Spoofing: any text at the left changes nothing, as proxies append to it or add lines of their own."""
    seen = by_x(("for", ", ".join([client, *hops]))).client
    assert seen is not None
    assert not TRUSTED.covers(seen[0])
    assert by_x(("for", ", ".join([claim, client, *hops]))).client == seen
    assert by_x(("for", claim), *(("for", each) for each in [client, *hops])).client == seen
    elements = [f"for={as_node(each)};proto=https" for each in [client, *hops]]
    assert by_forwarded(claim, *elements) == by_forwarded(", ".join(elements)) == Origin(seen, "https")
    together = by_forwarded(", ".join([claim, *elements]))  # an open quote can hide the client, nothing else
    assert together in (Origin(seen, "https"), Origin(None, "http"))


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_no_fields_raise(values: list[bytes]) -> None:
    """Anything a field value can hold."""
    for name in (b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"forwarded"):
        fields = Fields([(name, value) for value in values])
        for kind in ("x-forwarded", "forwarded"):
            origin = Forwarding(TRUSTED, kind).origin(stream(), fields)  # type: ignore[arg-type]
            assert origin.scheme in ("http", "https")
            origin.authority("own.example")


# The request


def request(*headers: tuple[bytes, bytes], target: bytes = b"/", method: bytes = b"GET", trusted: str = "") -> Request:
    made = Request(Limits(), Forwarding(TrustedPeers.of(trusted)) if trusted else None)
    exchange = FakeExchange(method, target, list(headers))
    made._begin(SimpleNamespace(), exchange, exchange.request, SimpleNamespace(), ())
    return made


def test_a_request_comes_from_where_its_proxies_say() -> None:
    """Client, scheme and host; the server stays where it is."""
    fields = [
        (b"host", b"inner:8000"),
        (b"x-forwarded-for", b"203.0.113.7"),
        (b"x-forwarded-proto", b"https"),
        (b"x-forwarded-host", b"outer.example"),
    ]
    made = request(*fields)
    assert (made.client, made.scheme, made.host) == (("192.0.2.1", 4711), "http", "inner:8000")
    made = request(*fields, trusted="192.0.2.0/24")
    assert (made.client, made.scheme, made.host) == (("203.0.113.7", 0), "https", "outer.example")
    assert made.server == ("192.0.2.2", 80)
    made = request(*fields, trusted="192.0.3.0/24")
    assert (made.client, made.scheme, made.host) == (("192.0.2.1", 4711), "http", "inner:8000")


@pytest.mark.parametrize(
    ("method", "target", "host"),
    [
        (b"GET", b"/", "own.example:1"),
        (b"OPTIONS", b"*", "own.example:1"),
        (b"GET", b"http://other.example:2/x://y", "other.example:2"),
        (b"GET", b"http://other.example?x", "other.example"),
        (b"CONNECT", b"other.example:443", "other.example:443"),
    ],
)
def test_the_target_names_the_host_before_the_field_does(method: bytes, target: bytes, host: str) -> None:
    """RFC 9112 section 3.2.2."""
    assert request((b"host", b"own.example:1"), target=target, method=method).host == host
    assert request(target=b"/").host == ""
