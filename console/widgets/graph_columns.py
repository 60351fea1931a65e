"""How wide the columns of the flow graph are in a given width. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.widgets.text import short_count
from engine.status import Status

ORDER = (Status.FINISHED, Status.RUNNING, Status.PENDING, Status.FAILED, Status.BLOCKED, Status.CANCELLED)
ALWAYS = frozenset(ORDER[:4])

BAR_MOST, BAR_WISH, BAR_LEAST = 24, 12, 6
NAME_MOST, NAME_LEAST = 28, 8
TIMES = len("  p50 123 ms  p95 123 ms")
NOTE_LEAST, NOTE_WISH = 10, 24
SHORT = 5


@dataclass(frozen=True, slots=True)
class Columns:
    """Widths in cells. Two cells for the cursor's mark come first, and one stands between neighbours.

    `rail` may be less than the drawing needs, then it scrolls. `counts` are the statuses shown, each number in `digits`
    cells. `note` is what remains on the right, 0 for none.
    """

    rail: int
    name: int
    bar: int
    counts: tuple[Status, ...]
    digits: int
    short: bool
    times: bool
    note: int

    def count(self, number: int) -> str:
        """`number` as this width allows it, right-aligned."""
        return f"{short_count(number) if self.short else format(number, ',')}".rjust(self.digits)


def columns(width: int, rail: int, names: Sequence[int], total: int, seen: frozenset[Status], note: int) -> Columns:
    """The best columns in `width`.

    `rail` and `names` are the cells that the drawing and each name want, `total` the largest count of a task, `seen` the
    statuses that count anything anywhere, `note` the cells of the longest note. In need go, in this order: run times,
    notes, the digits of counts, the bar, the names.
    """
    rail = min(rail, max(width // 4, 1))
    name = min(max(names, default=0), NAME_MOST)
    counts = tuple(status for status in ORDER if status in ALWAYS or status in seen)
    full = len(f"{total:,}")
    note = min(note, NOTE_WISH) + 2 if note else 0
    left = width - (2 + rail + 3 + name + 1)
    for times, kept in ((True, note), (False, note), (False, 0)):
        bar = left - len(counts) * (full + 3) - TIMES * times - kept
        if bar >= BAR_WISH:
            remark = max(bar - BAR_MOST, 0) + kept - 2 if note else 0
            remark = remark if remark >= NOTE_LEAST else 0
            return Columns(rail, name, min(bar, BAR_MOST), counts, full, False, times, remark)
    digits = min(full, SHORT)
    bar = left - len(counts) * (digits + 2)
    if bar < BAR_LEAST:
        name = max(name - (BAR_LEAST - bar), min(name, NAME_LEAST))
    return Columns(rail, name, min(max(bar, BAR_LEAST), BAR_MOST), counts, digits, True, False, 0)
