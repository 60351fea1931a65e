"""When the cells of a wave ran, read off its board: what each entity cost a slot, and how many slots there were. Pure.

Moments are seconds since the wave was created. A start is known to the millisecond (cut), a duration to 10 µs.
"""

from array import array
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import compress
from operator import itemgetter
from typing import NamedTuple

from engine.plan import Plan
from engine.status import Cell

RAN = bytes(cell in (Cell.FINISHED, Cell.FALLBACK, Cell.FAILED) for cell in range(256))
"""Cells that ran and have ended, for `bytes.translate`."""
TICK = 0.001
"""How exactly a start is known."""


class Ran(NamedTuple):
    """A cell that ran."""

    start: float
    end: float
    task: int
    entity: int

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end - self.start


class Timing:
    """The cells of a wave that ran and have ended."""

    def __init__(self, plan: Plan, n: int, board: bytes, times: bytes, crew: Sequence[int] = ()) -> None:
        """`crew`: for each entity the number of the worker that had it last, 0 for none; without, one worker had all."""
        self.plan, self.n = plan, n
        self.crew = crew or [1] * n
        size = n * len(plan.tasks)
        packed = array("I", times[: size * 8].ljust(size * 8, b"\0"))
        starts, took = packed[::2], packed[1::2]
        flags = board[:size].ljust(size, b"\0").translate(RAN)
        self.cells = [
            Ran(start / 1000, start / 1000 + own / 100_000, at // n, at % n)
            for at, start, own in compress(zip(range(size), starts, took, strict=True), flags)
            if own
        ]
        self.cells.sort(key=itemgetter(0))

    @cached_property
    def first(self) -> float:
        """When the first cell began; 0 when none ran."""
        return self.cells[0].start if self.cells else 0.0

    @cached_property
    def last(self) -> float:
        """When the last cell ended; 0 when none ran."""
        return max((cell.end for cell in self.cells), default=0.0)

    @cached_property
    def taken(self) -> dict[int, float]:
        """Entity → when its first cell began; of those that ran."""
        found: dict[int, float] = {}
        for cell in self.cells:
            found.setdefault(cell.entity, cell.start)
        return found

    @cached_property
    def ends(self) -> "array[float]":
        """When each cell ended, task by task as on the board; 0 for one that has not run."""
        found = array("d", [0.0]) * (self.n * len(self.plan.tasks))
        n = self.n
        for _, end, task, entity in self.cells:
            found[task * n + entity] = end
        return found

    def of(self, entity: int) -> list[Ran]:
        """The cells of an entity, by their start."""
        return [cell for cell in self.by_worker.get(self.crew[entity], ()) if cell.entity == entity]

    @cached_property
    def by_worker(self) -> dict[int, list[Ran]]:
        """Crew number → its cells, by their start."""
        found: dict[int, list[Ran]] = {}
        for cell in self.cells:
            found.setdefault(self.crew[cell.entity], []).append(cell)
        return found

    def slots(self, known: Mapping[int, int]) -> dict[int, int]:
        """Crew number → slots: those that are `known`, else as many as were ever busy at once. Of tasks that wait many run on one slot, so
        they do not count where there are others."""
        waits = [task.waits for task in self.plan.tasks]
        found = {}
        for worker, cells in self.by_worker.items():
            solid = [cell for cell in cells if not waits[cell.task]]
            found[worker] = known.get(worker, 0) or (busy_at_once(solid) if solid else 1)
        return found

    def costs(self, slots: Mapping[int, int]) -> list[float]:
        """What each entity took of a slot, in seconds; 0 for one that never ran. While more cells run on a worker than it has slots (tasks
        that wait), each of them takes its part."""
        found = [0.0] * self.n
        if not any(task.waits for task in self.plan.tasks):
            for cell in self.cells:
                found[cell.entity] += cell.end - cell.start
            return found
        for worker, cells in self.by_worker.items():
            for cell, own in zip(cells, shares(cells, slots[worker]), strict=True):
                found[cell.entity] += own
        return found

    def lengths(self) -> list[float]:
        """The longest chain of run times of each entity, where tasks wait beside each other: it cannot be shorter, however many slots there
        are. Nothing where an entity's cells run one after another anyway."""
        if not any(task.waits for task in self.plan.tasks):
            return []
        found = [[0.0] * len(self.plan.tasks) for _ in range(self.n)]
        for cell in sorted(self.cells, key=lambda cell: cell.task):  # a task comes after its inputs
            own = found[cell.entity]
            own[cell.task] = max((own[need] for need in self.plan.needs[cell.task]), default=0.0) + cell.seconds
        return [max(own) for own in found]


def busy_at_once(cells: Sequence[Ran]) -> int:
    """How many of these ran at the same time at most. Neighbours within the exactness of a start did not overlap."""
    events = sorted([(cell.start, 1) for cell in cells] + [(max(cell.end - 2 * TICK, cell.start), -1) for cell in cells])
    most = running = 0
    for _, step in events:
        running += step
        most = max(most, running)
    return max(most, 1)


def shares(cells: Sequence[Ran], slots: int) -> list[float]:
    """What each of a worker's cells took of its slots, in seconds: all of its time while there were slots enough, a part else."""
    events = sorted([(c.start, 1, i) for i, c in enumerate(cells)] + [(c.end, -1, i) for i, c in enumerate(cells)])
    found = [0.0] * len(cells)
    running, before, done = 0, 0.0, 0.0
    for at, step, number in events:
        if running:
            done += (at - before) * min(slots, running) / running
        before, running = at, running + step
        found[number] -= step * done
    return found
