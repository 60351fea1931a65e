"""The WHY of entities: what the feed was told about them, what they wait for, and what must be asked first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from console.sources.wave import NEEDS_WORDS
from console.sources.wave_more import status_words, waits_for
from console.theme import SEVERITY, look
from engine.status import STATUS_OF, Cell

if TYPE_CHECKING:
    from console.sources.wave import WaveNews, WaveStill

MINUTE = 65.0
"""Before the last minute of a patience whole minutes are told; a little more, so that its beginning is not missed."""


class Reasons:
    """Keeps what was told. `later` is called when something is missed, `ask` is to be called then, and calls `want` with all of it.

    `counting`: whether something was told that changes with the clock, or with the queue; `hurried`: whether that is by the second.
    """

    def __init__(self, want: Callable[[frozenset[int]], None], later: Callable[[], object]) -> None:
        self._want, self._later = want, later
        self._told: dict[int, tuple[bytes, str]] = {}
        self._begun: dict[int, float] = {}
        self._missed: set[int] = set()
        self._served = False
        self.counting = self.hurried = False

    def heard(self, news: WaveNews) -> bool:
        """Takes what the feed was told; whether any of it is new."""
        new = {e: told for e, told in news.whys.items() if self._told.get(e) != told}
        begun = {e: at for e, at in news.begun.items() if self._begun.get(e) != at}
        self._told |= new
        self._begun |= begun
        served, self._served = self._served, bool(news.workers)
        return bool(new or begun or served != self._served)

    def of(self, news: WaveNews, entity: int, board: bytes, now: float, *, past: bool = False) -> str:
        """What to say of an entity with the cells that `board` has for it, at `now` (Unix time) or in the past."""
        still = news.still
        row = board[entity :: still.entities.n]
        bad = not NEEDS_WORDS.isdisjoint(row)
        if bad:
            told = self._told.get(entity)
            if told is None or told[0] != news.board[entity :: still.entities.n]:
                self._miss(entity)
            words = told[1] if told and (told[0] == row or not past) else ""
            return words or _bad_words(still, row)
        if past:
            return waits_for(still.plan, row.replace(b"P", b"U"), entity, next_=0, begun=None, elapsed=0, workers=1, version="")
        waits = Cell.PENDING in row and Cell.RUNNING in row
        if waits and entity not in self._begun:
            self._miss(entity)
        elapsed = now - still.wave.created / 1000
        if Cell.PENDING in row:
            self.counting = True
            soon = min(task.timeout for task in still.plan.tasks) - MINUTE
            self.hurried = self.hurried or entity >= news.next or elapsed - self._begun.get(entity, elapsed) > soon
        return waits_for(
            still.plan,
            row,
            entity,
            next_=news.next,
            begun=self._begun.get(entity),
            elapsed=elapsed,
            workers=news.workers,
            version=still.wave.version,
        )

    def spelled(self, still: WaveStill, board: bytes, entity: int) -> str:
        """An entity's name and its cells in words, what went wrong first: `JFK-LAX · failed weather · finished sales`."""
        row = board[entity :: still.entities.n]
        groups = []
        for status in SEVERITY:
            tasks = [still.wave.tasks[t] for t, cell in enumerate(row) if STATUS_OF.get(cell) == status]
            if tasks:
                groups.append(f"{look(status).word} {'all' if len(tasks) == len(row) else ', '.join(tasks)}")
        return " · ".join([still.entities.names[entity][:200], *groups])

    def _miss(self, entity: int) -> None:
        if not self._missed:
            self._later()
        self._missed.add(entity)

    def ask(self) -> None:
        """Asks for what was missed."""
        wanted, self._missed = frozenset(self._missed), set()
        self._want(wanted)


def _bad_words(still: WaveStill, row: bytes) -> str:
    words = {int(cell): look(cell).word for cell in NEEDS_WORDS}
    names = [name for name, cell in zip(still.wave.tasks, row, strict=True) if cell in words]
    return status_words(names, bytes(cell for cell in row if cell in words), words)
