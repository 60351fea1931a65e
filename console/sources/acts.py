"""What the log of acts reads. Runs in the feed's thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.reports.acts import ActRow, rows
from engine.store.acts import Acts

if TYPE_CHECKING:
    from engine.store.connect import Client

PAGE = 200
EVERY = 1.0


@dataclass(frozen=True)
class ActsNews:
    """The newest acts, newest first; `more`: whether there are older ones."""

    rows: tuple[ActRow, ...]
    more: bool


class ActsSource:
    """The log. `wanted`: how many acts the screen shows; it may be raised from any thread."""

    def __init__(self) -> None:
        self.wanted = PAGE
        self._read: tuple[str, int] | None = None

    def read(self, redis: Client) -> tuple[ActsNews | None, float]:
        """The acts, when there is a newer one or more are wanted."""
        store, wanted = Acts(redis), self.wanted
        newest = store.recent(1)
        state = (newest[0].id if newest else "", wanted)
        if state == self._read:
            return None, EVERY
        found = rows(store.recent(wanted + 1))
        self._read = state
        return ActsNews(found[:wanted], len(found) > wanted), EVERY
