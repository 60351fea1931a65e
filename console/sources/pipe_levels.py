"""The levels of the pipes as a screen reads them: a window of rows at a time, filtered, counted. Runs in the feed's thread."""

from __future__ import annotations

import re
import time
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.moment import now
from console.pattern import BadPattern, pattern
from console.reports.levels import DateRow, NameRow, VersionRow, date_rows, dates, names, versions
from console.reports.pipes import Against, against
from console.screens.words import ago, unix
from console.theme import PLAIN
from engine.errors import NotFound
from engine.keys import Date, PipeKey, decode_entity
from engine.store.listing import Entry, Listing
from engine.store.pipes import Pipes

if TYPE_CHECKING:
    from engine.store.connect import Client

FRESH = 1.5
"""Seconds after which a level is read anew."""
SEARCH = 10_000
"""Entities that are looked at in one read of a search."""
COMPARE, COMPARE_MOST = 400, 20_000
"""Entities of two versions that are compared in one read, and of a whole list; further ones when they are seen."""
VERDICTS = {"equal", "differs", "missing", "gone"}
"""Words that filter a comparison."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a level: what it is about, and what is said of it. `tone`: "" or faint, or loud."""

    name: str
    cells: tuple[str, ...] = ()
    tone: str = ""


@dataclass(frozen=True)
class View:
    """Some rows of a level. `heads`: headings, the name's first; those that end in `>` are right-aligned. `rows` begin at `first` of
    `count`; of `total` without the filter, of which `searched` have been looked at; `at`: where the cursor is to stand, -1 where that
    is not said; `note`: what is to be said of the level as a whole; `done`: nothing more is being found out."""

    level: str
    heads: tuple[str, ...]
    rows: tuple[Row, ...]
    first: int
    count: int
    total: int
    searched: int
    at: int = -1
    note: str = ""
    done: bool = True

    def name_at(self, number: int) -> str:
        """The name of a row; "" when it is not among those here."""
        at = number - self.first
        return self.rows[at].name if 0 <= at < len(self.rows) else ""


class Level:
    """One level. `busy`: it wants to be read again at once."""

    busy = False

    def read(self, redis: Client, first: int, rows: int, find: str) -> View:
        """The rows from `first` on, and where the one named `find` is (without one: where to begin)."""
        raise NotImplementedError

    def number_of(self, key: PipeKey) -> int:  # noqa: ARG002
        """An entity's number in its wave, where this level has seen it; -1."""
        return -1


class Small(Level):
    """A level whose rows are all known."""

    level = ""
    heads: tuple[str, ...] = ("",)

    def __init__(self, query: str) -> None:
        self._keep = matcher(query)
        self._rows: list[Row] = []
        self._read_at = -FRESH
        self._total = 0

    def all(self, redis: Client) -> list[Row]:
        """All rows."""
        raise NotImplementedError

    def read(self, redis: Client, first: int, rows: int, find: str) -> View:
        if time.monotonic() - self._read_at > FRESH:
            everything = self.all(redis)
            self._rows = [row for row in everything if self._keep(row.name)]
            self._total, self._read_at = len(everything), time.monotonic()
        part = tuple(self._rows[first : first + rows])
        found = [row.name for row in self._rows]
        at = found.index(find) if find in found else self.begin() if not find else -1
        return View(self.level, self.heads, part, first, len(found), self._total, self._total, at)

    def begin(self) -> int:
        """Where the cursor stands at first: on the first row that leads to something."""
        return next((i for i, row in enumerate(self._rows) if row.tone != "faint"), 0)


class Versions(Small):
    """The versions."""

    level = "versions"
    heads = ("VERSION", "PIPES>", "LAST ACTIVE")

    def __init__(self, query: str = "") -> None:
        super().__init__(query)

    def all(self, redis: Client) -> list[Row]:
        return [_version(row) for row in versions(redis)]


def _version(row: VersionRow) -> Row:
    return Row(row.version, (f"{row.pipes:,}", when(row.active)), "" if row.pipes else "faint")


class Names(Small):
    """The pipes of a version."""

    level = "pipes"
    heads = ("PIPE", "DATES>", "NEWEST", "ENTITIES>", "FORECAST", "WRITTEN")

    def __init__(self, version: str, query: str = "") -> None:
        super().__init__(query)
        self._version = version

    def all(self, redis: Client) -> list[Row]:
        found = names(redis, self._version)
        if not found and self._version not in {row.version for row in versions(redis)}:
            raise NotFound(f"there is no version {self._version!r}; `:pipes` lists those there are")
        return [_name(row) for row in found]


