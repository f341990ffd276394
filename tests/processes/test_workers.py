"""Supervisor and workers as processes: what starts, what ends, what comes back, and what the supervisor answers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.services import APPLICATION, ROOT, serving, until

ALONE = ("--port", "0", "--transport", "asyncio")
PAIR = (*ALONE, "--workers", "2")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # the second where it ends while we read
        return False


def test_every_line_of_the_log_names_its_process(tmp_path: Path) -> None:
    with serving(tmp_path, *PAIR) as service:
        workers = service.ready(2)
        pid = int(service.get().split()[1])
        assert pid in workers
        service.wait_for(rf'\[{pid}\] INFO highper.access 127.0.0.1:\d+ "GET /" 200')
        service.wait_for(rf"\[{service.process.pid}\] INFO highper listening at http://127.0.0.1:\d+")
        assert service.end() == 0


def test_a_crashed_worker_is_replaced(tmp_path: Path) -> None:
    """And what killed it is said."""
    with serving(tmp_path, *PAIR) as service:
        workers = service.ready(2)
        service.get(f"/signal/{int(signal.SIGKILL)}")
        [dead] = service.wait_for(r"worker (\d+) was killed by SIGKILL")
        assert int(dead) in workers
        assert len(set(service.ready(3))) == 3
        assert service.end() == 0


def test_a_crash_loop_ends_it_all_with_1(tmp_path: Path) -> None:
    """After a few tries, each later than the one before."""
    source = APPLICATION + "\n@app.on_startup\ndef crash():\n    os._exit(7)\n"
    with serving(tmp_path, *ALONE, "--workers", "1", source=source) as service:
        assert service.process.wait(60) == 1
        delays = [float(item) for item in service.wait_for(r"the next try is in ([\d.]+) seconds", 0)]
        assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
        assert "highper: workers fail again and again: worker" in service.log
        assert "ended with exit code 7 before it was ready" in service.log


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import nothing_of_this_name\n", "importing 'served' failed: No module named 'nothing_of_this_name'"),
        ("import sys\nsys.exit('no settings')\n", "the application ended the process while it started: no settings"),
        (
            APPLICATION + "\n@app.on_startup\ndef fail():\n    raise ValueError('no database')\n",
            "the application failed to start: ValueError: no database",
        ),
    ],
    ids=["import", "exit", "startup"],
)
def test_an_application_that_cannot_start_is_one_line_and_3(tmp_path: Path, source: str, reason: str) -> None:
    """However many workers found it out."""
    with serving(tmp_path, *ALONE, "--workers", "3", source=source) as service:
        assert service.process.wait(30) == 3
        assert service.log.count(f"highper: {reason}") == 1
        assert service.log.count(reason) == 1
        assert "Traceback" not in service.log


def test_a_place_that_is_taken_is_3_and_no_worker_is_started(tmp_path: Path) -> None:
    taken = socket.create_server(("127.0.0.1", 0))
    with taken, serving(tmp_path, "--workers", "2", "--port", str(taken.getsockname()[1])) as service:
        assert service.process.wait(30) == 3
        assert "highper: cannot listen at 127.0.0.1:" in service.log


def test_a_reload_loads_new_code(tmp_path: Path) -> None:
    with serving(tmp_path, *PAIR) as service:
        before = service.ready(2)
        (tmp_path / "served.py").write_text(APPLICATION.replace('VERSION = "1"', 'VERSION = "second"'))
        service.send(signal.SIGHUP)
        service.wait_for("reloaded")
        until(lambda: service.get().startswith("second "))
        until(lambda: not any(alive(pid) for pid in before))
        assert service.end() == 0


def test_a_reload_that_fails_leaves_the_old_workers_serving(tmp_path: Path) -> None:
    with serving(tmp_path, *PAIR) as service:
        before = service.ready(2)
        (tmp_path / "served.py").write_text("broken broken\n")
        service.send(signal.SIGHUP)
        service.wait_for(r"the reload was given up, the workers stay: importing 'served' failed: SyntaxError")
        assert int(service.get().split()[1]) in before
        (tmp_path / "served.py").write_text(APPLICATION.replace('VERSION = "1"', 'VERSION = "mended"'))
        service.send(signal.SIGHUP)
        service.wait_for("reloaded")
        until(lambda: service.get().startswith("mended "))
        assert service.end() == 0


def test_a_link_that_a_deployment_moves_is_followed(tmp_path: Path) -> None:
    """Releases side by side and a link to the one in use: a reload finds where it leads now."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "served.py").write_text(APPLICATION.replace('VERSION = "1"', f'VERSION = "{name}"'))
    link = tmp_path / "current"
    link.symlink_to("one")
    with serving(link, *ALONE, "--workers", "1", source=None, env={"PWD": str(link)}) as service:
        service.ready(1)
        assert service.get().startswith("one ")
        (tmp_path / "new").symlink_to("two")
        os.replace(tmp_path / "new", link)
        service._log = tmp_path / "one" / "log"
        service.send(signal.SIGHUP)
        service.wait_for("reloaded")
        until(lambda: service.get().startswith("two "))


