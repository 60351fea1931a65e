"""Wavedeck itself, started and triggered as it is in production: a worker with two slots, and a launch over the state."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.wave.peers import Peer
from benchmarks.wave.work import SHAPES, Shape, compute, entity
from engine import Flow
from engine.keys import Date, version_key
from engine.launch import launch
from engine.store.connect import connect
from engine.store.states import States
from engine.store.wave import Wave
from engine.store.waves import Waves

FIRST = Date("2013-07-01T00")


def a_task(shape: Shape, task: int) -> Callable[..., dict[str, Any]]:
    """A task as a user would write it: the parameters are its inputs."""
    names = [shape.names[need] for need in shape.needs[task]]

    def run(entity: str, **inputs: Any) -> dict[str, Any]:
        return compute(shape, task, int(entity[1:]), [inputs[name] for name in names])

    parameters = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("entity", *names)]
    run.__name__ = shape.names[task]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def a_flow(name: str) -> Flow:
    """The flow of a shape."""
    shape = SHAPES[name]
    flow = Flow(name, every="1h", state=name, keep="7d")
    for task in range(len(shape.names)):
        flow.task(a_task(shape, task))
    return flow


class Full(Peer):
    """Batches as large as they become by themselves."""

    options: tuple[str, ...] = ()
    slots_a_worker: int | None = None

    def __init__(self, url: str, shape: tuple[str, Shape], workers: int) -> None:
        super().__init__(url, shape, workers)
        self.redis = connect(url)
        self.flow = a_flow(self.shape_name)
        self.waves = Waves(self.redis)
        self.wave: Wave | None = None
        self._hours = 0
        self._there = 0

    @property
    def env(self) -> dict[str, str]:
        return super().env | {
            "WAVEDECK_REDIS_URL": self.url,
            "WAVEDECK_FLOWS": "benchmarks.wave.flow",
            "WAVEDECK_LOG": "WARNING",
        }

    def commands(self) -> list[list[str]]:
        return [["-m", "worker", "--slots", str(self.workers), *self.options]]

    def prepare(self, numbers: Sequence[int]) -> None:
        States(self.redis).seen(self.shape_name, [(entity(n), "all") for n in numbers], self._next().start.timestamp())
        self.wave, self._there = None, self._bytes()

    def enqueue(self, numbers: Sequence[int]) -> None:  # noqa: ARG002
        """Over the state that `prepare` made: the entities are read from it, as init does."""
        self._launch([])

    def some(self, numbers: Sequence[int]) -> None:
        self._launch([entity(n) for n in numbers])

    def _launch(self, entities: Sequence[str]) -> None:
        date = self._next()
        self._hours += 1
        trigger = f"schedule:{date}"
        self.wave = launch(
            self.redis, self.flow.plan, version="main", date=date, trigger=trigger, by="bench", entities=entities
        ).wave  # fmt: skip

    def _next(self) -> Date:
        """Each wave has an hour of its own, as in production."""
        return FIRST.shift(self._hours)

    def date(self, _number: int) -> str:
        return str(FIRST.shift(self._hours - 1))

    def ended(self) -> bool:
        return self.wave is None or bool(self.waves.progress(self.wave).wave.ended)

    def holds(self) -> float:
        return self.waves.memory(self.wave) / self.wave.cells if self.wave is not None else 0.0

    def left(self) -> float:
        return (self._bytes() - self._there) / self.wave.cells if self.wave is not None else 0.0

    def _bytes(self) -> int:
        """What every key holds that is no pipe, but for the state's, which is there before any wave."""
        keys = [k for k in self.redis.scan_iter(match="wd:*", count=1000) if not k.startswith(b"wd:state")]
        with self.redis.pipeline(transaction=False) as trip:
            for name in keys:
                trip.memory_usage(name, samples=0)
            return sum(filter(None, trip.execute()))


class Single(Full):
    """One entity at a time."""

    options = ("--batch", "1")


class Workers(Full):
    """As many workers as there are slots, each of one."""

    def commands(self) -> list[list[str]]:
        return [["-m", "worker", "--slots", "1", *self.options]] * self.workers


class Small(Full):
    """Many waves of a few entities."""

    each = 5
    _first = 0

    def enqueue(self, numbers: Sequence[int]) -> None:
        self._first = self._hours
        for at in range(0, len(numbers), self.each):
            self._launch([entity(n) for n in numbers[at : at + self.each]])

    def date(self, number: int) -> str:
        return str(FIRST.shift(self._first + number // self.each)) if self._first else super().date(number)

    def ended(self) -> bool:
        return not self.redis.zcard(version_key("main", "queue"))
