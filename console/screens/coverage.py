"""Which coming hours forecasts serve, how old they are, and who goes dark first."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.style import Style
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.strip import Strip
from textual.widget import Widget

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.pattern import BadPattern, has_words
from console.reports.coverage import Partition, Who, ages, clock, entities, is_loud, pieces, runs, sentence, shade
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Piece, Rule
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.screens.words import many
from console.sources.coverage import CoverageNews, CoverageSource
from console.theme import PLAIN, Palette, look
from console.widgets.paint import Drawn, palette_on, strip_of
from console.widgets.text import clean, fit, short_count
from engine.coverage import Coverage, Hour
from engine.keys import Date
from engine.status import Cell, Status

MOST_HOURS = 8
"""Rows of hours; further ones are not drawn."""
COLUMNS = (7, 7, 9, 7)
"""Cells of what stands beside a bar."""
UNFOLDED = 50
"""With fewer entities than that all partitions are unfolded to begin with, else the worst one."""
_PLAIN = str.maketrans("█▓▒░×", "#=--x")


class Hours(Drawn, Widget):
    """A bar an hour, or for as many as are alike: fresh, older in shades, dark."""

    DEFAULT_CSS = "Hours { background: $background; color: $foreground; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._c: Coverage | None = None
        self._runs: list[tuple[Date, Date, Hour]] = []

    def tell(self, c: Coverage) -> None:
        """What to draw."""
        if c is not self._c:
            self._c, self._runs = c, runs(c)
            self.styles.height = 1 + min(len(self._runs), MOST_HOURS)
            self.refresh()

    def render_line(self, y: int) -> Strip:
        palette, width = palette_on(self), self.size.width
        told = self._pieces(y, palette, width) if self._c is not None and y <= len(self._runs) else ()
        return strip_of(told, width, palette.text)

    def _pieces(self, y: int, palette: Palette, width: int) -> Iterator[Piece]:
        assert self._c is not None  # noqa: S101
        names = [self._called(first, last) for first, last, _ in self._runs]
        named = max(map(len, names), default=5)
        bar = max(width - named - 4 - sum(COLUMNS), 8)
        if y == 0:
            yield (
                f" {'HOURS':<{named}}  {'█ fresh ▓▒░ older × dark'.translate(_PLAIN if PLAIN else {})[:bar]:<{bar}}",
                palette.muted,
            )
            titles = zip(("FRESH", "OLDER", "AGES", "DARK"), COLUMNS, strict=True)
            yield "".join(f"{title:>{cells}}" for title, cells in titles), palette.muted
            return
        hour = self._runs[y - 1][2]
        yield f" {names[y - 1]:<{named}}  ", palette.text
        for age, cells in pieces(hour, self._c.n, bar):
            yield (shade(age) * cells).translate(_PLAIN if PLAIN else {}), _style(age, palette)
        told = (
            (short_count(hour.fresh), palette.text if hour.fresh else palette.faint),
            (short_count(hour.covered), palette.style(Cell.FALLBACK) if hour.covered else palette.faint),
            (ages(self._c.at, hour), palette.muted),
            (short_count(hour.dark), palette.style(Status.FAILED) if hour.dark else palette.faint),
        )
        for (text, style), cells in zip(told, COLUMNS, strict=True):
            yield f"{text:>{cells}}", style

    def _called(self, first: Date, last: Date) -> str:
        assert self._c is not None  # noqa: S101
        begin, end = clock(first, self._c.at), clock(last, self._c.at)
        return begin if first == last else f"{begin} – {end}"


def _style(age: int, palette: Palette) -> Style:
    if age < 0:
        return palette.style(Status.FAILED)
    return palette.style(Cell.FALLBACK) if age else palette.bars[Status.FINISHED]


class LostList(RowList):
    """Those that are not served fresh, under their partitions."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.rows: tuple[Partition | Who, ...] = ()
        self._empty = "asking Redis …"

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> Partition | Who | None:
        """What is under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def key(self, number: int) -> Hashable:
        row = self.rows[number]
        return ("", row.name) if isinstance(row, Partition) else (row.entity, row.partition)

    def update(self, rows: Sequence[Partition | Who], empty: str) -> None:
        """Shows `rows`; the cursor stays where it was, once it has been moved."""
        chosen = self.key(self.cursor) if self.rows and self.cursor else None
        self.rows, self._empty = tuple(rows), empty
        if chosen is not None:
            keys = [self.key(number) for number in range(self.count)]
            self.cursor = keys.index(chosen) if chosen in keys else min(self.cursor, max(self.count - 1, 0))
        self.changed()

    def empty(self) -> str:
        return self._empty

    def _entity(self, width: int) -> int:
        return max(width - 4 - 14 - 16 - 9 - 16, 12)

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        cells = self._entity(width)
        yield f"    {fit('PARTITION, ENTITY', cells)}{'DARK FROM':>14}  {fit('SERVED BY', 14)}{'OLDER':>9}", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        row, cells = self.rows[number], self._entity(width)
        yield self.lead(number), palette.lit
        if isinstance(row, Partition):
            yield f"{'▸' if row.folded else '▾'} ", palette.muted
            yield fit(row.name, cells), palette.lit
            yield f"{row.first or '–':>14}  ", palette.style(Status.FAILED) if row.dark else palette.muted
            yield f"{row.dark:,} of {entities(row.entities)} {'goes' if row.dark == 1 else 'go'} dark", palette.muted
            return
        yield "  ", palette.text
        yield fit(row.entity, cells), palette.text
        yield f"{row.dark or '–':>14}  ", palette.style(Status.FAILED) if row.dark and not row.awaited else palette.muted
        yield fit(row.by or "nothing", 14), palette.muted
        yield f"{row.older:>9}", palette.style(Cell.FALLBACK)
        if row.awaited:
            yield f"  {look(Status.RUNNING).glyph} its wave runs", palette.muted


class CoverageScreen(DeckScreen):
    """The hours above, those who lose their forecasts below; enter leads to the wave that serves an entity."""

    scope = "coverage"
    CSS_PATH = "coverage.tcss"
    AUTO_FOCUS = "LostList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("coverage")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._news: CoverageNews | None = None
        self._groups: Sequence[tuple[Partition, Sequence[Who]]] = ()
        self._turned: set[str] = set()
        """Partitions that are not as they were to begin with: folded, or not."""

    def compose(self) -> ComposeResult:
        yield Header(self._crumbs())
        yield FilterBar("words of entity and partition … · !not · dark · older")
        yield Rule(id="told")
        yield Hours(id="hours").set_class(True, "panel")
        yield Rule(id="rule")
        yield LostList(id="lost").set_class(True, "panel")
        yield self.foot()

    def _crumbs(self) -> list[str]:
        return ["waves", " ".join(filter(None, [f"coverage {self.place.path}".strip(), self.place.task]))]

    def source(self) -> Source:
        return CoverageSource(self.place.path)

    def show(self, body: object) -> None:
        assert isinstance(body, CoverageNews)  # noqa: S101
        self._news = body
        self.place = replace(self.place, path=f"{body.flow}@{body.version}", task=self.chosen_task(body).task)
        self._show_task()

    def chosen_task(self, news: CoverageNews) -> Coverage:
        """The task that is looked at: the one of the place, else the worst."""
        return next((c for c in news.tasks if c.task == self.place.task), news.tasks[0])

    def _show_task(self) -> None:
        if self._news is None:
            return
        c = self.chosen_task(self._news)
        self._groups = self._news.groups[c.task]
        at = f"{'hour' if c.at.hourly else 'day'} {c.at}"
        others = [f"{len(self._news.tasks)} tasks, t: the next"] if len(self._news.tasks) > 1 else []
        self.query_one(Header).tell(self._crumbs(), [*others, entities(c.n), at])
        width = self.size.width
        told = sentence(c)
        self.query_one("#told", Rule).tell(told if len(told) + 6 <= width else sentence(c, short=True), bad=is_loud(c))
        self.query_one(Hours).tell(c)
        self._list()

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def _list(self) -> None:
        if self._news is None:
            return
        rows: list[Partition | Who] = []
        few = sum(len(who) for _, who in self._groups) <= UNFOLDED
        shown = 0
        try:
            for number, (partition, everyone) in enumerate(self._groups):
                who = [one for one in everyone if matches(one, self.place.filter)]
                if not who:
                    continue
                shown += len(who)
                open_first = few or not number
                folded = not self.place.filter and open_first == (partition.name in self._turned)
                rows += [replace(partition, folded=folded), *(() if folded else who)]
        except BadPattern as error:
            self.misread(error)
            return
        none = "nobody matches; esc clears the filter" if self.place.filter else "everybody is served fresh"
        self.query_one(LostList).update(rows, none)
        c = self.chosen_task(self._news)
        towns = many(sum(isinstance(r, Partition) for r in rows), "partition")
        self.query_one("#rule", Rule).tell(
            f"{entities(shown)} not served fresh to the end, in {towns}" if shown else "who goes dark first",
            f"newest wave due {c.due}",
        )

    @on(RowList.Chosen)
    def _open(self) -> None:
        row, news = self.query_one(LostList).chosen, self._news
        if isinstance(row, Partition):
            self._turned ^= {row.name}
            self._list()
        elif row is not None and news is not None:
            c = self.chosen_task(news)
            name = f"{c.flow}@{c.version} {row.by or c.due}"
            self.deck.go(Locator("entity", name=name, entity=row.entity, task=c.task))

    def moved(self, place: Locator) -> bool:
        if self._news is None or place.path not in (self.place.path, ""):
            return False
        if place.task and place.task not in [c.task for c in self._news.tasks]:
            return False
        self.place = replace(self.place, task=place.task or self.place.task)
        self._show_task()
        return True

    def action_next_task(self) -> None:
        if self._news is None or len(self._news.tasks) < 2:
            self.say("one task forecasts here" if self._news is not None else "asking Redis …")
            return
        names = [c.task for c in self._news.tasks]
        self.place = replace(self.place, task=names[(names.index(self.place.task) + 1) % len(names)])
        self._show_task()

    def copied(self) -> str:
        row = self.query_one(LostList).chosen
        if row is None or self._news is None:
            return ""
        if isinstance(row, Partition):
            return clean(f"{row.name}: {row.dark:,} of {entities(row.entities)} go dark, the first at {row.first or '–'}")
        dark = f"dark from {row.dark}" if row.dark else "not dark in sight"
        return clean(f"{row.entity} {dark}, served by {row.by or 'nothing'}")


def matches(who: Who, query: str) -> bool:
    """Whether an entity has all the query's words: regular expressions; `!` turns one round; `dark`, `older` too.

    Raises:
        BadPattern: a word is no regular expression, or takes too long.
    """
    return has_words(" ".join([who.entity, who.partition, "dark" if not who.by else "older", who.dark]), query)