def test_a_running_request_is_answered_before_its_worker_ends(tmp_path: Path) -> None:
    """At a reload and at a stop."""
    with serving(tmp_path, *ALONE, "--workers", "1") as service:
        [worker] = service.ready(1)
        with service.connect() as peer:
            peer.sendall(b"GET /slow/1.5 HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(0.2)
            service.send(signal.SIGHUP)
            service.wait_for("reloaded")
            assert b"connection: close" in peer.recv(65536)
        until(lambda: not alive(worker))
        with service.connect() as other:
            other.sendall(b"GET /slow/1 HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(0.2)
            service.send(signal.SIGTERM)
            assert b"slept" in other.recv(65536)
        assert service.process.wait(10) == 0


def test_a_second_signal_ends_what_runs(tmp_path: Path) -> None:
    with serving(tmp_path, *ALONE, "--workers", "1") as service:
        service.ready(1)
        with service.connect() as peer:
            peer.sendall(b"GET /slow/30 HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(0.2)
            service.send(signal.SIGINT)
            service.wait_for("stopping: running requests have 30 seconds")
            time.sleep(0.3)
            assert service.process.poll() is None
            service.send(signal.SIGINT)
            assert peer.recv(65536).startswith(b"HTTP/1.1 503 ")
        assert service.process.wait(10) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: signal.Signals(number).name)
def test_a_signal_to_the_whole_group_counts_once(tmp_path: Path, number: int) -> None:
    """As a terminal sends SIGINT, and systemd SIGTERM: running requests are still answered."""
    with serving(tmp_path, *PAIR) as service:
        service.ready(2)
        with service.connect() as peer:
            peer.sendall(b"GET /slow/1 HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(0.2)
            os.killpg(service.process.pid, number)
            assert b"slept" in peer.recv(65536)
        assert service.process.wait(10) == 0
        assert "Traceback" not in service.log


def test_a_worker_that_somebody_stops_is_replaced_and_loses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, *ALONE, "--workers", "1") as service:
        [worker] = service.ready(1)
        with service.connect() as peer:
            peer.sendall(b"GET /slow/1 HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(0.2)
            os.kill(worker, signal.SIGTERM)
            service.ready(2)
            assert b"slept" in peer.recv(65536)
        until(lambda: not alive(worker))
        assert service.end() == 0


def test_workers_end_when_their_supervisor_is_gone(tmp_path: Path) -> None:
    """They answer what runs, and leave no process behind."""
    with serving(tmp_path, *PAIR) as service:
        workers = service.ready(2)
        with service.connect() as peer:
            peer.sendall(b"GET /slow/2 HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(0.2)
            service.send(signal.SIGKILL)
            assert b"slept" in peer.recv(65536)
        until(lambda: not any(alive(pid) for pid in workers))
        assert "stopping: the supervisor is gone" in service.log


def test_more_and_fewer_workers(tmp_path: Path) -> None:
    with serving(tmp_path, *ALONE, "--workers", "1") as service:
        workers = service.ready(1)
        service.send(signal.SIGTTIN)
        workers = service.ready(2)
        service.send(signal.SIGTTIN)
        workers = service.ready(3)
        service.send(signal.SIGTTOU)
        until(lambda: not alive(workers[2]))
        service.send(signal.SIGTTOU)
        until(lambda: not alive(workers[1]))
        service.send(signal.SIGTTOU)  # the last one stays
        service.send(signal.SIGHUP)
        service.wait_for("reloaded")
        assert len(service.ready(4)) == 4
        service.get()
        assert service.end() == 0


@pytest.mark.parametrize(
    ("options", "target", "reason"),
    [
        (["--max-requests", "5"], "/", r"\d+ requests"),
        (["--max-rss", "90M"], "/hoard", r"\d+ MiB resident"),
        (["--max-age", "1.2"], "/", r"\d+ seconds old"),
    ],
    ids=["requests", "memory", "age"],
)
def test_a_worker_that_served_long_enough_is_replaced(
    tmp_path: Path, options: list[str], target: str, reason: str
) -> None:
    """By one that was ready before it left."""
    with serving(tmp_path, *ALONE, *options) as service:
        [worker] = service.ready(1)
        for _ in range(6):
            service.get(target)
        service.wait_for(rf"worker {worker} is to be replaced: {reason}")
        service.ready(2)
        service.wait_for(f"worker {worker} has ended")
        log = service.log
        assert log.index("is ready", log.index("to be replaced")) < log.index(f"worker {worker} has ended")
        assert service.end() == 0


def test_a_worker_that_hangs_is_replaced_and_says_where(tmp_path: Path) -> None:
    with serving(tmp_path, *PAIR, "--hang", "3") as service:
        service.ready(2)
        with service.connect() as peer:
            peer.sendall(b"GET /block/60 HTTP/1.1\r\nhost: a\r\n\r\n")
            [pid] = service.wait_for(r"worker (\d+) has not turned for 3 seconds and is killed")
            service.wait_for(rf"worker {pid} hung and was killed by SIGABRT")
            service.wait_for(r'File ".*served.py", line \d+ in block')
        service.ready(3)
        assert service.end() == 0


def test_a_supervisor_that_was_stopped_does_not_take_its_workers_for_hung(tmp_path: Path) -> None:
    with serving(tmp_path, *PAIR, "--hang", "3") as service:
        workers = service.ready(2)
        os.killpg(service.process.pid, signal.SIGSTOP)
        time.sleep(4)
        os.killpg(service.process.pid, signal.SIGCONT)
        time.sleep(1.5)
        assert all(alive(pid) for pid in workers)
        assert service.ready(2) == workers


def test_a_pidfile_names_the_supervisor_while_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "highper.pid"
    path.write_text("999999999\n")  # of a process that is gone
    with serving(tmp_path, *ALONE, "--pidfile", str(path)) as service:
        service.ready(1)
        assert path.read_text() == f"{service.process.pid}\n"
        (tmp_path / "second").mkdir()
        with serving(tmp_path / "second", *ALONE, "--pidfile", str(path)) as second:
            assert second.process.wait(30) == 3
            assert f"says that process {service.process.pid} runs already" in second.log
        assert service.end() == 0
        assert not path.exists()


def test_a_unix_socket_outlives_workers_and_is_removed_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    with serving(tmp_path, "--uds", str(path), "--workers", "2", "--transport", "asyncio") as service:
        service.ready(2)
        service.get()
        service.send(signal.SIGHUP)
        service.wait_for("reloaded")
        service.get()
        assert service.end() == 0
        assert not path.exists()


def test_variables_of_the_environment(tmp_path: Path) -> None:
    """WEB_CONCURRENCY is honoured, as platforms set it."""
    with serving(tmp_path, *ALONE, env={"WEB_CONCURRENCY": "3"}) as service:
        service.ready(3)
    (tmp_path / "other").mkdir()
    with serving(tmp_path / "other", *ALONE, env={"WEB_CONCURRENCY": "3", "HIGHPER_WORKERS": "1"}) as service:
        service.ready(1)
        time.sleep(0.5)
        assert len(service.ready(1)) == 1


def test_a_program_of_its_own_forks_workers(tmp_path: Path) -> None:
    """`app.listen(workers=2)`, guarded or not; what the program registered for its own end runs once."""
    source = APPLICATION + (
        "\nimport atexit\n"
        "if __name__ == '__main__':\n"
        "    atexit.register(lambda: print('the end of', os.getpid(), flush=True))\n"
        "    app.listen(port=0, workers=2, transport='asyncio')\n"
    )
    with serving(tmp_path, source=source, command=[sys.executable, "served.py"]) as service:
        service.ready(2)
        assert int(service.get().split()[1]) in service.ready(2)
        service.send(signal.SIGHUP)
        service.wait_for("reloaded")
        service.get()
        assert service.end() == 0
        assert service.log.count("the end of") == 1


def test_a_program_with_threads_is_not_forked(tmp_path: Path) -> None:
    script = (
        "import threading\n"
        "from highper_http import App\n"
        "over = threading.Event()\n"
        "threading.Thread(target=over.wait, name='mine').start()\n"
        "try:\n"
        "    App().listen(port=0, workers=2)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
        "finally:\n"
        "    over.set()\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.stdout.startswith("WorkersUnavailable workers are forked, which a program with several threads cannot")
    assert "mine" in done.stdout
