"""huey: two worker processes, Redis as its queue."""

from __future__ import annotations

import os
from collections.abc import Sequence

from huey import RedisHuey, chord
from redis import Redis

from benchmarks.wave.peers import Peer
from benchmarks.wave.work import URL, Shape, Steps, shape_of_worker

huey = RedisHuey("bench", url=os.environ.get(URL, "redis://127.0.0.1:6379/0"), results=os.environ.get("BENCH_RESULTS") == "1")
_steps: list[Steps] = []


def steps() -> Steps:
    """A connection for each process: workers are forked."""
    if not _steps:
        _steps.append(Steps(Redis.from_url(os.environ[URL]), shape_of_worker()))
    return _steps[0]


@huey.task()
def step(task: int, number: int, _results: object = None) -> None:
    """One task of one entity; the callback of a chord gets its results."""
    steps().one(task, number)


@huey.task()
def middle(number: int, _results: object = None) -> None:
    """A, B and C are done: D and E, then F."""
    huey.enqueue(chord([step.s(3, number), step.s(4, number)], step.s(5, number)))


@huey.task()
def fat(number: int) -> None:
    """All tasks of an entity."""
    steps().all(number)


class _Huey(Peer):
    results = "0"

    def __init__(self, url: str, shape: tuple[str, Shape], workers: int) -> None:
        super().__init__(url, shape, workers)
        huey.results = self.results == "1"

    @property
    def env(self) -> dict[str, str]:
        return super().env | {"BENCH_RESULTS": self.results}

    def commands(self) -> list[list[str]]:
        options = ["-w", str(self.workers), "-k", "process", "-n", "-C", "-q"]
        return [["-m", "huey.bin.huey_consumer", "benchmarks.wave.peers.with_huey.huey", *options]]


class Chords(_Huey):
    """The diamond as two chords."""

    results = "1"

    def enqueue(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            huey.enqueue(chord([step.s(task, number) for task in range(3)], middle.s(number)))


class Fat(_Huey):
    """A job an entity."""

    def enqueue(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            fat(number)
