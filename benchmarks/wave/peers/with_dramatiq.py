"""dramatiq: two processes of one thread, since the work is done by processors and not by waiting."""

from __future__ import annotations

import os
from collections.abc import Sequence

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import GroupCallbacks, Retries
from dramatiq.rate_limits.backends import RedisBackend
from redis import Redis

from benchmarks.wave.peers import Peer
from benchmarks.wave.work import URL, Steps, shape_of_worker

_url = os.environ.get(URL, "redis://127.0.0.1:6379/0")
broker = RedisBroker(url=_url, middleware=[Retries(max_retries=0), GroupCallbacks(RedisBackend(url=_url))])
dramatiq.set_broker(broker)
_steps: list[Steps] = []


def steps() -> Steps:
    """A connection for each process: workers are forked."""
    if not _steps:
        _steps.append(Steps(Redis.from_url(os.environ[URL]), shape_of_worker()))
    return _steps[0]


@dramatiq.actor
def step(task: int, number: int) -> None:
    """One task of one entity."""
    steps().one(task, number)


@dramatiq.actor
def middle(number: int) -> None:
    """A, B and C are done: D and E, then F."""
    joined = dramatiq.group([step.message(3, number), step.message(4, number)])
    joined.add_completion_callback(step.message(5, number))
    joined.run()


@dramatiq.actor
def fat(number: int) -> None:
    """All tasks of an entity."""
    steps().all(number)


class _Dramatiq(Peer):
    def commands(self) -> list[list[str]]:
        options = ["--processes", str(self.workers), "--threads", "1", "--skip-logging"]
        return [["-m", "dramatiq", "benchmarks.wave.peers.with_dramatiq", *options]]


class Groups(_Dramatiq):
    """The diamond as two groups with callbacks."""

    def enqueue(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            first = dramatiq.group([step.message(task, number) for task in range(3)])
            first.add_completion_callback(middle.message(number))
            first.run()


class Fat(_Dramatiq):
    """A message an entity."""

    def enqueue(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            fat.send(number)
