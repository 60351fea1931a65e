"""What the screen of fleets reads from Redis. Runs in the feed's thread; the house is asked by errands, for it may take its time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.reports.fleet import Around, read_around

if TYPE_CHECKING:
    from engine.store.connect import Client

EVERY, SHARE, LONGEST = 1.0, 30, 30.0
"""Seconds between reads; they may take one part in so many of the time; and the most between two."""


@dataclass(frozen=True)
class AroundNews:
    """What is around the fleets, by version."""

    around: Mapping[str, Around]


class FleetSource:
    """Backlog and costs of `versions`, which may be set from any thread."""

    def __init__(self, versions: Sequence[str] = ()) -> None:
        self.versions: Sequence[str] = tuple(versions)
        self._last: AroundNews | None = None

    def read(self, redis: Client) -> tuple[AroundNews | None, float]:
        """What there is, when anything of it is different."""
        began = time.monotonic()
        news = AroundNews(read_around(redis, self.versions))
        changed, self._last = news != self._last, news
        return news if changed else None, min(max(EVERY, SHARE * (time.monotonic() - began)), LONGEST)
