"""Workers: who is alive, and what each of its slots does; and for a day who was.

wd:{V}:workers         zset    worker → last heartbeat (Unix s)
wd:{V}:worker:NAME     string  `Worker` as JSON; expires when the worker has been silent for `SILENT` seconds
wd:{V}:was:NAME        string  `Worker` as JSON with what its slots `ran` in place of them, `stopped` when it left in order; expires after `REMEMBERED` seconds
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from engine.keys import version_key
from engine.store.connect import Client
from engine.store.scripts import BEAT

SILENT = 15
"""Seconds after which a worker that says nothing is taken for dead."""
REMEMBERED = 86400
MOST = 2000
"""Of how many workers of a version, alive and gone, is known."""


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
    """A worker's heartbeat. Times in Unix seconds, memory in bytes; `image`: what it was started from; `stopped`: when it left in
    order, 0 while it has not."""

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
    flows: list[str] = field(default_factory=list)
    """The flows whose code it has; empty when it does not say."""
    image: str = ""
    stopped: float = 0.0
    task: str = ""
    """The ARN of its ECS task; like the next ones nothing elsewhere."""
    digest: str = ""
    """Of its image, as ECS pulled it."""
    zone: str = ""
    cpus: float = 0.0
    """What it may use, in CPUs; 0 when it is not told."""
    limit: int = 0
    """Bytes of memory that it may use; 0 when nothing limits it."""
    ran: list[SlotState] = field(default_factory=list)
    """What its busy slots did when it was last heard of; only of one that is gone."""
    size: int = 0
    """How many slots it has, told when it is gone as well; 0 when it does not say."""
    code: str = ""
    """Which code it runs, such as a commit."""


class Workers:
    """Heartbeats, written and read."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def beat(self, worker: Worker) -> None:
        """A sign of life."""
        version, name = worker.version, worker.name
        records = msgspec.json.encode(worker), msgspec.json.encode(_gone(worker))
        BEAT(
            self._redis,
            [_alive(version, name), _was(version, name), version_key(version, "workers")],
            [name, records[0], SILENT, records[1], REMEMBERED, int(time.time()), MOST],
        )

    def leave(self, worker: Worker) -> None:
        """A worker that stops says so."""
        now = time.time()
        record = msgspec.json.encode(replace(_gone(worker), beat=now, stopped=now))
        with self._redis.pipeline(transaction=False) as trip:
            trip.delete(_alive(worker.version, worker.name))
            trip.set(_was(worker.version, worker.name), record, ex=REMEMBERED)
            trip.zadd(version_key(worker.version, "workers"), {worker.name: int(now)})
            trip.expire(version_key(worker.version, "workers"), REMEMBERED)
            trip.execute()

    def alive(self, version: str) -> list[Worker]:
        """The workers of a version that were heard of lately, by name."""
        return self.heard([version])[0]

    def heard(self, versions: Sequence[str]) -> tuple[list[Worker], list[Worker]]:
        """The workers of these versions: those alive, by name; and those gone for at most a day, the last gone first, their `beat`
        the last that was heard of them. Two trips, however many there are."""
        with self._redis.pipeline(transaction=False) as trip:
            for version in versions:
                trip.zrange(version_key(version, "workers"), 0, -1)
            names = [[name.decode() for name in found] for found in trip.execute()]
            known = [(v, found) for v, found in zip(versions, names, strict=True) if found]
            for version, found in known:
                trip.mget([_alive(version, name) for name in found])
                trip.mget([_was(version, name) for name in found])
            records = trip.execute()
        alive: list[Worker] = []
        gone: list[Worker] = []
        for beats, were in zip(records[::2], records[1::2], strict=True):
            for beat, was in zip(beats, were, strict=True):
                if beat or was:
                    (alive if beat else gone).append(msgspec.json.decode(beat or was, type=Worker))
        return sorted(alive, key=lambda w: w.name), sorted(gone, key=lambda w: (-w.beat, w.name))


def _gone(worker: Worker) -> Worker:
    return replace(worker, slots=[], ran=[slot for slot in worker.slots if slot.task])


def _alive(version: str, name: str) -> str:
    return version_key(version, f"worker:{name}")


def _was(version: str, name: str) -> str:
    return version_key(version, f"was:{name}")
