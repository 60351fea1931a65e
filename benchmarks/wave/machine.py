"""A Redis of our own on a port, and process trees: their CPU, memory, and standing still. Linux."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from engine.fleet.binaries import find_program
from engine.fleet.server import free_port

ROOT = Path(__file__).parents[2]
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """A Redis without persistence."""

    url: str
    version: str


@contextlib.contextmanager
def a_server() -> Iterator[Server]:
    """Starts one on a port of loopback, as the peers know how to reach; ends it."""
    program = find_program()
    if program is None or program.kind == "fakeredis":
        raise RuntimeError("no Redis server on this machine: install redis-server")
    port = free_port()
    options = {"bind": "127.0.0.1", "port": port, "save": "", "appendonly": "no", "loglevel": "warning"}
    with tempfile.TemporaryDirectory(prefix="wd-bench-") as folder:
        command = [*program.command, *(word for name, value in options.items() for word in (f"--{name}", str(value)))]
        process = subprocess.Popen([*command, "--dir", folder], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            url = f"redis://127.0.0.1:{port}/0"
            with Redis.from_url(url) as redis:
                _await(redis)
            yield Server(url, program.version)
        finally:
            process.terminate()
            process.wait(20)


def _await(redis: Redis) -> None:
    till = time.monotonic() + 20
    while True:
        try:
            redis.ping()
        except RedisError:
            if time.monotonic() > till:
                raise
            time.sleep(0.02)
        else:
            return


class Tree:
    """Processes that were started together, and all that they start. They stay in our session: Linux shares processors out by session,
    and who has several would get more."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._roots: list[subprocess.Popen[bytes]] = []

    def start(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        """One more, from the repository's root."""
        with self._log.open("ab") as log:
            self._roots.append(
                subprocess.Popen(
                    [sys.executable, *command], cwd=ROOT, env={**os.environ, **env}, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log,
                )
            )  # fmt: skip

    def check(self) -> None:
        """Raises RuntimeError with the last words of a root that has ended."""
        for root in self._roots:
            if root.poll() is not None:
                words = self._log.read_text("utf-8", "replace").strip()[-2000:]
                raise RuntimeError(f"{root.args} ended with {root.returncode}: {words}")

    def pids(self) -> list[int]:
        """All that live."""
        children: dict[int, list[int]] = {}
        for entry in os.listdir("/proc"):  # noqa: PTH208 read often
            if entry.isdigit() and (fields := _stat(int(entry))) and fields[0] != "Z":
                children.setdefault(int(fields[1]), []).append(int(entry))
        roots = {root.pid for root in self._roots}
        found = [pid for pid in children.get(os.getpid(), []) if pid in roots]
        for pid in found:  # which grows meanwhile
            found += children.get(pid, [])
        return found

    def cpu(self) -> float:
        """CPU seconds of all of them, of those that have ended and were waited for too; to a tick each."""
        return sum(sum(map(int, fields[11:15])) for pid in self.pids() if (fields := _stat(pid))) / _TICK

    def memory(self) -> float:
        """MB (10**6 bytes) that they hold, what they share counted once."""
        return sum(map(_pss, self.pids())) / 1e6

    def tell(self, number: signal.Signals, pids: Sequence[int] | None = None) -> list[int]:
        """A signal to these, all of them when not given. Returns whom it was sent to."""
        told = self.pids() if pids is None else list(pids)
        for pid in told:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        return told

    def end(self) -> None:
        """Ends them, in order if they do so soon."""
        self.tell(signal.SIGCONT)
        members = self.pids()
        for root in self._roots:
            root.terminate()
        till = time.monotonic() + 3
        while any(map(_stat, members)) and time.monotonic() < till:
            for root in self._roots:
                root.poll()
            time.sleep(0.02)
        for pid in members:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for root in self._roots:
            root.wait(20)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; none when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def redis_cpu(redis: Redis) -> float:
    """CPU seconds that the server has used."""
    info = redis.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def redis_memory(redis: Redis) -> float:
    """MB (10**6 bytes) that the server uses."""
    return float(redis.info("memory")["used_memory"]) / 1e6
