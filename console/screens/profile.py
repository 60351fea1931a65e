"""Where a wave's time went: numbers, and drawings of its slots and its entities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.reports.gantt import Gantt, Row, letters
from console.reports.gantt_page import Table, idle_table, last_table, slow_table, what_if_table, words
from console.reports.profile import Profile
from console.screens.chrome import Header, Piece, Rule
from console.screens.rows import RowList
from console.screens.text_pane import Text, TextLine, TextPane, line
from console.screens.verbs import WaveVerbs
from console.screens.words import many
from console.sources.profile import ProfileNews, ProfileSource
from console.theme import Palette
from console.widgets.gantt import HUES, IDLE, columns
from console.widgets.paint import line_width
from console.widgets.text import clean, fit, short_seconds

MODES = ("numbers", "slots", "entities")
LABEL = 34
"""Cells of a row's name at most."""


class Lanes(RowList):
    """A row a slot, or a few entities: a letter a column."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: tuple[Row, ...] = ()
        self._drawing: Gantt | None = None
        self._names: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def put(self, drawing: Gantt, rows: Sequence[Row]) -> None:
        """Shows rows of a drawing."""
        self._drawing, self.rows, self._names = drawing, tuple(rows), letters(drawing.tasks)
        self.changed()

    def empty(self) -> str:
        return "nothing has run yet"

    def _label(self, width: int) -> int:
        return min(max((cell_len(clean(row.label)) for row in self.rows), default=0), LABEL, width // 3)

    def _hue(self, palette: Palette, task: int) -> Style:
        if task < 0:
            return palette.faint
        if self.app.no_color:
            return palette.text
        hues = HUES.get(palette.name, HUES["wavedeck-dark"])
        return palette.text + Style(color=hues[task % len(hues)])

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        if self._drawing is None:
            return
        for number, (task, name) in enumerate(zip(self._drawing.tasks, self._names, strict=True)):
            yield f"  {name.upper()} ", self._hue(palette, number)
            yield clean(task), palette.muted
        if width >= 100:
            yield f"  small: under half  {IDLE} idle", palette.faint

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        row, label = self.rows[number], self._label(width)
        yield self.lead(number), palette.lit
        yield fit(row.label, label) + " ", palette.text if number == self.cursor else palette.muted
        for task, run in groupby(columns(row, max(width - label - 4, 10), self._names), key=lambda column: column[1]):
            yield "".join(letter for letter, _ in run), self._hue(palette, task)


class Numbers(TextPane):
    """The profile in tables, as wide as there is room."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._profile: Profile | None = None

    def tell(self, profile: Profile) -> None:
        """Shows a profile."""
        self._profile = profile
        self.put(lines(profile, line_width(self)))

    def on_resize(self, _event: events.Resize) -> None:
        if self._profile is not None:
            self.put(lines(self._profile, line_width(self)))


