"""One run of one arm, in a process of its own: `python -m benchmarks.wave.run ARM URL …` prints what it measured as JSON.

Workers are started and warmed, single entities are timed on the idle system, then the workers stand still (SIGSTOP) while the wave
is queued, and drain it from SIGCONT on. Every value of a last task is checked.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from redis import Redis

from benchmarks.wave.machine import Tree, redis_cpu, redis_memory
from benchmarks.wave.peers import Peer, arm
from benchmarks.wave.turns import Turn, alternate
from benchmarks.wave.work import SHAPES, URL, Shape, decode, entity, key

POLL = 0.002, 0.004, 0.02
"""Seconds between two looks: at least, as a part of what has passed, at most. Looking costs what is measured."""
SAMPLE, SPARSE = 0.25, 50
"""Seconds between two looks at memory at least, and how many times what a look takes: of a hundred processes it takes a tenth of a second."""
IDLE = 0.25
"""Seconds of rest before an entity is timed."""
STALL = 60.0
"""Seconds without a new value after which a run has failed."""
WARM, LATER = 5_000_000, 6_000_000
"""Numbers of entities that warm the workers up, and that are timed one by one."""


class Failed(msgspec.Struct, frozen=True):
    """A run that came to nothing, and why."""

    failed: str


class Run(msgspec.Struct):
    """What a run measured. Seconds of queueing and draining; CPU seconds of the client, the workers and Redis; MB (10**6 bytes), the most
    there was. Milliseconds of single entities: from the call that queues one to its last value, the part of it after that call had
    returned, and from the end of a task's last input to its start. Bytes a cell beyond its value: at most, and in the end. Turns beside
    a loop, where there were any."""

    entities: int
    tasks: int
    enqueue: float
    drain: float
    client: float
    workers: float
    redis: float
    latencies: list[float]
    served: list[float]
    wakeups: list[float]
    memory: float
    processes: int
    redis_mb: float
    holds: float
    left: float
    turns: list[Turn] = []

    @property
    def rate(self) -> float:
        """Tasks a second."""
        return self.entities * self.tasks / self.drain

    @property
    def cpu(self) -> float:
        """CPU seconds for 1,000 tasks, of all processes, queueing included."""
        return (self.client + self.workers + self.redis) / (self.entities * self.tasks) * 1000

    @property
    def queued(self) -> float:
        """Entities a second that are compiled and queued."""
        return self.entities / self.enqueue


class Watch:
    """Waits for the values of last tasks."""

    def __init__(self, redis: Redis, peer: Peer, tree: Tree) -> None:
        self._redis, self._peer, self._shape, self._tree = redis, peer, peer.shape, tree
        self.memory = self.redis_mb = self.holds = 0.0

    def until(self, numbers: Sequence[int]) -> float:
        """When all are there and the peer says that it is over (monotonic)."""
        keys = [key(self._shape, task, n, self._peer.date(n)) for n in numbers for task in self._shape.sinks]
        there, sample = 0, 0.0
        began = moved = time.monotonic()
        while there < len(keys):
            if self._redis.exists(keys[there]):
                there += self._there(keys[there : there + 500])
                moved = time.monotonic()
                continue
            now = time.monotonic()
            if now - moved > STALL:
                self._tree.check()
                raise RuntimeError(f"{len(keys) - there} of {len(keys)} values are missing, and none came for {STALL:g} s")
            if now > sample:
                self.sample()
                sample = now + max(SAMPLE, SPARSE * (time.monotonic() - now))
            least, part, most = POLL
            time.sleep(min(max(least, (now - began) * part), most))
        while not self._peer.ended():
            time.sleep(POLL[0])
        return time.monotonic()

    def _there(self, keys: Sequence[str]) -> int:
        """How many of these there are, up to the first that is not."""
        with self._redis.pipeline(transaction=False) as trip:
            for name in keys:
                trip.exists(name)
            found = trip.execute()
        return found.index(0) if 0 in found else len(keys)

    def sample(self) -> None:
        """How much memory there is in use."""
        self.memory = max(self.memory, self._tree.memory())
        self.redis_mb = max(self.redis_mb, redis_memory(self._redis))
        self.holds = max(self.holds, self._peer.holds())

    def check(self, numbers: Sequence[int]) -> None:
        """Raises RuntimeError unless every last value is what it must be."""
        for at in range(0, len(numbers), 50):
            part = [(task, n) for n in numbers[at : at + 50] for task in self._shape.sinks]
            keys = [key(self._shape, task, n, self._peer.date(n)) for task, n in part]
            for (task, n), name, value in zip(part, keys, self._redis.mget(keys), strict=True):
                if value is None or decode(value)["value"] != self._shape.result(task, n):
                    raise RuntimeError(f"{name} is {(value or b'nothing')[:300]!r}, not {self._shape.result(task, n)}")


class Single(msgspec.Struct):
    """Milliseconds of single entities on the idle system."""

    latencies: list[float] = []
    served: list[float] = []
    wakeups: list[float] = []


def one_by_one(redis: Redis, peer: Peer, count: int) -> Single:
    """So many entities, one at a time. Redis tells of the last value, so nobody polls."""
    redis.config_set("notify-keyspace-events", "K$")
    shape, found = peer.shape, Single()
    with redis.pubsub() as told:
        told.psubscribe(f"__keyspace@0__:main/{shape.names[shape.sinks[-1]]} *")
        told.get_message(timeout=5)
        for number in range(LATER, LATER + count):
            time.sleep(IDLE)
            began = time.monotonic()
            peer.some([number])
            queued, wanted = time.monotonic(), f" {entity(number)} ".encode()
            while (message := told.get_message(timeout=STALL)) is not None and wanted not in message["channel"]:
                pass
            if message is None:
                raise RuntimeError(f"one entity was not done within {STALL:g} s")
            found.latencies.append((time.monotonic() - began) * 1000)
            found.served.append((time.monotonic() - queued) * 1000)
            found.wakeups += _wakeups(redis, shape, number, peer.date(number))
    redis.config_set("notify-keyspace-events", "")
    return found


def _wakeups(redis: Redis, shape: Shape, number: int, date: str) -> list[float]:
    values = redis.mget([key(shape, task, number, date) for task in range(len(shape.names))])
    at = [decode(value)["at"] for value in values]
    return [(at[t][0] - max(at[n][1] for n in needs)) * 1000 for t, needs in enumerate(shape.needs) if needs]


def run(name: str, url: str, shape: tuple[str, Shape], entities: int, latencies: int, workers: int, turns: int) -> Run:
    """The run; the workers have ended when it returns. `turns`: in so many waves, each beside a loop."""
    redis = Redis.from_url(url)
    redis.flushall()
    with tempfile.TemporaryDirectory(prefix="wd-bench-") as folder:
        tree = Tree(Path(folder) / "log")
        try:
            peer = arm(name).make(url, shape, workers)
            for command in peer.commands():
                tree.start(command, peer.env)
            watch = Watch(redis, peer, tree)
            _warm(peer, watch)
            if turns:
                return _turns(redis, peer, tree, watch, entities, turns)
            single = one_by_one(redis, peer, latencies) if latencies else Single()
            return _wave(redis, peer, tree, watch, entities, single)
        finally:
            tree.end()


def queue(name: str, url: str, shape: tuple[str, Shape], entities: int) -> Run:
    """Only queues the wave; there are no workers."""
    redis = Redis.from_url(url)
    redis.flushall()
    peer = arm(name).make(url, shape, 0)
    peer.some([WARM])
    peer.prepare(range(entities))
    began, own = time.monotonic(), _own_cpu()
    peer.enqueue(range(entities))
    enqueue, client = time.monotonic() - began, _own_cpu() - own
    return Run(
        entities, len(peer.shape.names), enqueue, 0.0, client, 0.0, 0.0, [], [], [], 0.0, 0, redis_memory(redis), 0.0, 0.0
    )


def _warm(peer: Peer, watch: Watch) -> None:
    """Until every worker has done something, as far as one can see from here."""
    for at in range(3):
        numbers = range(WARM + at * 1000, WARM + at * 1000 + 2 * peer.workers)
        peer.some(numbers)
        watch.until(numbers)


def _wave(redis: Redis, peer: Peer, tree: Tree, watch: Watch, entities: int, single: Single) -> Run:
    numbers = list(range(entities))
    peer.prepare(numbers)
    gc.collect()
    time.sleep(0.3)
    tree.check()
    watch.holds = 0.0
    before = tree.cpu(), redis_cpu(redis)
    stopped = tree.tell(signal.SIGSTOP)
    began, own = time.monotonic(), _own_cpu()
    peer.enqueue(numbers)
    enqueue, client = time.monotonic() - began, _own_cpu() - own
    watch.sample()
    began = time.monotonic()
    tree.tell(signal.SIGCONT, stopped)
    ended = watch.until(numbers)
    after = tree.cpu(), redis_cpu(redis)
    watch.sample()
    watch.check(numbers)
    return Run(
        entities, len(peer.shape.names), enqueue, ended - began, client, after[0] - before[0], after[1] - before[1],
        single.latencies, single.served, single.wakeups, watch.memory, len(tree.pids()), watch.redis_mb, watch.holds, peer.left(),
    )  # fmt: skip


def _turns(redis: Redis, peer: Peer, tree: Tree, watch: Watch, entities: int, turns: int) -> Run:
    before = redis_cpu(redis)
    found = alternate(redis, peer, tree, entities, turns, watch.check)
    used = redis_cpu(redis) - before
    watch.sample()
    drain, cpu = sum(turn.wave for turn in found), sum(turn.wave_cpu for turn in found)
    return Run(
        entities, len(peer.shape.names), 0.0, drain, 0.0, cpu - used, used, [], [], [], watch.memory, len(tree.pids()),
        watch.redis_mb, 0.0, 0.0, found,
    )  # fmt: skip


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """One run."""
    parser = argparse.ArgumentParser()
    parser.add_argument("arm")
    parser.add_argument("url")
    parser.add_argument("--shape", default="diamond", choices=SHAPES)
    parser.add_argument("--entities", type=int, default=100)
    parser.add_argument("--latencies", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2, help="processes that do the work; 0: the wave is only queued")
    parser.add_argument("--turns", type=int, default=0, help="in so many waves, each beside a loop that calls the function")
    given = parser.parse_args()
    os.environ[URL] = given.url
    found: Any
    try:
        shape = given.shape, SHAPES[given.shape]
        if given.workers:
            found = run(given.arm, given.url, shape, given.entities, given.latencies, given.workers, given.turns)
        else:
            found = queue(given.arm, given.url, shape, given.entities)
    except Exception as e:
        found = Failed(f"{type(e).__name__}: {e}")
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


if __name__ == "__main__":
    main()
