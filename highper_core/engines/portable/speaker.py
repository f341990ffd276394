"""The half of a portable connection that speaks: states of both roles, and what we send.

What is legal when comes from the tables of `state`, what is written from the shared writer, so a compiled engine that
runs on the same tables and writes through the same rules shows the same. A refused event leaves no trace.
"""

from __future__ import annotations

from ...connection import Connection
from ...deadlines import Deadlines, Phase
from ...errors import Fault, LocalProtocolError
from ...events import (
    END_OF_MESSAGE,
    ConnectionClosed,
    Data,
    EndOfMessage,
    Event,
    InformationalResponse,
    Request,
    Response,
)
from ...limits import Limits
from ...state import ILLEGAL, Input, Role, State, next_state, settle
from ...writer import UNKNOWN, ContentWriter, Head, write_request, write_response

__all__ = ["Speaker"]


class Speaker(Connection):
    """States of both roles, and the events we send.

    Args:
        role: which side we are.
        limits: bounds it obeys.
    """

    def __init__(self, role: Role, limits: Limits) -> None:
        super().__init__(role, limits)
        self._theirs = Role.CLIENT if role is Role.SERVER else Role.SERVER
        self.reset()

    def reset(self) -> None:
        """Become as newly made, keeping role and limits; for a pool."""
        self._states = {Role.CLIENT: State.IDLE, Role.SERVER: State.IDLE}
        self._deadlines = Deadlines(self.limits)
        if self.role is Role.SERVER:
            self._deadlines.begin(Phase.FIRST_BYTE)
        self._keep_alive = True
        self._out: list[bytes] = []
        self._begin_cycle()

    def _begin_cycle(self) -> None:
        self._content = ContentWriter(Head(Fault.NONE))
        self._method = b""
        self._peer_version = b"1.0"  # until told otherwise, nothing newer is assumed
        self._upgrade_proposed = False
        self._switch_proposed = False
        self._waiting_for_continue = False

    @property
    def our_state(self) -> State:
        """State of our role."""
        return self._states[self.role]

    @property
    def their_state(self) -> State:
        """State of the peer's role."""
        return self._states[self._theirs]

    @property
    def waiting_for_continue(self) -> bool:
        """True while the peer holds its content back for a 100."""
        return self._waiting_for_continue

    # States

    def _propose(self, upgrade: bool) -> None:
        self._upgrade_proposed = upgrade
        self._switch_proposed = upgrade or self._method == b"CONNECT"

    def _response_input(self, response: Response | InformationalResponse) -> Input:
        """Return what a response is to the state of the server: a switch, or what its class says."""
        status = response.status_code
        if isinstance(response, InformationalResponse):
            return Input.SWITCH if status == 101 and self._upgrade_proposed else Input.INFORMATIONAL_RESPONSE
        return Input.SWITCH if self._method == b"CONNECT" and 200 <= status < 300 else Input.RESPONSE

    def _advance(self, role: Role, what: Input) -> None:
        after = next_state(role, self._states[role], what)
        assert after != ILLEGAL, f"{what.name} in {self._states}"
        self._states[role] = State(after)
        if what is Input.REQUEST:
            self._states[Role.SERVER] = State(next_state(Role.SERVER, self._states[Role.SERVER], Input.PEER_REQUEST))
        if what is Input.RESPONSE:
            self._switch_proposed = False
        self._settle()

    def _settle(self) -> None:
        client, server = settle(
            self._states[Role.CLIENT],
            self._states[Role.SERVER],
            keep_alive=self._keep_alive,
            switch_proposed=self._switch_proposed,
        )
        self._states = {Role.CLIENT: client, Role.SERVER: server}

    # Events in, bytes out

    def send(self, event: Event) -> None:
        """Frame one event into the output."""
        if isinstance(event, Data):
            self._demand(Input.DATA)
            _refuse(self._content.data(bytes(event.data), self._out))
        elif isinstance(event, EndOfMessage):
            self._demand(Input.END_OF_MESSAGE)
            _refuse(self._content.end(event.headers, self._out))
            self._advance(self.role, Input.END_OF_MESSAGE)
        elif isinstance(event, ConnectionClosed):
            self._demand(Input.CONNECTION_CLOSED)
            self._advance(self.role, Input.CONNECTION_CLOSED)
        else:
            self._commit_head(event, self._write_head(event, UNKNOWN))

    def send_message(self, head: Request | Response, content: bytes = b"") -> None:
        """Frame a head, its whole content and the end: exactly `send` of the three events, all or nothing."""
        written = self._write_head(head, len(content))
        if not isinstance(head, Request) and self._response_input(head) is not Input.RESPONSE:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, "only a message that ends can be sent whole")
        pieces: list[bytes] = []
        writer = ContentWriter(written)
        _refuse(writer.data(content, pieces) or writer.end(END_OF_MESSAGE.headers, pieces))
        self._commit_head(head, written)
        self._out += pieces
        self._content = writer
        self._advance(self.role, Input.END_OF_MESSAGE)

    def send_file(self, length: int) -> None:
        """Account for `length` bytes of content that the caller moves itself."""
        self._demand(Input.DATA)
        _refuse(self._content.file(length))

    def _demand(self, what: Input) -> None:
        if next_state(self.role, self.our_state, what) == ILLEGAL:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, f"{what.name} in {self.our_state.name}")

    def _write_head(self, event: Event, content_length: int) -> Head:
        """Judge and write a head; the state is unchanged."""
        if isinstance(event, Request):
            self._demand(Input.REQUEST)
            if next_state(Role.SERVER, self.their_state, Input.PEER_REQUEST) == ILLEGAL:
                raise LocalProtocolError(Fault.EVENT_ILLEGAL, f"no request to a server in {self.their_state.name}")
            head = write_request(event, content_length)
        elif isinstance(event, Response | InformationalResponse):
            self._demand(self._response_input(event))
            head = write_response(
                event, self._method, self._peer_version, self._may_persist, self._upgrade_proposed, content_length
            )
        else:
            raise LocalProtocolError(Fault.EVENT_ILLEGAL, f"{type(event).__name__} cannot be sent")
        _refuse(head.fault)
        return head

    @property
    def _may_persist(self) -> bool:
        """Whether a final response may leave the connection open.

        Not when the request was not read, and not while content is held back for a 100: whether it comes after all,
        or the next request, cannot be told then.
        """
        return self._keep_alive and self.their_state is not State.IDLE and not self._waiting_for_continue

    def _commit_head(self, event: Event, head: Head) -> None:
        self._out.append(head.data)
        self._content = ContentWriter(head)
        if isinstance(event, Request):
            self._keep_alive = self._keep_alive and head.keep_alive
            self._method = event.method
            self._propose(head.upgrade_proposed)
            self._asked(event, head.upgrade_proposed)
            self._advance(Role.CLIENT, Input.REQUEST)
            return
        assert isinstance(event, Response | InformationalResponse)
        self._keep_alive = self._keep_alive and head.keep_alive
        if self._waiting_for_continue and (event.status_code == 100 or event.status_code >= 200):
            self._waiting_for_continue = False
            self._deadlines.begin(Phase.CONTENT)
        self._advance(Role.SERVER, self._response_input(event))

    def data_to_send(self) -> bytes:
        """Return and forget the framed bytes, joined."""
        return b"".join(self.buffers_to_send())

    def buffers_to_send(self) -> list[bytes]:
        """Return and forget the framed bytes, as the pieces they were framed in."""
        out = self._out
        self._out = []
        return out

    def _asked(self, request: Request, upgrade_proposed: bool) -> None:
        """Prepare to read the answer to a request of ours."""
        raise NotImplementedError


def _refuse(fault: Fault) -> None:
    if fault:
        raise LocalProtocolError(fault)
