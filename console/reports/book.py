"""The failures of one wave as they are read: a page of notes at a time, and of each wave only what is new.

A cell that failed or was blocked stays so, so what was read once is never read again. `shared` gives the book of a wave to
all that ask, whichever thread they are in.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

import msgspec

from engine.keys import decode_entity
from engine.signature import signature
from engine.status import STATUS_OF, Cell, Status
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.store.connect import Client
    from engine.store.wave import Wave

EXAMPLES = 10
PAGE = 2500
"""Notes that are read in one go."""
MOST_SIGNATURES = 100
"""Of one task, type and place; what is beyond goes into one family, so that messages which are all different stay few families."""
OTHERS = "(other messages)"
SPARSE = 20
"""From so many entities for each wanted one on, names are read one by one."""
BAD = bytes(byte in (Cell.FAILED, Cell.BLOCKED) for byte in range(256))
NEVER = float("inf")


def key_of(task: str, status: str, kind: str, text: str, where: str) -> str:
    """The key of a family: eight hex digits, the same for the same five."""
    return hashlib.sha256("\0".join((task, status, kind, text, where)).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def ancestors(plan: Plan) -> list[frozenset[int]]:
    """For each task the numbers of all that it depends on."""
    found: list[frozenset[int]] = []
    for needs in plan.needs:
        found.append(frozenset(needs).union(*(found[n] for n in needs)))
    return found


def mask(column: bytes, table: bytes) -> int:
    """A byte an entity, 1 where `table` says so of its cell, as one long number."""
    return int.from_bytes(column.translate(table), "little")


def places(bits: int, n: int) -> list[int]:
    """The numbers of the entities that a mask has."""
    return [found.start() for found in re.finditer(b"\1", bits.to_bytes(n, "little"))]


def ended_at(times: array[int], entity: int) -> float:
    """When a cell of a task ended, seconds after the wave was created; `NEVER` when it never ran."""
    start, took = times[2 * entity], times[2 * entity + 1]
    return start / 1000 + took / 100_000 if start or took else NEVER


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""
    where: str = ""
    traceback: msgspec.Raw = msgspec.Raw(b'""')


class _Note(msgspec.Struct):
    error: _Error | None = None


_read_note = msgspec.json.Decoder(_Note).decode


@dataclass
class Group:
    """A family as it grows. `first`: when the first of it ended (seconds after the wave was created; `NEVER` when that is not known),
    `names`: example entities by number, as users write them; `crew`: crew numbers, `blockers`: tasks that kept its cells from running."""

    task: int
    status: Status
    type: str
    signature: str
    where: str
    numbers: array[int] = field(default_factory=lambda: array("I"))
    traceback: str = ""
    names: dict[int, str] = field(default_factory=dict)
    first: float = NEVER
    first_entity: str = ""
    crew: Counter[int] = field(default_factory=Counter)
    blockers: Counter[int] = field(default_factory=Counter)

    def add(self, entity: int, name: str, ended: float, crew: int) -> None:
        """One more."""
        self.numbers.append(entity)
        self.crew[crew] += 1
        if ended < self.first or not self.first_entity:
            self.first, self.first_entity = ended, name
        self.names[entity] = name
        if len(self.names) > EXAMPLES:
            del self.names[max(self.names)]


class Book:
    """The families of one wave. Whoever reads or updates it holds `lock`."""

    def __init__(self, wave: Wave) -> None:
        self.wave, self.lock = wave, RLock()
        self._begin()

    def _begin(self) -> None:
        self.groups: dict[str, Group] = {}
        self.read = self.bad = 0
        self._counts: list[int] = []
        self._masks = [0] * len(self.wave.tasks)
        self._board = b""
        self._todo: list[tuple[int, int]] = []
        self._blocked: list[tuple[int, int]] = []
        self._signatures: Counter[tuple[int, Status, str, str]] = Counter()
        self._keys: dict[tuple[int, Status, str, str, str], str] = {}
        self._plan: Plan | None = None
        self._above: list[frozenset[int]] = []

    def update(self, redis: Client, most: int = PAGE, *, blocked: bool = True) -> bool:
        """Reads up to `most` notes of cells that failed since; when those are all read, of cells that were `blocked`. Whether all
        that was wanted is known now.

        Raises:
            NotFound: the wave has expired.
        """
        store = Waves(redis)
        progress = store.progress(self.wave)
        self.wave = progress.wave
        counts = [c.get(Cell.FAILED, 0) + c.get(Cell.BLOCKED, 0) for c in progress.counts]
        if counts != self._counts:
            self._scan(store)
            self._counts = counts
        part, self._todo = self._todo[:most], self._todo[most:]
        if blocked and (room := most - len(part)):
            part, self._blocked = part + self._blocked[:room], self._blocked[room:]
        if part:
            self._read(redis, store, part)
        return not self._todo and not (blocked and self._blocked)

    def all(self, redis: Client, *, blocked: bool = True) -> Book:
        """Reads all there is."""
        while not self.update(redis, blocked=blocked):
            pass
        return self

    def _scan(self, store: Waves) -> None:
        """Notes which cells are bad that were not."""
        n, board = self.wave.n, store.board(self.wave)
        masks = [mask(board[t * n : (t + 1) * n], BAD) for t in range(len(self.wave.tasks))]
        if any(old & ~new for old, new in zip(self._masks, masks, strict=True)):
            self._begin()  # another wave of the same name
        for task, (old, new) in enumerate(zip(self._masks, masks, strict=True)):
            for entity in places(new & ~old, n) if old != new else ():
                todo = self._todo if board[task * n + entity] == Cell.FAILED else self._blocked
                todo.append((task, entity))
        self._masks, self._board = masks, board
        self.bad = self.read + len(self._todo) + len(self._blocked)
        if self.bad and self._plan is None:
            self._plan = store.plan(self.wave)
            self._above = ancestors(self._plan)

    def _read(self, redis: Client, store: Waves, part: Sequence[tuple[int, int]]) -> None:
        notes: list[bytes | None] = redis.hmget(self.wave.key("notes"), [f"{t}:{e}" for t, e in part])
        names = _names(redis, self.wave, sorted({e for _, e in part}))
        claims: bytes = redis.get(self.wave.key("claims")) or b""
        times: dict[int, array[int]] = {}
        for (task, entity), note in zip(part, notes, strict=True):
            name, partition = names.get(entity, (str(entity), ""))
            status = STATUS_OF[self._board[task * self.wave.n + entity]]
            group = self._group(task, status, note, (name, partition))
            blocker = task if status == Status.FAILED else self._blocker(task, entity)
            if status == Status.BLOCKED:
                group.blockers[blocker] += 1
            if blocker not in times:
                times[blocker] = array("I", store.column_times(self.wave, blocker))
            group.add(entity, name, ended_at(times[blocker], entity), _crew(claims, entity))
        self.read += len(part)

    def _group(self, task: int, status: Status, note: bytes | None, names: tuple[str, str]) -> Group:
        """The family that a cell with this note belongs to."""
        error = _error(note, status)
        at = task, status, error.type, error.where
        text = signature(error.message, names)
        key = self._keys.get((*at, text))
        if key is None:
            self._signatures[at] += 1
            text = text if self._signatures[at] <= MOST_SIGNATURES else OTHERS
            key = key_of(self.wave.tasks[task], status.value, error.type, text, error.where)
            self._keys[*at, text] = key
        if key not in self.groups:
            trace = msgspec.json.decode(error.traceback)
            self.groups[key] = Group(*at[:3], text, error.where, traceback=trace if isinstance(trace, str) else "")
        return self.groups[key]

    def _blocker(self, task: int, entity: int) -> int:
        """The task that kept a cell from running: the first of those above it that failed, else one it needs that wrote nothing."""
        assert self._plan is not None  # noqa: S101
        n, board = self.wave.n, self._board
        for above in sorted(self._above[task]):
            if board[above * n + entity] == Cell.FAILED:
                return above
        needs = self._plan.needs[task]
        for cell in (Cell.CANCELLED, Cell.BLOCKED, Cell.PENDING, Cell.RUNNING):
            for need in needs:
                if board[need * n + entity] == cell:
                    return need
        return needs[0] if needs else task


def _error(note: bytes | None, status: Status) -> _Error:
    try:
        error = _read_note(note).error if note is not None else None
    except msgspec.MsgspecError:
        error = None
    return error or _Error(status.value, "nothing is noted")


def _crew(claims: bytes, entity: int) -> int:
    record = claims[entity * 8 + 4 : entity * 8 + 6]
    return int.from_bytes(record, "little")


def _names(redis: Client, wave: Wave, numbers: Sequence[int]) -> dict[int, tuple[str, str]]:
    """(entity, partition) of entities, as users write them."""
    key, first, last = wave.key("members"), numbers[0], numbers[-1]
    if last - first > SPARSE * len(numbers):
        with redis.pipeline(transaction=False) as trip:
            for number in numbers:
                trip.lindex(key, number)
            found = dict(zip(numbers, trip.execute(), strict=True))
    else:
        everyone = redis.lrange(key, first, last)
        found = {number: everyone[number - first] for number in numbers if number - first < len(everyone)}
    return {number: _pair(member) for number, member in found.items() if member is not None}


def _pair(member: bytes) -> tuple[str, str]:
    entity, _, partition = member.decode().partition(" ")
    return decode_entity(entity), decode_entity(partition)


_shelf: OrderedDict[tuple[Any, ...], Book] = OrderedDict()
_shelf_lock = Lock()
MOST_BOOKS = 6


def shared(wave: Wave) -> Book:
    """The book of a wave, for all that ask for it."""
    name = wave.version, wave.id, wave.created, wave.expire
    with _shelf_lock:
        book = _shelf.get(name)
        if book is None:
            book = _shelf[name] = Book(wave)
            while len(_shelf) > MOST_BOOKS:
                _shelf.popitem(last=False)
        _shelf.move_to_end(name)
        return book


def sizes(book: Book) -> dict[str, int]:
    """Family key → how many, of what has been read."""
    return {key: len(group.numbers) for key, group in book.groups.items()}


def by_size(book: Book) -> Iterator[tuple[str, Group]]:
    """The families, failed before blocked, the largest first."""
    yield from sorted(
        book.groups.items(),
        key=lambda at: (at[1].status != Status.FAILED, -len(at[1].numbers), at[1].task, at[1].signature),
    )
