"""saq: two processes, each with ten coroutines at once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from saq.queue.redis import RedisQueue

from benchmarks.wave.peers import Peer
from benchmarks.wave.work import URL, AsyncSteps, Shape, shape_of_worker

AT_ONCE = 20
"""Jobs that are queued at the same time."""
_url = os.environ.get(URL, "redis://127.0.0.1:6379/0")


async def fat(context: dict[str, Any], *, number: int) -> None:
    """All tasks of an entity."""
    await context["steps"].all(number)


async def startup(context: dict[str, Any]) -> None:
    """A connection pool for the tasks."""
    context["steps"] = AsyncSteps(Redis.from_url(_url), shape_of_worker())


settings = {
    "queue": RedisQueue(Redis.from_url(_url, socket_timeout=None), name="bench"),
    "functions": [fat],
    "concurrency": 10,
    "startup": startup,
}


class Fat(Peer):
    """A job an entity; its result is not kept."""

    def __init__(self, url: str, shape: tuple[str, Shape], workers: int) -> None:
        super().__init__(url, shape, workers)
        self._loop = asyncio.new_event_loop()
        self._queue = RedisQueue(Redis.from_url(url, socket_timeout=None), name="bench", max_concurrent_ops=AT_ONCE)

    def commands(self) -> list[list[str]]:
        return [["-m", "saq", "benchmarks.wave.peers.with_saq.settings"]] * self.workers

    def enqueue(self, numbers: Sequence[int]) -> None:
        async def queue() -> None:
            for at in range(0, len(numbers), AT_ONCE):
                part = numbers[at : at + AT_ONCE]
                await asyncio.gather(*[self._queue.enqueue("fat", number=number, ttl=-1) for number in part])

        self._loop.run_until_complete(queue())
