"""How long the tasks of a wave run: a sample of their cells, one task at a time. Runs in the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from console import views

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.wave import Wave

SAMPLE = 2048
"""Cells of a task that are looked at: a 95th percentile of so many is within half a percent of the true rank. Fifty thousand would take as
long as all else together."""
PIECE = 128
EVERY = 0.5
"""Seconds between two tasks."""
SHARE = 50
"""What it may cost: one part in so many of the time."""
LONGEST = 0.05
"""Seconds that a look may count for: what took longer waited for Redis, and was no work."""


class Paces:
    """Median and 95th percentile of each task's run times: of all its cells up to `SAMPLE`, else of that many spread over the wave."""

    def __init__(self, every: float = EVERY, sample: int = SAMPLE) -> None:
        self._every, self._sample = every, sample
        self.known: Mapping[str, views.Durations] = {}
        self._of: dict[int, Mapping[int, int]] = {}
        self._next, self._at = 0, 0.0

    def measure(self, redis: Client, wave: Wave, board: bytes, counts: tuple[Mapping[int, int], ...]) -> bool:
        """Looks at the next task of which cells have moved, at all of them if that is little, if it is not too soon. Whether there is
        anything new."""
        began, tasks, before = time.monotonic(), len(wave.tasks), self.known
        if began < self._at:
            return False
        moved = [t % tasks for t in range(self._next, self._next + tasks) if self._of.get(t % tasks) != counts[t % tasks]]
        for task in moved[: max(2 * self._sample // wave.n, 1)]:
            found = self._look(redis, wave, board, task)
            self._of[task], self._next = counts[task], task + 1
            self.known = {**self.known, wave.tasks[task]: found}
        if moved:
            self._at = began + max(self._every, min(time.monotonic() - began, LONGEST) * SHARE)
        return self.known != before

    def _look(self, redis: Client, wave: Wave, board: bytes, task: int) -> views.Durations:
        n, key, base = wave.n, wave.key("times"), task * wave.n
        pieces = [(0, n)] if n <= self._sample else [(first, PIECE) for first in _spread(n, self._sample // PIECE)]
        with redis.pipeline(transaction=False) as trip:
            for first, many in pieces:
                trip.getrange(key, (base + first) * 8, (base + first + many) * 8 - 1)
            parts = trip.execute()
        told = [(part, first, many) for part, (first, many) in zip(parts, pieces, strict=True) if len(part) == many * 8]
        cells = b"".join(board[base + first : base + first + many] for _, first, many in told)
        return views.durations(b"".join(part for part, _, _ in told), cells, len(cells), 0)


def _spread(n: int, pieces: int) -> list[int]:
    """Where so many pieces of an `n` long row begin."""
    return [number * (n - PIECE) // max(pieces - 1, 1) for number in range(pieces)]
