"""What the list of waves reads. Runs in the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console import browse, views
from console.sources.rate import Rate

if TYPE_CHECKING:
    from engine.store.connect import Client

WAVES_LIVE, WAVES_IDLE = 0.5, 1.0
MOST_WAVES = 100


@dataclass(frozen=True)
class WavesNews:
    """The newest waves, newest first, and the workers alive: in all, and by version."""

    rows: tuple[views.WaveRow, ...]
    workers: int
    by_version: Mapping[str, int]


class WavesSource:
    """All waves."""

    def __init__(self) -> None:
        self._last: WavesNews | None = None
        self._counted = 0.0
        self._by_version: dict[str, int] = {}
        self._rates: dict[str, Rate] = {}

    def read(self, redis: Client) -> tuple[WavesNews | None, float]:
        """The list, and half a second; a second when nothing runs."""
        if time.monotonic() - self._counted > 2:
            self._by_version = {}
            for worker in browse.workers(redis):
                self._by_version[worker.version] = self._by_version.get(worker.version, 0) + 1
            self._counted = time.monotonic()
        rows = tuple(self._rated(row) for row in views.waves(redis, limit=MOST_WAVES))
        self._rates = {row.id: self._rates[row.id] for row in rows if row.id in self._rates}
        news = WavesNews(rows, sum(self._by_version.values()), dict(self._by_version))
        changed, self._last = news != self._last, news
        live = any(row.phase == "running" for row in rows)
        return news if changed else None, WAVES_LIVE if live else WAVES_IDLE

    def _rated(self, row: views.WaveRow) -> views.WaveRow:
        return self._rates.setdefault(row.id, Rate()).of(row) if row.phase == "running" else row
