"""The listening sockets of a service, which outlive its workers.

The supervisor holds them, so a connection that nobody has accepted yet waits in the system's queue whatever happens to
a worker. Usually all workers accept from the same ones. With `reuse_port` every slot has its own, among which the
system spreads the connections; the supervisor holds these too, so that what waits for a worker that died waits for
its successor.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ..sockets import Binding, address_of

__all__ = ["Listeners"]


class Listeners:
    """Opened by `open`, inherited by workers through `bindings`.

    Args:
        bindings: where to listen.
        reuse_port: a socket for each slot, on TCP.

    Attributes:
        places: each binding with the address it got.
    """

    def __init__(self, bindings: Iterable[Binding], *, reuse_port: bool = False) -> None:
        self._wanted = list(bindings)
        self._reuse_port = reuse_port
        self._shared: list[tuple[Binding, socket.socket]] = []
        self._own: dict[int, list[tuple[Binding, socket.socket]]] = {}
        self._files: list[tuple[str, int]] = []
        self.places: list[tuple[Binding, Any]] = []

    def open(self) -> None:
        """Listen.

        Raises:
            BindingInvalid: a place cannot be listened at; none is.
        """
        try:
            for binding in self._wanted:
                if not self._is_own(binding):
                    sockets = binding.open()
                    self._shared += [(binding, item) for item in sockets]
                    self.places.append((binding, address_of(sockets[0])))
                    if binding.path is not None and not binding.path.startswith("\0"):
                        self._files.append((binding.path, os.stat(binding.path).st_ino))
            self._open_own(0)
            self.places += [(binding, address_of(item)) for binding, item in self._own[0]]
        except BaseException:
            self.close()
            raise

    def _is_own(self, binding: Binding) -> bool:
        return binding.path is None and binding.fd is None and (self._reuse_port or binding.reuse_port)

    def _open_own(self, slot: int) -> None:
        opened: list[tuple[Binding, socket.socket]] = []
        self._own[slot] = opened
        first = [item for item in self._own[0] if slot]
        for binding in self._wanted:
            if self._is_own(binding):
                port = first[len(opened)][1].getsockname()[1] if slot else binding.port
                opened += [(binding, item) for item in replace(binding, port=port, reuse_port=True).open()]

    def bindings(self, slot: int) -> list[Binding]:
        """Return what the worker of `slot` listens at: descriptors it inherits.

        Raises:
            BindingInvalid: a socket of its own cannot be opened.
        """
        if slot not in self._own:
            self._open_own(slot)
        return [
            replace(binding, host="", port=0, path=None, reuse_port=False, fd=item.fileno())
            for binding, item in [*self._shared, *self._own[slot]]
        ]

    def drop(self, slot: int) -> None:
        """Close what only the worker of `slot` accepts from."""
        for _, item in self._own.pop(slot, []):
            item.close()

    def forget(self) -> None:
        """Close this process's copies: a worker that listens for itself."""
        for _, item in self._shared:
            item.close()
        for slot in list(self._own):
            self.drop(slot)

    def close(self) -> None:
        """Listen no more; remove Unix sockets' files unless somebody else has put others there. Idempotent."""
        self.forget()
        files, self._files = self._files, []
        for path, inode in files:
            with suppress(FileNotFoundError):
                if os.stat(path).st_ino == inode:
                    os.unlink(path)
