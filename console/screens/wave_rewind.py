"""A wave as it was, a step earlier or later. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from console.reports.rewind import counts_of, far_of, step_of
from console.screens.words import clock
from console.sources.wave_more import Reel
from console.views import WaveRow
from engine.status import Status, count_by_status


@dataclass(frozen=True, eq=False)
class Then:
    """A moment of a wave: `at` seconds after it was created, and its board."""

    reel: Reel
    at: float
    board: bytes

    @classmethod
    def last(cls, reel: Reel) -> Then:
        """The end of what is known."""
        return cls(reel, reel.last, reel.film.board)

    def stepped(self, steps: int) -> Then | None:
        """So many steps later (ten are one far step), not before the wave began; None when that is no longer the past."""
        elapsed = self.reel.last - self.reel.started
        by = far_of(elapsed) * (steps // abs(steps)) if abs(steps) == 10 else steps * step_of(elapsed)
        to = max(self.at + by, self.reel.started)
        if to >= self.reel.last:
            return None
        return Then(self.reel, to, self.reel.film.moved(self.board, self.at, to))

    @property
    def words(self) -> str:
        """`as it was at 03:12:07, 10 min ago`."""
        back = spoken(self.reel.last - self.at)
        begin = " (its beginning)" if self.at <= self.reel.started else ""
        return f"as it was at {self.clock}, {back} {'before its end' if self.reel.ended else 'ago'}{begin}"

    @property
    def clock(self) -> str:
        """When that was: `03:12:07`."""
        return clock(self.reel.created + self.at)

    def counts(self, tasks: int) -> tuple[Mapping[int, int], ...]:
        """For each task its cells by board byte."""
        return counts_of(self.board, self.reel.film.n, tasks)

    def row(self, now: WaveRow) -> WaveRow:
        """The wave's line as it was; what nobody could know then is not in it."""
        totals = dict.fromkeys(Status, 0)
        for cells in self.counts(now.tasks):
            for status, number in count_by_status(dict(cells)).items():
                totals[status] += number
        counts = {status.value: number for status, number in totals.items()}
        seconds = max(self.at - self.reel.started, 0.0)
        return replace(
            now, phase="running", counts=counts, ended=None, seconds=seconds, rate=0.0, eta=None, cancelled="", cancelled_by=""
        )


def spoken(seconds: float) -> str:
    """A span as it is said: `40 s`, `10 min`, `1 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left:02} s" if left and minutes < 10 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"
