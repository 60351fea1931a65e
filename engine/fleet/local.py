"""Workers as processes of this machine."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.fleet.embedded import data_dir
from engine.fleet.tether import spawn

WORKER = (sys.executable, "-P", "-m", "worker")
"""-P: a folder called `worker` in the user's working directory is not ours."""


@dataclass(frozen=True)
class LocalWorker:
    """A worker process as it was when asked. `leaving`: it was told to end; `returncode`: negative for a signal."""

    number: int
    pid: int
    alive: bool
    leaving: bool
    returncode: int | None
    log: Path


@dataclass
class _Process:
    number: int
    popen: subprocess.Popen[bytes]
    log: Path
    leaving: bool = False


class LocalFleet:
    """Workers of one version on one Redis, as many as `scale` says. May be used from several threads.

    They end with this process however it ends: in order through `stop`, by SIGKILL from the kernel (Linux) when it was itself
    killed. What a killed worker held comes back to the queue when its leases run out. A worker that ends by itself is not
    replaced until `scale` is called again; the rest of its process group is killed as soon as its end is seen.
    """

    def __init__(
        self,
        url: str,
        *,
        version: str,
        slots: int | None = None,
        flows: str | None = None,
        log_dir: Path | None = None,
        until_idle: bool = False,
        command: Sequence[str] = WORKER,
    ) -> None:
        """Start nothing yet.

        Args:
            url: the Redis of the workers, as `WAVEDECK_REDIS_URL`.
            version: the version whose waves they serve.
            slots: slots of each worker; None: as many as the CPUs it may use.
            flows: import path of the flows, as `WAVEDECK_FLOWS`; None: as in this process.
            log_dir: where each worker's stdout and stderr go, a file each; None: `logs` in the data directory.
            until_idle: workers end when nothing is queued.
            command: what to run in place of the worker; it gets the worker's options and environment.
        """
        self._command = [*command, "--version", version]
        if slots is not None:
            self._command += ["--slots", str(slots)]
        if until_idle:
            self._command.append("--until-idle")
        self._env: Mapping[str, str] = {
            **os.environ,
            "WAVEDECK_REDIS_URL": url,
            "PYTHONUNBUFFERED": "1",
            **({"WAVEDECK_FLOWS": flows} if flows is not None else {}),
        }
        self._log_dir = log_dir
        self._processes: list[_Process] = []
        self._lock = threading.RLock()

    def scale(self, count: int) -> None:
        """Have `count` workers that stay: start what is missing, tell the youngest of what is too many to leave (SIGTERM).

        Returns at once; those that leave finish or give back what they hold in their own time.

        Raises:
            OSError: a process or its log cannot be made; those started before it stay.
        """
        if count < 0:
            raise ValueError(f"a fleet cannot have {count} workers")
        with self._lock:
            staying = [p for p in self._processes if not p.leaving and not _ended(p)]
            for process in staying[count:]:
                _tell_to_leave(process)
            for _ in range(count - len(staying)):
                self._start()

    def leave(self, number: int) -> None:
        """Tell one worker to leave (SIGTERM); nothing happens if it has ended. `scale` starts another in its place."""
        with self._lock:
            for process in self._processes:
                if process.number == number and not _ended(process):
                    _tell_to_leave(process)

    def workers(self) -> list[LocalWorker]:
        """Every worker this fleet has started, oldest first, those that have ended among them."""
        with self._lock:
            return [_seen(p) for p in self._processes]

    def stop(self, timeout: float = 10) -> None:
        """End all workers: SIGTERM to each, and after `timeout` seconds SIGKILL to what is left with its process group.

        When it returns, none of them runs. May be called again, and the fleet may be scaled up again after it.
        """
        with self._lock:
            ending = [p for p in self._processes if not _ended(p)]
            for process in ending:
                _tell_to_leave(process)
        until = time.monotonic() + timeout
        while self._any_runs(ending) and time.monotonic() < until:
            time.sleep(0.01)
        with self._lock:
            for process in ending:
                if not _ended(process):
                    _kill_group(process)
                    process.popen.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _any_runs(self, processes: list[_Process]) -> bool:
        with self._lock:
            return not all(_ended(p) for p in processes)

    def _start(self) -> None:
        folder = self._log_dir or data_dir() / "logs"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        number = len(self._processes) + 1
        log = folder / f"worker-{os.getpid()}-{number}.log"
        self._processes.append(_Process(number, spawn(self._command, log=log, env=self._env), log))


def _seen(process: _Process) -> LocalWorker:
    alive = not _ended(process)
    return LocalWorker(process.number, process.popen.pid, alive, process.leaving, process.popen.returncode, process.log)


def _tell_to_leave(process: _Process) -> None:
    """The worker alone, not its group: it lets its slots finish, where a signal to them would fail their tasks."""
    process.leaving = True
    os.kill(process.popen.pid, signal.SIGTERM)  # not reaped, so its number is still its own


def _ended(process: _Process) -> bool:
    popen = process.popen
    if popen.returncode is None and _is_zombie(popen.pid):
        _kill_group(process)  # before it is reaped: until then nobody else can have its number
    return popen.poll() is not None


def _is_zombie(pid: int) -> bool:
    if sys.platform != "linux":
        return False
    with suppress(ChildProcessError):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return False


def _kill_group(process: _Process) -> None:
    with suppress(ProcessLookupError, PermissionError):  # nothing left of it
        os.killpg(process.popen.pid, signal.SIGKILL)
