"""What a resting connection costs: real ones held on a real server, and what ten million would take.

Usage: python perf/connections.py [--connections N] [--first N] [--transport NAME] [--tls] [--simulate N]

Servers and clients are as many pairs of processes as descriptors per process demand; every connection is a keep-alive
one, answered once before it rests. Memory is read when the first `--first` of them rest and again when all do: the
slope between the two is what one connection more costs, the total growth since the servers started tells what the
slope hides. Then some are asked while the others rest, the collector's pauses are read, and each is asked once more.

`--simulate N` instead lays N records of the epoll transport in one process, without sockets.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from record import commit, environment, write_results
from resting.memory import kernel_bytes
from resting.processes import Pair, room_per_process
from resting.simulation import simulate

SETTLE = 4.0  # seconds until answered connections are at rest
PROBES, PROBE_PAUSE = 1000, 0.002
PARALLEL = 2  # pairs that open connections at once
TEN_MILLION = 10_000_000


def main() -> int:
    """Measure; return a process status."""
    options = _options()
    if options.simulate:
        results = simulate(options.simulate)
        for name, value in results.items():
            print(f"{name:<44}{value:>14,.2f}")
        name = "resting-records"
    else:
        results = hold(options.connections, options.first or options.connections // 8, options.transport, options.tls)
        _print(results)
        name = _name(options)
    path = write_results(name, {"commit": commit(), "environment": environment(sys.executable), **results})
    print(f"written to {path}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--connections", type=int, default=16_000)
    parser.add_argument("--first", type=int, help="connections at the lower end of the slope; an eighth by default")
    parser.add_argument("--transport", default="epoll")
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--simulate", type=int, metavar="N", help="records without sockets")
    return parser.parse_args()


def _name(options: argparse.Namespace) -> str:
    return f"connections-{options.transport}{'-tls' if options.tls else ''}-{options.connections}"


def hold(number: int, first: int, transport: str, tls: bool) -> dict[str, Any]:
    """Hold `number` connections; return what they cost."""
    pairs: list[Pair] = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            certificate = _certificate(Path(scratch)) if tls else None
            count = -(-number // room_per_process())
            for index in range(count):
                pairs.append(Pair(index + 1, transport, certificate))
            return _measure(pairs, number, first) | {"transport": transport, "tls": tls}
        finally:
            for pair in pairs:
                pair.close()


def _measure(pairs: list[Pair], number: int, first: int) -> dict[str, Any]:
    _open(pairs, len(pairs))  # one each, so that what is loaded at first use is there
    time.sleep(SETTLE)
    user, kernel, held = [_user(pairs)], [kernel_bytes()], [_held(pairs)]
    alone = _probe(pairs[0])
    for target in (first, number):
        started = time.monotonic()
        _open(pairs, target)
        print(f"{_held(pairs):>9,} connections held, opened in {time.monotonic() - started:.0f} s", flush=True)
        time.sleep(SETTLE)
        user.append(_user(pairs))
        kernel.append(kernel_bytes())
        held.append(_held(pairs))
    beside = _probe(pairs[0])
    collectors = [pair.collector() for pair in pairs]
    pauses = [seconds for collector in collectors for _, seconds in collector["pauses"]]
    started = time.monotonic()
    with ThreadPoolExecutor(PARALLEL) as pool:
        answered = sum(len(times) for times in pool.map(lambda pair: pair.ask(pair.held), pairs))
    print(f"{answered:>9,} answered once more in {time.monotonic() - started:.0f} s", flush=True)
    time.sleep(SETTLE)
    slope = (user[2] - user[1]) / (held[2] - held[1])
    kernel_slope = (kernel[2] - kernel[1]) / (held[2] - held[1])
    return {
        "connections": held[2],
        "first": held[1],
        "pairs": len(pairs),
        "answered_again": answered,
        "user_bytes": slope,
        "user_growth_per_connection": (user[2] - user[0]) / (held[2] - held[0]),
        "user_growth_after_answering_again": (_user(pairs) - user[0]) / (held[2] - held[0]),
        "user_before": user[0] / len(pairs),
        "kernel_bytes_both_ends": kernel_slope,
        "latency_alone": alone,
        "latency_at_rest": beside,
        "collections": len(pauses),
        "longest_pause": max(pauses, default=0.0),
        "longest_full_collection_at_rest": max(collector["full"] for collector in collectors),
        "collectable_objects_per_process": max(collector["objects"] for collector in collectors),
        "ten_million_user": TEN_MILLION * slope,
        "ten_million_kernel_one_end": TEN_MILLION * kernel_slope / 2,
    }


def _open(pairs: list[Pair], target: int) -> None:
    """Let the pairs together hold `target` connections, each its share."""
    share = [target // len(pairs) + (index < target % len(pairs)) for index in range(len(pairs))]
    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(lambda pair, wanted: pair.open(wanted - pair.held), pairs, share))


def _held(pairs: list[Pair]) -> int:
    return sum(pair.held for pair in pairs)


def _user(pairs: list[Pair]) -> int:
    return sum(pair.private_bytes() for pair in pairs)


def _probe(pair: Pair) -> dict[str, float]:
    """Return microseconds of answers asked for one after another."""
    times: list[float] = []
    while len(times) < PROBES:
        times += pair.ask(min(PROBES - len(times), pair.held), PROBE_PAUSE)
    cuts = statistics.quantiles(times, n=100)
    return {"median": cuts[49] * 1e6, "p99": cuts[98] * 1e6, "longest": max(times) * 1e6}


def _certificate(scratch: Path) -> tuple[str, str]:
    import trustme

    chain, key = scratch / "chain.pem", scratch / "key.pem"
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return str(chain), str(key)


def _print(results: dict[str, Any]) -> None:
    rows = [
        ("connections held", f"{results['connections']:,}"),
        ("processes, servers and as many clients", f"{results['pairs']}"),
        (f"user bytes each, slope from {results['first']:,}", f"{results['user_bytes']:,.0f}"),
        ("user bytes each, total growth", f"{results['user_growth_per_connection']:,.0f}"),
        ("the same after each was answered again", f"{results['user_growth_after_answering_again']:,.0f}"),
        ("kernel bytes each, both ends", f"{results['kernel_bytes_both_ends']:,.0f}"),
        ("latency, one connection each (us)", _latency(results["latency_alone"])),
        ("latency, while all rest (us)", _latency(results["latency_at_rest"])),
        ("collector's pauses: number, longest (ms)", f"{results['collections']}, {results['longest_pause'] * 1e3:.2f}"),
        ("a full collection while all rest (ms)", f"{results['longest_full_collection_at_rest'] * 1e3:.2f}"),
        ("ten million: user, GB", f"{results['ten_million_user'] / 1e9:.2f}"),
        ("ten million: kernel, the server's end, GB", f"{results['ten_million_kernel_one_end'] / 1e9:.1f}"),
    ]
    for name, value in rows:
        print(f"{name:<46}{value:>34}")


def _latency(figures: dict[str, float]) -> str:
    return f"median {figures['median']:.0f}, p99 {figures['p99']:.0f}, longest {figures['longest']:.0f}"


if __name__ == "__main__":
    sys.exit(main())
