"""What the screen of a wave reads, and the frozen news it makes of that. Runs in the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console import browse, views
from console.moment import now
from console.sources.board import BoardReader
from console.sources.pace import Paces
from console.sources.rate import STEP, Rate, stands_still
from console.sources.wave_more import RAN, begun
from console.sources.words import why
from console.widgets.gathered import Gathered
from console.widgets.matrix import Entities
from console.widgets.rail import RailLayout, layout
from engine.keys import decode_entity
from engine.status import Cell
from engine.store.claims import spans
from engine.store.wave import Progress, Wave
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.store.connect import Client

LIVE, IDLE = 0.1, 2.5
SLOW_LIVE = 1.0
"""Seconds between reads while something moves, and the most while nothing does; on a slow link the least."""
SUMS_EVERY = 0.25
"""Seconds between sums that are told while they change with every read: nobody can read faster, and to draw them is most of a frame."""
CREW_EVERY = 3.0
NEEDS_WORDS = frozenset({Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED, Cell.FALLBACK})


@dataclass(frozen=True, eq=False)
class WaveStill:
    """What of a wave never changes. `needs`: task → the tasks it waits for."""

    wave: Wave
    plan: Plan
    entities: Entities
    layout: RailLayout


@dataclass(frozen=True, eq=False)
class WaveNews:
    """A wave at one moment.

    `board`: all cells; those of the entities that the screen shows (`WaveSource.look`) are of this moment, the others up to two
    seconds older, of a very large wave some more. `whole`: False on a slow link, until somebody asks (`WaveSource.fetch`): then only what the
    screen has shown was ever read, and the other cells are 0. `whole_at`: when all was read last (Unix time), 0 for never.
    `counts`: for each task its cells by board byte. `durations`: of a large wave's tasks those of a sample. `whys`: entity → (its cells,
    what is to be said of them) for the entities that were asked about; `begun`: when they began, in seconds after the wave was created.
    `next`: the first entity that was never claimed.
    """

    still: WaveStill
    row: views.WaveRow
    board: bytes
    counts: tuple[Mapping[int, int], ...]
    durations: Mapping[str, views.Durations]
    whys: Mapping[int, tuple[bytes, str]]
    workers: int
    begun: Mapping[int, float]
    next: int
    whole: bool = True
    whole_at: float = 0.0


class WaveSource:
    """One wave. `wanted`: the entities whose WHY the screen shows; it may be set from any thread, as a whole.

    With `slow_link` only the record, the counters and what the screen shows are read, once a second, and names as they are needed.
    """

    def __init__(self, wave: str, *, slow_link: bool = False) -> None:
        self.wanted: frozenset[int] = frozenset()
        self._name = wave
        self._board = BoardReader(slow_link=slow_link)
        self._paces = Paces()
        self.slow_link = slow_link
        self._still: WaveStill | None = None
        self._whys: dict[int, tuple[bytes, str]] = {}
        self._begun: dict[int, float] = {}
        self._workers, self._counted = 0, 0.0
        self._rate = Rate()
        self._row: views.WaveRow | None = None
        self._counts: tuple[Mapping[int, int], ...] = ()
        self._streak, self._sums_at = 0, 0.0
        self._pause = LIVE
        self._all_names, self._whole_at = not slow_link, 0.0

    @property
    def slow_link(self) -> bool:
        """Whether little may be read; to be set before the first read."""
        return self._board.slow_link

    @slow_link.setter
    def slow_link(self, slowly: bool) -> None:
        self._board.slow_link, self._all_names = slowly, not slowly
        self._paces = Paces(5.0, 512) if slowly else Paces()

    def look(self, entities: Iterable[int]) -> None:
        """Says which entities the screen shows. From any thread."""
        self._board.window = tuple(entities)

    def fetch(self) -> None:
        """The next read is of the whole board and of all names, on a slow link too. From any thread."""
        self._all_names = True
        self._board.want()

    def read(self, redis: Client) -> tuple[WaveNews | None, float]:
        """The wave, and seconds until it should be read again: `LIVE` while something moves, up to `IDLE` while nothing does."""
        store = Waves(redis)
        still = self._still = self._known(store)
        before = self._board.board
        progress, moved = self._board.read(redis, still.wave)
        board, counts = self._board.board, progress.counts
        if self._board.whole and not self._board.behind:
            self._whole_at = now()
        seen = moved and board is not before
        new = [
            self._add_up(progress),
            seen,
            self._answer(store, still.wave, board),
            self._begin(redis, still.wave, board),
            self._paces.measure(redis, still.wave, board, counts),
            self._crew(redis, still.wave.version),
            self._name_them(store, still),
        ]
        least, due = SLOW_LIVE if self.slow_link else LIVE, self._board.until_due()
        self._pause = least if moved else min(max(self._pause, least) * 2, IDLE)
        pause = self._pause if due is None else min(self._pause, max(due, least))
        if not any(new):
            return None, pause
        whys, begun_at = dict(self._whys), dict(self._begun)
        told = self._paces.known
        assert self._row is not None  # noqa: S101 - `_add_up` has just set it
        news = WaveNews(
            still,
            self._row,
            board,
            self._counts,
            told,
            whys,
            self._workers,
            begun_at,
            progress.wave.next,
            self._board.whole,
            self._whole_at,
        )
        return news, pause

    def _add_up(self, progress: Progress) -> bool:
        """Takes the sums, unless they change all the time and were told just now. Whether they are others."""
        at, row = time.monotonic(), views.wave_row(progress)
        row = self._rate.of(row) if row.phase == "running" else row
        self._streak = self._streak + 1 if progress.counts != self._counts else 0
        known = self._row
        if known is not None and known.phase == row.phase and self._streak > 2 and at - self._sums_at < SUMS_EVERY:
            return False
        still = known is not None and progress.counts == self._counts and stands_still(known, row)
        if still and (row == known or at - self._sums_at < STEP):
            return False
        self._row, self._counts, self._sums_at = row, progress.counts, at
        return True

    def _known(self, store: Waves) -> WaveStill:
        """What of the wave never changes; all names as soon as they are wanted."""
        known = self._still
        if known is not None and not (self._all_names and isinstance(known.entities.names, Gathered)):
            return known
        return _still(store, self._name, names=self._all_names)

    def _name_them(self, store: Waves, still: WaveStill) -> bool:
        """Reads the names of the entities on the screen, on a slow link. Whether there are new ones."""
        names = still.entities.names
        missing = names.missing(self._board.window or ()) if isinstance(names, Gathered) else []
        if not isinstance(names, Gathered) or not missing:
            return False
        for first, many, _ in spans(missing):
            found = store.members(still.wave, first, first + many - 1)
            names.bring({first + i: decode_entity(entity) for i, (entity, _) in enumerate(found)})
        return True

    def _answer(self, store: Waves, wave: Wave, board: bytes) -> bool:
        """Reads what the wanted entities have to say. Whether any of it is new."""
        n, wanted = wave.n, self.wanted
        cells = {e: board[e::n] for e in wanted}
        asked = {e: row for e, row in cells.items() if self._whys.get(e, (b"", ""))[0] != row}
        notes = store.notes(wave, [(t, e) for e, row in asked.items() for t, c in enumerate(row) if c in NEEDS_WORDS])
        self._whys = {e: self._whys[e] for e in wanted if e in self._whys and e not in asked}
        for e, row in asked.items():
            self._whys[e] = row, why(wave.tasks, row, {t: notes[t, e] for t in range(len(row)) if (t, e) in notes})
        return bool(asked)

    def _begin(self, redis: Client, wave: Wave, board: bytes) -> bool:
        """Reads when the wanted entities that wait for more began. Whether any has."""
        self._begun = {e: at for e, at in self._begun.items() if e in self.wanted}
        found = begun(redis, wave, _waiting(board, wave.n, self.wanted, self._begun))
        self._begun |= found
        return bool(found)

    def _crew(self, redis: Client, version: str) -> bool:
        """Counts the workers of the version. Whether their number changed."""
        if time.monotonic() - self._counted < (5 if self.slow_link else 1) * CREW_EVERY:
            return False
        before, self._workers = self._workers, len(browse.workers(redis, version))
        self._counted = time.monotonic()
        return before != self._workers


def _waiting(board: bytes, n: int, wanted: Iterable[int], known: Collection[int]) -> list[int]:
    """Of the wanted entities those that have begun, wait for more, and of which it is not known when they began."""
    rows = ((e, board[e::n]) for e in wanted if e not in known)
    return [e for e, row in rows if Cell.PENDING in row and not RAN.isdisjoint(row)]


def _still(store: Waves, name: str, *, names: bool = True) -> WaveStill:
    wave = store.get(name)
    plan = store.plan(wave)
    drawn = layout(wave.tasks, plan.edges)
    if not names:
        return WaveStill(wave, plan, Entities(Gathered(wave.n), (), wave.tasks), drawn)
    members = store.members(wave)
    known: Sequence[str] = tuple(decode_entity(entity) for entity, _ in members)
    partitions = tuple("" if p == "-" else decode_entity(p) for _, p in members)
    return WaveStill(wave, plan, Entities(known, partitions if any(partitions) else (), wave.tasks), drawn)
