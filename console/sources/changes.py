"""What the screen of changes reads. Runs in the feed's thread."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from console.reports.changes import Changes, Reading, compare, nothing, other, read
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client

EVERY = 3.0
SHARE = 20
"""Comparing may take one part in so many of the time."""


class ChangesSource:
    """A wave against the one before, which is read once: it has ended."""

    def __init__(self, wave: str) -> None:
        self._name = wave
        self._old: tuple[Reading, str] | None = None
        self._last: Changes | None = None
        self._seen: object = None

    def read(self, redis: Client) -> tuple[Changes | None, float]:
        """What is different; looked at again when the wave has moved.

        Raises:
            NotFound: no such wave, or it has expired.
        """
        began, store = time.monotonic(), Waves(redis)
        progress = store.progress(store.get(self._name))
        wave, state = progress.wave, (progress.counts, progress.wave.ended)
        if state == self._seen:
            return None, EVERY
        if self._old is None and (found := other(store, wave)) is not None:
            self._old = read(redis, found[0]), found[1]
        told = compare(self._old[0], read(redis, wave), self._old[1]) if self._old else nothing(wave)
        self._seen = state
        changed, self._last = told != self._last, told
        return told if changed else None, max(EVERY, SHARE * (time.monotonic() - began))
