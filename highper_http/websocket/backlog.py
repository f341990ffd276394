"""Messages that wait because the peer takes less than is sent, or because a message is being streamed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TYPE_CHECKING

from highper_core.errors import Fault, LocalProtocolError

from .settings import Policy

if TYPE_CHECKING:
    from highper_transports.interfaces import IWaiter

__all__ = ["Backlog", "Waiting"]

PLAIN, FRAMED, COMPRESSED, STREAM = range(4)  # what waits: a message, its frames, the same compressed, a stream's turn


class Waiting:
    """One message that waits.

    Args:
        content: the message, or its frames.
        form: PLAIN, FRAMED, COMPRESSED or STREAM.
        waiter: of the task that waits for it to be framed; None for nobody.

    Attributes:
        size: bytes it counts.
        framed: it waits no more, and was not dropped.

    Raises:
        LocalProtocolError: the text holds a lone surrogate; later nobody could be told.
    """

    __slots__ = ("content", "form", "framed", "size", "waiter")

    def __init__(self, content: str | bytes, form: int, waiter: IWaiter | None = None) -> None:
        if isinstance(content, str) and not content.isascii():
            _demand_text(content)
        self.content = content
        self.form = form
        self.size = len(content)
        self.framed = False
        self.waiter = waiter


def _demand_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(Fault.TEXT_INVALID, str(error)) from error


class Backlog:
    """Messages in the order in which they will be framed.

    Args:
        policy: what becomes of those that pass the bound.
        bound: bytes that may wait, besides those somebody waits for.

    Attributes:
        streaming: a message is being sent piece by piece, and nothing may come between.
        room: who waits to send the next piece, or None.
    """

    __slots__ = ("room", "streaming", "_bound", "_number", "_policy", "_size", "_waiting")

    def __init__(self, policy: Policy, bound: int) -> None:
        self.streaming = False
        self.room: IWaiter | None = None
        self._policy = policy
        self._bound = bound
        self._number = 0
        self._size = 0
        self._waiting: OrderedDict[Hashable, Waiting] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._size

    def add(self, message: Waiting, key: Hashable | None = None) -> bool:
        """Let a message wait, or another one go.

        Args:
            message: the newest.
            key: what it is about, for CONFLATE: it takes the place of the one that waits under the same key.

        Returns:
            False where there is no room and the policy drops nothing: the message does not wait.
        """
        place: Hashable
        if self._policy == Policy.CONFLATE and key is not None:
            place = (key,)
            replaced = self._waiting.get(place)
            if replaced is not None:
                self._size -= replaced.size
        else:
            place = self._number
            self._number += 1
        bounded = message.waiter is None and self._policy in (Policy.BLOCK, Policy.CLOSE)
        if bounded and self._size + message.size > self._bound:
            return False
        self._waiting[place] = message
        self._size += message.size
        if self._policy in (Policy.DROP_OLDEST, Policy.CONFLATE):
            while self._size > self._bound and self._drop_oldest(message):
                pass
        return True

    def _drop_oldest(self, newest: Waiting) -> bool:
        """Drop what has waited longest, apart from the newest and from what somebody waits for, as a stream's turn."""
        for place, message in self._waiting.items():
            if message is not newest and message.waiter is None:
                del self._waiting[place]
                self._size -= message.size
                return True
        return False

    def take(self) -> Waiting:
        """Return the message that has waited longest, which waits no more."""
        _, message = self._waiting.popitem(last=False)
        self._size -= message.size
        return message

    def forsake(self, message: Waiting) -> None:
        """Forget a message that nobody waits for any more, or the turn of a stream that has come."""
        if message.form == STREAM and message.framed:
            self.streaming = False
            return
        for place, waiting in self._waiting.items():
            if waiting is message:
                del self._waiting[place]
                self._size -= message.size
                return

    def make_room(self) -> None:
        """Let the next piece of the stream be sent."""
        if self.room is not None:
            self.room.wake()

    def clear(self) -> None:
        """Forget all, and end the waits."""
        self.make_room()
        while self._waiting:
            message = self.take()
            if message.waiter is not None:
                message.waiter.wake()
