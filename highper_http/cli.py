"""The command `highper`: run an application, or say what this installation can do.

Every option is also an environment variable, HIGHPER_ and its name; the command line wins. PORT is honoured, as
platforms set it. Exit codes: 0 stopped as asked, 1 workers crash again and again, 2 wrong usage, 3 the application or a
listener cannot start.
"""

from __future__ import annotations

import logging
import platform
import sys
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import click

from highper_core import engine as find_engine
from highper_core import engines
from highper_core.errors import HighperError
from highper_transports import registry
from highper_transports.registry import transport as find_transport
from highper_transports.sockets import Binding
from highper_transports.workers import CANNOT_START, Foreground, Overseer, Settings, Supervisor, WorkersFailed

from .address import describe
from .cli_proxies import proxies
from .cli_workers import listening_places, supervision
from .errors import ConfigError
from .loading import load_app
from .log import log_to_stderr

__all__ = ["main"]

LEVELS = ("debug", "info", "warning", "error", "critical")

logger = logging.getLogger("highper")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="highper", prog_name="highper")
def main() -> None:
    """An HTTP server for Python applications."""


@main.command()
@click.argument("application", metavar="MODULE:APP")
@click.option("--host", default="127.0.0.1", show_default=True, envvar="HIGHPER_HOST", help="Where to listen.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    envvar=["HIGHPER_PORT", "PORT"],
    help="Port; 0 takes a free one.",
)
@click.option(
    "--bind",
    multiple=True,
    metavar="PLACE",
    envvar="HIGHPER_BIND",
    help="host:port, [::1]:port, unix:/path or fd://N, instead of --host and --port; may be repeated.",
)
@click.option("--uds", metavar="PATH", envvar="HIGHPER_UDS", help="Listen on a Unix socket.")
@click.option("--fd", type=click.IntRange(0), metavar="N", envvar="HIGHPER_FD", help="Listen on an inherited socket.")
@click.option(
    "--transport",
    default="auto",
    show_default=True,
    envvar="HIGHPER_TRANSPORT",
    help="Provider of streams and loop: auto, asyncio, uvloop, ...; `highper info` lists them.",
)
@click.option(
    "--engine",
    type=click.Choice(["auto", "fast", "portable"]),
    default="auto",
    show_default=True,
    envvar="HIGHPER_ENGINE",
    help="HTTP engine.",
)
@click.option("--certfile", metavar="FILE", envvar="HIGHPER_CERTFILE", help="PEM file: speak TLS with this chain.")
@click.option("--keyfile", metavar="FILE", envvar="HIGHPER_KEYFILE", help="PEM file with the chain's private key.")
@click.option(
    "--log-level",
    type=click.Choice(LEVELS),
    default="info",
    show_default=True,
    envvar="HIGHPER_LOG_LEVEL",
    help="Least severe level that is logged.",
)
@click.option(
    "--access-log/--no-access-log",
    default=True,
    show_default=True,
    envvar="HIGHPER_ACCESS_LOG",
    help="One line per request.",
)
@click.option("--debug/--no-debug", default=None, envvar="HIGHPER_DEBUG", help="Answers show tracebacks.")
@click.option(
    "--drain",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    envvar="HIGHPER_DRAIN",
    metavar="SECONDS",
    help="How long running requests may take at a stop.",
)
@click.option(
    "--quiet",
    type=click.FloatRange(0),
    default=5.0,
    show_default=True,
    envvar="HIGHPER_QUIET",
    metavar="SECONDS",
    help="How long a connection of a replaced worker may rest before it is closed.",
)
@click.option(
    "--connections",
    type=click.IntRange(1),
    envvar="HIGHPER_CONNECTIONS",
    metavar="N",
    help="Open at once; further peers wait. By default what the limit of descriptors allows.",
)
@proxies
@supervision
def run(
    application: str,
    host: str,
    port: int,
    bind: tuple[str, ...],
    uds: str | None,
    fd: int | None,
    certfile: str | None,
    keyfile: str | None,
    log_level: str,
    settings: Settings | None,
    reuse_port: bool,
    **options: Any,
) -> None:
    """Serve an application until SIGINT or SIGTERM.

    MODULE:APP names an App, a Router or a handler, for example `examples.demo:app`.
    """
    log_to_stderr(log_level.upper(), process=settings is not None)
    places = [*bind, *([f"unix:{uds}"] if uds else []), *([f"fd://{fd}"] if fd is not None else [])]
    try:
        from .server import Server

        bindings = listening_places(places, host, port, reuse_port=reuse_port)

        def serve(bindings: list[Binding], overseer: Overseer) -> None:
            tls = _tls(certfile, keyfile)  # read in the worker, so that a reload finds a renewed one
            Server(load_app(application), bind=bindings, ssl=tls, **options).run(overseer)

        if settings is None:
            serve(bindings, Foreground())
        else:
            find_transport(options["transport"])  # loaded once, shared by the workers
            find_engine(options["engine"])
            Supervisor(serve, bindings, settings, partial(describe, secure=certfile is not None)).run()
    except WorkersFailed as error:
        _give_up(str(error), error.exit_code)
    except (HighperError, OSError) as error:
        logger.debug("start failed", exc_info=error)
        _give_up(str(error))


@main.command()
def info() -> None:
    """Print version, Python, and the engines and transports that are available here."""
    try:
        release = version("highper")
    except PackageNotFoundError:
        release = "not installed"
    click.echo(f"highper {release}")
    click.echo(f"Python {platform.python_version()} ({platform.python_implementation()}, {sys.platform})")
    _list("engines", engines.available())
    _list("transports", registry.available())


def _list(title: str, found: dict[str, str | None]) -> None:
    click.echo(f"{title}:")
    width = max(len(name) for name in found)
    for name, reason in found.items():
        click.echo(f"  {name:<{width}}  {'available' if reason is None else f'unavailable: {reason}'}")


def _tls(certfile: str | None, keyfile: str | None) -> Any:
    if certfile is None:
        if keyfile is not None:
            raise ConfigError("--keyfile needs --certfile")
        return None
    from highper_transports.tls import server_context

    try:
        return server_context(certfile, keyfile)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigError(f"the certificate cannot be used: {error}") from error


def _give_up(reason: str, exit_code: int = CANNOT_START) -> None:
    click.echo(f"highper: {reason}", err=True)
    sys.exit(exit_code)
