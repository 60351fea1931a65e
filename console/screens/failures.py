"""Failures of a wave by what they have in common; what was blocked stands apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.pattern import BadPattern, has_words
from console.reports.failures import Family
from console.screens.chrome import Header, Rule
from console.screens.families import SORTS, FamilyList, Fold, at, blockers, fold_words
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.screens.text_pane import Text, TextLine, TextPane, line, plain
from console.screens.verbs import WaveVerbs
from console.screens.words import many
from console.sources.failures import FailuresNews, FailuresSource
from console.theme import look
from console.widgets.text import clean
from engine.status import Status


class FailuresScreen(WaveVerbs):
    """The families of a wave, and below them an example of the chosen one."""

    scope = "failures"
    CSS_PATH = "failures.tcss"
    AUTO_FOCUS = "FamilyList"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("failures")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._news: FailuresNews | None = None
        self._told: object = None

    def compose(self) -> ComposeResult:
        yield Header(["waves", self.place.name or self.place.of, "failures"])
        yield FilterBar("words of task, what, where, new … · !not")
        yield FamilyList(id="families").set_class(True, "panel")
        yield Rule(id="rule")
        yield TextPane(id="example", classes="panel")
        yield self.foot()

    def source(self) -> Source:
        return FailuresSource(self.place.of)

    def show(self, body: object) -> None:
        assert isinstance(body, FailuresNews)  # noqa: S101
        self._news = body
        wave = body.wave
        self.place = replace(self.place, wave=wave.id, name=wave.locator)
        facts = [many(wave.n, "entity", "entities")]
        if body.read < body.bad:
            facts.append(f"reading {body.read:,} of {body.bad:,} …")
        elif body.comparing:
            facts.append(f"comparing with {body.comparing} …")
        self.query_one(Header).tell(["waves", wave.locator, "failures"], facts)
        self._list()

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def _list(self) -> None:
        news = self._news
        if news is None:
            return
        try:
            shown = [f for f in news.families if matches(f, self.place.filter)]
        except BadPattern as error:
            self.misread(error)
            return
        empty = "nothing failed and nothing was blocked"
        if self.place.filter:
            empty = "no family matches; esc clears the filter"
        elif news.read < news.bad:
            empty = f"reading {news.bad:,} …"
        self.query_one(FamilyList).update(shown, empty)
        self._tell()

    def _tell(self) -> None:
        """The line between list and example, and the example: from its first line when it is another family's."""
        news, families = self._news, self.query_one(FamilyList)
        if news is None:
            return
        row = families.row_here
        failed = sum(isinstance(f, Family) and f.status == Status.FAILED for f in families.rows)
        right = f"{many(failed, 'family', 'families')} failed · by {families.sort}"
        if families.marks:
            right = f"{len(families.marked)} marked · {right}"
        left = row.task if isinstance(row, Family) else "blocked" if row else "no family"
        self.query_one(Rule).tell(left, right)
        name = row.key if isinstance(row, Family) else None
        self.query_one("#example", TextPane).put(example(row, news) if row else (), top=name != self._told)
        self._told = name

    @on(RowList.Moved)
    def _moved(self) -> None:
        self._tell()

    @on(RowList.Chosen)
    def _open(self) -> None:
        row = self.query_one(FamilyList).row_here
        if isinstance(row, Family):
            self.deck.go(Locator("wave", wave=self.place.wave, name=self.place.name, filter=f"family:{row.key}"))
        elif row is not None:
            self.action_blocked()

    def action_blocked(self) -> None:
        families = self.query_one(FamilyList)
        families.folded = not families.folded
        self._list()

    def action_sort(self) -> None:
        families = self.query_one(FamilyList)
        families.sort = SORTS[(SORTS.index(families.sort) + 1) % len(SORTS)]
        self._list()

    def action_rerun(self) -> None:
        families = self.query_one(FamilyList)
        chosen = families.marked or [f for f in (families.chosen,) if f]
        if not chosen:
            self.say("no family is chosen")
            return
        numbers = sorted(set().union(*(f.numbers for f in chosen)))
        what = f"{chosen[0].count:,} × {chosen[0].title}" if len(chosen) == 1 else f"{len(chosen)} families"
        self.deck.rerun(self.place.wave, self.place.name, clean(what), numbers)

    def copied(self) -> str:
        family = self.query_one(FamilyList).chosen
        return clean(f"{headline(family)}{_sep(family.news)}") if family else ""


def matches(family: Family, query: str) -> bool:
    """Whether a family has all words of the query: regular expressions; `!` turns one round.

    Raises:
        BadPattern: a word is no regular expression, or takes too long.
    """
    told = [family.task, family.status, family.title, family.where, family.news, family.key, family.worker]
    text = " ".join([*told, *family.blocked_by, *family.examples])
    return has_words(text, query)


def headline(family: Family) -> str:
    """`401 × ValueError: horizon > history, clean.py:88 in clean`; of a blocked family also what blocked it."""
    told = f"{family.count:,} × {family.title}{', ' if family.where else ''}{family.where}"
    return f"{told} ({family.task} blocked by {blockers(family)})" if family.blocked_by else told


def example(row: Family | Fold, news: FailuresNews) -> Iterator[TextLine]:
    """A family with one of its members; or what the line above blocked families means."""
    if isinstance(row, Fold):
        yield line(Text(f"{look(Status.BLOCKED).glyph} ", Status.BLOCKED), fold_words(row))
        yield line(Text("blocked is not failed: what failed is above, and these wait for nothing any more", "muted"))
        return
    status, seen = Status(row.status), look(Status(row.status))
    yield line(Text(f"{seen.glyph} {row.count:,} {seen.word}", status), Text(f" at {row.task}  "), Text(row.title, "lit"))
    if row.where:
        yield line(_label("where"), row.where)
    if row.blocked_by:
        told = ", ".join(f"{task} ({count:,})" for task, count in row.blocked_by.items())
        yield line(_label("blocked by"), told)
    if row.news:
        yield line(_label("news"), Text(row.news, "lit" if not row.known else "text"))
    yield line(_label("first"), f"{at(row)}{_sep(row.first_entity)}")
    red = news.red
    if red is not None and red.number in row.numbers and red.task == row.task:
        yield line(_label(""), Text("the first red of the wave is one of these", "lit"))
    yield line(_label("workers"), _workers(row))
    more = row.count - len(row.examples)
    yield line(_label("entities"), ", ".join(row.examples) + (f" and {more:,} more" if more > 0 else ""))
    if trace := news.tracebacks.get(row.key, "").rstrip("\n"):
        yield line()
        yield from plain(trace, "muted")


def _label(text: str) -> Text:
    return Text(f"{text:<11}", "muted")


def _workers(family: Family) -> str:
    if family.worker:
        return f"all on {family.worker}"
    told = ", ".join(f"{name} {count:,}" for name, count in family.workers.items())
    return told + (" …" if sum(family.workers.values()) < family.count and told else "") or "–"


def _sep(text: str) -> str:
    return f" · {text}" if text else ""
