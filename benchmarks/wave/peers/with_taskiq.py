"""taskiq: two processes; its list broker, the faster of its two."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence

from redis.asyncio import Redis
from taskiq_redis import ListQueueBroker

from benchmarks.wave.peers import Peer
from benchmarks.wave.work import URL, AsyncSteps, Shape, shape_of_worker

AT_ONCE = 20
"""Messages that are queued at the same time."""
broker = ListQueueBroker(
    os.environ.get(URL, "redis://127.0.0.1:6379/0"),
    queue_name="bench",
    max_connection_pool_size=AT_ONCE,
    socket_timeout=None,  # with redis-py's own of 5 s an idle worker dies of its BRPOP
)
_steps: list[AsyncSteps] = []


@broker.task
async def fat(number: int) -> None:
    """All tasks of an entity."""
    if not _steps:
        _steps.append(AsyncSteps(Redis.from_url(os.environ[URL]), shape_of_worker()))
    await _steps[0].all(number)


class Fat(Peer):
    """A message an entity."""

    def __init__(self, url: str, shape: tuple[str, Shape], workers: int) -> None:
        super().__init__(url, shape, workers)
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(broker.startup())

    def commands(self) -> list[list[str]]:
        options = ["--workers", str(self.workers), "--log-level", "WARNING", "--ack-type", "when_received"]
        return [["-m", "taskiq", "worker", "benchmarks.wave.peers.with_taskiq:broker", *options]]

    def enqueue(self, numbers: Sequence[int]) -> None:
        async def queue() -> None:
            for at in range(0, len(numbers), AT_ONCE):
                await asyncio.gather(*[fat.kiq(number) for number in numbers[at : at + AT_ONCE]])

        self._loop.run_until_complete(queue())
