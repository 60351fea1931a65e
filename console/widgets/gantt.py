"""Rows of when slots or entities were busy: a letter a column says with which task, large where it was busy for most of it. A lane drawing
for few, a heat map for many; the data is aggregated before it comes here. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from console.reports.gantt import COLUMNS, Row

IDLE, MOST = "·", 0.5
"""A column in which nothing ran, and the share from which on it was busy for most of it."""

HUES: Mapping[str, tuple[str, ...]] = {
    "wavedeck-dark": ("#56B4E9", "#E69F00", "#2FB58A", "#CC79A7", "#F0E442", "#E08A5A", "#A99BE0", "#B9BEC7"),
    "wavedeck-light": ("#0072B2", "#9A5F00", "#00735A", "#A0457D", "#4B6A00", "#9C4A1A", "#6A4FA3", "#4A4F58"),
    "wavedeck-contrast": ("#5CC8FF", "#FFB52E", "#3FE0AE", "#FF9FD0", "#FFF04A", "#FF9A66", "#C3B5FF", "#D0D4DA"),
    "ansi": ("blue", "yellow", "green", "magenta", "cyan", "bright_blue", "bright_magenta", "bright_green"),
}
"""Colours of tasks, in turn, by the name of the palette. The letter says it too."""


def columns(row: Row, width: int, names: Sequence[str]) -> Iterator[tuple[str, int]]:
    """A row in `width` columns: the letter of the task that took most of each, and that task; -1 where nothing ran."""
    for column in range(width):
        first = column * COLUMNS // width
        part = row.cells[first : max((column + 1) * COLUMNS // width, first + 1)]
        busy: dict[int, float] = {}
        for task, share in part:
            if task >= 0:
                busy[task] = busy.get(task, 0.0) + share
        if not busy:
            yield IDLE, -1
            continue
        task = max(busy, key=busy.__getitem__)
        yield names[task].upper() if sum(busy.values()) >= MOST * len(part) else names[task], task


def legend(tasks: Sequence[str], names: Sequence[str]) -> str:
    """Which letter is which task."""
    return (
        "  ".join(f"{name.upper()} {task}" for name, task in zip(names, tasks, strict=True))
        + f"  small: less than half  {IDLE} idle"
    )
