"""Rows of when slots or entities were busy: a letter a column says with which task, its brightness how much. A lane drawing for few, a heat
map for many; the data is aggregated before it comes here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.reports.gantt import COLUMNS, Row

IDLE, LITTLE = "·", 0.5
"""A column in which nothing ran, and the share from which on it counts as busy."""


def columns(row: Row, width: int, names: Sequence[str]) -> Iterator[tuple[str, float]]:
    """A row in `width` columns: the letter of the task that took most of each, and the share that was busy, 0 to 1."""
    for column in range(width):
        first = column * COLUMNS // width
        part = row.cells[first : max((column + 1) * COLUMNS // width, first + 1)]
        busy: dict[int, float] = {}
        for task, share in part:
            if task >= 0:
                busy[task] = busy.get(task, 0.0) + share
        if not busy:
            yield IDLE, 0.0
            continue
        yield names[max(busy, key=busy.__getitem__)], sum(busy.values()) / len(part)


def legend(tasks: Sequence[str], names: Sequence[str]) -> str:
    """Which letter is which task."""
    return "  ".join(f"{name} {task}" for name, task in zip(names, tasks, strict=True)) + f"  {IDLE} idle"
