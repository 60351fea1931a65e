"""Writes the ledger's records of waves that have ended, in a process of its own: summing up a large wave takes a second, and neither slots
nor the watcher have one to spare."""

import logging
import os
import signal
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from engine.ledger import write_missing
from engine.store.connect import Client, connect
from engine.store.ledger import SCRIBE, Ledger, name_of
from engine.store.waves import Waves
from worker.processes import die_with

log = logging.getLogger("wavedeck.worker")
NEWEST = 8
"""Waves of the list that are looked at with every beat."""
LATER, PATIENCE = 1.0, 5.0
"""Seconds that a worker which leaves waits for another worker's scribe, and for its own."""


class Scribe:
    """The watcher's: `look` with every beat, `reap` now and then, `finish` before it leaves."""

    def __init__(self, redis: Client, url: str, version: str, name: str, leave: Callable[[], None]) -> None:
        """`leave`: what a process that the watcher forks does first."""
        self._redis, self._url, self._version, self._name, self._leave = redis, url, version, name, leave
        self._written: set[str] = set()
        self.pid = 0
        """The process that writes; 0 when there is none."""
        self._since = 0.0

    def look(self) -> None:
        """Starts a scribe when a wave has ended that has no record."""
        if self.pid or not self._missing():
            return
        parent = os.getpid()
        self.pid, self._since = os.fork(), time.monotonic()
        if self.pid == 0:
            try:
                os.nice(10)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                die_with(parent)
                self._leave()
                self._write(connect(self._url, timeout=5, retries=1))
            finally:
                os._exit(0)

    def reap(self, longest: float = SCRIBE) -> None:
        """Notes the end of a scribe; one that hangs for `longest` seconds is ended."""
        if not self.pid:
            return
        if time.monotonic() - self._since > longest:
            os.kill(self.pid, signal.SIGKILL)  # ours until we have waited for it
        if os.waitpid(self.pid, os.WNOHANG)[0]:
            self.pid = 0

    def finish(self) -> None:
        """Before the worker leaves: what has ended by now is written, by us or by somebody else."""
        asked = time.monotonic()
        while self.pid:
            self.reap(asked + PATIENCE - self._since)
            time.sleep(0.01)
        until = time.monotonic() + LATER
        while self._missing() and time.monotonic() < until:
            if not write_missing(self._redis, self._version, self._name):
                time.sleep(0.05)

    def _write(self, redis: Client) -> None:
        try:
            write_missing(redis, self._version, self._name)
        except RedisError as e:  # whoever comes next writes it
            log.warning("the ledger waits: %s", e)
        except Exception:
            log.exception("the ledger")

    def _missing(self) -> bool:
        """Whether one of the newest waves has ended and has no record."""
        ended = [name_of(p.wave) for p in Waves(self._redis).recent(NEWEST, version=self._version) if p.wave.ended]
        unknown = [name for name in ended if name not in self._written]
        there = Ledger(self._redis, self._version).has(unknown)
        self._written = set(ended) - {name for name, has in zip(unknown, there, strict=True) if not has}
        return not all(there)
