"""One client: some requests, one fault in one phase, and what must come back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from highper_transports.errors import ConnectFailed, StreamBroken
from highper_transports.memory import Faults, Peer

from .ledger import FAULTS, PHASES, Ledger
from .reader import Answer, Garbled, next_answer
from .site import expected

__all__ = ["Conversation"]

QUICK = ("inline", "now", "hold", "raise", "echo", "unread", "sleep")
PATIENCE = 2000.0  # virtual seconds; no conversation takes as long unless somebody was not woken
BENIGN = ("split", "delay", "reordered timers")


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, and what its answer must be."""

    kind: str
    token: str
    head: bytes
    content: bytes
    status: int
    answer: bytes

    @property
    def wire(self) -> bytes:
        """The request's bytes."""
        return self.head + self.content


class Over(Exception):
    """The conversation cannot go on, and needs not."""


class Conversation:
    """A client with a seed.

    Args:
        seed: of everything it does; the pair of fault and phase goes round with it.
        transport, address: where the site is.
        ledger: where to account.
        running: events by token, set when a handler is inside.
    """

    def __init__(
        self, seed: int, transport: Any, address: Any, ledger: Ledger, running: dict[str, asyncio.Event]
    ) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.transport = transport
        self.address = address
        self.ledger = ledger
        self.running = running
        self.fault = FAULTS[seed % len(FAULTS)]
        self.phase = PHASES[seed // len(FAULTS) % len(PHASES)]
        self.asked = 0
        self.owed: list[Ask] = []  # sent whole, not answered
        self.weather: tuple[Faults, Faults] | None = None
        self.peer: Peer

    async def run(self) -> None:
        """Talk. What breaks an invariant goes to the ledger."""
        await asyncio.sleep(self.random.random() * 2)
        self.ledger.connections += 1
        try:
            async with asyncio.timeout(PATIENCE):
                self.peer = await self.transport.dial(self.address)
                try:
                    await self._talk()
                finally:
                    self._calm()
                    self.peer.close()
        except TimeoutError:
            self._violated("somebody waits for ever")
        except Garbled as error:
            self._violated("an answer is garbled", error)
        except StreamBroken as error:
            self._violated("a stream broke that nobody broke", error)
        except ConnectFailed as error:
            self._violated("a client was not accepted", error)
        except Over as end:
            self.ledger.ends[str(end)] += 1
        else:
            self.ledger.ends["served to the end"] += 1

    async def _talk(self) -> None:
        if self.phase != "first byte":
            for _ in range(self.random.randrange(1 if self.phase == "idle" else 0, 3)):
                await self._exchange(self._ask())
        await getattr(self, "_" + self.phase.replace(" ", "_"))()
        self._calm()
        for _ in range(self.random.randrange(3)):
            await self._exchange(self._ask())
        self.peer.half_close()
        await self._nothing_more()

    # Requests

    def _ask(self, kind: str = "", pieces: int = 0, wait: float = 0.0) -> Ask:
        kind = kind or self.random.choice(QUICK)
        token = f"{self.seed}-{self.asked}"
        self.asked += 1
        content = b""
        target = f"/{kind}/{token}"
        if kind == "sleep":
            target += f"?for={wait or self.random.random()}"
        elif kind == "drip":
            target += f"?size={pieces}"
        fields = b"host: site.example\r\n"
        if kind in ("echo", "unread"):
            size = self.random.choice((1, 10, 700, 700, 5000, 5000, 90_000))
            if kind == "unread" and (self.fault == "delay" or self.transport.latency):
                size = min(size, 5000)  # more may not arrive, timers being late, while unread content is drained
            content = self.random.randbytes(size)
            fields += b"content-length: %d\r\n" % len(content)
        wire = content
        if content and self.random.random() < 0.3:
            fields = b"host: site.example\r\ntransfer-encoding: chunked\r\n"
            at = self.random.randrange(len(content)) or 1
            wire = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (content[:at], content[at:]) if part)
            wire += b"0\r\n\r\n"
        method = b"POST" if content else b"GET"
        head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target.encode(), fields)
        return Ask(kind, token, head, wire, *expected(kind, token, content, pieces))

    def _send(self, *asks: Ask) -> None:
        self.owed += asks
        self.ledger.requests += len(asks)
        self.peer.send(b"".join(ask.wire for ask in asks))

    async def _exchange(self, ask: Ask) -> None:
        self._send(ask)
        await self._answers()

    # Answers

    async def _answers(self) -> None:
        """Receive what is owed: every request whole, in order, once."""
        while self.owed:
            answer = await next_answer(self.peer)
            if answer is None:
                self._violated("a request was not answered", self.owed[0].token)
                raise Over("cut off")
            self._settle(answer)

    def _settle(self, answer: Answer) -> None:
        ask = self.owed.pop(0)
        if not answer.is_whole:
            self._violated("an answer was cut off", ask.token)
            raise Over("cut off")
        if (answer.status, answer.content) != (ask.status, ask.answer) and not (
            ask.kind == "raise" and answer.status == 418
        ):
            self._violated("an answer belongs to another request", (ask.token, answer.status, answer.content[:60]))
            raise Over("confused")

    async def _nothing_more(self) -> None:
        answer = await next_answer(self.peer)
        if answer is not None:
            self._violated("an answer to nobody", (answer.status, answer.content[:60]))

    async def _at_most(self, end: str, *, refusal: Iterable[int] = ()) -> None:
        """Receive a prefix of what is owed, then perhaps a refusal, then the end."""
        try:
            while (answer := await next_answer(self.peer)) is not None:
                if answer.status in refusal and answer.closes:
                    self.ledger.ends[f"refused with {answer.status}"] += 1
                    await self._nothing_more()
                    break
                if not self.owed:
                    self._violated("an answer to nobody", (answer.status, answer.content[:60]))
                    break
                if not answer.is_whole:
                    break
                self._settle(answer)
        except StreamBroken:
            pass
        raise Over(end)

    # The fault

    async def _meet(self, *, short: float, long: float = 0.0, refusal: Iterable[int] = (), half: str = "close") -> None:
        """Let the fault happen here.

        Args:
            short: longest stall that must be survived.
            long: shortest one that must not be; 0 where every stall is survived.
            refusal: statuses that may answer what was asked incompletely.
            half: "answers" where everything owed must come though we have ended our side, else "close".
        """
        late = self.transport.loop.late_timers
        match self.fault:
            case "split":
                self._set_weather(split=0.9)
            case "delay":
                self._set_weather(delay=0.4)
            case "reordered timers":
                self.transport.loop.reorder_timers(0.5, self.random)
                await asyncio.sleep(self.random.random())
                if self.transport.loop.late_timers > late:
                    self._count()
            case "stall":
                self._count()
                if long and self.random.random() < 0.3:
                    await asyncio.sleep(long + self.random.random() * 100)
                    await self._at_most("stalled for too long", refusal=refusal)
                await asyncio.sleep(self.random.random() * short)
            case "reset":
                self._count()
                self.peer.reset()
                raise Over("reset by the client")
            case "half-close":
                self._count()
                self.peer.half_close()
                if half == "answers":
                    await self._answers()
                    await self._nothing_more()
                    raise Over("answered after a half-close")
                await self._at_most("half-closed", refusal=refusal)

    def _set_weather(self, **how: float) -> None:
        self.weather = (Faults(self.random, **how), Faults(self.random, **how))
        stream: Any = self.peer.stream
        stream.outgoing.faults, stream.incoming.faults = self.weather

    def _calm(self) -> None:
        """The weather clears up; what it did is counted."""
        if self.weather is not None:
            if sum(sum(faults.met.values()) for faults in self.weather):
                self._count()
            self.weather = None
            stream: Any = self.peer.stream
            stream.outgoing.faults = stream.incoming.faults = None
        if self.fault == "reordered timers":
            self.transport.loop.reorder_timers(0.0, self.random)

    def _count(self) -> None:
        self.ledger.faults[self.fault, self.phase] += 1

    def _violated(self, invariant: str, detail: object = "") -> None:
        self.ledger.violated(f"{self.seed} ({self.fault}, {self.phase})", invariant, detail)

    # Phases

    async def _first_byte(self) -> None:
        await self._meet(short=8, long=12)
        await self._exchange(self._ask())

    async def _head(self) -> None:
        ask = self._ask()
        at = self.random.randrange(1, len(ask.head))
        self.peer.send(ask.wire[:at])
        await self._arrival()
        await self._meet(short=8, long=12, refusal=(400, 408))
        self.peer.send(ask.wire[at:])
        self.owed.append(ask)
        await self._answers()

    async def _content(self) -> None:
        ask = self._ask(self.random.choice(("echo", "unread")))
        at = len(ask.head) + self.random.randrange(len(ask.content))
        self.peer.send(ask.wire[:at])
        await self._arrival()
        if ask.kind == "unread":
            self.owed.append(ask)  # the answer does not wait for the content
            await self._meet(short=3, long=8)
        else:
            await self._meet(short=8, long=45, refusal=(400, 408))
            self.owed.append(ask)
        self.peer.send(ask.wire[at:])
        await self._answers()

    async def _handler_running(self) -> None:
        ask = self._ask("sleep", wait=0.5 + 3 * self.random.random())
        await self._enter(ask)
        await self._meet(short=60, half="answers")
        if self.fault in BENIGN:
            self._send(self._ask())  # so that the weather has something to meet
        await self._answers()

    async def _answering(self) -> None:
        self._send(self._ask("drip", pieces=self.random.randrange(20, 90)))
        if self.random.random() < 0.3:
            self._send(self._ask())
        self.peer.put_back(await self.peer.receive())
        if self.fault == "stall":
            self.peer.stream.pause_reading()
            self._count()
            await asyncio.sleep(self.random.random() * 25)
            self.peer.stream.resume_reading()
        else:
            await self._meet(short=0, half="answers")
        await self._answers()

    async def _idle(self) -> None:
        await asyncio.sleep(self.random.choice((0.0, 0.3, 2.0, 10.0)))
        await self._meet(short=55, long=80)
        await self._exchange(self._ask())

    async def _pipelined(self) -> None:
        first = self._ask("sleep", wait=0.5 + 3 * self.random.random())
        rest = [self._ask() for _ in range(self.random.randrange(1, 5))]
        if self.fault in ("split", "delay"):
            await self._meet(short=0)
            await self._enter(first, *rest)
        else:
            await self._enter(first, *rest)
            await self._meet(short=60, half="answers")
        await self._answers()

    async def _enter(self, ask: Ask, *rest: Ask) -> None:
        """Send requests, and wait until the first one's handler runs."""
        inside = self.running[ask.token] = asyncio.Event()
        self._send(ask, *rest)
        await inside.wait()
        del self.running[ask.token]

    async def _arrival(self) -> None:
        """Wait until what was sent has arrived."""
        await asyncio.sleep(2 * self.transport.latency + 0.01)
