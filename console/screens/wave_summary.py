"""A wave in a line."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len

from console.moment import now
from console.screens.chrome import Line, Piece
from console.screens.wave_list import phase_look
from console.screens.words import ago, clock, duration, rate, unix
from console.theme import Palette, look
from console.views import WaveRow
from console.widgets.bar import progress
from console.widgets.text import clean, short_seconds
from engine.status import Status


class Summary(Line):
    """How far, what went wrong, how fast, until when; or how it was, then without what nobody knew yet."""

    DEFAULT_CSS = "Summary { background: $background; }"

    def __init__(self) -> None:
        super().__init__()
        self._row: WaveRow | None = None
        self._then = ""

    def update(self, row: WaveRow, then: str = "") -> None:
        """Shows `row`; `then` says when it was so, if that is not now."""
        if (row, then) != (self._row, self._then):
            self._row, self._then = row, then
            self.refresh()

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        if self._row is None:
            yield " asking Redis …", palette.muted
            return
        row = self._row
        status, label = phase_look(row)
        shown = label if label.endswith("%") else row.phase
        yield f" {look(status).glyph} ", palette.style(status)
        yield f"{shown}  ", palette.text
        bar = 24 if width >= 110 else 12
        for part, cells in progress({Status(s): n for s, n in row.counts.items()}, bar).bar:
            yield look(part).block * cells, palette.bars[part]
        used = 5 + len(shown) + bar
        for bad in (Status.FAILED, Status.BLOCKED, Status.CANCELLED):
            if number := row.counts[bad]:
                text = f"  {number:,} {look(bad).glyph} {look(bad).word}"
                yield text, palette.style(bad)
                used += len(text)
        facts = [self._then] if self._then else facts_of(row)
        late = row.late and not self._then
        while facts and used + sum(cell_len(f) + 3 for f in facts) > width:
            facts.pop()
        text = " · ".join(facts)
        yield " " * max(width - used - cell_len(text) - 1, 2), palette.text
        if late and facts:
            yield facts[0], palette.style(Status.FAILED)
            text = text.removeprefix(facts[0])
        yield text, palette.lit if self._then else palette.muted


def facts_of(row: WaveRow) -> list[str]:
    """What else there is to say; the first is kept longest."""
    until = unix(row.deadline)
    end = [f"deadline {clock(until)[:5]}"] if until is not None else []
    if row.phase in ("queued", "running") and until is not None and now() > until:
        return [
            f"overdue since {clock(until)[:5]}: nothing of it starts",
            f"started {ago(now() - (unix(row.created) or now()))}",
        ]
    if row.phase == "queued":
        return ["waits for a worker", f"queued {ago(now() - (unix(row.created) or now()))}", *end]
    if row.phase == "running":
        left = f"ETA {short_seconds(row.eta)}" if row.eta is not None else "ETA –"
        left = f"{left}, overdue {clock(until)[:5]}" if row.late and until is not None else left
        return [left, f"{duration(row.seconds)} elapsed", rate(row.rate), *end]
    took = [f"took {short_seconds(row.seconds)}"] if row.started else []
    return [*([clean(row.cancelled[:60])] if row.cancelled else []), *took, ago(now() - (unix(row.ended) or now()))]
