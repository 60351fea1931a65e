"""Who is active: states, their partitions, their entities and how the last waves went for each."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal

from console.actions import bindings
from console.feed import Source
from console.locator import Locator
from console.pattern import BadPattern, has_words
from console.reports.state import ABSENT, Roll
from console.screens.base import DeckScreen
from console.screens.chrome import Header, Rule
from console.screens.prompts import FilterBar
from console.screens.rows import RowList
from console.screens.state_lists import ALL, MemberList, PartitionList, StateList, last_of, moment
from console.screens.words import many
from console.sources.state import RollNews, StatesNews, StateSource
from console.theme import look
from console.views import iso
from console.widgets.select import QueryError, parse, select
from console.widgets.text import clean
from engine.status import Cell

SORTS = {
    "name": "name",
    "last seen": "last seen, the longest unseen first",
    "worst": "how the last waves went, the worst first",
}


class StateScreen(DeckScreen):
    """All states, or one: its partitions, and the entities of the chosen one. The place has the state as its path and the partition
    as its entity."""

    scope = "state"
    CSS_PATH = "state.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("state")]

    def __init__(self, place: Locator) -> None:
        super().__init__(place)
        self._source = StateSource(place.path)
        self._states: StatesNews | None = None
        self._news: RollNews | None = None
        self._sort = "name"
        self._found: Sequence[int] = array("I")
        self._misread = ""  # what is wrong with the filter

    def compose(self) -> ComposeResult:
        yield Header(["waves", "state"])
        yield FilterBar("regex · partition:P · !not")
        yield StateList(id="states", classes="panel")
        with Horizontal(id="one"):
            yield PartitionList(id="partitions", classes="panel")
            yield MemberList(id="members", classes="panel")
        yield Rule(id="rule")
        yield self.foot()

    def on_mount(self) -> None:
        self._arrange()

    def source(self) -> Source:
        return self._source

    # which of its faces

    def _arrange(self) -> None:
        """Shows the list of states, or one state."""
        self.set_class(bool(self.place.path), "-one")
        crumbs = ["waves", "state", *([self.place.path] if self.place.path else [])]
        self.query_one(Header).tell(crumbs)
        self.refocus()

    def refocus(self) -> None:
        if not self.place.path:
            self.query_one(StateList).focus()
        else:
            self.query_one(MemberList if self.place.entity else PartitionList).focus()

    def moved(self, place: Locator) -> bool:
        if place.path != self.place.path:
            self._source.name, self._source.wanted, self._news = place.path, frozenset(), None
            self._found = array("I")
            self.query_one(PartitionList).update((), ALL)
            self.query_one(Rule).tell("")
        self.place = replace(place, filter=self.place.filter)
        self._arrange()
        self._list()
        self.feed.wake()
        return True

    def action_back(self) -> None:
        """From entities to their partitions, from there to all states where there are several, else out."""
        alone = self._news.alone if self._news else False
        if self.place.filter or self.query_one(FilterBar).has_class("-on") or not self.place.path:
            super().action_back()
        elif self.query_one(MemberList).has_focus:
            self.query_one(PartitionList).focus()
        elif not alone:
            self.deck.go(Locator("state"))
        else:
            super().action_back()

    # news

    def show(self, body: object) -> None:
        if isinstance(body, StatesNews):
            self._states = body
            if not self.place.path:
                self._list()
            return
        assert isinstance(body, RollNews)  # noqa: S101
        if self.place.path not in ("", body.roll.state):
            return  # of the state that was shown before
        first = self._news is None
        fresh = first or self._news is None or self._news.roll is not body.roll or self._news.trouble != body.trouble
        self._news = body
        if not self.place.path:
            self.place = replace(self.place, path=body.roll.state)
            self._source.name = body.roll.state
            self._arrange()
        self.query_one(MemberList).tell(body.how, body.waves)
        if fresh:
            self._list(wanted=self.place.entity if first else None)
        else:
            self._tell()

    def filtered(self, text: str) -> None:  # noqa: ARG002
        self._list()

    def _list(self, wanted: str | None = None) -> None:
        """Puts what the filter leaves into the lists; the cursor of the partitions on `wanted` if given."""
        if not self.place.path:
            self._list_states()
        elif self._news is not None:
            roll = self._news.roll
            try:
                self._found = matching(roll, self.place.filter)
            except QueryError as error:
                self._misread = str(error)
                self._tell()
                return
            self._misread = ""
            partitions = self.query_one(PartitionList)
            partitions.update(facets(roll, self._found), partitions.chosen if wanted is None else wanted)
            self._list_members()

    def _list_states(self) -> None:
        rows = self._states.rows if self._states else ()
        try:
            shown = [row for row in rows if _matches(" ".join([row.state, *row.flows]), self.place.filter)]
        except BadPattern as error:
            self.misread(error)
            return
        none = "no state matches; esc clears the filter" if self.place.filter else "no state yet; a flow's source fills it"
        reverse = self._sort == "last seen"
        shown = sorted(shown, key=lambda row: (row.seen or "") if reverse else row.state)
        self.query_one(StateList).update(shown, none if self._states else "asking Redis …")
        self.query_one(Rule).tell(many(len(rows), "state"))

    def _list_members(self) -> None:
        assert self._news is not None  # noqa: S101
        roll, chosen = self._news.roll, self.query_one(PartitionList).chosen
        order = ordered(roll, self._found, chosen, self._sort, self._news.trouble)
        none = "no entity matches; esc clears the filter" if self.place.filter else "no entities"
        self.query_one(MemberList).update(roll, order, none, one=chosen != ALL or len(roll.by_partition) == 1)
        self._tell()

    def _tell(self) -> None:
        """The header and the line below the lists: how many there are, and what the cursor is on."""
        news = self._news
        if news is None or not self.place.path:
            return
        newest = f"last wave {news.waves[-1].locator}" if news.waves else "no wave has run over it yet"
        facts = [newest, many(len(news.roll.names), "entity", "entities")]
        self.query_one(Header).tell(["waves", "state", news.roll.state], facts)
        if self._misread:
            self.query_one(Rule).tell(self._misread, bad=True)
            return
        members = self.query_one(MemberList)
        shown = f"{members.count:,} of {many(len(news.roll.names), 'entity', 'entities')}"
        ordered_by = "reading how the last waves went …" if news.learning else SORTS[self._sort]
        self.query_one(Rule).tell(self._about(members.chosen) if members.has_focus else shown, f"by {ordered_by}")

    def _about(self, entity: str | None) -> str:
        """An entity in a line, with what its row has no room for."""
        news = self._news
        if news is None or entity is None:
            return ""
        members = self.query_one(MemberList)
        at = members.order[members.cursor]
        cells = members.how.get(entity, b"")
        last = last_of(cells)
        told = f"{look(last).glyph} {look(last).word} in {_wave_of(news, cells)}" if last is not None else ""
        bad = sum(cell in (Cell.FAILED, Cell.BLOCKED) for cell in cells)
        share = f"bad in {bad} of {sum(cell != ABSENT for cell in cells)}" if bad else ""
        seen = f"last seen {moment(iso(news.roll.seen[at] * 1000))}"
        return " · ".join(filter(None, [clean(entity[:200]), told, share, seen]))

    @on(MemberList.Seen)
    def _want(self) -> None:
        self._source.wanted = self.query_one(MemberList).in_view()
        self.feed.wake()

    @on(RowList.Moved)
    def _follow(self) -> None:
        """The entities are those of the partition under the cursor, and the place says so."""
        chosen = self.query_one(PartitionList).chosen
        if self._news is not None and self.query_one(PartitionList).has_focus and chosen != self.place.entity:
            self.place = replace(self.place, entity=chosen)
            self._list_members()
        else:
            self._tell()

    def on_descendant_focus(self) -> None:
        self._tell()

    # going and doing

    @on(RowList.Chosen)
    def _open(self) -> None:
        states, members = self.query_one(StateList), self.query_one(MemberList)
        if not self.place.path:
            if states.chosen is not None:
                self.deck.go(Locator("state", path=states.chosen.state))
        elif self.query_one(PartitionList).has_focus:
            members.focus()
        elif (entity := members.chosen) is not None:
            self._open_entity(entity)

    def _open_entity(self, entity: str) -> None:
        news, cells = self._news, self.query_one(MemberList).how.get(entity)
        at = newest(cells or b"")
        if news is None or cells is None or news.learning:
            self.say("Redis has not told yet how its last waves went")
        elif at is None:
            self.say(f"{clean(entity[:80])} was in none of the last {many(len(news.waves), 'wave')} over {news.roll.state}")
        else:
            wave = news.waves[at]
            self.deck.go(Locator("entity", wave=wave.id, name=wave.locator, entity=entity))

    def action_sort(self) -> None:
        names = list(SORTS)
        self._sort = names[(names.index(self._sort) + 1) % len(names)]
        self._source.deep = self._sort == "worst"
        self.feed.wake()
        self._list()
        self.say(f"sorted by {SORTS[self._sort]}")

    def copied(self) -> str:
        states, members = self.query_one(StateList), self.query_one(MemberList)
        if not self.place.path:
            row = states.chosen
            return clean(f"{row.state}: {row.entities:,} entities, last seen {row.seen}") if row else ""
        if members.has_focus:
            return self._about(members.chosen)
        partitions = self.query_one(PartitionList)
        if not partitions.rows:
            return ""
        name, entities, seen = partitions.rows[partitions.cursor]
        return clean(f"{self.place.path} {name or 'all partitions'}: {entities:,} entities, last seen {seen}")


def matching(roll: Roll, query: str) -> Sequence[int]:
    """The numbers of the members that match, by partition and name.

    Raises:
        QueryError: the query cannot be understood here.
    """
    if not query.strip():
        return range(len(roll.names))
    asked = parse(query)
    if asked.states or asked.tasks or asked.families:
        raise QueryError("status:, task: and family: are of a wave; here a regular expression, partition:P and !not filter")
    return select(b"", len(roll.names), (), roll.names, asked, partitions=roll.partitions)


def facets(roll: Roll, found: Sequence[int]) -> list[tuple[str, int, str | None]]:
    """(partition, how many were found in it, when the last of it was seen), first of all together."""
    newest_of_all = max((row.seen or "" for row in roll.by_partition), default="") or None
    if len(found) == len(roll.names):
        rows = [(row.partition, row.entities, row.seen) for row in roll.by_partition]
    else:
        count: dict[str, int] = {}
        for member in found:
            count[roll.partitions[member]] = count.get(roll.partitions[member], 0) + 1
        rows = [(row.partition, count[row.partition], row.seen) for row in roll.by_partition if row.partition in count]
    return [(ALL, len(found), newest_of_all), *rows]


def ordered(roll: Roll, found: Sequence[int], partition: str, sort: str, trouble: object = None) -> Sequence[int]:
    """`found` of a partition, or of all, as `sort` of `SORTS` says. `trouble`: entity → how bad it is."""
    order: Sequence[int] = roll.by_seen if sort == "last seen" else roll.by_name
    if len(found) < len(roll.names):
        kept = frozenset(found)
        order = [member for member in order if member in kept]
    if partition != ALL:
        order = [member for member in order if roll.partitions[member] == partition]
    if sort == "worst" and isinstance(trouble, dict):
        bad = [member for member in order if roll.names[member] in trouble]
        bad.sort(key=lambda member: -trouble[roll.names[member]])
        there = frozenset(bad)
        order = [*bad, *(member for member in order if member not in there)]
    return order


def newest(cells: bytes) -> int | None:
    """Which of the waves is the newest that the entity was in; None: none of them."""
    return next((at for at in range(len(cells) - 1, -1, -1) if cells[at] != ABSENT), None)


def _wave_of(news: RollNews, cells: bytes) -> str:
    at = newest(cells)
    return news.waves[at].locator if at is not None and at < len(news.waves) else ""


def _matches(text: str, query: str) -> bool:
    return has_words(text, query)
