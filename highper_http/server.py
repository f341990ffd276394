"""A server: an application, where it listens, and on what.

It starts in the running loop and owns nothing beyond itself: no signal handler, no global state, so many servers can
live in one loop. Only `listen`, which makes the loop, has an overseer that watches signals or a supervisor's orders.

Start:     compile routes -> start the application up -> listen.
Stop:      stop listening -> tell the application -> close WebSockets, let running requests answer, end resting
           connections -> cancel what is left after `drain` seconds -> shut the application down.
Withdraw:  the same for a server that others have replaced, but no peer loses a request: the next answer of each
           connection says that it is the last, and those that rest are closed after `quiet` seconds without one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from anyio import CancelScope

from highper_core import Role
from highper_core import engine as find_engine
from highper_core.limits import Limits
from highper_core.pool import ContextPool
from highper_transports.proxied import ProxyGate
from highper_transports.registry import transport as find_transport
from highper_transports.service import Service
from highper_transports.sockets import Binding, most_connections, parse_binding
from highper_transports.tls import TLS
from highper_transports.trust import TrustedPeers
from highper_transports.workers import Foreground, Overseer, Settings, Supervisor

from .address import describe
from .app import App
from .collector import startup_spared
from .dispatch import Dispatcher
from .drain import cut_off, drain
from .endpoint import Handler
from .errors import ConfigError
from .forwarded import ForwardedFields, Forwarding
from .lifespan import RunningLifespan
from .log import log_to_stderr
from .request import Request
from .response import Response
from .routing import Router
from .websocket.endpoint import compose_at
from .websocket.site import Site

if TYPE_CHECKING:
    import ssl as tls

    from highper_transports.interfaces import ITransport
    from highper_transports.stream import Stream

__all__ = ["Server"]

logger = logging.getLogger("highper")

PREWARMED: Final = 8  # request records that are made before the first request


class Server:
    """Serves an application.

    Args:
        app: an `App`, a `Router`, a handler for every request, or None to give one with `handle` or `use`.
        host, port: where to listen, unless `bind` says it; port 0 takes a free one.
        bind: several places: "127.0.0.1:80", "[::]:80", "unix:/run/app.sock", "fd://3".
        transport: name of a provider, "auto" for the best here.
        engine: "auto", "fast" or "portable".
        limits: bounds; the app's by default.
        ssl: a context, to speak TLS on every binding that has none of its own.
        access_log: write a line per request.
        debug: developer mode; the app's by default.
        drain: seconds that running requests have at a stop.
        quiet: seconds without a request after which a resting connection is closed when this server withdraws.
        connections: open at once, beyond which nobody is accepted; by default what the limit of descriptors allows.
        trusted_proxies: addresses and networks of the proxies in front, and "unix" for whoever reaches a Unix socket.
        forwarded: the kind of fields they write, "x-forwarded" or "forwarded"; the other kind is ignored.
        proxy_protocol: they announce their clients by a PROXY header, on every binding that does not say otherwise.

    Raises:
        BindingInvalid: a place or an address that is none.
        ConfigError: an application that is none, or a PROXY header that nobody could be trusted with.
    """

    def __init__(
        self,
        app: Router | Handler | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        bind: Iterable[str | Binding] = (),
        transport: str = "auto",
        engine: str = "auto",
        limits: Limits | None = None,
        ssl: tls.SSLContext | None = None,
        access_log: bool = True,
        debug: bool | None = None,
        drain: float = 30.0,
        quiet: float = 5.0,
        connections: int | None = None,
        trusted_proxies: str | Iterable[str] = (),
        forwarded: ForwardedFields = "x-forwarded",
        proxy_protocol: bool = False,
    ) -> None:
        self._router: Router | None = None
        if isinstance(app, Router):
            self._router = app
        elif app is not None:
            self.handle(app)
        self.bindings = [parse_binding(place) if isinstance(place, str) else place for place in bind]
        if not self.bindings:
            self.bindings.append(Binding(host=host, port=port))
        self.transport_name = transport
        self.engine_name = engine
        self.access_log = access_log
        self.drain = drain
        self.quiet = quiet
        self.addresses: list[Any] = []
        self._ssl = ssl
        self._limits = limits
        self._debug = debug
        self._transport: ITransport | None = None
        self._dispatcher: Dispatcher | None = None
        self._service: Service | None = None
        self._lifespan: RunningLifespan | None = None
        self._connections = connections
        self.trusted_proxies = TrustedPeers.of(trusted_proxies)
        self.forwarded = forwarded
        self._forwarding = Forwarding(self.trusted_proxies, forwarded) if self.trusted_proxies else None
        if proxy_protocol:
            if not self.trusted_proxies:
                raise ConfigError("the PROXY protocol needs proxies that are trusted: name their addresses")
            self.bindings = [
                replace(place, proxy_protocol=place.proxy_protocol or self.trusted_proxies) for place in self.bindings
            ]
        self._stopped: Any = None
        self._stopping = False
        self._withdrawing = False
        self._level = logging.INFO
        self._contexts: ContextPool | None = None
        self._site: Site | None = None

    # What is served

    def handle(self, handler: Handler) -> Handler:
        """Give every request to `handler`, whatever its method and path. Usable as a decorator."""
        if self._router is not None:
            raise ConfigError("this server has an application already")
        router = Router()
        router.any("/*path")(handler)
        self._router = router
        return handler

    def use(self, router: Router) -> Router:
        """Serve `router`, below what is served already."""
        if self._router is None:
            self._router = router
        else:
            self._router.use(router)
        return router

    @property
    def limits(self) -> Limits:
        """Bounds in force."""
        if self._limits is not None:
            return self._limits
        return self._router.limits if isinstance(self._router, App) else Limits()

    @property
    def debug(self) -> bool:
        """Developer mode."""
        if self._debug is not None:
            return self._debug
        return self._router.debug if isinstance(self._router, App) else False

    # Where it is

    @property
    def port(self) -> int:
        """Port of the first TCP binding, once started."""
        return int(self.url.rpartition(":")[2])

    @property
    def url(self) -> str:
        """URL of the first TCP binding, once started."""
        for binding, address in zip(self.bindings, self.addresses, strict=False):
            if isinstance(address, tuple):
                return describe(binding, address)
        raise RuntimeError("the server has no TCP address")

    # Life

    def listen(self, *, workers: int | None = None) -> None:
        """Serve until SIGINT or SIGTERM, in a loop made for it. Blocking.

        Log lines go to standard error where this program has not configured logging.

        Args:
            workers: processes to fork, each with its own loop and lifespan, kept alive and reloaded by this one, which
                does not serve. None to serve in this process. A reload starts them anew from what this program has
                loaded; only `highper run` loads new code.

        Raises:
            WorkersUnavailable: the platform has no fork, or this program has threads, which a fork would tear.
            WorkersFailed: the application cannot start, or crashes again and again.
        """
        log_to_stderr(process=workers is not None)
        find_transport(self.transport_name)  # before a fork: it is loaded once
        if workers is None:
            self.run(Foreground())
            return

        def serve(bindings: list[Binding], overseer: Overseer) -> None:
            self.bindings = bindings
            self.run(overseer)

        Supervisor(
            serve,
            self.bindings,
            Settings(workers=workers, drain=self.drain),
            partial(describe, secure=self._ssl is not None),
        ).run()

    def run(self, overseer: Overseer) -> None:
        """Serve until `overseer` says so, in a loop made for it. Blocking."""
        self._level = logging.INFO if overseer.is_alone else logging.DEBUG
        find_transport(self.transport_name).run(partial(self._main, overseer))

    async def _main(self, overseer: Overseer, transport: ITransport) -> None:
        await self.start(transport)
        overseer.begin(transport, self)
        try:
            with startup_spared():
                await self._stopped
        finally:
            await self.finish()
            overseer.end()

    async def serve(self) -> None:
        """Serve in the running loop until `stop` is called or this task is cancelled; then drain."""
        async with self:
            await self._stopped

    async def __aenter__(self) -> Server:
        """Start in the running loop.

        Raises:
            StartupFailed: the application's own code failed.
            SetupError: the server or its application is put together wrongly.
            BindingInvalid: a place cannot be listened on.
        """
        await self.start(find_transport(self.transport_name, running=True)())
        return self

    async def __aexit__(self, *error: object) -> None:
        """Stop accepting, drain, shut the application down."""
        await self.finish()

    @property
    def requests(self) -> int:
        """Requests begun so far."""
        return 0 if self._contexts is None else self._contexts.created + self._contexts.reused

    def statistics(self) -> dict[str, dict[str, int]]:
        """Return counts of this process: `connections` (accepted, open, awake, resting, drivers_waiting) and
        `contexts`, the records of requests (waiting, created, reused, abandoned to a holder, dropped).

        Both pools begin empty and keep at most a hundred of what was used, less than a mebibyte in all.
        """
        return {
            "connections": {} if self._service is None else self._service.statistics(),
            "contexts": {} if self._contexts is None else self._contexts.statistics(),
        }

    def stop(self) -> None:
        """Ask `serve` and `listen` to end. Idempotent; returns at once."""
        if self._withdrawing and self._service is not None:
            self._withdrawing = False
            self._service.shut()
        self._ask_to_stop()

    def withdraw(self) -> None:
        """As `stop`, for a server that others have replaced: no peer loses a request. Idempotent; returns at once."""
        if not self._stopping:
            self._withdrawing = True
        self._ask_to_stop()

    def _ask_to_stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            if self._stopped is not None:
                self._stopped.wake()

    async def start(self, transport: ITransport) -> None:
        """Start on `transport`. What `async with` and `listen` do; for who brings a transport of its own.

        Raises:
            StartupFailed, SetupError, BindingInvalid: as `async with`.
        """
        if self._transport is not None:
            raise RuntimeError("a server is started once")
        router = self._router
        if router is None:
            raise ConfigError("this server has nothing to serve: give it an app, a handler or a router")
        limits = self.limits
        engine = find_engine(self.engine_name)
        self._site = Site(transport, engine, limits)
        table = router.compile(partial(compose_at, self._site))
        self._transport = transport
        self._stopped = transport.waiter()
        if self._stopping:
            self._stopped.wake()
        if isinstance(router, App):
            self._lifespan = router.running()
            await self._lifespan.__aenter__()
        self._site.variables = variables = copy_context()
        self._contexts = ContextPool(lambda: Request(limits, self._forwarding), Response)
        self._contexts.prewarm(PREWARMED)
        self._dispatcher = Dispatcher(
            table,
            transport,
            self._contexts,
            variables,
            debug=self.debug,
            access_log=self.access_log,
        )
        self._service = Service(
            transport,
            self._dispatcher,
            lambda: engine.http(Role.SERVER, limits),
            limits,
            capacity=most_connections() if self._connections is None else self._connections,
        )
        try:
            if self._ssl is not None:
                secure = TLS(self._ssl, limits.handshake_timeout)
                self.bindings = [replace(binding, tls=binding.tls or secure) for binding in self.bindings]
            for binding in self.bindings:
                opened: Callable[[Stream], None] = self._service.opened
                if binding.proxy_protocol is not None:
                    opened = ProxyGate(self._service, binding.proxy_protocol).opened
                listener = await transport.listen(binding, opened)
                self._service.listeners.append(listener)
                self.addresses.append(listener.address)
                place = describe(binding, listener.address)
                logger.log(self._level, "listening at %s (%s, %s engine)", place, transport.name, engine.name)
        except BaseException:
            await self.finish()
            raise

    async def finish(self) -> None:
        """Stop accepting, drain, shut the application down. Ends what `start` began."""
        self._stopping = True
        try:
            if self._service is not None and self._dispatcher is not None and self._site is not None:
                with CancelScope(shield=True):
                    quiet = self.quiet if self._withdrawing else None
                    await drain(self._service, self._dispatcher, self._site, self._tell, self.drain, quiet)
        finally:
            if self._lifespan is not None:
                lifespan, self._lifespan = self._lifespan, None
                await lifespan.__aexit__(None, None, None)

    async def _tell(self) -> None:
        if self._lifespan is not None:
            await self._lifespan.drain()

    def cut_off(self) -> None:
        """Cancel every handler that still runs; one that has not answered yet answers 503."""
        if self._service is not None and self._dispatcher is not None and self._site is not None:
            cut_off(self._service, self._dispatcher, self._site)
