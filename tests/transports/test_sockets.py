"""Addresses as text, and the sockets they become."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from highper_transports.errors import BindingInvalid
from highper_transports.sockets import Binding, address_of, parse_binding, peer_name


@pytest.mark.parametrize(
    ("text", "binding"),
    [
        ("localhost:80", Binding(host="localhost", port=80)),
        ("127.0.0.1:0", Binding(host="127.0.0.1", port=0)),
        ("[::1]:8080", Binding(host="::1", port=8080)),
        (":8080", Binding(port=8080)),
        ("*:8080", Binding(port=8080)),
        ("unix:/run/app.sock", Binding(path="/run/app.sock")),
        ("unix:///run/app.sock", Binding(path="/run/app.sock")),
        ("fd://3", Binding(fd=3)),
    ],
)
def test_addresses_are_read(text: str, binding: Binding) -> None:
    assert parse_binding(text) == binding
    assert parse_binding(str(binding)) == binding


@pytest.mark.parametrize(
    "text", ["", "host", "host:", "host:x", "::1:80", "[::1:80", "unix:", "fd://", "fd://-1", "host:99999", "fd://³"]
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(BindingInvalid):
        parse_binding(text)


def test_a_binding_is_one_place() -> None:
    with pytest.raises(BindingInvalid):
        Binding(host="x", path="/y")
    with pytest.raises(BindingInvalid):
        Binding(fd=3, path="/y")


def close(listeners: list[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


def test_every_interface_takes_both_families() -> None:
    listeners = Binding(port=0).open()
    port = address_of(listeners[0])[1]
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        with socket.socket(family) as client:
            client.connect((host, port))
    close(listeners)


def test_every_interface_without_dual_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    listeners = Binding(port=0).open()
    assert listeners[0].family is socket.AF_INET
    close(listeners)


def test_every_interface_does_not_hide_a_taken_port() -> None:
    """Where somebody else has the IPv6 half, serving IPv4 alone would leave half the service out."""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as taken:
        taken.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken.bind(("::", 0))
        taken.listen()
        with pytest.raises(BindingInvalid, match="cannot listen"):
            Binding(port=taken.getsockname()[1]).open()


def test_a_name_with_several_addresses_gets_one_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    listeners = Binding(host="both", port=0).open()
    assert len({address_of(listener)[1] for listener in listeners}) == 1
    assert [listener.family for listener in listeners] == [socket.AF_INET, socket.AF_INET6]
    taken = address_of(listeners[0])[1]
    listeners.pop().close()
    with pytest.raises(BindingInvalid, match="in use"):
        Binding(host="both", port=taken).open()
    close(listeners)


def test_a_taken_port_is_refused() -> None:
    listeners = Binding(host="127.0.0.1").open()
    with pytest.raises(BindingInvalid, match="in use"):
        Binding(host="127.0.0.1", port=address_of(listeners[0])[1]).open()
    close(listeners)


def test_a_port_may_be_shared() -> None:
    listeners = Binding(host="127.0.0.1", reuse_port=True).open()
    listeners += Binding(host="127.0.0.1", port=address_of(listeners[0])[1], reuse_port=True).open()
    close(listeners)


def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    listeners = Binding(path=path, mode=0o600).open()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert address_of(listeners[0]) == path
    with pytest.raises(BindingInvalid, match="somebody listens"):
        Binding(path=path).open()
    close(listeners)
    close(Binding(path=path).open())  # the stale file is replaced


def test_an_abstract_unix_socket() -> None:
    listeners = Binding(path=f"\0highper-{os.getpid()}").open()
    assert address_of(listeners[0]).startswith("\0highper")
    close(listeners)


def test_a_unix_socket_does_not_replace_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(BindingInvalid, match="no socket"):
        Binding(path=str(path)).open()
    assert path.read_text() == "precious"
    with pytest.raises(BindingInvalid):
        Binding(path=str(tmp_path / "missing" / "x")).open()


def test_an_inherited_descriptor() -> None:
    with socket.socket() as inherited:
        inherited.bind(("127.0.0.1", 0))
        listeners = Binding(fd=inherited.fileno()).open()
        with socket.create_connection(address_of(listeners[0])):
            pass
        again = Binding(fd=inherited.fileno()).open()
        close(listeners + again)
        assert inherited.fileno() >= 0


def test_a_descriptor_that_is_no_stream_socket() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams, pytest.raises(BindingInvalid, match="stream"):
        Binding(fd=datagrams.fileno()).open()
    read, write = os.pipe()
    with pytest.raises(BindingInvalid):
        Binding(fd=read).open()
    os.close(read)
    os.close(write)


def test_names() -> None:
    assert peer_name(("::1", 80, 0, 0)) == ("::1", 80)
    assert peer_name(b"\0x") == "\0x"
    assert peer_name("") is None
    assert peer_name(None) is None
