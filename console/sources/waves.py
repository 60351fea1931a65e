"""What the list of waves reads. Runs in the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from console import browse, views
from console.moment import now
from console.reports.normals import Normals
from console.sources.coverage import CoverLine, Covers
from console.sources.rate import STEP, Rate, stands_still
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.wave import Wave

WAVES_LIVE, WAVES_IDLE = 0.5, 2.5
"""Seconds between reads while something moves, and the most while nothing does."""
MOST_WAVES = 100
CREW_EVERY = 4.0
LONG = 60.0
"""Seconds after which all is read although nothing has moved: waves may have expired."""


@dataclass(frozen=True)
class WavesNews:
    """The newest waves, newest first, and the workers alive: in all, and by version; `round_trip`: seconds to Redis and back;
    `covers`: how far the forecasts of each flow reach."""

    rows: tuple[views.WaveRow, ...]
    workers: int
    by_version: Mapping[str, int]
    round_trip: float
    covers: tuple[CoverLine, ...] = ()


class WavesSource:
    """All waves."""

    def __init__(self) -> None:
        self._rows: tuple[views.WaveRow, ...] | None = None
        self._told_at = self._looked_at = 0.0
        self._stamp: tuple[Any, ...] = ()
        self._versions: tuple[str, ...] = ()
        self._live: tuple[Wave, ...] = ()
        self._pause = WAVES_LIVE
        self._counted = 0.0
        self._by_version: dict[str, int] = {}
        self._rates: dict[str, Rate] = {}
        self._round_trip = 0.0
        self._normals = Normals()
        self._covers, self._told = Covers(), tuple[CoverLine, ...]()

    def read(self, redis: Client) -> tuple[WavesNews | None, float]:
        """The list, and seconds until it should be read again: `WAVES_LIVE`, up to `WAVES_IDLE` while nothing moves."""
        other_crew, store = self._count(redis), Waves(redis)
        before, self._stamp = self._stamp, store.stamp(self._versions, self._live, MOST_WAVES)
        still = before == self._stamp and not other_crew and not self._covers.due
        if still and time.monotonic() - self._looked_at < (STEP if self._live else LONG):
            self._pause = min(self._pause * 2, WAVES_IDLE)
            return None, self._pause
        found, self._looked_at = store.recent(MOST_WAVES), time.monotonic()
        self._versions = tuple(version.decode() for version in self._stamp[0])
        self._live = tuple(progress.wave for progress in found if progress.wave.running)
        normal = self._normals.of(redis, found, now(), deep=self._rows is not None)
        rows = tuple(self._rated(row) for row in views.compared(found, normal))
        self._rates = {row.id: self._rates[row.id] for row in rows if row.id in self._rates}
        covers = self._covers.of(redis, found) if self._rows is not None else ()  # the first frame does not wait for them
        moved = other_crew or covers != self._told or not _all_still(self._rows, rows)
        self._pause = WAVES_LIVE if moved else min(self._pause * 2, WAVES_IDLE)
        if not moved and (rows == self._rows or time.monotonic() - self._told_at < STEP):
            return None, self._pause
        self._rows, self._told, self._told_at = rows, covers, time.monotonic()
        return WavesNews(rows, sum(self._by_version.values()), dict(self._by_version), self._round_trip, covers), self._pause

    def _count(self, redis: Client) -> bool:
        """Counts the workers, now and then. Whether there are others."""
        if time.monotonic() - self._counted < CREW_EVERY:
            return False
        before, self._by_version = self._by_version, {}
        for worker in browse.workers(redis):
            self._by_version[worker.version] = self._by_version.get(worker.version, 0) + 1
        self._counted = time.monotonic()
        began = now()  # the clock that pictures are taken by: it may stand still, and then there is nothing to tell
        redis.exists("wd:versions")  # an ACL may let a user read, and not ping
        self._round_trip = round(max(now() - began, 0.0), 4)
        return before != self._by_version

    def _rated(self, row: views.WaveRow) -> views.WaveRow:
        return self._rates.setdefault(row.id, Rate()).of(row) if row.phase == "running" else row


def _all_still(before: Sequence[views.WaveRow] | None, rows: Sequence[views.WaveRow]) -> bool:
    return before is not None and len(before) == len(rows) and all(map(stands_still, before, rows))
