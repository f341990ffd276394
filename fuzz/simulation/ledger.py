"""What happened, and what should not have."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["FAULTS", "PHASES", "Ledger"]

FAULTS = ("split", "delay", "stall", "reset", "half-close", "reordered timers")
PHASES = ("first byte", "head", "content", "handler running", "answering", "idle", "pipelined")


@dataclass
class Ledger:
    """The account of one world, or of many.

    Attributes:
        faults: connections that met a fault, by fault and phase.
        ends: how conversations ended.
        violations: what broke an invariant, with the seed that shows it.
        begun: times a handler was entered, by the request's token.
    """

    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    begun: Counter[str] = field(default_factory=Counter)
    connections: int = 0
    requests: int = 0

    def violated(self, seed: object, invariant: str, detail: object = "") -> None:
        """Note a broken invariant."""
        self.violations.append(f"seed {seed}: {invariant}{f': {detail}' if detail != '' else ''}")

    def add(self, other: Ledger) -> None:
        """Add another account to this one; handlers entered are settled by then."""
        self.faults += other.faults
        self.ends += other.ends
        self.violations += other.violations
        self.connections += other.connections
        self.requests += other.requests

    def table(self) -> str:
        """Return the counts per fault and phase, as text."""
        width = max(map(len, PHASES)) + 2
        lines = ["".ljust(18) + "".join(phase.rjust(width) for phase in PHASES)]
        for fault in FAULTS:
            counts = (str(self.faults[fault, phase]).rjust(width) for phase in PHASES)
            lines.append(fault.ljust(18) + "".join(counts))
        return "\n".join(lines)

    def missing(self) -> list[tuple[str, str]]:
        """Return the pairs that no connection met."""
        return [(fault, phase) for fault in FAULTS for phase in PHASES if not self.faults[fault, phase]]
