"""States: who is active, by partition, and how the last waves over them went. Frozen data for the screen and its headless twin.

Field names are stable; `wavedeck state --json` prints them. Times are ISO 8601 UTC.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from console.views import iso
from engine.errors import NotFound
from engine.keys import decode_entity, encode_entity
from engine.plain import quoted
from engine.status import Cell
from engine.store.catalog import Catalog
from engine.store.claims import spans
from engine.store.states import States
from engine.store.waves import MEMBERS_A_TRIP, Waves

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.wave import Wave

LAST = 10
"""How many of the last waves are told of."""
LOOKED_THROUGH = 60
"""Among how many of the newest waves those over one state are looked for."""
WORST = (Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED, Cell.RUNNING, Cell.PENDING, Cell.FALLBACK, Cell.FINISHED, Cell.REUSED)
"""An entity went as the first of these that it has."""
_RANK = {int(cell): rank for rank, cell in enumerate(WORST)}
ABSENT = 0
"""Stands where an entity was in no such wave."""
NOBODY = "-"
"""The partition of those who have none."""


@dataclass(frozen=True, slots=True)
class StateRow:
    """A state. `seen`: the newest moment of its data's clock, `refreshed` of the real one; `flows`: `flow@version` that run over it. An
    entity that moved counts in each partition that still remembers it."""

    state: str
    entities: int
    partitions: int
    seen: str | None
    refreshed: str | None
    flows: list[str]


@dataclass(frozen=True, slots=True)
class PartitionRow:
    """A partition, as users write it."""

    partition: str
    entities: int
    seen: str | None


@dataclass(frozen=True, eq=False)
class Roll:
    """Who is in a state, by partition and name; the lists run in step. Names as users write them; `seen` in Unix seconds. `by_name` and
    `by_seen` (the longest unseen first) are orders of it."""

    state: str
    names: tuple[str, ...]
    partitions: tuple[str, ...]
    seen: array[float]
    by_partition: tuple[PartitionRow, ...]
    by_name: array[int]
    by_seen: array[int]

    def same(self, other: Roll | None) -> bool:
        """Whether both hold the same."""
        return other is not None and (self.state, self.names, self.partitions, self.seen) == (
            other.state,
            other.names,
            other.partitions,
            other.seen,
        )


@dataclass(frozen=True, slots=True)
class WaveOver:
    """A wave over a state, in short."""

    id: str
    locator: str
    ended: bool


@dataclass(frozen=True)
class StateView:
    """A state, as `wavedeck state NAME --json` prints it. `partitions`: entities by partition; `entities`: (entity, partition, last
    seen); `partitions_seen`: when; `waves`: the last ones over it, oldest first; `how`: entity → a letter each of these waves, `-` where
    it was not in it, else the worst cell it had, by the board's letters."""

    state: str
    total: int
    partitions: dict[str, int]
    entities: list[tuple[str, str, str | None]]
    partitions_seen: dict[str, str | None] = field(default_factory=dict)
    waves: list[WaveOver] = field(default_factory=list)
    how: dict[str, str] = field(default_factory=dict)


def states(redis: Client, flows: Mapping[str, Sequence[str]] | None = None) -> tuple[StateRow, ...]:
    """All states, by name. `flows`: what `users` gave, when that is known."""
    used = users(redis) if flows is None else flows
    return tuple(
        StateRow(e.state, e.entities, e.partitions, iso(e.seen * 1000), iso(e.refreshed * 1000), list(used.get(e.state, ())))
        for e in States(redis).extents()
    )


def users(redis: Client) -> dict[str, list[str]]:
    """State → the flows that versions have published and that run over it."""
    catalog, found = Catalog(redis), dict[str, list[str]]()
    for version in catalog.versions():
        for plan in catalog.flows(version).values():
            found.setdefault(plan.state, []).append(f"{plan.flow}@{version}")
    return found


