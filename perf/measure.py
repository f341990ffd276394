"""One measured run of one server: fresh process, checked answer, warm-up, load, CPU time or memory."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from contestants import Contestant
from cpu_time import tree_cpu_seconds
from generators import Load, LoadFailed, generate, saturate
from idle import private_growth
from running import Running, Unfit, running
from workloads import WORKLOADS, Workload

__all__ = ["Run", "measure"]

WARM_UP = 0.3
RESTING = (2_000, 16_000)

Run: TypeAlias = dict[str, float]


def measure(contestant: Contestant, workload: Workload, cache: Path, seconds: int, rate: float) -> Run:
    """Run `contestant` once.

    Args:
        contestant: what to start.
        workload: what to ask of it.
        cache: where files and programs are kept.
        seconds: how long it is measured, warm-up aside.
        rate: requests per second of a latency workload.

    Raises:
        Unfit: it did not start, answered wrongly, or failed under load.
    """
    with running(contestant, workload, cache) as server:
        server.check()
        try:
            run = _idle(server) if workload.kind == "idle" else _loaded(server, cache, seconds, rate)
        except (LoadFailed, OSError) as error:
            raise Unfit(f"under load: {server.ended() or error}") from error
        server.check()
    return run


def _loaded(server: Running, cache: Path, seconds: int, rate: float) -> Run:
    workload = server.workload
    if workload.kind == "latency":
        return _figures(server, generate(workload, server.port, cache, seconds, rate, WARM_UP), 0)
    if not workload.tls:
        generate(workload, server.port, cache, WARM_UP, churn=workload.kind == "churn")
    before = tree_cpu_seconds(server.pid)
    if workload.kind == "churn":
        load = generate(workload, server.port, cache, seconds, churn=True)
    else:
        load = saturate(workload, server.port, seconds)
    return _figures(server, load, tree_cpu_seconds(server.pid) - before)


def _figures(server: Running, load: Load, cpu_seconds: float) -> Run:
    if not load.requests and server.workload.kind != "latency":
        raise LoadFailed("no answer")
    run = {"rate": load.requests / load.seconds}
    if cpu_seconds:
        run |= {"microseconds": cpu_seconds / load.requests * 1e6, "busy": cpu_seconds / load.seconds}
    if server.workload.kind == "latency" and load.p50 and load.p99 and load.p999:
        unanswered = load.unanswered / (load.requests + load.unanswered)
        run |= {"p50": load.p50, "p99": load.p99, "p999": load.p999, "unanswered": unanswered}
    return run


def _idle(server: Running) -> Run:
    few, many = RESTING
    growth = private_growth(server.pid, server.port, WORKLOADS["plaintext"].request(), RESTING, server.workload.tls)
    return {"slope": (growth[1] - growth[0]) / (many - few), "whole": growth[1] / many}