class ProfileScreen(WaveVerbs):
    """Where a wave's time went; `m` shows it another way."""

    scope = "profile"
    CSS_PATH = "profile.tcss"
    AUTO_FOCUS = "Numbers"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("profile")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._news: ProfileNews | None = None
        self.mode = MODES[0]

    def compose(self) -> ComposeResult:
        yield Header(["waves", self.place.name or self.place.of, "times"])
        yield Rule(id="rule")
        yield Numbers(id="numbers", classes="panel")
        yield Lanes(id="lanes", classes="panel")
        yield self.foot()

    def on_mount(self) -> None:
        self.query_one(Rule).tell("adding up …")

    def source(self) -> Source:
        return ProfileSource(self.place.of, self.deck.redis_url)

    def show(self, body: object) -> None:
        assert isinstance(body, ProfileNews)  # noqa: S101
        self._news = body
        profile = body.profile
        self.place = replace(self.place, wave=profile.wave, name=profile.locator)
        self.query_one(Header).tell(
            ["waves", profile.locator, "times"], ["the wave still runs"] if profile.phase == "running" else []
        )
        self._draw()

    def _draw(self) -> None:
        news = self._news
        if news is None:
            return
        for name in MODES:
            self.set_class(name == self.mode, f"-{name}")
        drawing, profile = news.drawing, news.profile
        if self.mode == "numbers":
            self.query_one(Numbers).tell(profile)
        else:
            self.query_one(Lanes).put(drawing, drawing.slots if self.mode == "slots" else drawing.entities)
        self._say()

    @on(RowList.Moved)
    def _say(self) -> None:
        news = self._news
        if news is None:
            return
        profile, rows = news.profile, self.query_one(Lanes)
        used = f"{profile.used:.0%} of {many(profile.slots, 'slot')} busy"
        if self.mode == "numbers" or rows.chosen is None:
            self.query_one(Rule).tell(f"{short_seconds(profile.seconds)} · {used}", "m: slots, entities")
            return
        span = news.drawing
        what = "slot" if self.mode == "slots" else "entity"
        told = many(rows.chosen.many, what, "entities" if what == "entity" else "")
        begin, end = short_seconds(span.since), short_seconds(span.since + span.seconds)
        self.query_one(Rule).tell(f"{told}: {rows.chosen.label}", f"{begin} to {end} · {used}")

    def action_mode(self) -> None:
        self.mode = MODES[(MODES.index(self.mode) + 1) % len(MODES)]
        self._draw()
        self.refocus()

    def refocus(self) -> None:
        (self.query_one(Numbers) if self.mode == "numbers" else self.query_one(Lanes)).focus()

    @on(RowList.Chosen)
    def _open(self) -> None:
        row = self.query_one(Lanes).chosen
        if row is not None and self.mode == "entities" and row.many == 1:
            self.deck.go(Locator("entity", wave=self.place.wave, name=self.place.name, entity=row.label))
        elif row is not None:
            self.say("enter opens an entity; this row is " + ("a slot" if self.mode == "slots" else f"{row.many:,} of them"))

    def copied(self) -> str:
        if self._news is None:
            return ""
        row = self.query_one(Lanes).chosen
        if self.mode != "numbers" and row is not None:
            return clean(row.label)
        return clean(f"{self._news.profile.locator}: " + "; ".join(words(self._news.profile)))


# the numbers as lines


def lines(profile: Profile, width: int) -> list[TextLine]:
    """A profile in lines of text."""
    told: list[TextLine] = [line(Text(text, "text" if number else "lit")) for number, text in enumerate(words(profile))]
    if not profile.cells:
        return told
    narrow = width < 100
    for table in (
        _tasks(profile, narrow),
        idle_table(profile),
        what_if_table(profile),
        last_table(profile),
        slow_table(profile),
    ):
        told += [line(), *_lines(table, width - 2)]
    if profile.critical_path:
        told += [line(), line(Text("critical path by medians  ", "muted"), " → ".join(profile.critical_path))]
    return told


def _tasks(profile: Profile, narrow: bool) -> Table:
    if narrow:
        head: tuple[str, ...] = ("TASK", "CELLS>", "WAIT p95>", "QUEUE p95>", "RUN p50>", "p95>", "max>", "SHARE>")
        return head, [
            (
                t.task,
                f"{t.cells:,}",
                *map(short_seconds, (t.wait.p95, t.queue.p95, t.run.p50, t.run.p95, t.run.max)),
                f"{t.share:.0%}",
            )
            for t in profile.tasks
        ]
    from console.reports.gantt_page import tasks_table

    return tasks_table(profile)


def _lines(table: Table, width: int) -> Iterator[TextLine]:
    """A table: numbers to the right, the last column of words as wide as there is room."""
    head, rows = table
    cells = [[clean(str(cell)) for cell in row] for row in rows]
    widths = [
        max(cell_len(name.rstrip(">")), *(cell_len(row[at]) for row in cells)) if cells else len(name)
        for at, name in enumerate(head)
    ]
    for at, name in enumerate(head):
        if not name.endswith(">"):
            widths[at] = max(min(widths[at], width - sum(w + 2 for i, w in enumerate(widths) if i != at)), 8)

    def one(row: Sequence[str]) -> str:
        parts = []
        for name, cell, own in zip(head, row, widths, strict=True):
            parts.append(" " * (own - cell_len(cell)) + cell if name.endswith(">") else fit(cell, own))
        return "  ".join(parts).rstrip()

    yield line(Text(one([name.rstrip(">") for name in head]), "muted"))
    for row in cells:
        yield line(one(row))
