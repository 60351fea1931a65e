"""What the list of waves reads. Runs in the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console import browse, views
from console.moment import now
from console.reports.normal import Normals
from console.sources.rate import Rate
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client

WAVES_LIVE, WAVES_IDLE = 0.5, 2.0
MOST_WAVES = 100


@dataclass(frozen=True)
class WavesNews:
    """The newest waves, newest first, and the workers alive: in all, and by version; `round_trip`: seconds to Redis and back."""

    rows: tuple[views.WaveRow, ...]
    workers: int
    by_version: Mapping[str, int]
    round_trip: float


class WavesSource:
    """All waves."""

    def __init__(self) -> None:
        self._last: object = None
        self._counted = 0.0
        self._by_version: dict[str, int] = {}
        self._rates: dict[str, Rate] = {}
        self._round_trip = 0.0
        self._normals = Normals()

    def read(self, redis: Client) -> tuple[WavesNews | None, float]:
        """The list, and half a second; two when nothing runs."""
        if time.monotonic() - self._counted > 2:
            self._by_version = {}
            for worker in browse.workers(redis):
                self._by_version[worker.version] = self._by_version.get(worker.version, 0) + 1
            self._counted = time.monotonic()
            began = now()  # the clock that pictures are taken by: it may stand still, and then there is nothing to tell
            redis.exists("wd:versions")  # an ACL may let a user read, and not ping
            self._round_trip = round(max(now() - began, 0.0), 4)
        found = Waves(redis).recent(MOST_WAVES)
        normal = self._normals.of(redis, found, now(), deep=self._last is not None)
        rows = tuple(self._rated(row) for row in views.compared(found, normal))
        self._rates = {row.id: self._rates[row.id] for row in rows if row.id in self._rates}
        news = WavesNews(rows, sum(self._by_version.values()), dict(self._by_version), self._round_trip)
        changed, self._last = (rows, self._by_version) != self._last, (rows, self._by_version)
        live = any(row.phase == "running" for row in rows)
        return news if changed else None, WAVES_LIVE if live else WAVES_IDLE

    def _rated(self, row: views.WaveRow) -> views.WaveRow:
        return self._rates.setdefault(row.id, Rate()).of(row) if row.phase == "running" else row
