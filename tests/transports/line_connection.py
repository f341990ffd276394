"""A connection that speaks a language of its own, for tests of what is above.

One event per line, either way:

    request ID METHOD [LENGTH | chunked | expect]     data ID COUNT     end ID     fault NAME     closed
    ID STATUS [close]     ID data COUNT     ID end
"""

from __future__ import annotations

import math

from highper_core import events as ev
from highper_core.connection import Connection
from highper_core.errors import Fault, LocalProtocolError, remote_error
from highper_core.limits import Limits
from highper_core.state import ILLEGAL, Input, Role, State, next_state, settle


class LineConnection(Connection):
    """Speaks the language of this module's docstring.

    Args:
        role: ours.
        limits: obeyed where the language can.
        interleaved: exchanges overlap, as in a protocol with many streams; else HTTP/1's cycle.
    """

    def __init__(self, role: Role = Role.SERVER, limits: Limits | None = None, *, interleaved: bool = False) -> None:
        Connection.__init__(self, role, limits or Limits())
        self.interleaved = interleaved
        self.reset()

    def reset(self) -> None:
        self.input = b""
        self.output: list[bytes] = []
        self.ended = False
        self.closed_told = False
        self.states = {Role.CLIENT: State.IDLE, Role.SERVER: State.IDLE}
        self.keep_alive = True
        self.switching = False
        self.expecting = False
        self.remaining = 0
        self.fault = Fault.NONE
        self.deadlines: dict[Fault, float] = {}
        self.clock_stopped = False
        self.resets = getattr(self, "resets", 0) + 1

    our_state = property(lambda self: self.states[self.role])  # type: ignore[assignment]
    their_state = property(lambda self: self.states[Role(1 - self.role)])  # type: ignore[assignment]

    def _move(self, role: Role, kind: Input) -> None:
        if self.interleaved:
            return
        after = next_state(role, self.states[role], kind)
        if after == ILLEGAL:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, f"{role.name} {self.states[role].name} {kind.name}")
        self.states[role] = State(after)
        if kind is Input.REQUEST:
            self.states[Role.SERVER] = State.SEND_RESPONSE
        self._settle()

    def _settle(self) -> None:
        client, server = settle(
            self.states[Role.CLIENT],
            self.states[Role.SERVER],
            keep_alive=self.keep_alive,
            switch_proposed=self.switching,
        )
        self.states = {Role.CLIENT: client, Role.SERVER: server}

    # in

    def receive_data(self, data: bytes | bytearray | memoryview, now: float = 0.0) -> None:
        if not data:
            self.ended = True
        self.input += bytes(data)
        self.deadlines.pop(Fault.FIRST_BYTE_TIMEOUT, None)
        self.deadlines.pop(Fault.IDLE_TIMEOUT, None)
        if b"\n" not in self.input and self.their_state is State.IDLE:
            self.deadlines.setdefault(Fault.HEAD_TIMEOUT, now + self.limits.head_timeout)

    def next_event(self) -> ev.Event | ev.Signal:
        if self.fault:
            raise remote_error(self.fault)
        theirs = self.their_state
        if not self.interleaved and theirs in (State.DONE, State.MIGHT_SWITCH_PROTOCOL, State.SWITCHED_PROTOCOL):
            return ev.PAUSED
        line, newline, rest = self.input.partition(b"\n")
        if not newline:
            if not self.ended:
                return ev.NEED_DATA
            return self._end_of_input()
        self.input = rest
        self.deadlines.pop(Fault.HEAD_TIMEOUT, None)
        return self._read(line.decode().split())

    def _end_of_input(self) -> ev.Event | ev.Signal:
        if self.their_state is State.SEND_BODY and not self.interleaved:
            return self._broken(Fault.CONTENT_INCOMPLETE)
        if self.input:
            return self._broken(Fault.HEAD_INCOMPLETE)
        if self.closed_told:
            return ev.NEED_DATA
        self.closed_told = True
        self.states[Role(1 - self.role)] = State.CLOSED
        self._settle()
        return ev.ConnectionClosed()

    def _broken(self, fault: Fault) -> ev.Event:
        self.fault = fault
        self.states[Role(1 - self.role)] = State.ERROR
        self._settle()
        raise remote_error(fault)

    def _read(self, words: list[str]) -> ev.Event | ev.Signal:
        them = Role(1 - self.role)
        match words:
            case ["request", number, method, *rest]:
                self._move(Role.CLIENT, Input.REQUEST)
                self.keep_alive = "close" not in rest
                self.switching = method in ("CONNECT", "UPGRADE")
                self.expecting = "expect" in rest
                length = next((int(word) for word in rest if word.isdigit()), -1 if "chunked" in rest else 0)
                self.remaining = length
                if not length and "expect" not in rest and not self.interleaved:
                    self.input = f"end {number}\n".encode() + self.input
                return ev.Request(method=method.encode(), target=b"/", content_length=length, stream_id=int(number))
            case [number, status, *rest] if number.isdigit() and status.isdigit():
                kind = ev.InformationalResponse if int(status) < 200 else ev.Response
                informational = kind is ev.InformationalResponse
                self._move(Role.SERVER, Input.INFORMATIONAL_RESPONSE if informational else Input.RESPONSE)
                self.keep_alive = "close" not in rest
                return kind(status_code=int(status), stream_id=int(number))
            case ["data", number, count] | [number, "data", count]:
                self.expecting = False
                self._move(them, Input.DATA)
                self.remaining = max(self.remaining - int(count), 0)
                return ev.Data(b"x" * int(count), int(number))
            case ["end", number] | [number, "end"]:
                self.expecting = False
                self.deadlines.pop(Fault.CONTENT_TIMEOUT, None)
                self._move(them, Input.END_OF_MESSAGE)
                return ev.EndOfMessage(stream_id=int(number))
            case ["fault", name]:
                return self._broken(Fault[name])
        raise AssertionError(words)

    # out

    def send(self, event: ev.Event) -> None:
        kinds = {
            ev.Request: Input.REQUEST,
            ev.InformationalResponse: Input.INFORMATIONAL_RESPONSE,
            ev.Response: Input.RESPONSE,
            ev.Data: Input.DATA,
            ev.EndOfMessage: Input.END_OF_MESSAGE,
        }
        switch = isinstance(event, ev.InformationalResponse) and event.status_code == 101
        if switch:
            self.states = {Role.CLIENT: State.SWITCHED_PROTOCOL, Role.SERVER: State.SWITCHED_PROTOCOL}
        else:
            self._move(self.role, kinds[type(event)])
        self._frame(event)
        self._settle()

    def _frame(self, event: ev.Event) -> None:
        number = event.stream_id
        if isinstance(event, ev.Request):
            text = f"request {number} {event.method.decode()} chunked"
        elif isinstance(event, ev.InformationalResponse | ev.Response):
            close = event.headers.first(b"connection") == b"close"
            self.keep_alive = self.keep_alive and not close
            self.expecting = False
            text = f"{number} {event.status_code}{' close' if close else ''}"
        elif isinstance(event, ev.Data):
            text = f"{number} data {len(event.data)}"
        else:
            text = f"{number} end"
        self.output.append(text.encode() + b"\n")

    def send_message(self, head: ev.Request | ev.Response, content: bytes = b"") -> None:
        self.send(head)
        self.send(ev.Data(content, head.stream_id))
        self.send(ev.EndOfMessage(stream_id=head.stream_id))

    def send_file(self, length: int) -> None:
        self.output.append(f"0 file {length}\n".encode())

    def data_to_send(self) -> bytes:
        output, self.output = b"".join(self.output), []
        return output

    # cycle

    def start_next_cycle(self) -> None:
        assert set(self.states.values()) == {State.DONE}, self.states
        self.states = {Role.CLIENT: State.IDLE, Role.SERVER: State.IDLE}
        self.switching = False

    is_resting = property(  # type: ignore[assignment]
        lambda self: not self.input and not self.output and set(self.states.values()) == {State.IDLE}
    )
    unparsed = property(lambda self: len(self.input))  # type: ignore[assignment]
    trailing_data = property(lambda self: (self.input, self.ended))  # type: ignore[assignment]
    waiting_for_continue = property(lambda self: self.expecting)  # type: ignore[assignment]
    content_remaining = property(lambda self: self.remaining)  # type: ignore[assignment]

    def content_received(self, length: int, now: float = 0.0) -> None:
        assert 0 <= length <= self.remaining
        self.remaining -= length
        if not self.remaining:
            self.input = b"end 0\n" + self.input

    # deadlines

    def next_deadline(self) -> float:
        return min(self.deadlines.values(), default=math.inf)

    def expired(self, now: float) -> Fault:
        return next((fault for fault, when in self.deadlines.items() if when <= now), Fault.NONE)

    def pause_reading(self, now: float) -> None:
        self.clock_stopped = True

    def resume_reading(self, now: float) -> None:
        self.clock_stopped = False
