"""Who is in a topic, over all processes.

Every hub knows who is in its own process, tells the others of each coming and going, and keeps what they tell. One
that begins with a topic asks, and each of the others answers with all it has. Hubs say now and then that they are
alive; one that has been silent for long is taken for dead, and whoever was there for gone.

    begin a topic:  ASK -> HERE [...] from each     someone comes or goes:  CAME, WENT
    every BEAT:     ALIVE                           a hub stops:            GONE

After a gap every hub says anew who is with it, and what nobody has confirmed two beats later is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .packets import Kind, Packet

__all__ = ["BEAT", "CONTROL", "Presence"]

BEAT: Final = 10.0  # seconds
SILENCE: Final = 3.5 * BEAT
OWED: Final = 1000  # topics, beyond which all is said anew
CONTROL: Final = ""  # the topic of what concerns no topic

Tell = Callable[..., bool]


class Presence:
    """Who is where, as one hub knows it.

    Args:
        identity: of this hub.
        tell: `tell(topic, kind, *content)` sends a packet to the other hubs; False where it could not.
        notice: `notice(topic, who, came)` is called when somebody has come first, or gone last, over all processes.
    """

    def __init__(self, identity: str, tell: Tell, notice: Callable[[str, str, bool], None]) -> None:
        self._identity = identity
        self._tell = tell
        self._notice = notice
        self._own: dict[str, dict[str, int]] = {}  # topic -> who -> how often
        self._others: dict[str, dict[str, set[str]]] = {}  # topic -> hub -> who
        self._heard: dict[str, float] = {}  # hub -> when
        self._owed: set[str] = set()  # topics whose latest changes could not be sent, and
        self._owes_all = False  # they were too many
        self._doubted: dict[tuple[str, str], tuple[int, set[str]]] = {}  # see `missed`

    def present(self, topic: str) -> set[str]:
        """Return who is in `topic`."""
        return set(self._own.get(topic, ())).union(*self._others.get(topic, {}).values())

    # Here

    def came(self, topic: str, who: str) -> None:
        """Somebody has come, here; perhaps not for the first time."""
        new = who not in self.present(topic)
        own = self._own.setdefault(topic, {})
        own[who] = own.get(who, 0) + 1
        if own[who] == 1:
            self._say(topic, Kind.CAME, who)
        if new:
            self._notice(topic, who, True)

    def went(self, topic: str, who: str) -> None:
        """Somebody who came here has gone; perhaps not for the last time."""
        own = self._own[topic]
        own[who] -= 1
        if own[who]:
            return
        del own[who]
        if not own:
            del self._own[topic]
        self._say(topic, Kind.WENT, who)
        self._notice_gone(topic, {who})

    def begin(self, topic: str) -> None:
        """What the others say about `topic` is heard from now on: ask them."""
        self._tell(topic, Kind.ASK)

    def end(self, topic: str) -> None:
        """It is heard no more."""
        self._others.pop(topic, None)

    def _say(self, topic: str, kind: Kind, who: str) -> None:
        if not self._tell(topic, kind, who):
            self._owe(topic)

    def _say_all(self, topic: str) -> None:
        if self._tell(topic, Kind.HERE, list(self._own.get(topic, ()))):
            self._owed.discard(topic)
        else:
            self._owe(topic)

    def _owe(self, topic: str) -> None:
        self._owed.add(topic)
        if len(self._owed) > OWED:
            self._owed.clear()
            self._owes_all = True

    # There

    def received(self, topic: str, packet: Packet, now: float) -> None:
        """Take what another hub says."""
        hub, kind = packet.sender, packet.kind
        self._heard[hub] = now
        if kind is Kind.ASK:
            if topic in self._own:
                self._say_all(topic)
        elif kind is Kind.HERE:
            self._doubted.pop((topic, hub), None)
            self._replace(topic, hub, set(packet.content[0]))
        elif kind is Kind.CAME:
            if (topic, hub) in self._doubted:
                self._doubted[topic, hub][1].discard(packet.content[0])
            self._replace(topic, hub, self._there(topic, hub) | set(packet.content))
        elif kind is Kind.WENT:
            self._replace(topic, hub, self._there(topic, hub) - set(packet.content))
        elif kind is Kind.GONE:
            self._forget(hub)

    def _there(self, topic: str, hub: str) -> set[str]:
        return self._others.get(topic, {}).get(hub, set())

    def _replace(self, topic: str, hub: str, who: set[str]) -> None:
        """Let `who` be those in another process, and notice what that changes."""
        before = self._there(topic, hub)
        new = who - self.present(topic)
        hubs = self._others.setdefault(topic, {})
        if who:
            hubs[hub] = who
        else:
            hubs.pop(hub, None)
            if not hubs:
                del self._others[topic]
        for name in sorted(new):
            self._notice(topic, name, True)
        self._notice_gone(topic, before - who)

    def _notice_gone(self, topic: str, who: set[str]) -> None:
        for name in sorted(who - self.present(topic)):
            self._notice(topic, name, False)

    def _forget(self, hub: str) -> None:
        self._heard.pop(hub, None)
        for topic in [topic for topic, hubs in self._others.items() if hub in hubs]:
            self._doubted.pop((topic, hub), None)
            self._replace(topic, hub, set())

    # Time

    def beat(self, now: float) -> None:
        """Say that we are alive, and what is owed; give up who has been silent."""
        self._tell(CONTROL, Kind.ALIVE)
        if self._owes_all and self._tell(CONTROL, Kind.GONE):
            self._owes_all = False
            self._owed.update(self._own)
        for topic in list(self._owed):
            self._say_all(topic)
        for hub in [hub for hub, heard in self._heard.items() if heard < now - SILENCE]:
            self._forget(hub)
        for (topic, hub), (beats, who) in list(self._doubted.items()):
            self._doubted[topic, hub] = beats - 1, who
            if beats == 0:
                del self._doubted[topic, hub]
                self._replace(topic, hub, self._there(topic, hub) - who)

    def missed(self) -> None:
        """Packets may have been lost: say who is here, and ask who is there."""
        # for each topic and hub: beats left, and whom it has not confirmed since
        self._doubted = {
            (topic, hub): (2, set(who)) for topic, hubs in self._others.items() for hub, who in hubs.items()
        }
        for topic in self._own:
            self._say_all(topic)
        for topic in self._others.keys() | self._own.keys():
            self.begin(topic)

    def stop(self) -> None:
        """Say that nobody is here any more."""
        self._tell(CONTROL, Kind.GONE)
