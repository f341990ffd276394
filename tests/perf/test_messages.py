"""The floor of WebSocket echoes echoes every byte, and the load generator sees every byte that is not."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from compiled import program
from support.compiler import COMPILES

from highper_core.engines import WebSocketConnection
from highper_core.events import NEED_DATA, BytesFragment, TextFragment
from highper_core.limits import Limits
from highper_core.state import Role

pytestmark = pytest.mark.skipif(not COMPILES, reason="no C compiler")

OPENING = b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
SIZES = [0, 1, 32, 125, 126, 1024, 65535, 65536, 200_000]


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[int]:
    """Port of the floor."""
    built = program("floors/echo.c", tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with subprocess.Popen([str(built), str(port)]) as process:
        for _ in range(500):
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.01)
        yield port
        process.kill()


def load(tmp_path: Path, port: int, *options: str) -> Any:
    command = [str(program("load/messages.c", tmp_path)), "-c", "2", *options, str(port)]
    told = subprocess.run(command, input=b"", capture_output=True, check=True, timeout=30).stdout.splitlines()
    assert told[0] == b"begun"
    return json.loads(told[1])


@pytest.mark.parametrize("text", [False, True], ids=["bytes", "text"])
@pytest.mark.parametrize("size", SIZES)
def test_the_load_agrees_with_the_floor(tmp_path: Path, floor: int, size: int, text: bool) -> None:
    seen = load(tmp_path, floor, "-l", str(size), "-s", "0.05", *(["-t"] if text else []))
    assert seen["errors"] == 0
    assert seen["messages"] > 0


@pytest.mark.parametrize("piece", [1, 7, 4096])
def test_the_floor_echoes_what_comes_in_pieces(floor: int, piece: int) -> None:
    """Messages of every length encoding, one behind the other, read by the core."""
    limits = Limits(websocket_ping_interval=None)
    ours = WebSocketConnection(Role.CLIENT, "auto", limits, mask_source=lambda count: b"\x37\xfa\x21\x3d"[:count])
    messages: list[bytes | str] = [b"", b"a", "text", bytes(range(256)) * 2, b"x" * (3000 if piece == 1 else 70_000)]
    for message in messages:
        ours.send_message(message)
    sent = OPENING + ours.data_to_send()
    received: list[bytes | str] = []
    with socket.create_connection(("127.0.0.1", floor), timeout=10) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(sent), piece):
            peer.sendall(sent[start : start + piece])
        head, _, frames = peer.recv(65536).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        while len(received) < len(messages):
            if frames:
                ours.receive_data(frames)
            while (event := ours.next_event()) is not NEED_DATA:
                if isinstance(event, TextFragment):
                    received.append(event.text)
                else:
                    assert isinstance(event, BytesFragment)
                    received.append(bytes(event.data))
            if len(received) < len(messages):
                frames = peer.recv(65536)
    assert received == messages


@contextmanager
def answering(answer: Callable[[bytes], bytes]) -> Iterator[int]:
    """Echo what `answer` makes of a frame that should be echoed, to one connection after the other."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:

        def serve(peer: socket.socket) -> None:
            with peer, suppress(ConnectionError):
                peer.recv(65536)
                peer.sendall(SWITCH)
                while frame := peer.recv(65536):
                    payload = bytes(byte ^ frame[2 + index % 4] for index, byte in enumerate(frame[6:]))
                    peer.sendall(answer(bytes((frame[0], frame[1] & 127)) + payload))

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


WRONG: dict[str, Callable[[bytes], bytes]] = {
    "another opcode": lambda frame: b"\x81" + frame[1:],
    "another byte": lambda frame: frame[:-1] + b"\0",
    "a byte more": lambda frame: frame + b"\0",
    "twice": lambda frame: frame * 2,
    "masked": lambda frame: bytes((frame[0], frame[1] | 128)) + b"\0\0\0\0" + frame[2:],
}


def test_an_echo_that_is_right_is_counted(tmp_path: Path) -> None:
    with answering(lambda frame: frame) as port:
        seen = load(tmp_path, port, "-s", "0.2")
    assert seen["errors"] == 0
    assert seen["messages"] > 0


@pytest.mark.parametrize("how", WRONG)
def test_an_echo_that_is_wrong_is_an_error(tmp_path: Path, how: str) -> None:
    with answering(WRONG[how]) as port:
        assert load(tmp_path, port, "-s", "0.2")["errors"] == 2