def _name(row: NameRow) -> Row:
    ahead = f"{row.horizon / 3600:g} h ahead" if row.horizon else ""
    cells = (f"{row.dates:,}", row.newest or "–", f"{row.entities:,}", ahead, when(row.written))
    return Row(row.name, cells, "" if row.entities else "faint")


class Dates(Level):
    """The dates of a pipe; how many pipes each has is asked for those that are seen."""

    def __init__(self, version: str, name: str, query: str = "") -> None:
        self._version, self._name, self._keep = version, name, matcher(query)
        self._dates: list[Date] = []
        self._kept: list[Date] = []
        self._read_at = -FRESH
        self._begin = 0

    def read(self, redis: Client, first: int, rows: int, find: str) -> View:
        if time.monotonic() - self._read_at > FRESH:
            self._dates = dates(redis, self._version, self._name)
            if not self._dates and self._name not in Pipes(redis).names(self._version):
                raise NotFound(f"there are no pipes at {self._version}/{self._name}; `:pipes` lists what there is")
            self._kept, self._read_at = [d for d in self._dates if self._keep(d)], time.monotonic()
            newest = date_rows(redis, self._version, self._name, self._kept[:3])
            self._begin = next((i for i, row in enumerate(newest) if row.entities), 0)
        part = date_rows(redis, self._version, self._name, self._kept[first : first + rows])
        at = self._begin if not find else next((i for i, d in enumerate(self._kept) if d == find), -1)
        heads = ("DATE", "ENTITIES>", "WAVES>", "OTHERS>")
        count, total = len(self._kept), len(self._dates)
        return View("dates", heads, tuple(map(_date, part)), first, count, total, total, at)


def _date(row: DateRow) -> Row:
    entities = f"{row.entities:,}" if row.exact else f"≤ {row.entities:,}"
    return Row(
        row.date, (entities, f"{len(row.waves):,}", f"{row.outside:,}" if row.outside else ""), "" if row.entities else "faint"
    )


