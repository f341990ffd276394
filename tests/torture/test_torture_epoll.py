"""Every system call of the epoll provider fails once, with each error it can have, in plain and beneath TLS.

As over asyncio: a conversation is counted, then held again with one call failing, and again, until each has. Here the
calls are C's, so it is the kernel that is replaced.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import ssl
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
import trustme
from support.faults import ERRORS, FaultPlan, FaultyContext
from support.torment import application, converse, descriptors, settled

from highper_http import Server
from highper_transports.epoll import EpollTransport

if EpollTransport.unavailable() is not None:
    pytest.skip("epoll is not here", allow_module_level=True)

from highper_transports.epoll._scripted import ScriptedKernel
from highper_transports.epoll.loop import EpollLoop

BROKEN = (errno.EAGAIN, errno.EINTR, errno.ECONNRESET, errno.ETIMEDOUT)
FAILURES = {
    "recv": (*BROKEN, errno.ENOMEM),
    "send": (*BROKEN, errno.EPIPE, errno.ENOBUFS),
    "accept": (
        *(errno.EAGAIN, errno.EINTR, errno.ECONNABORTED, errno.EPROTO, errno.EPERM),
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS),
    ),
    "watch": (errno.ENOSPC, errno.ENOMEM, errno.EPERM),
    "close": (errno.EIO, errno.EINTR),
    "shutdown": (errno.ENOTCONN, errno.EPIPE),
    "wait": (errno.EINTR,),
}
STEPS = ("do_handshake", "read", "write", "unwrap")
CERTIFICATE = trustme.CA().issue_cert("localhost")
PATIENCE = 1.5


class Script:
    """Lets every call be but one."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.fired = False
        self._site, self._at, self._error = "", 0, 0

    def arm(self, site: str, at: int, error: int) -> None:
        """Make call number `at` (from 1) of `site` fail with `error`; counting begins anew."""
        self.calls.clear()
        self.fired = False
        self._site, self._at, self._error = site, at, error

    def call(self, name: str, fd: int, amount: int) -> int:
        self.calls[name] += 1
        if name == self._site and self.calls[name] == self._at:
            self.fired = True
            return -self._error
        return amount

    def accepted(self, fd: int) -> None:
        pass

    def strays(self, kernel: ScriptedKernel) -> list[tuple[int, int, int]]:
        return []


class Torment:
    """A server, and a conversation with it that is held many times."""

    def __init__(self, secured: bool) -> None:
        self.script = Script()
        self.plan = FaultPlan()
        self.ours: FaultyContext | None = None
        self.theirs: ssl.SSLContext | None = None
        if secured:
            self.ours = FaultyContext(ssl.PROTOCOL_TLS_SERVER)
            self.ours.plan = self.plan
            CERTIFICATE.configure_cert(self.ours)
            self.theirs = ssl.create_default_context()
            self.theirs.check_hostname = False
            self.theirs.verify_mode = ssl.CERT_NONE
        self.reported: list[dict[str, Any]] = []

    def run(self, act: Any) -> int:
        """Return what `act(self)` returns, a server running."""
        with asyncio.Runner(loop_factory=lambda: EpollLoop(ScriptedKernel(self.script))) as runner:
            return runner.run(self._serve(act))

    async def _serve(self, act: Any) -> int:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: self.reported.append(context))
        async with Server(application(), port=0, transport="epoll", ssl=self.ours, access_log=False) as server:
            self.server = server
            self.whole = await converse(server.port, self.theirs)
            gc.collect()
            await asyncio.sleep(0.05)
            self.before = descriptors()
            result: int = await act(self)
            assert server._transport is not None
            assert len(server._transport.timers) == 0
            assert self.reported == []
        return result

    async def again(self) -> None:
        """Hold the conversation; everything is as it was."""
        await settled(self.server, self.before)
        assert await converse(self.server.port, self.theirs) == self.whole
        await settled(self.server, self.before)

    async def suffer(self) -> None:
        """Hold it while something fails."""
        with suppress(OSError, EOFError, TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await converse(self.server.port, self.theirs)


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("site", FAILURES)
def test_every_system_call_may_fail(site: str, secured: bool) -> None:
    """After any failed call nothing is leaked, nothing is reported, and the next conversation is answered."""

    async def act(torment: Torment) -> int:
        script = torment.script
        script.arm("", 0, 0)
        await torment.again()
        calls = min(script.calls[site], 12)
        assert calls or site == "shutdown", f"the conversation never calls {site}: {script.calls}"
        tried = 0
        for at in range(1, calls + 1):
            for error in FAILURES[site]:
                script.arm(site, at, error)
                await torment.suffer()
                tried += script.fired
                await torment.again()
        assert tried >= calls
        return calls

    Torment(secured).run(act)


@pytest.mark.parametrize("step", STEPS)
def test_every_tls_step_may_fail(step: str) -> None:
    """The same where it is TLS that fails."""

    async def act(torment: Torment) -> int:
        plan = torment.plan
        plan.arm("", 0, OSError)
        await torment.again()
        calls = plan.calls[step]
        assert calls, f"the conversation never calls {step}"
        for at in range(1, calls + 1):
            for error in ERRORS[step]:
                plan.arm(step, at, error)
                await torment.suffer()
                plan.disarm()
                await torment.again()
        return calls

    assert Torment(True).run(act) > 0
