"""The pipes of a name and date, by number: any page of a million at the price of a page.

The index names waves (`pipes.py`), and a wave's board says which of its entities have the pipe. So the rows of the oldest
wave are known from one column of its board (from its counters alone when all are written), and a page of them costs a
window of its members. Rows of further waves (re-runs, the same date again) are those that no wave before it has; they are
found out a batch at a time by `extend`, which compares the batch with the same places of the older wave first, and goes
through its members only for what lies elsewhere. What was written outside waves comes last, by name.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, compress

from engine.errors import BadKey
from engine.keys import Date, version_key
from engine.status import WROTE, Cell
from engine.store.connect import Client
from engine.store.wave import Wave, read_counts
from engine.store.waves import MEMBERS_A_TRIP, Waves

BATCH = 20_000
"""Entities of a further wave that one step of `extend` decides on."""
NEAR = 64
"""Places between two entities that are rather read along than asked for apart."""
_WRITTEN = bytes(cell in WROTE for cell in range(256))


@dataclass(frozen=True, slots=True)
class Entry:
    """A pipe in a listing: its entity in key form and who wrote it, a wave's id or words; and, in a wave, its partition (in key
    form) and number."""

    entity: str
    writer: str
    partition: str = field(default="", compare=False)
    number: int = field(default=-1, compare=False)


@dataclass(slots=True)
class _Part:
    """A wave and the places in it that are rows of the listing, rising. `column` is None when it wrote all its cells itself."""

    wave: Wave
    column: bytes | None
    places: Sequence[int]
    done: bool = False
    at: int = 0

    def wrote(self, place: int) -> bool:
        return self.column is None or (place < len(self.column) and self.column[place] in WROTE)

    def written(self, first: int, most: int) -> Iterator[int]:
        """Up to `most` written places from `first` on."""
        if self.column is None:
            return iter(range(first, min(first + most, self.wave.n)))
        stop = min(first + most, len(self.column))
        return compress(range(first, stop), self.column[first:stop].translate(_WRITTEN))

    def cells(self, places: Sequence[int]) -> list[int]:
        return [Cell.FINISHED] * len(places) if self.column is None else [self.column[place] for place in places]


class Listing:
    """The pipes of one name and date as they were when it was made.

    Its rows are in the order of waves by age, of each wave's entities, then of names. `extend` until `complete` finds all.
    """

    def __init__(self, redis: Client, version: str, pipe: str, date: Date) -> None:
        self._redis, self._store = redis, Waves(redis)
        self._version, self._pipe = version, pipe
        self._index = version_key(version, f"at:{pipe}:{date}")
        self._stray_names: list[str] | None = None
        ids = [name[2:].decode() for name, _ in redis.hscan_iter(self._index, match="w:*", count=1000)]
        self._parts = self._read(ids)
        if self._parts:
            self._whole(self._parts[0])
        if len(self._parts) < 2 and redis.hlen(self._index) <= len(ids):
            self._stray_names = []

    def _read(self, ids: list[str]) -> list[_Part]:
        found = [
            w for w in (self._store.find(i, self._version) for i in sorted(ids)) if w is not None and self._pipe in w.tasks
        ]
        found.sort(key=lambda w: w.created)
        with self._redis.pipeline(transaction=False) as trip:
            for wave in found:
                trip.hgetall(wave.key("counts"))
            replies = trip.execute() if found else []
        parts = []
        for wave, stored in zip(found, replies, strict=True):
            task = wave.tasks.index(self._pipe)
            counts = read_counts(stored, len(wave.tasks))[task]
            written = sum(counts.get(cell, 0) for cell in WROTE)
            if not written:
                continue
            plain = written == wave.n and not counts.get(Cell.REUSED)
            parts.append(_Part(wave, None if plain else self._store.column(wave, task), array("I")))
        return parts

    def _whole(self, part: _Part) -> None:
        """The rows of the oldest wave: all that it wrote."""
        part.places = range(part.wave.n) if part.column is None else array("I", part.written(0, part.wave.n))
        part.done = True

    # what there is

    @property
    def known(self) -> int:
        """Rows that are known by now."""
        return sum(len(part.places) for part in self._parts) + len(self._stray_names or ())

    @property
    def complete(self) -> bool:
        """Whether all rows are known."""
        return self._stray_names is not None

    def extend(self) -> None:
        """Finds out more rows, at the price of one batch."""
        part = next((p for p in self._parts if not p.done), None)
        if part is not None:
            self._decide(part)
        elif self._stray_names is None:
            self._stray_names = self._strays()

    def all(self) -> Listing:
        """Itself, when all rows are known."""
        while not self.complete:
            self.extend()
        return self

    def _decide(self, part: _Part) -> None:
        """Which entities of the next batch of a further wave are rows: those that no older wave has."""
        older = self._parts[: self._parts.index(part)]
        batch = list(part.written(part.at, BATCH))
        names = self._names(part.wave, batch)
        told = self._told(older, dict(zip(names, batch, strict=True)))
        part.places.extend(place for name, place in zip(names, batch, strict=True) if name not in told)  # type: ignore[attr-defined]
        part.at += BATCH
        part.done = part.at >= part.wave.n

    def _told(self, parts: Iterable[_Part], wanted: dict[bytes, int]) -> set[bytes]:
        """Which of these entities (with the places where they may lie) any of these waves wrote."""
        told: set[bytes] = set()
        for part in parts:
            left = {name: place for name, place in wanted.items() if name not in told}
            told |= {name for name, place in self._found(part.wave, left).items() if part.wrote(place)}
        return told

    def _found(self, wave: Wave, wanted: dict[bytes, int]) -> dict[bytes, int]:
        """Where these entities lie in a wave; those that do not are left out."""
        places = [place for place in wanted.values() if place < wave.n]
        there = zip(self._names(wave, places), places, strict=True)
        found = {name: place for name, place in there if wanted.get(name) == place}
        left = wanted.keys() - found.keys()
        for at in range(0, wave.n if left else 0, MEMBERS_A_TRIP):
            members = self._redis.lrange(wave.key("members"), at, at + MEMBERS_A_TRIP - 1)
            for place, member in enumerate(members, at):
                name = member.partition(b" ")[0]
                if name in left:
                    found[name] = place
                    left.discard(name)
            if not left:
                break
        return found

    def _strays(self) -> list[str]:
        names = sorted(name[2:] for name, _ in self._redis.hscan_iter(self._index, match="e:*", count=1000))
        told: set[bytes] = set()
        for at in range(0, len(names), BATCH):
            told |= self._told(self._parts, dict.fromkeys(names[at : at + BATCH], 1 << 40))
        return [name.decode() for name in names if name not in told]

    # rows

    def rows(self, first: int, last: int) -> list[Entry]:
        """The rows `first` to `last`, that one not included; fewer where no more are known."""
        found: list[Entry] = []
        for part, begin in zip(self._parts, self._begins(), strict=False):
            low, high = max(first - begin, 0), min(last - begin, len(part.places))
            if low < high:
                found += self._entries(part, part.places[low:high])
        begin = sum(len(part.places) for part in self._parts)
        strays = (self._stray_names or [])[max(first - begin, 0) : max(last - begin, 0)]
        writers = self._redis.hmget(self._index, [f"e:{name}" for name in strays]) if strays else []
        return found + [Entry(name, (writer or b"").decode()) for name, writer in zip(strays, writers, strict=True)]

    def _begins(self) -> list[int]:
        return [0, *accumulate(len(part.places) for part in self._parts)]

    def names(self, first: int, last: int) -> list[tuple[str, str]]:
        """(entity, partition) of rows, in key form, without asking who wrote them."""
        found: list[tuple[str, str]] = []
        for part, begin in zip(self._parts, self._begins(), strict=False):
            low, high = max(first - begin, 0), min(last - begin, len(part.places))
            if low < high:
                pairs = (m.decode().partition(" ") for m in self._members(part.wave, part.places[low:high]))
                found += [(entity, partition) for entity, _, partition in pairs]
        begin = sum(len(part.places) for part in self._parts)
        return found + [(s, "") for s in (self._stray_names or [])[max(first - begin, 0) : max(last - begin, 0)]]

    def _entries(self, part: _Part, places: Sequence[int]) -> list[Entry]:
        pairs = [m.decode().partition(" ") for m in self._members(part.wave, places)]
        cells = part.cells(places)
        reused = [pair[0] for pair, cell in zip(pairs, cells, strict=True) if cell == Cell.REUSED]
        writers = self._writers(part, reused, places) if reused else {}
        return [
            Entry(entity, writers.get(entity, part.wave.id), partition, place)
            for (entity, _, partition), place in zip(pairs, places, strict=True)
        ]

    def _writers(self, part: _Part, entities: list[str], places: Sequence[int]) -> dict[str, str]:
        """Who wrote what this wave found there, where another wave of this date or somebody outside waves did."""
        writers: dict[str, str] = {}
        strays = self._redis.hmget(self._index, [f"e:{entity}" for entity in entities])
        writers |= {entity: by.decode() for entity, by in zip(entities, strays, strict=True) if by is not None}
        for other in self._parts:
            left = {e.encode(): place for e, place in zip(entities, places, strict=False) if e not in writers}
            if other is not part and left:
                for name, place in self._found(other.wave, left).items():
                    if other.wrote(place) and other.cells([place])[0] != Cell.REUSED:
                        writers[name.decode()] = other.wave.id
        return writers

    def _members(self, wave: Wave, places: Sequence[int]) -> list[bytes]:
        """The members of a wave at these rising places."""
        if not places:
            return []
        spans = list(_spans(places))
        with self._redis.pipeline(transaction=False) as trip:
            for low, high in spans:
                trip.lrange(wave.key("members"), low, high)
            replies = trip.execute()
        known = {low + i: member for (low, _), reply in zip(spans, replies, strict=True) for i, member in enumerate(reply)}
        return [known.get(place, b"") for place in places]  # a wave that expires meanwhile has none

    def _names(self, wave: Wave, places: Sequence[int]) -> list[bytes]:
        if not places:
            return []
        ordered = sorted(set(places))
        known = dict(zip(ordered, self._members(wave, ordered), strict=True))
        return [known[place].partition(b" ")[0] for place in places]

    # where one is, in words that stay true while more is written

    def mark(self, row: int) -> str:
        """Where a row that is known begins, as text: `WAVE:NUMBER`, or `e:ENTITY`; "" after the last of all."""
        begin = 0
        for part in self._parts:
            if row - begin < len(part.places):
                return f"{part.wave.id}:{part.places[row - begin]}"
            begin += len(part.places)
        names = self._stray_names or []
        return f"e:{names[row - begin]}" if row - begin < len(names) else ""

    def row_of(self, mark: str) -> int:
        """The first row at or after a mark; finds out as many rows as that takes.

        Raises:
            BadKey: it is no mark of this listing.
        """
        head, _, tail = mark.partition(":")
        begin = 0
        for part in self._parts:
            while part.wave.id == head and not part.done:
                self.extend()
            if part.wave.id == head and tail.isdigit():
                return begin + bisect_left(part.places, int(tail))
            while not part.done:
                self.extend()
            begin += len(part.places)
        if head != "e":
            raise BadKey(f"{mark!r} is not where a page of these pipes ended")
        self.all()
        return begin + bisect_left(self._stray_names or [], tail)


def _spans(places: Sequence[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of places that lie near each other."""
    low = high = places[0]
    for place in places[1:]:
        if place - high > NEAR:
            yield low, high
            low = place
        high = place
    yield low, high
