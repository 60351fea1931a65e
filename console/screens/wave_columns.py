"""The columns of the list of waves: which there are, what they say, and which fit. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len

from console.screens.words import age, rate, unix
from console.theme import look
from console.widgets.text import clean, short_count, short_seconds
from engine.status import Status

if TYPE_CHECKING:
    from console.views import WaveRow

BAD, MISSING = look(Status.FAILED).glyph, look(Status.BLOCKED).glyph
LEAD = 4
"""Cells before the first column: cursor, mark, and the wave's status."""
STATE = 4
"""Cells of the word for how far a wave is, `100%` or `done`; a longer one takes them from the bar."""
HOW_FAR, HOW_FAR_LESS, HOW_FAR_LEAST, HOW_FAR_MOST = 14, 11, 9, 53
"""Cells of bar and word together: what they should have, what is enough to show years beside them, the least, the most."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of plain text right of the bar: its name, what stands above it, cells, what it says of a row now. `status`: of which
    zero is faint; `left`: words, where others are numbers."""

    name: str
    title: str
    width: int
    say: Callable[[WaveRow, float], str] = field(compare=False)
    status: Status | None = None
    left: bool = False


def _count(status: Status) -> Callable[[WaveRow, float], str]:
    return lambda row, now: short_count(row.counts[status])  # noqa: ARG005


def _entities(width: int) -> Callable[[WaveRow, float], str]:
    def say(row: WaveRow, _now: float) -> str:
        whole = f"{row.entities:,}"
        return whole if len(whole) <= width else short_count(row.entities)

    return say


def _eta(row: WaveRow, _now: float) -> str:
    return short_seconds(row.eta) if row.phase == "running" else "–"


def _rate(row: WaveRow, _now: float) -> str:
    return rate(row.rate) if row.phase == "running" else "–"


def _took(row: WaveRow, _now: float) -> str:
    return short_seconds(row.seconds) if row.started else "–"


def _age(row: WaveRow, now: float) -> str:
    return age(now - (unix(row.created) or now))


def by(row: WaveRow) -> str:
    """Who or what started it."""
    return "schedule" if row.trigger.startswith("schedule:") else row.by.partition("@")[0]


def versus(row: WaveRow, width: int) -> str:
    """How it compares to the last ten, in words where `width` has room for them."""
    from console.reports.normal import brief

    words = clean(row.normal.words) if row.normal else ""
    if not words:
        return "–"
    return words if cell_len(words) <= width else brief(words)


BRIEF = 9
WORDS = 24
NARROW = (
    Column("failed", BAD, 5, _count(Status.FAILED), Status.FAILED),
    Column("blocked", MISSING, 5, _count(Status.BLOCKED), Status.BLOCKED),
    Column("eta", "ETA", 6, _eta),
    Column("entities", "ENT", 6, _entities(6)),
    Column("versus", "VS 10", BRIEF, lambda row, _: versus(row, BRIEF), left=True),
)
"""What matters most, in as few cells as it can be said in; what is first goes last."""
TITLED = {
    "failed": replace(NARROW[0], title=f"{BAD} FAIL", width=6),
    "blocked": replace(NARROW[1], title=f"{MISSING} BLOCK", width=7),
    "entities": Column("entities", "ENTITIES", 8, _entities(8)),
}
MORE = (
    Column("rate", "RATE", 7, _rate),
    Column("by", "BY", 12, lambda row, _: by(row), left=True),
    Column("took", "TOOK", 6, _took),
    Column("age", "AGE", 4, _age),
)
"""What is added where there is room, in this order."""
ORDER = ("failed", "blocked", "rate", "eta", "versus", "took", "age", "entities", "by")

SORTS: dict[str, Callable[[WaveRow], tuple[Any, ...]]] = {
    "newest": lambda _: (),
    "failures": lambda row: (-row.counts[Status.FAILED], -row.counts[Status.BLOCKED]),
    "slowest": lambda row: (-(row.normal.ratio or 0.0) if row.normal else 0.0,),
    "entities": lambda row: (-row.entities,),
    "flow": lambda row: (row.flow, row.version),
}
"""How the list can be sorted; rows that are equal stay newest first."""
SORTED = {"failures": "failed", "slowest": "versus", "entities": "entities", "flow": "flow"}
"""The column that shows each."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Widths in cells: of flow, version, date, and of bar and word together; the columns beside them, each with `gap` before it.
    `year`: whether dates are shown with theirs."""

    flow: int
    version: int
    date: int
    year: bool
    how_far: int
    gap: int
    columns: tuple[Column, ...]

    def sign(self, sort: str) -> str:
        """The name of the column that shows how the list is sorted."""
        return SORTED.get(sort) or ("age" if any(c.name == "age" for c in self.columns) else "date")


def shape(width: int, rows: Sequence[WaveRow]) -> Shape:
    """What fits into `width` cells. Failures, blocked, ETA, entities and the comparison are said first, if in few cells; then names,
    dates and these in full; then rate, who, run time and age. The bar takes what is left."""
    names = [_width([r.flow for r in rows], 5, 20), _width([r.version for r in rows], 7, 24)]
    one_year = len({r.date[:4] for r in rows}) <= 1
    longest = _width([r.date for r in rows], 10, 13)
    date = max(longest - 5, 5) if one_year else longest
    columns = list(NARROW)
    left = width - LEAD - sum(names) - date - 3 - sum(c.width + 1 for c in columns)
    while left < HOW_FAR and max(names) > 8:
        names[names.index(max(names))] -= 1
        left += 1
    while left < HOW_FAR_LEAST and len(columns) > 2:
        left += columns.pop().width + 1
    spare, year, gap = left - HOW_FAR, not one_year, 1
    if one_year and left - (longest - date) >= HOW_FAR_LESS:
        spare, date, year = spare - (longest - date), longest, True
    if len(columns) == len(NARROW) and spare >= len(columns):
        spare, gap = spare - len(columns), 2
        spare, columns = _fuller(spare, columns, rows)
    how_far = max(HOW_FAR + spare, 4)
    if how_far > HOW_FAR_MOST:
        columns = [replace(c, width=min(c.width + how_far - HOW_FAR_MOST, 28)) if c.name == "by" else c for c in columns]
        how_far = HOW_FAR_MOST
    ordered = tuple(sorted(columns, key=lambda c: ORDER.index(c.name)))
    return Shape(names[0], names[1], date, year, how_far, gap, ordered)


def _fuller(spare: int, columns: list[Column], rows: Sequence[WaveRow]) -> tuple[int, list[Column]]:
    """The columns with their whole titles and words, and more of them, as far as `spare` cells go; what is left of those."""
    words = min(max([10, *(cell_len(clean(r.normal.words)) for r in rows if r.normal)]), WORDS)
    full = [
        *TITLED.values(),
        Column("versus", "VS LAST 10", words, lambda row, _: versus(row, words), left=True),
    ]
    for column in full:
        old = next(c for c in columns if c.name == column.name)
        if column.width - old.width <= spare:
            spare -= column.width - old.width
            columns = [column if c is old else c for c in columns]
    for column in MORE:
        if column.width + 2 <= spare:
            spare -= column.width + 2
            columns.append(column)
    return spare, columns


def _width(texts: Sequence[str], least: int, most: int) -> int:
    return min(max([least, *(cell_len(clean(t[:100])) for t in texts)]), most)
