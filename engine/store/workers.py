"""Workers: who is alive, and what each of its slots does.

wd:{V}:workers         zset    worker → last heartbeat (Unix s)
wd:{V}:worker:NAME     string  `Worker` as JSON; expires when the worker has been silent for `SILENT` seconds
"""

import time
from dataclasses import dataclass, field

import msgspec

from engine.keys import version_key
from engine.store.connect import Client

SILENT = 15
"""Seconds after which a worker that says nothing is taken for dead."""
REMEMBERED = 86400


@dataclass(frozen=True)
class SlotState:
    """What a slot does. `since` in Unix seconds; all None when it is idle."""

    pid: int
    wave: str | None = None
    entity: str | None = None
    task: str | None = None
    since: float | None = None


@dataclass(frozen=True)
class Worker:
    """A worker's heartbeat. Times in Unix seconds, memory in bytes."""

    name: str
    version: str
    host: str
    pid: int
    started: float
    beat: float
    slots: list[SlotState] = field(default_factory=list)
    memory: int = 0
    served: int = 0
    draining: bool = False


class Workers:
    """Heartbeats, written and read."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def beat(self, worker: Worker) -> None:
        """A sign of life."""
        key = version_key(worker.version, "workers")
        now = int(time.time())
        with self._redis.pipeline(transaction=False) as trip:
            trip.set(version_key(worker.version, f"worker:{worker.name}"), msgspec.json.encode(worker), ex=SILENT)
            trip.zadd(key, {worker.name: now})
            trip.zremrangebyscore(key, "-inf", now - REMEMBERED)
            trip.expire(key, REMEMBERED)
            trip.execute()

    def leave(self, worker: Worker) -> None:
        """A worker that stops says so."""
        self._redis.delete(version_key(worker.version, f"worker:{worker.name}"))
        self._redis.zrem(version_key(worker.version, "workers"), worker.name)

    def alive(self, version: str) -> list[Worker]:
        """The workers of a version that were heard of lately, by name."""
        names = [n.decode() for n in self._redis.zrange(version_key(version, "workers"), 0, -1)]
        if not names:
            return []
        beats = self._redis.mget([version_key(version, f"worker:{n}") for n in names])
        return sorted((msgspec.json.decode(b, type=Worker) for b in beats if b), key=lambda w: w.name)
