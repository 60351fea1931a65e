"""How fast a wave is of late."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import replace

from console import views
from engine.status import Status

RATE_OVER = 10.0
STEP = 5.0
"""Seconds by which the clock of a wave that stands still goes on: nothing else of it changes, and each step is a frame."""


def stands_still(before: views.WaveRow, row: views.WaveRow) -> bool:
    """Whether nothing of a wave changed but how long it runs."""
    if row is before or row == before:
        return True
    return not row.rate and replace(row, seconds=before.seconds, rate=before.rate, eta=before.eta) == before


class Rate:
    """Cells ended a second over the last seconds, which says more about what is left than the mean since the start."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, row: views.WaveRow) -> views.WaveRow:
        """`row` with the rate of late, and the time left at that rate."""
        still = row.counts[Status.PENDING] + row.counts[Status.RUNNING]
        now = time.monotonic()
        self._seen.append((now, still))
        while now - self._seen[0][0] > RATE_OVER:
            self._seen.popleft()
        passed = now - self._seen[0][0]
        if passed < 2:
            return row
        rate = max(0.0, (self._seen[0][1] - still) / passed)
        return replace(row, rate=rate, eta=still / rate if rate else None)
