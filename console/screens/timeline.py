"""The tasks of an entity: when each waited and ran, against each other."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from rich.cells import cell_len

from console.entity_view import TaskRow
from console.reports.why import Reason
from console.screens.rows import Piece, RowList
from console.theme import Palette, look
from console.widgets.text import clean, fit, short_seconds
from engine.status import MARK_OF, Cell, Status

CELL_OF_MARK = {mark: Cell(cell) for cell, mark in MARK_OF.items()}
WORD = len("cancelled")
TIMES = 64
"""Cells of width from which on wait and run are written out."""
SPAN = 8
"""Cells that a time line has at least where something stands beside it."""


def state_of(task: TaskRow) -> Status | Cell:
    """A task's status, or the kind of finished it is."""
    return CELL_OF_MARK[task.mark] if task.mark else Status(task.status)


class TaskList(RowList):
    """One row a task: status, wait, run, a time line on one scale for all, and why nothing ran or what serves meanwhile."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._tasks: tuple[TaskRow, ...] = ()
        self._why: Mapping[str, Reason] = {}
        self._serves: Mapping[str, str] = {}

    @property
    def count(self) -> int:
        return len(self._tasks)

    @property
    def chosen(self) -> TaskRow | None:
        """The task under the cursor."""
        return self._tasks[self.cursor] if self._tasks else None

    def update(self, tasks: Sequence[TaskRow], why: Mapping[str, Reason], serves: Mapping[str, str]) -> None:
        """Shows `tasks`. By task, `why`: what those that are pending wait for; `serves`: what covers for those that were lost."""
        self._tasks, self._why, self._serves = tuple(tasks), why, serves
        self.changed()

    def key(self, number: int) -> Hashable:
        return self._tasks[number].task

    def empty(self) -> str:
        return "asking Redis …"

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        name = fit("TASK", self._name_width(width))
        times = f"{'WAIT':>7}  {'RUN':>7}  " if width >= TIMES else ""
        yield f"    {name} {'STATUS':<{WORD}}  {times}TIME", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        task, state = self._tasks[number], state_of(self._tasks[number])
        name = self._name_width(width)
        loud = state in (Status.FAILED, Status.BLOCKED)
        quiet = palette.muted if state in (Status.FINISHED, Cell.REUSED, Status.PENDING, Status.CANCELLED) else palette.text
        yield self.lead(number), palette.lit
        yield f"{look(state).glyph} ", palette.style(state)
        yield fit(task.task, name) + " ", palette.lit if number == self.cursor else palette.text
        yield f"{look(state).word:<{WORD}}  ", palette.style(state) if loud else quiet
        ran = task.start > 0 and state not in (Cell.REUSED, Status.PENDING)
        room = width - (4 + name + 1 + WORD + 2)
        if width >= TIMES:
            wait, run = (short_seconds(task.waited), short_seconds(task.seconds)) if ran else ("–", "–")
            yield f"{wait:>7}  {run:>7}  ", palette.muted
            room -= 18
        yield from self._time(task, state, max(room, 0), palette, ran=ran)

    def copied(self, number: int) -> str:
        """A row as text, all of it."""
        task, state = self._tasks[number], state_of(self._tasks[number])
        times = f"waited {short_seconds(task.waited)}, ran {short_seconds(task.seconds)}" if task.start else ""
        error = f"{task.error['type']}: {task.error['message']}" if task.error else ""
        return "  ".join(
            filter(
                None,
                [task.task, look(state).word, times, error, self._meanwhile(task), self._why.get(task.task, Reason()).text],
            )
        )

    def _name_width(self, width: int) -> int:
        longest = max([8, *(cell_len(clean(t.task)) for t in self._tasks)])
        return min(longest, 24 if width >= 100 else 20 if width >= TIMES else 14)

    def _meanwhile(self, task: TaskRow) -> str:
        serves = self._serves.get(task.task)
        return f"{look(Cell.FALLBACK).glyph} {serves}" if serves else ""

    def _time(self, task: TaskRow, state: Status | Cell, room: int, palette: Palette, *, ran: bool) -> Iterator[Piece]:
        """The time line of what ran, else why it did not; and what serves in its place."""
        serves = self._meanwhile(task)
        beside = cell_len(serves) + 2 if serves else 0
        if ran and room - beside < SPAN:
            beside = 0
        if ran:
            yield from self._span(task, state, room - beside, palette)
            if beside:
                yield f"  {serves}", palette.style(Cell.FALLBACK)
            return
        reason = self._reason(task, state, room)
        if serves and room:
            yield fit(serves, min(cell_len(serves), room)), palette.style(Cell.FALLBACK)
            room -= cell_len(serves)
            reason = f" · {reason}" if room > 3 * SPAN else ""
        yield fit(reason, max(room, 0)), palette.muted

    def _span(self, task: TaskRow, state: Status | Cell, room: int, palette: Palette) -> Iterator[Piece]:
        """Where on the common scale a task waited and ran, exactly `room` cells."""
        ran = [t for t in self._tasks if t.start > 0]
        first = min(t.start - t.waited for t in ran)
        scale = max(room - 1, 1) / max(max(t.start + t.seconds for t in ran) - first, 0.001)
        start = min(int((task.start - first) * scale), max(room - 1, 0))
        waited = start - int((task.start - task.waited - first) * scale)
        cells = min(max(int((task.start + task.seconds - first) * scale) - start, 1), max(room - start, 0))
        block = look(state).block if state in (Status.RUNNING, Status.FAILED) else "█"
        yield " " * (start - waited), palette.text
        yield "·" * waited, palette.faint
        style = palette.style(state) if state == Status.FAILED else palette.bars.get(Status(task.status), palette.text)
        yield block * cells, style
        yield " " * (room - start - cells), palette.text

    def _reason(self, task: TaskRow, state: Status | Cell, room: int) -> str:
        """Why nothing ran; in brief where it would not fit."""
        if task.error:
            return task.error["message"]
        if state == Status.PENDING:
            why = self._why.get(task.task, Reason())
            return why.text if cell_len(why.text) <= room else why.brief
        return "its pipe was there" if state == Cell.REUSED else ""
