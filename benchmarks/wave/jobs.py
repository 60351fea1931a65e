"""What is measured: runs by group. All of a round are done in turn before the next begins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.wave.peers import ARMS, arm
from benchmarks.wave.work import SHAPES, skewed
from engine.simulate import makespan

OURS, SINGLE = "Wavedeck", "Wavedeck, entity by entity"
FAT = "huey fat"
"""The peer that the further shapes are compared with: the cheapest of the fat ones."""
MANY = ("fan-in", "skew", "wide", "deep", "big")


@dataclass(frozen=True)
class Job:
    """A run of an arm. `turns`: in so many waves, each beside a loop that calls the same function."""

    group: str
    arm: str
    entities: int
    shape: str = "diamond"
    workers: int = 2
    latencies: int = 0
    turns: int = 0

    @property
    def name(self) -> str:
        """Tells it from all others."""
        return f"{self.group}: {self.arm}, {self.shape}, {self.entities} entities, {self.workers} workers"


@dataclass(frozen=True)
class Size:
    """How much. `base`: entities of the slowest peers' waves; `shapes`: of each further shape; `queued`: of waves that are only queued;
    `slots`, `each`: of makespans, and entities a slot; `fits`, `turns`: of scikit-learn, and in how many turns
    with a loop."""

    base: int
    latencies: int
    shapes: dict[str, int]
    small: int
    queued: tuple[int, int, int]
    slots: int
    few: int
    each: int
    fits: int
    turns: int


FULL = Size(
    1000, 41, dict(zip(MANY, (5000, 5000, 500, 500, 30), strict=True)), 1000, (1000, 10_000, 100_000), 64, 8, 20, 400, 10
)
QUICK = Size(40, 5, dict(zip(MANY, (200, 400, 20, 20, 6), strict=True)), 50, (500, 1000, 10_000), 16, 2, 3, 60, 3)


def jobs(size: Size) -> list[Job]:
    """All of them."""
    found = [Job("wave", a.name, max(int(size.base * a.scale), 1), latencies=size.latencies) for a in ARMS if a.kind != "more"]
    for shape, entities in size.shapes.items():
        found += [Job("shapes", name, entities, shape) for name in (OURS, FAT)]
    found.append(Job("shapes", "Wavedeck, many small waves", size.small))
    found += [
        Job("eight", name, int(size.base * arm(name).scale), workers=8) for name in ("Wavedeck, workers of one slot", FAT)
    ]
    found += [Job("enqueue", OURS, entities, workers=0) for entities in size.queued]
    found += [Job("makespan", OURS, slots * size.each, "sleeping", slots) for slots in (size.slots, size.few, size.few * 10)]
    found.append(Job("learning", OURS, size.fits, "learning", 1, turns=size.turns))
    return found


def critical(number: int) -> float:
    """Seconds of the longest path of an entity that sleeps."""
    ends: list[float] = []
    for task, needs in enumerate(SHAPES["sleeping"].needs):
        ends.append(skewed(task, number) + max((ends[n] for n in needs), default=0.0))
    return max(ends)


def whole(number: int) -> float:
    """Seconds of all tasks of an entity that sleeps, one after the other."""
    return sum(skewed(task, number) for task in range(len(SHAPES["sleeping"].names)))


def listed(entities: int, slots: int) -> float:
    """Seconds that list scheduling takes, at no cost: who is free takes the next entity in order, and all of it."""
    return makespan(map(whole, range(entities)), [0.0] * slots)


def bound(entities: int, slots: int) -> float:
    """Seconds below which no system can be: the longest path of an entity, or all the work shared out evenly."""
    return max(*map(critical, range(entities)), sum(map(whole, range(entities))) / slots)


def wanted(all_jobs: Sequence[Job], only: str) -> list[Job]:
    """Those whose group, arm or shape is named."""
    words = [word.strip() for word in only.split(",") if word.strip()]
    return [j for j in all_jobs if not words or any(word in (j.group, j.arm, j.shape) for word in words)]
