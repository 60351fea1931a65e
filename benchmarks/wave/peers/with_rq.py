"""rq: two workers that do not fork for each job."""

from __future__ import annotations

import os
from collections.abc import Sequence

from redis import Redis
from rq import Queue
from rq.job import Dependency

from benchmarks.wave.peers import Peer
from benchmarks.wave.work import URL, Shape, Steps, shape_of_worker

_steps: list[Steps] = []


def steps() -> Steps:
    """A connection of the tasks' own."""
    if not _steps:
        _steps.append(Steps(Redis.from_url(os.environ[URL]), shape_of_worker()))
    return _steps[0]


def step(task: int, number: int) -> None:
    """One task of one entity; its status is rq's."""
    steps().one(task, number, status=False)


def fat(number: int) -> None:
    """All tasks of an entity."""
    steps().all(number)


class _Rq(Peer):
    def __init__(self, url: str, shape: tuple[str, Shape], workers: int) -> None:
        super().__init__(url, shape, workers)
        self._queue = Queue("bench", connection=Redis.from_url(url))

    def commands(self) -> list[list[str]]:
        options = ["--url", self.url, "--worker-class", "rq.worker.SimpleWorker", "--logging_level", "WARNING"]
        return [["-m", "rq.cli", "worker", "bench", *options]] * self.workers


class DependsOn(_Rq):
    """The diamond's own edges."""

    def enqueue(self, numbers: Sequence[int]) -> None:
        needs = self.shape.needs
        for number in numbers:
            jobs = []
            for task in range(len(needs)):
                after = Dependency(jobs=[jobs[n] for n in needs[task]]) if needs[task] else None
                jobs.append(self._queue.enqueue(step, task, number, depends_on=after, result_ttl=60))


class Fat(_Rq):
    """A job an entity."""

    def enqueue(self, numbers: Sequence[int]) -> None:
        for at in range(0, len(numbers), 500):
            part = numbers[at : at + 500]
            self._queue.enqueue_many([Queue.prepare_data(fat, args=(number,), result_ttl=0) for number in part])
