"""The options of `highper run` that say which proxies stand in front, and how they tell on whose behalf they come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import click

from .forwarded import ForwardedFields

__all__ = ["proxies"]

_OPTIONS: list[Callable[[Callable[..., None]], Callable[..., None]]] = [
    click.option(
        "--trusted-proxies",
        default="",
        metavar="LIST",
        envvar="HIGHPER_TRUSTED_PROXIES",
        help="Proxies to believe: addresses and networks with commas between, unix for Unix sockets. By default none.",
    ),
    click.option(
        "--forwarded",
        type=click.Choice(get_args(ForwardedFields)),
        default="x-forwarded",
        show_default=True,
        envvar="HIGHPER_FORWARDED",
        help="Fields they write: X-Forwarded-*, or Forwarded; the other kind is ignored.",
    ),
    click.option(
        "--proxy-protocol/--no-proxy-protocol",
        default=False,
        show_default=True,
        envvar="HIGHPER_PROXY_PROTOCOL",
        help="They send a PROXY header first, and nobody else is let in.",
    ),
]


def proxies(command: Any) -> Any:
    """Give a command the options of `Server` that say what stands in front of it."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
