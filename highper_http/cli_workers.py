"""The options of `highper run` that say with how many processes, and where systemd has opened the sockets."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import click

from highper_transports.sockets import Binding, parse_binding
from highper_transports.systemd import passed_sockets
from highper_transports.workers import Recycling, RecyclingUnavailable, Settings

from .errors import ConfigError

__all__ = ["listening_places", "supervision"]

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def _size(context: click.Context, parameter: click.Parameter, value: str | None) -> int | None:
    """Return the bytes that a number with an optional K, M or G means."""
    if value is None:
        return None
    match = re.fullmatch(r"([0-9]+)([KMG]?)", value, re.ASCII)
    if match is None or not int(match[1]):
        raise click.BadParameter(f"{value!r} is not a size such as 512M", context, parameter)
    return int(match[1]) * _UNITS[match[2]]


_OPTIONS = [
    click.option(
        "--workers",
        type=click.IntRange(1),
        metavar="N",
        envvar=["HIGHPER_WORKERS", "WEB_CONCURRENCY"],
        help="Serve with N processes and a supervisor. By default this process serves alone.",
    ),
    click.option(
        "--reload/--no-reload",
        default=False,
        show_default=True,
        envvar="HIGHPER_RELOAD",
        help="For development: reload when a Python source changes.",
    ),
    click.option(
        "--reload-dir",
        multiple=True,
        metavar="DIR",
        type=click.Path(exists=True, file_okay=False),
        envvar="HIGHPER_RELOAD_DIR",
        help="Watched by --reload, instead of the working directory; may be repeated.",
    ),
    click.option(
        "--reuse-port/--no-reuse-port",
        default=False,
        show_default=True,
        envvar="HIGHPER_REUSE_PORT",
        help="A TCP socket for each worker (SO_REUSEPORT), instead of one for all.",
    ),
    click.option(
        "--hang",
        type=click.FloatRange(0),
        default=30.0,
        show_default=True,
        envvar="HIGHPER_HANG",
        metavar="SECONDS",
        help="Replace a worker whose loop has not turned for so long; 0 for never, as with --reload.",
    ),
    click.option(
        "--max-requests",
        type=click.IntRange(1),
        metavar="N",
        envvar="HIGHPER_MAX_REQUESTS",
        help="Replace a worker that has begun so many requests.",
    ),
    click.option(
        "--max-rss",
        callback=_size,
        metavar="SIZE",
        envvar="HIGHPER_MAX_RSS",
        help="Replace a worker with so much resident memory, for example 512M.",
    ),
    click.option(
        "--max-age",
        type=click.FloatRange(0, min_open=True),
        metavar="SECONDS",
        envvar="HIGHPER_MAX_AGE",
        help="Replace a worker that is so old.",
    ),
    click.option(
        "--jitter",
        type=click.FloatRange(0, 1),
        default=0.1,
        show_default=True,
        envvar="HIGHPER_JITTER",
        metavar="FRACTION",
        help="Each worker's --max-... are lower by up to this fraction.",
    ),
    click.option(
        "--pidfile", metavar="FILE", envvar="HIGHPER_PIDFILE", help="Write the process id of the supervisor there."
    ),
]


def supervision(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of supervision; it gets them as `settings`, None where this process serves alone."""

    @functools.wraps(command)
    def supervised(
        *,
        workers: int | None,
        reload: bool,
        reload_dir: tuple[str, ...],
        hang: float,
        max_requests: int | None,
        max_rss: int | None,
        max_age: float | None,
        jitter: float,
        pidfile: str | None,
        **options: Any,
    ) -> None:
        settings = None
        if any(item is not None for item in (workers, max_requests, max_rss, max_age, pidfile)) or reload:
            try:
                recycling = Recycling(requests=max_requests, memory=max_rss, age=max_age, jitter=jitter)
            except RecyclingUnavailable as error:
                raise click.UsageError(str(error)) from error
            settings = Settings(
                workers=workers or 1,
                drain=options["drain"],
                hang=0.0 if reload else hang,
                recycling=recycling,
                reuse_port=options["reuse_port"],
                pidfile=pidfile,
                watch=(reload_dir or (".",)) if reload else (),
            )
        command(settings=settings, **options)

    for option in reversed(_OPTIONS):
        supervised = option(supervised)
    return supervised


def listening_places(places: Sequence[str], host: str, port: int, *, reuse_port: bool) -> list[Binding]:
    """Return where to listen: at the places that were named, else on what systemd passed, else at host and port.

    `fd://NAME` is the socket that systemd passed under this name.

    Raises:
        ConfigError: there is no such socket.
        BindingInvalid: a place cannot be read.
    """
    passed = passed_sockets()
    if not places and passed:
        return [Binding(fd=fd) for fd in passed]
    if not places:
        return [Binding(host=host, port=port, reuse_port=reuse_port)]
    bindings: list[Binding] = []
    for place in places:
        name = place.removeprefix("fd://")
        if name != place and not name.isdigit():
            found = [fd for fd, given in passed.items() if given == name]
            if not found:
                raise ConfigError(f"systemd passed no socket called {name!r} (it passed {_named(passed)})")
            bindings += [Binding(fd=fd) for fd in found]
        else:
            binding = parse_binding(place)
            is_tcp = binding.path is None and binding.fd is None
            bindings.append(replace(binding, reuse_port=reuse_port) if is_tcp else binding)
    return bindings


def _named(passed: dict[int, str]) -> str:
    return ", ".join(passed.values()) or "none"
