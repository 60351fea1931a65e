"""When slots and entities of a wave were busy, and with which task: a grid that fits a page, however many entities there are. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from engine.timing import TICK, Ran, Timing

COLUMNS = 200
"""Columns of the grid."""
MOST_ROWS = 120
"""Rows of each half; more slots or entities share a row."""

Cell = tuple[int, float]
"""The task that took most of a column, -1 for none, and the share of the column that was busy: 0 to 1."""


@dataclass(frozen=True)
class Row:
    """`label` from outside is as it came; `many`: how many slots or entities it stands for."""

    label: str
    many: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Gantt:
    """Rows of slots, and of entities in the order of the queue. It begins `since` seconds after the wave was queued and spans `seconds`; a
    column is `seconds / COLUMNS`. In a row of several entities the share is of the most that ran in any row and column."""

    tasks: tuple[str, ...]
    since: float
    seconds: float
    slots: tuple[Row, ...]
    entities: tuple[Row, ...]


def gantt(timing: Timing, names: Sequence[str], crew: Mapping[int, str], known: Mapping[int, int]) -> Gantt:
    """The grid of what has run so far.

    Parameters:
        names: the entities, as users write them.
        crew: crew number → worker.
        known: crew number → slots, of workers of which that is known.
    """
    span = max(timing.last - timing.first, TICK)
    waits = any(task.waits for task in timing.plan.tasks)  # of these a slot runs many at once
    lanes = [
        (f"{crew.get(worker, '?')}/{number}", lane)
        for worker, cells in sorted(timing.by_worker.items())
        for number, lane in enumerate(pack(cells, 0 if waits else known.get(worker, 0)), 1)
    ]
    grid = _Grid(timing.first, span, len(timing.plan.tasks))
    return Gantt(timing.plan.names, timing.first, span, _slots(grid, lanes), _entities(grid, timing, names))


def pack(cells: Sequence[Ran], most: int = 0) -> list[list[Ran]]:
    """Cells of a worker, by their start, in lanes in which none overlap; in `most` lanes, if that is known. An entity stays in its lane where it can; which slot it really
    was is not recorded."""
    lanes: list[list[Ran]] = []
    free: list[float] = []
    soonest: list[tuple[float, int]] = []  # a heap; what a lane was free at before it was used again is passed over
    of: dict[int, int] = {}
    for cell in cells:
        lane, soon = of.get(cell.entity, -1), cell.start + 2 * TICK
        if lane < 0 or free[lane] > soon:
            while soonest and free[soonest[0][1]] != soonest[0][0]:
                heappop(soonest)
            full = most and len(lanes) >= most  # starts are cut to the millisecond, so neighbours may seem to overlap
            lane = heappop(soonest)[1] if soonest and (full or soonest[0][0] <= soon) else len(lanes)
        if lane == len(lanes):
            lanes.append([])
            free.append(0.0)
        lanes[lane].append(cell)
        free[lane], of[cell.entity] = cell.end, lane
        heappush(soonest, (cell.end, lane))
    return lanes


class _Grid:
    """Adds up busy seconds by column and task. A row is a list: column by column, the seconds of each task."""

    def __init__(self, since: float, span: float, tasks: int) -> None:
        self.since, self.step, self.tasks = since, span / COLUMNS, tasks

    def empty(self) -> list[float]:
        """A row."""
        return [0.0] * (COLUMNS * self.tasks)

    def add(self, row: list[float], cells: Iterable[Ran]) -> None:
        """The time of cells, in the columns that they lie in."""
        since, step, tasks, edge = self.since, self.step, self.tasks, COLUMNS - 1
        for start, end, task, _ in cells:
            low, high = (start - since) / step, (end - since) / step
            first, last = min(int(low), edge), min(int(high), edge)
            if first == last:
                row[first * tasks + task] += end - start
                continue
            row[first * tasks + task] += (first + 1 - low) * step
            row[last * tasks + task] += (high - last) * step
            for column in range(first + 1, last):
                row[column * tasks + task] += step

    def columns(self, row: list[float]) -> list[list[float]]:
        """The seconds of each task, by column."""
        return [row[at : at + self.tasks] for at in range(0, len(row), self.tasks)]

    def cells(self, row: list[float], whole: float) -> tuple[Cell, ...]:
        """A row's cells; `whole`: seconds that are all of a column."""
        return tuple(
            (busy.index(max(busy)), min(sum(busy) / whole, 1.0)) if any(busy) else (-1, 0.0) for busy in self.columns(row)
        )


def _slots(grid: _Grid, lanes: Sequence[tuple[str, list[Ran]]]) -> tuple[Row, ...]:
    many = -(-len(lanes) // MOST_ROWS)
    rows = []
    for at in range(0, len(lanes), max(many, 1)):
        part = lanes[at : at + many]
        row = grid.empty()
        for _, cells in part:
            grid.add(row, cells)
        label = part[0][0] if len(part) == 1 else f"{part[0][0]} … {part[-1][0]}"
        rows.append(Row(label, len(part), grid.cells(row, grid.step * len(part))))
    return tuple(rows)


def _entities(grid: _Grid, timing: Timing, names: Sequence[str]) -> tuple[Row, ...]:
    many = max(-(-timing.n // MOST_ROWS), 1)
    rows = [grid.empty() for _ in range(-(-timing.n // many))]
    grouped: list[list[Ran]] = [[] for _ in rows]
    for cell in timing.cells:
        grouped[cell.entity // many].append(cell)
    for row, cells in zip(rows, grouped, strict=True):
        grid.add(row, cells)
    most = max((sum(busy) for row in rows for busy in grid.columns(row)), default=0.0)
    whole = grid.step if many == 1 else most or grid.step
    found = []
    for number, row in enumerate(rows):
        first, last = number * many, min((number + 1) * many, timing.n) - 1
        label = names[first] if first == last else f"{names[first]} … {names[last]}"
        found.append(Row(label, last - first + 1, grid.cells(row, whole)))
    return tuple(found)


def letters(tasks: Sequence[str]) -> tuple[str, ...]:
    """A letter for each task, its first where that is free."""
    taken: dict[str, None] = {}
    for task in tasks:
        wanted = [c for c in task.lower() if c.isascii() and c.isalpha()]
        taken[next((c for c in [*wanted, *"abcdefghijklmnopqrstuvwxyz"] if c not in taken), f"#{len(taken)}"[-1])] = None
    return tuple(taken) if len(taken) == len(tasks) else tuple("#" for _ in tasks)
