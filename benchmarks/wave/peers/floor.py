"""What Redis and Python allow: no acknowledgement, no lease, no timeout, no recovery, all entities of a chunk in step.

Run as a program it is one of the workers: it takes chunks of entities off a list and does them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from redis import Redis

from benchmarks.wave.peers import Peer
from benchmarks.wave.work import URL, Shape, Steps, compute, decode, encode, key, shape_of_worker

CHUNK = 64
QUEUE = "floor"


class _Floor(Peer):
    mode = ""

    def commands(self) -> list[list[str]]:
        return [["-m", "benchmarks.wave.peers.floor", self.mode]] * self.workers

    def enqueue(self, numbers: Sequence[int]) -> None:
        chunks = [encode(list(numbers[at : at + CHUNK])) for at in range(0, len(numbers), CHUNK)]
        with Redis.from_url(self.url) as redis:
            redis.rpush(QUEUE, *chunks)


class OneByOne(_Floor):
    """A command, a reply."""

    mode = "one"


class Pipelined(_Floor):
    """The same commands, those of a level of 64 entities in one trip."""

    mode = "pipelined"


class Bulk(_Floor):
    """MGET, MSET and one HSET for a level of 64 entities."""

    mode = "bulk"


def one_by_one(redis: Redis, shape: Shape, numbers: Sequence[int]) -> None:
    """Task by task."""
    steps = Steps(redis, shape)
    for number in numbers:
        for task in range(len(shape.names)):
            steps.one(task, number)


def pipelined(redis: Redis, shape: Shape, numbers: Sequence[int]) -> None:
    """Two trips a level."""
    for level in shape.levels:
        cells = [(t, n) for t in level for n in numbers]
        trip = redis.pipeline(transaction=False)
        for task, number in cells:
            trip.hset(f"status:{task}", str(number), "R")
            if shape.needs[task]:
                trip.mget([key(shape, need, number) for need in shape.needs[task]])
        found = iter([reply for reply in trip.execute() if isinstance(reply, list)])
        trip = redis.pipeline(transaction=False)
        for task, number in cells:
            inputs = [decode(v) for v in next(found)] if shape.needs[task] else []
            trip.set(key(shape, task, number), encode(compute(shape, task, number, inputs)))
            trip.hset(f"status:{task}", str(number), "F")
        trip.execute()


def bulk(redis: Redis, shape: Shape, numbers: Sequence[int]) -> None:
    """Two trips a level, of a few fat commands."""
    for level in shape.levels:
        cells = [(t, n) for t in level for n in numbers]
        trip = redis.pipeline(transaction=False)
        trip.hset("status", mapping={f"{task}:{number}": "R" for task, number in cells})
        keys = [key(shape, need, number) for task, number in cells for need in shape.needs[task]]
        if keys:
            trip.mget(keys)
        found = iter(trip.execute()[1] if keys else [])
        values = {}
        for task, number in cells:
            inputs = [decode(next(found)) for _ in shape.needs[task]]
            values[key(shape, task, number)] = encode(compute(shape, task, number, inputs))
        trip = redis.pipeline(transaction=False)
        trip.mset(values)
        trip.hset("status", mapping={f"{task}:{number}": "F" for task, number in cells})
        trip.execute()


MODES: dict[str, Callable[[Redis, Shape, Sequence[int]], None]] = {"one": one_by_one, "pipelined": pipelined, "bulk": bulk}


def main() -> None:
    """Until it is ended."""
    redis, shape, run = Redis.from_url(os.environ[URL]), shape_of_worker(), MODES[sys.argv[1]]
    while True:
        if taken := redis.blpop([QUEUE], timeout=2):
            run(redis, shape, decode(taken[1]))


if __name__ == "__main__":
    main()
