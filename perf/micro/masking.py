"""Unmasking 64 KiB into a new object, over memcpy of the same bytes into memory that is there. And whole frames."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable

import suite  # noqa: F401  puts the tree on the path

from highper_core import NEED_DATA, Role
from highper_core.engines import WebSocketConnection
from highper_core.engines.fast._frames import apply_mask
from highper_core.frames import Opcode, serialize_frame

SIZE = 64 * 1024
PROMISED = 2.0
LOOPS = 500


def main() -> int:
    """Print times and the ratio; return a process status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    data, key = os.urandom(SIZE), os.urandom(4)
    source, target = memoryview(data), memoryview(bytearray(SIZE))

    def assign() -> None:
        target[:] = source

    pairs = [(_time(lambda: apply_mask(data, key)), _time(assign)) for _ in range(rounds)]
    unmask, copy = map(min, zip(*pairs, strict=True))  # of many short runs the least disturbed, on either side
    ratio = unmask / copy
    print(f"unmask 64 KiB {unmask * 1e9:.0f} ns, memcpy {copy * 1e9:.0f} ns: {ratio:.2f} times, {PROMISED} promised")
    for size in (32, 1024, SIZE):
        for opcode in (Opcode.TEXT, Opcode.BINARY):
            frame = serialize_frame(opcode, b"x" * size, mask=key)
            received, sent = _frame_times(frame, "x" * size if opcode is Opcode.TEXT else b"x" * size)
            print(f"{opcode.name.lower()} of {size}: received in {received * 1e9:.0f} ns, sent in {sent * 1e9:.0f} ns")
    return int(ratio > PROMISED)


def _frame_times(frame: bytes, message: str | bytes) -> tuple[float, float]:
    socket = WebSocketConnection(Role.SERVER, "fast")

    def receive() -> None:
        socket.receive_data(frame, 1.0)
        while socket.next_event() is not NEED_DATA:
            pass

    def send() -> None:
        socket.send_message(message)
        socket.data_to_send()

    return min(_time(receive) for _ in range(21)), min(_time(send) for _ in range(21))


def _time(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(LOOPS):
        act()
    return (time.perf_counter() - started) / LOOPS


if __name__ == "__main__":
    sys.exit(main())
