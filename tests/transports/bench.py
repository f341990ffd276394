"""A driver with fakes around it, and a receiver that takes a stream over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transports.fakes import HandTransport, Recorder, RecordingStream, Task
from transports.line_connection import LineConnection

from highper_core.limits import Limits
from highper_core.state import Role
from highper_transports.driver import Driver
from highper_transports.exchange import Exchange
from highper_transports.stream import Receiver


class Bench:
    """A driver with fakes around it."""

    def __init__(
        self,
        answer: Callable[[Exchange], object] | None = None,
        *,
        role: Role = Role.SERVER,
        interleaved: bool = False,
        **limits: Any,
    ) -> None:
        self.transport = HandTransport()
        self.stream = RecordingStream(self.transport)
        self.connection = LineConnection(role, Limits(**limits), interleaved=interleaved)
        self.application = Recorder(answer)
        self.driver = Driver(self.stream, self.connection, self.application)

    def gives(self, text: str) -> None:
        self.stream.gives(text.replace("; ", "\n") + "\n")

    @property
    def exchange(self) -> Exchange:
        return self.application.begun[-1]

    @property
    def text(self) -> str:
        return self.stream.text

    def run(self, coroutine: Any) -> Task:
        return self.transport.spawn(coroutine)


class Toy(Receiver):
    """Notes what it gets."""

    def __init__(self) -> None:
        self.got: list[object] = []

    def received(self, data: bytes, now: float) -> None:
        self.got.append(data)

    def ended(self) -> None:
        self.got.append("ended")

    def lost(self, error: BaseException | None) -> None:
        self.got.append("lost")

    def writing_paused(self) -> None:
        self.got.append("paused")
