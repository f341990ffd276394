"""The floor of broadcasts sends to all, and the crowd that measures them notices who does not."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from compiled import program
from load.crowd import Crowd
from support.compiler import COMPILES

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"


@pytest.fixture
def floor(tmp_path: Path) -> Iterator[int]:
    """Port of the floor."""
    built = program("floors/broadcast.c", tmp_path)
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


@pytest.mark.skipif(not COMPILES, reason="no C compiler")
@pytest.mark.parametrize("length", [126, 128, 4096])
def test_all_hear_what_one_says(floor: int, length: int) -> None:
    """Every byte of it, one message after another; who has gone is not waited for by the others."""
    with closing(Crowd(floor, 20)) as crowd:
        gone = Crowd(floor, 5)
        for number in range(10):
            crowd.say(bytes([97 + number]) * length)
            if number == 5:
                gone.close()
                time.sleep(0.1)


@pytest.mark.parametrize("lie", ["nothing", "another", "twice", "end"])
def test_the_crowd_notices_who_does_not_hear(lie: str) -> None:
    """Silence, other bytes, the same again, or the end."""
    sockets: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def play() -> None:
            for _ in range(3):
                sockets.append(server.accept()[0])
                sockets[-1].recv(4096)
                sockets[-1].sendall(SWITCH)
            sockets[0].recv(4096)
            frame = b"\x81\x7e\x00\x80" + b"x" * 128
            said = {"nothing": b"", "another": frame[:-1] + b"y", "twice": frame * 2, "end": b""}[lie]
            for one in sockets:
                if one is sockets[2] and lie == "end":
                    one.close()
                else:
                    one.sendall(said if one is sockets[2] else frame)

        thread = threading.Thread(target=play)
        thread.start()
        crowd = Crowd(server.getsockname()[1], 3, patience=0.5)
        with pytest.raises(ConnectionError, match="hear"):
            crowd.say(b"x" * 128)
        thread.join()
        crowd.close()
    for one in sockets:
        one.close()


def test_the_crowd_wants_a_websocket() -> None:
    """An answer that proves nothing opens none."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def play() -> None:
            one = server.accept()[0]
            one.recv(4096)
            one.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            one.close()

        thread = threading.Thread(target=play)
        thread.start()
        with pytest.raises(ConnectionError, match="no WebSocket"):
            Crowd(server.getsockname()[1], 1)
        thread.join()
