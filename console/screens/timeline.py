"""The tasks of an entity: when each waited and ran, against each other."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from rich.cells import cell_len

from console.screens.rows import Piece, RowList
from console.theme import Palette, look
from console.views import TaskRow
from console.widgets.text import clean, fit, short_seconds
from engine.status import MARK_OF, Cell, Status

CELL_OF_MARK = {mark: Cell(cell) for cell, mark in MARK_OF.items()}
WORD = len("cancelled")


def state_of(task: TaskRow) -> Status | Cell:
    """A task's status, or the kind of finished it is."""
    return CELL_OF_MARK[task.mark] if task.mark else Status(task.status)


class TaskList(RowList):
    """One row a task: status, wait, run, and a time line on one scale for all."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._tasks: tuple[TaskRow, ...] = ()
        self._needs: Mapping[str, Sequence[str]] = {}

    @property
    def count(self) -> int:
        return len(self._tasks)

    @property
    def chosen(self) -> TaskRow | None:
        """The task under the cursor."""
        return self._tasks[self.cursor] if self._tasks else None

    def update(self, tasks: Sequence[TaskRow], needs: Mapping[str, Sequence[str]]) -> None:
        """Shows `tasks`; `needs` says what each waits for."""
        self._tasks, self._needs = tuple(tasks), needs
        self.changed()

    def key(self, number: int) -> Hashable:
        return self._tasks[number].task

    def empty(self) -> str:
        return "asking Redis …"

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:  # noqa: ARG002
        yield f"    {fit('TASK', self._name_width())} {'STATUS':<{WORD}}  {'WAIT':>7}  {'RUN':>7}  TIME", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        task, state = self._tasks[number], state_of(self._tasks[number])
        loud = state in (Status.FAILED, Status.BLOCKED)
        quiet = palette.muted if state in (Status.FINISHED, Cell.REUSED, Status.PENDING, Status.CANCELLED) else palette.text
        here = number == self.cursor
        yield self.lead(number), palette.lit
        yield f"{look(state).glyph} ", palette.style(state)
        yield fit(task.task, self._name_width()) + " ", palette.lit if here else palette.text
        yield f"{look(state).word:<{WORD}}", palette.style(state) if loud else quiet
        ran = task.start > 0 and state not in (Cell.REUSED, Status.PENDING)
        wait, run = (short_seconds(task.waited), short_seconds(task.seconds)) if ran else ("–", "–")
        yield f"  {wait:>7}  {run:>7}  ", palette.muted
        room = width - (4 + self._name_width() + 1 + WORD + 20)
        if ran:
            yield from self._span(task, state, room, palette)
        else:
            yield fit(self._reason(task, state), max(room, 0)), palette.muted

    def _name_width(self) -> int:
        return min(max([8, *(cell_len(clean(t.task)) for t in self._tasks)]), 24)

    def _span(self, task: TaskRow, state: Status | Cell, room: int, palette: Palette) -> Iterator[Piece]:
        ran = [t for t in self._tasks if t.start > 0]
        first = min(t.start - t.waited for t in ran)
        scale = max(room - 1, 1) / max(max(t.start + t.seconds for t in ran) - first, 0.001)
        start = int((task.start - first) * scale)
        waited = start - int((task.start - task.waited - first) * scale)
        cells = max(int((task.start + task.seconds - first) * scale) - start, 1)
        block = look(state).block if state in (Status.RUNNING, Status.FAILED) else "█"
        yield " " * (start - waited), palette.text
        yield "·" * waited, palette.faint
        yield (
            block * cells,
            palette.style(state) if state == Status.FAILED else palette.bars.get(Status(task.status), palette.text),
        )

    def _reason(self, task: TaskRow, state: Status | Cell) -> str:
        """Why nothing ran."""
        if task.error:
            return task.error["message"]
        if state == Status.PENDING:
            by_name = {t.task: t.status for t in self._tasks}
            waits = [n for n in self._needs.get(task.task, ()) if by_name.get(n) in (Status.PENDING, Status.RUNNING)]
            return f"waits for {', '.join(waits)}" if waits else "waits for a worker"
        return "its pipe was there" if state == Cell.REUSED else ""
