"""When slots and entities of a wave were busy, and with which task: a grid that fits a page, however many entities there are. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


def gantt(timing: Timing, names: Sequence[str], crew: Mapping[int, str]) -> Gantt:
    """The grid of what has run so far.

    Parameters:
        names: the entities, as users write them.
        crew: crew number → worker.
    """
    span = max(timing.last - timing.first, TICK)
    lanes = [
        (f"{crew.get(worker, '?')}/{number}", lane)
        for worker, cells in sorted(timing.by_worker.items())
        for number, lane in enumerate(pack(cells), 1)
    ]
    grid = _Grid(timing.first, span)
    return Gantt(timing.plan.names, timing.first, span, _slots(grid, lanes), _entities(grid, timing, names))


def pack(cells: Sequence[Ran]) -> list[list[Ran]]:
    """Cells of a worker, by their start, in as few lanes as none overlap in. An entity stays in its lane where it can; which slot it really
    was is not recorded."""
    lanes: list[list[Ran]] = []
    free: list[float] = []
    of: dict[int, int] = {}
    for cell in cells:
        lane = of.get(cell.entity, -1)
        soon = cell.start + 2 * TICK
        if lane < 0 or free[lane] > soon:
            open_lanes = [number for number, at in enumerate(free) if at <= soon]
            lane = max(open_lanes, key=free.__getitem__, default=-1)
        if lane < 0:
            lane = len(lanes)
            lanes.append([])
            free.append(0.0)
        lanes[lane].append(cell)
        free[lane], of[cell.entity] = cell.end, lane
    return lanes


class _Grid:
    """Adds up busy seconds by column and task."""

    def __init__(self, since: float, span: float) -> None:
        self.since, self.step = since, span / COLUMNS

    def empty(self) -> list[dict[int, float]]:
        """A row."""
        return [{} for _ in range(COLUMNS)]

    def add(self, row: list[dict[int, float]], cell: Ran) -> None:
        """A cell's time, in the columns that it lies in."""
        start, end = (cell.start - self.since) / self.step, (cell.end - self.since) / self.step
        first, last = min(max(int(start), 0), COLUMNS - 1), min(max(int(end), 0), COLUMNS - 1)
        for column in range(first, last + 1):
            part = min(end, column + 1) - max(start, column)
            if part > 0:
                row[column][cell.task] = row[column].get(cell.task, 0.0) + part * self.step

    def cells(self, row: list[dict[int, float]], whole: float) -> tuple[Cell, ...]:
        """A row's cells; `whole`: seconds that are all of a column."""
        return tuple(
            (max(busy, key=busy.__getitem__), min(sum(busy.values()) / whole, 1.0)) if busy else (-1, 0.0) for busy in row
        )


def _slots(grid: _Grid, lanes: Sequence[tuple[str, list[Ran]]]) -> tuple[Row, ...]:
    many = -(-len(lanes) // MOST_ROWS)
    rows = []
    for at in range(0, len(lanes), max(many, 1)):
        part = lanes[at : at + many]
        row = grid.empty()
        for _, cells in part:
            for cell in cells:
                grid.add(row, cell)
        label = part[0][0] if len(part) == 1 else f"{part[0][0]} … {part[-1][0]}"
        rows.append(Row(label, len(part), grid.cells(row, grid.step * len(part))))
    return tuple(rows)


def _entities(grid: _Grid, timing: Timing, names: Sequence[str]) -> tuple[Row, ...]:
    many = max(-(-timing.n // MOST_ROWS), 1)
    rows = [grid.empty() for _ in range(-(-timing.n // many))]
    for cell in timing.cells:
        grid.add(rows[cell.entity // many], cell)
    most = max((sum(busy.values()) for row in rows for busy in row), default=0.0)
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