def roll(redis: Client, name: str) -> Roll:
    """Who is in the state `name`.

    Raises:
        NotFound: no such state; the text lists those there are.
    """
    members = States(redis).members(name)
    if not members:
        raise NotFound(f"no state {quoted(name)}; there are: {', '.join(e.state for e in States(redis).extents()) or 'none'}")
    decoded = {p: decode_entity(p) for p in {m.partition for m in members}}
    partitions = tuple(decoded[m.partition] for m in members)
    seen = array("d", [m.seen for m in members])
    count, newest = dict.fromkeys(partitions, 0), dict.fromkeys(partitions, 0.0)
    for partition, at in zip(partitions, seen, strict=True):
        count[partition] += 1
        newest[partition] = max(newest[partition], at)
    rows = tuple(PartitionRow(p, n, iso(newest[p] * 1000)) for p, n in count.items())
    names = tuple(decode_entity(m.entity) for m in members)
    by_name = array("I", sorted(range(len(names)), key=names.__getitem__))
    by_seen = array("I", sorted(by_name, key=seen.__getitem__))
    return Roll(name, names, partitions, seen, rows, by_name, by_seen)


def state(redis: Client, name: str, *, limit: int = 1000) -> StateView:
    """A state, by its name: its first `limit` entities, and how they went.

    Raises:
        NotFound: no such state.
    """
    found, past = roll(redis, name), Past(name)
    past.look(redis)
    names = found.names[:limit]
    while not past.learn(redis):
        pass
    told = past.how(redis, names)
    return StateView(
        name,
        len(found.names),
        {row.partition: row.entities for row in found.by_partition},
        [(n, p, iso(at * 1000)) for n, p, at in zip(names, found.partitions, found.seen, strict=False)],
        {row.partition: row.seen for row in found.by_partition},
        list(past.waves),
        {n: bytes(cell or ord("-") for cell in told[n]).decode("latin-1") for n in names},
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where entities stand in a wave: `numbers` by slot, -1 for those who are not in it, and `slots` by number."""

    numbers: array[int]
    slots: array[int]


class Past:
    """How the last waves over a state went, for those entities that are asked about. A slot is a number that an entity keeps as long as
    this lives. `waves` are the last ones, oldest first."""

    def __init__(self, state: str) -> None:
        self.waves: tuple[WaveOver, ...] = ()
        self._state = state
        self._waves: list[Wave] = []
        self._slots: dict[bytes, int] = {}
        self._places: dict[str, _Place] = {}
        self._cells: dict[str, dict[str, int]] = {}
        self._bad: dict[str, dict[int, int]] = {}

    @property
    def live(self) -> bool:
        """Whether a wave over the state still runs."""
        return any(wave.running for wave in self._waves)

    def look(self, redis: Client) -> bool:
        """Finds the last waves. Whether any of them is new, or has ended since."""
        recent = [p.wave for p in Waves(redis).recent(LOOKED_THROUGH) if p.wave.state == self._state][:LAST]
        self._waves = recent[::-1]
        kept = {wave.id for wave in recent}
        for known in (self._places, self._cells, self._bad):
            for gone in known.keys() - kept:
                del known[gone]
        before, self.waves = self.waves, tuple(WaveOver(w.id, w.locator, bool(w.ended)) for w in self._waves)
        for over in before:  # what was read while a wave ran is not its end
            if not over.ended:
                self._cells.pop(over.id, None)
                self._bad.pop(over.id, None)
        return before != self.waves

    def learn(self, redis: Client) -> bool:
        """Reads who is in the newest wave of which that is not known yet. Whether all of that is known now."""
        unknown = [wave for wave in reversed(self._waves) if wave.id not in self._places]
        if unknown:
            self._places[unknown[0].id] = self._place(redis, unknown[0])
        return len(unknown) <= 1

    def _place(self, redis: Client, wave: Wave) -> _Place:
        slots = array("i")
        for at in range(0, wave.n, MEMBERS_A_TRIP):
            for member in redis.lrange(wave.key("members"), at, at + MEMBERS_A_TRIP - 1):
                slots.append(self._slots.setdefault(member.partition(b" ")[0], len(self._slots)))
        numbers = array("i", [-1]) * len(self._slots)
        for number, slot in enumerate(slots):
            numbers[slot] = number
        return _Place(numbers, slots)

    def how(self, redis: Client, names: Collection[str]) -> dict[str, bytes]:
        """For each of these entities, as users write them, a byte each of `waves`: the worst cell it has, or `ABSENT`. Of what has
        ended nothing is read twice as long as it is asked for; what is not `learn`ed yet is absent."""
        wanted = {name: self._slots.get(encode_entity(name).encode(), -1) for name in names}
        asked = [(wave, self._missing(wave, wanted)) for wave in self._waves if wave.id in self._places]
        with redis.pipeline(transaction=False) as trip:
            for wave, numbers in asked:
                for first, many, _ in spans(list(numbers)):
                    for task in range(len(wave.tasks)):
                        at = task * wave.n + first
                        trip.getrange(wave.key("board"), at, at + many - 1)
            replies = iter(trip.execute())
        for wave, numbers in asked:
            known = self._cells.get(wave.id, {}) if wave.ended else {}
            worst: dict[int, int] = {}
            for first, many, _ in spans(list(numbers)):
                columns = [next(replies) for _ in wave.tasks]
                worst |= {first + i: worst_of(c[i] for c in columns if i < len(c)) for i in range(many)}
            fresh = {numbers[number]: cell for number, cell in worst.items()}
            self._cells[wave.id] = {name: fresh.get(name, known.get(name, ABSENT)) for name in wanted}
        return {name: bytes(self._cells.get(w.id, {}).get(name, ABSENT) for w in self._waves) for name in wanted}

    def _missing(self, wave: Wave, wanted: Mapping[str, int]) -> dict[int, str]:
        """Number → name of those whose cells in a wave are to be read, in order."""
        known = self._cells.get(wave.id, {}) if wave.ended else {}
        numbers = self._places[wave.id].numbers
        found = {numbers[s]: name for name, s in wanted.items() if 0 <= s < len(numbers) and not known.get(name, ABSENT)}
        return {number: found[number] for number in sorted(found) if number >= 0}

    def trouble(self, redis: Client) -> dict[str, int]:
        """Who failed or was blocked in the last waves, and how badly: a failure weighs more than all that can be blocked. Reads the
        boards of waves, of those that have ended once."""
        total: dict[int, int] = {}
        for wave in self._waves:
            place = self._places.get(wave.id)
            if place is None:
                continue
            if wave.id not in self._bad or not wave.ended:
                self._bad[wave.id] = _bad(Waves(redis).board(wave), wave, place)
            for slot, weight in self._bad[wave.id].items():
                total[slot] = total.get(slot, 0) + weight
        keys = list(self._slots)
        return {decode_entity(keys[slot].decode()): weight for slot, weight in total.items()}


def _bad(board: bytes, wave: Wave, place: _Place) -> dict[int, int]:
    found: dict[int, int] = {}
    for cell, weight in ((Cell.BLOCKED, 1), (Cell.FAILED, LAST + 1)):
        found |= {place.slots[number]: weight for number in entities_with(board, wave.n, {cell})}
    return found


def entities_with(board: bytes, n: int, cells: Collection[int], *, all_of_them: bool = False) -> list[int]:
    """The numbers of the entities with a cell of these, or with no other. Whole columns at a time."""
    table = bytes((byte in cells) is not all_of_them for byte in range(256))
    columns = (int.from_bytes(board[at : at + n].translate(table), "little") for at in range(0, len(board), n or 1))
    hits = reduce(or_, columns, 0).to_bytes(n, "little")
    return [number for number, hit in enumerate(hits) if bool(hit) is not all_of_them]


def worst_of(cells: Iterable[int]) -> int:
    """How an entity with these cells went; a byte that is not known is as bad as a failure."""
    return min(cells, key=lambda cell: _RANK.get(cell, 0), default=ABSENT)