class Entities(Level):
    """The entities that have a pipe at a date, of which there may be a million: rows are read when they are seen, a search goes on
    from read to read. With `other`, against those of another version."""

    def __init__(self, version: str, name: str, date: str, query: str = "", other: str = "") -> None:
        self._version, self._name, self._date, self._other = version, name, date, other
        words = query.split()
        self._verdicts = {w for w in words if other and w.lstrip("!") in VERDICTS}
        self._keep = matcher(" ".join(w for w in words if w not in self._verdicts))
        self._searching = bool(words)
        self._listing: Listing | None = None
        self._stamp: object = None
        self._read_at = -FRESH
        self._matches = array("I")
        self._searched = self._compared = 0
        self._against: dict[int, Against] = {}
        self._numbers: dict[str, int] = {}

    def read(self, redis: Client, first: int, rows: int, find: str) -> View:
        listing = self._current(redis)
        if not listing.complete:
            listing.extend()
        if self._searching:
            self._search(redis, listing)
        elif self._other:
            self._compare(redis, listing)
        limit = min(listing.known, COMPARE_MOST)
        left = self._searched < listing.known if self._searching else bool(self._other) and self._compared < limit
        self.busy = left or not listing.complete
        count = len(self._matches) if self._searching else listing.known
        part = self._rows(redis, listing, range(first, min(first + rows, count)))
        at = 0 if not find else next((first + i for i, row in enumerate(part) if row.name == find), -1)
        heads = ("ENTITY", *([f"VS {self._other}"] if self._other else []), "PARTITION", "BYTES>", "WRITTEN BY")
        searched = self._searched if self._searching else listing.known
        return View("entities", heads, tuple(part), first, count, listing.known, searched, at, self._note(), not self.busy)

    def number_of(self, key: PipeKey) -> int:
        here = (self._version, self._name, self._date) == (key.version, key.pipe, str(key.date))
        return self._numbers.get(key.entity, -1) if here else -1

    def _current(self, redis: Client) -> Listing:
        """The listing; a new one when more has been written since."""
        if self._listing is not None and time.monotonic() - self._read_at < FRESH:
            return self._listing
        stamp = Pipes(redis).counts(self._version, self._name, [Date(self._date)])
        if self._listing is None or stamp != self._stamp:
            self._listing = Listing(redis, self._version, self._name, Date(self._date))
            self._matches, self._against = array("I"), {}
            self._searched = self._compared = 0
        self._stamp, self._read_at = stamp, time.monotonic()
        return self._listing

    def _search(self, redis: Client, listing: Listing) -> None:
        step = COMPARE if self._verdicts else SEARCH
        stop = min(self._searched + step, listing.known)
        found = listing.names(self._searched, stop)
        kept = [
            (self._searched + i, entity)
            for i, (entity, partition) in enumerate(found)
            if self._keep(f"{decode_entity(entity)}\n{decode_entity(partition) if partition != '-' else ''}")
        ]
        if self._verdicts:
            told = against(redis, self._version, self._other, self._name, [e for _, e in kept], self._date)
            wanted = {w for w in self._verdicts if not w.startswith("!")}
            unwanted = {w[1:] for w in self._verdicts if w.startswith("!")}
            kept = [
                pair
                for pair, one in zip(kept, told, strict=True)
                if (not wanted or one.verdict in wanted) and one.verdict not in unwanted
            ]
        self._matches.extend(row for row, _ in kept)
        self._searched = stop

    def _compare(self, redis: Client, listing: Listing) -> None:
        """Compares some more of the list, from its top."""
        stop = min(self._compared + COMPARE, listing.known, COMPARE_MOST)
        if self._compared < stop:
            entities = [entity for entity, _ in listing.names(self._compared, stop)]
            told = against(redis, self._version, self._other, self._name, entities, self._date)
            self._against |= dict(zip(range(self._compared, stop), told, strict=True))
            self._compared = stop

    def _note(self) -> str:
        if not self._other or self._searching:
            return ""
        counts = dict.fromkeys(("differs", "missing", "gone", "equal"), 0)
        for one in self._against.values():
            counts[one.verdict] += 1
        words = {"differs": "differ", "missing": f"missing in {self._other}", "gone": "gone here", "equal": "equal"}
        return " · ".join(f"{n:,} {words[v]}" for v, n in counts.items() if n)

    def _rows(self, redis: Client, listing: Listing, window: range) -> list[Row]:
        if not window:
            return []
        numbers: Sequence[int] = self._matches[window.start : window.stop] if self._searching else window
        entries: list[Entry] = []
        for low, high in runs(numbers):
            entries += listing.rows(low, high)
        with redis.pipeline(transaction=False) as trip:
            for e in entries:
                trip.strlen(f"{self._version}/{self._name} {e.entity} {self._date}")
            sizes = trip.execute() if entries else []
        self._numbers = {e.entity: e.number for e in entries}
        told = self._seen(redis, numbers, entries) if self._other else [None] * len(entries)
        return [_entity(e, size, one, self._other) for e, size, one in zip(entries, sizes, told, strict=True)]

    def _seen(self, redis: Client, numbers: Sequence[int], entries: Sequence[Entry]) -> list[Against | None]:
        new = [(n, e) for n, e in zip(numbers, entries, strict=True) if n not in self._against]
        told = against(redis, self._version, self._other, self._name, [e.entity for _, e in new], self._date)
        self._against |= dict(zip([n for n, _ in new], told, strict=True))
        return [self._against[n] for n in numbers]


def _entity(e: Entry, size: int, one: Against | None, other: str) -> Row:
    partition = "" if e.partition in ("", "-") else decode_entity(e.partition)
    cells = (partition, f"{size:,}" if size else "gone", f"wave {e.writer}" if e.number >= 0 else e.writer)
    if one is None:
        return Row(decode_entity(e.entity), cells)
    words = {
        "missing": f"not in {other}",
        "gone": "gone here",
        "differs": one.words.rpartition(" (")[0] or one.words or "differs",
    }.get(one.verdict, "equal")
    mark = {"differs": "!" if PLAIN else "≠", "missing": "-" if PLAIN else "−", "gone": "+"}.get(one.verdict, " ")
    return Row(decode_entity(e.entity), (f"{mark} {words}", *cells), "" if one.verdict == "equal" else "loud")


def runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Rising numbers as runs of neighbours: first, and the one after the last."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number:
            found[-1] = found[-1][0], number + 1
        else:
            found.append((number, number + 1))
    return found


def when(iso: str | None) -> str:
    """How long ago; later than now counts as now."""
    at = unix(iso)
    return ago(max(now() - at, 0)) if at else "–"


def matcher(query: str) -> Callable[[str], bool]:
    """Whether a text has all words of the query, `!word` turned round; a word that is no regular expression, or takes too long as one, is
    text."""
    tests = [(_search(bare), bare != word) for word in query.split() if (bare := word.removeprefix("!"))]
    if len(tests) == 1 and not tests[0][1]:
        return tests[0][0]
    return lambda text: all(search(text) is not inverse for search, inverse in tests)


def _search(word: str) -> Callable[[str], bool]:
    literal = word.casefold()

    def search(text: str) -> bool:
        try:
            return pattern(word, re.IGNORECASE | re.MULTILINE).search(text)
        except BadPattern:
            return literal in text.casefold()

    return search
