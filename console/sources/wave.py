"""What the screen of a wave reads, and the frozen news it makes of that. Runs in the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console import browse, views
from console.sources.rate import Rate
from console.widgets.matrix import Entities
from console.widgets.rail import RailLayout, layout
from engine.keys import decode_entity
from engine.status import Cell
from engine.store.wave import Wave
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.store.connect import Client

LIVE, IDLE = 0.1, 1.0
DURATIONS_EVERY = 2.0
DURATIONS_SHARE = 20  # what reading the durations may cost: one part in so many of the time
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
    """A wave at one moment. `counts`: for each task its cells by board byte; `whys`: entity → (its cells, what is to be said of
    them) for the entities that were asked about."""

    still: WaveStill
    row: views.WaveRow
    board: bytes
    counts: tuple[Mapping[int, int], ...]
    durations: Mapping[str, views.Durations]
    whys: Mapping[int, tuple[bytes, str]]
    workers: int


class WaveSource:
    """One wave. `wanted`: the entities whose WHY the screen shows; it may be set from any thread, as a whole."""

    def __init__(self, wave: str) -> None:
        self.wanted: frozenset[int] = frozenset()
        self._name = wave
        self._still: WaveStill | None = None
        self._board = b""
        self._counts: tuple[Mapping[int, int], ...] = ()
        self._durations: dict[str, views.Durations] = {}
        self._measure_at, self._measured = 0.0, b""
        self._whys: dict[int, tuple[bytes, str]] = {}
        self._workers, self._counted = 0, 0.0
        self._rate = Rate()
        self._row: views.WaveRow | None = None
        self._pause = LIVE

    def read(self, redis: Client) -> tuple[WaveNews | None, float]:
        """The wave, and a tenth of a second while something moves, up to a second while nothing does."""
        store = Waves(redis)
        still = self._still = self._still or _still(store, self._name)
        progress = store.progress(still.wave)
        board = store.board(still.wave)
        if len(board) != still.wave.cells:
            board = self._board or bytes([Cell.PENDING]) * still.wave.cells
        moved = board != self._board or progress.counts != self._counts
        self._board, self._counts = board, progress.counts
        row = views.wave_row(progress)
        row = self._rate.of(row) if row.phase == "running" else row
        told = self._answer(store, still.wave)
        measured = self._measure(redis, still.wave)
        crew = self._crew(redis, still.wave.version)
        changed = moved or told or measured or crew or row != self._row
        self._row = row
        self._pause = LIVE if moved else min(self._pause * 2, IDLE)
        if not changed:
            return None, self._pause
        whys = dict(self._whys)
        return WaveNews(still, row, self._board, self._counts, dict(self._durations), whys, self._workers), self._pause

    def _answer(self, store: Waves, wave: Wave) -> bool:
        """Reads what the wanted entities have to say. Whether any of it is new."""
        n, wanted = wave.n, self.wanted
        cells = {e: self._board[e::n] for e in wanted}
        asked = {e: row for e, row in cells.items() if self._whys.get(e, (b"", ""))[0] != row}
        notes = store.notes(wave, [(t, e) for e, row in asked.items() for t, c in enumerate(row) if c in NEEDS_WORDS])
        self._whys = {e: self._whys[e] for e in wanted if e in self._whys and e not in asked}
        for e, row in asked.items():
            self._whys[e] = row, why(wave.tasks, row, {t: notes[t, e] for t in range(len(row)) if (t, e) in notes})
        return bool(asked)

    def _measure(self, redis: Client, wave: Wave) -> bool:
        """Reads the run times, a task at a time, when there are new ones and it is not too soon."""
        began = time.monotonic()
        if began < self._measure_at or self._measured == self._board:
            return False
        n = wave.n
        for number, task in enumerate(wave.tasks):
            times = redis.getrange(wave.key("times"), number * n * 8, (number + 1) * n * 8 - 1)
            if len(times) == n * 8:
                self._durations[task] = views.durations(times, self._board[number * n : (number + 1) * n], n, 0)
        self._measured = self._board
        took = time.monotonic() - began
        self._measure_at = began + max(DURATIONS_EVERY, took * DURATIONS_SHARE)
        return True

    def _crew(self, redis: Client, version: str) -> bool:
        """Counts the workers of the version. Whether their number changed."""
        if time.monotonic() - self._counted < 2:
            return False
        before, self._workers = self._workers, len(browse.workers(redis, version))
        self._counted = time.monotonic()
        return before != self._workers


def _still(store: Waves, name: str) -> WaveStill:
    wave = store.get(name)
    plan = store.plan(wave)
    members = store.members(wave)
    names = tuple(decode_entity(entity) for entity, _ in members)
    partitions = tuple("" if p == "-" else decode_entity(p) for _, p in members)
    drawn = layout(wave.tasks, plan.edges)
    return WaveStill(wave, plan, Entities(names, partitions if any(partitions) else (), wave.tasks), drawn)


def why(tasks: tuple[str, ...], cells: bytes, notes: Mapping[int, Mapping[str, Any]]) -> str:
    """What there is to say of an entity in a line: what failed first, else what was missing, else what it had to cover."""
    for bad in (Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED):
        for task, cell in enumerate(cells):
            error = notes.get(task, {}).get("error") if cell == bad else None
            if error:
                return f"{tasks[task]}: {error['message']}" if bad != Cell.FAILED else f"{error['type']}: {error['message']}"
    covered = [i for task, cell in enumerate(cells) if cell == Cell.FALLBACK for i in notes.get(task, {}).get("inputs", [])]
    return ", ".join(dict.fromkeys(input_age(i) for i in covered))


def input_age(told: Mapping[str, Any]) -> str:
    """An input in words: `weather 2h old`, `weather missing`."""
    if told.get("missing"):
        return f"{told['name']} missing"
    age = float(told.get("age") or 0)
    hours = age / 3600
    return (
        f"{told['name']} {hours:.0f}h old"
        if age and hours < 48
        else f"{told['name']} {hours / 24:.0f}d old"
        if age
        else told["name"]
    )
