"""What all of them run: a graph of tasks for each entity. A task reads its inputs from Redis, adds, and writes some 200 bytes of JSON.

Keys, values and the JSON library are the same for everybody, so who is faster is so by how it gets there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

DATE = "2013-07-01T14"
SHAPE, URL = "BENCH_SHAPE", "BENCH_URL"
"""Environment: which shape a worker serves, and where its Redis is."""
_PADDING = "x" * 90
encode = msgspec.json.Encoder(order="deterministic").encode
decode = msgspec.json.Decoder().decode


def nothing(_task: int, _number: int) -> None:
    """A task that only adds."""


@dataclass(frozen=True)
class Shape:
    """A graph. `needs`: for each task the numbers of those it reads; `padding`: text in each value; `work`: what a task does besides
    adding, by the number of the task and the entity."""

    names: tuple[str, ...]
    needs: tuple[tuple[int, ...], ...]
    padding: str = _PADDING
    work: Callable[[int, int], object] = nothing

    @cached_property
    def sinks(self) -> tuple[int, ...]:
        """Tasks that nobody reads: when these are there, all is."""
        read = {need for needs in self.needs for need in needs}
        return tuple(t for t in range(len(self.names)) if t not in read)

    @cached_property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """Tasks by how many come before them."""
        depth: list[int] = []
        for needs in self.needs:
            depth.append(1 + max((depth[n] for n in needs), default=-1))
        return tuple(tuple(t for t, d in enumerate(depth) if d == level) for level in range(max(depth) + 1))

    def result(self, task: int, number: int) -> int:
        """What a task must come to."""
        values: list[int] = []
        for t, needs in enumerate(self.needs[: task + 1]):
            values.append(sum(values[n] for n in needs) if needs else number + t)
        return values[task]


def skewed(task: int, number: int) -> float:
    """50 to 500 ms, mostly short: the same for the same cell, however often it is asked."""
    chance = (number * 2654435761 + task * 40503 + 12345) % 65521 / 65521
    return 0.05 + 0.45 * chance**3


def _sleep(task: int, number: int) -> None:
    time.sleep(skewed(task, number))


def _sometimes(task: int, number: int) -> None:
    if task == 1 and number % 50 == 0:
        time.sleep(0.02)


def _learn(_task: int, number: int) -> None:
    from benchmarks.wave.learning import fit

    fit(number)


def _plain(count: int, needs: Callable[[int], tuple[int, ...]], padding: str = _PADDING) -> Shape:
    return Shape(tuple(f"t{n:03}" for n in range(count)), tuple(needs(n) for n in range(count)), padding)


_DIAMOND = ("A", "B", "C", "D", "E", "F"), ((), (), (), (0, 1), (1, 2), (3, 4))
SHAPES = {
    "diamond": Shape(*_DIAMOND),
    "fan-in": _plain(21, lambda n: tuple(range(20)) if n == 20 else ()),
    "skew": Shape(*_DIAMOND, work=_sometimes),
    "wide": _plain(100, lambda _: ()),
    "deep": _plain(100, lambda n: (n - 1,) if n else ()),
    "big": _plain(3, lambda n: (n - 1,) if n else (), "x" * 1_000_000),
    "learning": Shape(("fit",), ((),), work=_learn),
    "sleeping": Shape(*_DIAMOND, work=_sleep),
}


def shape_of_worker() -> Shape:
    """The shape that this process was started for."""
    return SHAPES[os.environ.get(SHAPE, "diamond")]


def entity(number: int) -> str:
    """An entity's key."""
    return f"e{number:07}"


def key(shape: Shape, task: int, number: int, date: str = DATE) -> str:
    """Where a value lies."""
    return f"main/{shape.names[task]} {entity(number)} {date}"


def compute(shape: Shape, task: int, number: int, inputs: Sequence[Any]) -> dict[str, Any]:
    """The task: what it reads as objects, to an object. `at`: when it began and ended, on the machine's monotonic clock."""
    began = time.monotonic()
    total = sum([i["value"] for i in inputs]) if inputs else number + task
    shape.work(task, number)
    told = {"entity": entity(number), "task": shape.names[task], "text": shape.padding, "value": total}
    return told | {"at": [began, time.monotonic()]}


class Steps:
    """A peer's task bodies, one command after the other. `status`: it also writes when a task runs and when it is done."""

    def __init__(self, redis: Any, shape: Shape) -> None:
        self._redis, self._shape = redis, shape

    def one(self, task: int, number: int, *, status: bool = True) -> None:
        """One task of one entity."""
        redis, shape = self._redis, self._shape
        if status:
            redis.hset(f"status:{task}", number, "R")
        needs = shape.needs[task]
        inputs = [decode(v) for v in redis.mget([key(shape, n, number) for n in needs])] if needs else []
        redis.set(key(shape, task, number), encode(compute(shape, task, number, inputs)))
        if status:
            redis.hset(f"status:{task}", number, "F")

    def all(self, number: int) -> None:
        """All tasks of an entity in one go: the «fat task»."""
        for task in range(len(self._shape.names)):
            self.one(task, number, status=False)


class AsyncSteps:
    """`Steps.all` for a peer whose tasks are coroutines."""

    def __init__(self, redis: Any, shape: Shape) -> None:
        self._redis, self._shape = redis, shape

    async def all(self, number: int) -> None:
        """All tasks of an entity in one go."""
        redis, shape = self._redis, self._shape
        for task, needs in enumerate(shape.needs):
            inputs = [decode(v) for v in await redis.mget([key(shape, n, number) for n in needs])] if needs else []
            await redis.set(key(shape, task, number), encode(compute(shape, task, number, inputs)))
