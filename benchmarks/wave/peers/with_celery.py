"""celery: two prefork processes."""

from __future__ import annotations

import os
from collections.abc import Sequence

from celery import Celery, chain, group
from redis import Redis

from benchmarks.wave.peers import Peer
from benchmarks.wave.work import URL, Steps, shape_of_worker

_url = os.environ.get(URL, "redis://127.0.0.1:6379/0")
app = Celery("bench", broker=_url, backend=_url)
app.conf.update(
    worker_prefetch_multiplier=64,
    worker_send_task_events=False,
    task_send_sent_event=False,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)
_steps: list[Steps] = []


def steps() -> Steps:
    """A connection for each process: workers are forked."""
    if not _steps:
        _steps.append(Steps(Redis.from_url(os.environ[URL]), shape_of_worker()))
    return _steps[0]


@app.task
def step(task: int, number: int) -> None:
    """One task of one entity; a chord needs its result."""
    steps().one(task, number)


@app.task(ignore_result=True)
def last(number: int) -> None:
    """F."""
    steps().one(5, number)


@app.task(ignore_result=True)
def fat(number: int) -> None:
    """All tasks of an entity."""
    steps().all(number)


class _Celery(Peer):
    def commands(self) -> list[list[str]]:
        options = ["-c", str(self.workers), "-l", "WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        return [["-m", "celery", "-A", "benchmarks.wave.peers.with_celery", "worker", *options]]


class Canvas(_Celery):
    """The diamond as a chain of groups, which are chords."""

    def enqueue(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            layers = group(step.si(t, number) for t in range(3)), group(step.si(t, number) for t in (3, 4))
            chain(*layers, last.si(number)).apply_async()


class Fat(_Celery):
    """A message an entity, all over one connection."""

    def enqueue(self, numbers: Sequence[int]) -> None:
        with app.producer_pool.acquire(block=True) as producer:
            for number in numbers:
                fat.apply_async((number,), producer=producer)
