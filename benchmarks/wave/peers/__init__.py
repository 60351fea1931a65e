"""The peers: each a module with a class that starts its workers and queues a wave."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.wave.work import DATE, SHAPE, URL, Shape

Kind = Literal["ours", "dag", "fat", "floor", "more"]


class Peer:
    """One that runs waves. Made once for a run, with its workers about to start.

    Parameters:
        url: where Redis is.
        shape: the name of the graph, and the graph.
        workers: processes that do the work.
    """

    def __init__(self, url: str, shape: tuple[str, Shape], workers: int) -> None:
        self.url, self.workers = url, workers
        self.shape_name, self.shape = shape

    @property
    def env(self) -> dict[str, str]:
        """Of its workers."""
        return {SHAPE: self.shape_name, URL: self.url}

    def commands(self) -> list[list[str]]:
        """Arguments of Python that start its worker processes."""
        raise NotImplementedError

    def prepare(self, numbers: Sequence[int]) -> None:
        """What is there long before a wave of these entities is queued; not timed."""

    def enqueue(self, numbers: Sequence[int]) -> None:
        """Queues a wave of these entities."""
        raise NotImplementedError

    def some(self, numbers: Sequence[int]) -> None:
        """Queues a few entities that nothing was prepared for."""
        self.enqueue(numbers)

    def date(self, _number: int) -> str:
        """Under which date the values of an entity are that was queued last."""
        return DATE

    def ended(self) -> bool:
        """Whether the wave is over by its own account, all values being there."""
        return True

    def holds(self) -> float:
        """Bytes that Redis holds for a cell besides its value, while a wave runs; 0 where nobody asks."""
        return 0.0

    def left(self) -> float:
        """The same when it is over."""
        return 0.0


@dataclass(frozen=True)
class Arm:
    """A row of the table. `where`: module and class; `scale`: its wave is so many times the base; `note`: what a reader must know."""

    name: str
    kind: Kind
    where: str
    scale: float
    note: str = ""

    def make(self, url: str, shape: tuple[str, Shape], workers: int) -> Peer:
        """The peer itself; imports what it needs."""
        module, _, name = self.where.partition(":")
        made: Peer = getattr(importlib.import_module(f"benchmarks.wave.peers.{module}"), name)(url, shape, workers)
        return made


ARMS = (
    Arm("Wavedeck", "ours", "ours:Full", 20),
    Arm("Wavedeck, entity by entity", "ours", "ours:Single", 8, "`--batch 1`; all of its leases, tokens and checks on"),
    Arm("Wavedeck, many small waves", "more", "ours:Small", 1, "waves of 5 entities"),
    Arm("Wavedeck, workers of one slot", "more", "ours:Workers", 20),
    Arm("huey chords", "dag", "with_huey:Chords", 1, "D also waits for C, E for A; a seventh job an entity starts them"),
    Arm("dramatiq groups", "dag", "with_dramatiq:Groups", 1, "D also waits for C, E for A; a seventh message an entity starts them"),
    Arm("celery canvas", "dag", "with_celery:Canvas", 0.5, "D also waits for C, E for A"),
    Arm("rq depends_on", "dag", "with_rq:DependsOn", 0.4, "SimpleWorker, no results; rq 2, since 3.0 strands joins"),
    Arm("huey fat", "fat", "with_huey:Fat", 4, "no results"),
    Arm("dramatiq fat", "fat", "with_dramatiq:Fat", 4, "a thread a process, only the middleware it needs"),
    Arm("celery fat", "fat", "with_celery:Fat", 3, "no results, prefetch 64, no gossip, mingle or heartbeat"),
    Arm("saq fat", "fat", "with_saq:Fat", 4, "coroutines, 10 at once"),
    Arm("taskiq fat", "fat", "with_taskiq:Fat", 4, "list broker, coroutines, acknowledged when received"),
    Arm("rq fat", "fat", "with_rq:Fat", 3, "SimpleWorker, no results, enqueue_many"),
    Arm("floor: one command at a time", "floor", "floor:OneByOne", 4),
    Arm("floor: pipelines over 64", "floor", "floor:Pipelined", 20),
    Arm("floor: bulk commands over 64", "floor", "floor:Bulk", 20),
)  # fmt: skip


def arm(name: str) -> Arm:
    """The arm of that name."""
    return next(a for a in ARMS if a.name == name)
