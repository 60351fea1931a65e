"""What became of cells: one by one, or of many neighbours at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.status import Cell


@dataclass(slots=True)
class Result:
    """What became of a cell. `start`: seconds since the wave was created; `before`: what the cell was on the board."""

    task: int
    number: int
    entity: str
    cell: int
    value: bytes | None = None
    note: dict[str, Any] | None = None
    log: bytes = b""
    start: float = 0.0
    seconds: float = 0.0
    before: int = Cell.RUNNING
    again: bool = False
    """Whether somebody else held the entity before."""


@dataclass(slots=True)
class Stretch:
    """Cells of one task that finished, with nothing to tell of them: those of entities that follow each other, whom nobody held before.
    Lists have an item a cell.

    Parameters:
        first: the number of the first entity.
        before: what the cells were on the board.
        epoch: when the wave was created, on this machine's monotonic clock.
    """

    task: int
    first: int
    before: int
    epoch: float
    entities: list[str] = field(default_factory=list)
    values: list[bytes] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    """When each began (monotonic), and when it had ended."""

    def add(self, entity: str, value: bytes, began: float, ended: float) -> None:
        """The next cell."""
        self.entities.append(entity)
        self.values.append(value)
        self.times += (began, ended)

    @property
    def cells(self) -> list[tuple[float, float]]:
        """When each began, in seconds since the wave was created, and how long it took."""
        epoch = self.epoch
        return [(began - epoch, ended - began) for began, ended in zip(self.times[::2], self.times[1::2], strict=True)]

    def results(self) -> list[Result]:
        """The same, one by one."""
        return [
            Result(self.task, number, entity, Cell.FINISHED, value, start=start, seconds=seconds, before=self.before)
            for number, (entity, value, (start, seconds)) in enumerate(
                zip(self.entities, self.values, self.cells, strict=True), self.first
            )
        ]


Ended = Result | Stretch


def spelled_out(ended: Iterable[Ended]) -> list[Result]:
    """Each cell by itself."""
    return [r for e in ended for r in (e.results() if isinstance(e, Stretch) else (e,))]


def value_levels(ended: Iterable[Ended], levels: Sequence[int]) -> set[int]:
    """In which rounds the values were made that are to be written. `levels`: the round of each task."""
    return {levels[e.task] for e in ended if isinstance(e, Stretch) or (e.value is not None and e.cell != Cell.REUSED)}
