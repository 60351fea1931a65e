"""Failures of a wave by what they have in common, and the first of them. Field names are stable; `--json` prints them."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from threading import Lock

from console.reports.book import NEVER, Book, Group, ancestors, by_size, ended_at, key_of, mask, places, shared, sizes
from console.views import iso
from engine.errors import NotFound
from engine.keys import decode_entity
from engine.plain import quoted
from engine.status import Cell, Status
from engine.store.connect import Client
from engine.store.wave import Progress, Wave
from engine.store.waves import Waves

__all__ = ["Family", "FirstRed", "Past", "earlier", "families", "first_red", "key_of", "members_of"]

BEFORE = 10
"""Earlier waves in which a family is looked for."""
MOST_WORKERS = 5
MOST_REMEMBERED = 500
FAILED = bytes(byte == Cell.FAILED for byte in range(256))


@dataclass(frozen=True)
class Family:
    """Failures with one signature.

    `key` names it in filters and commands. `status`: Failed or Blocked, never mixed; `share`: of the wave's entities, 0 to 1;
    `examples`: some of its entities as users write them; `numbers`: all of them; `first`: when the first of them ended (ISO 8601),
    in `first_entity` (a blocked one ends when what blocks it does); `workers`: worker → how many, the most first, five at most;
    `worker`: the one that all of several came from, in a wave that had others; `blocked_by`: task → how many it kept from running.
    Of one that failed, `looked`: how many earlier waves were looked at, `before` the date of the last of these; `known`: how many of them had it, `since`
    the date of the earliest of those and `last` of the latest.
    """

    task: str
    status: str
    type: str
    signature: str
    where: str
    count: int
    examples: list[str]
    key: str = ""
    share: float = 0.0
    numbers: tuple[int, ...] = ()
    first: str | None = None
    first_entity: str = ""
    worker: str = ""
    workers: dict[str, int] = field(default_factory=dict)
    blocked_by: dict[str, int] = field(default_factory=dict)
    known: int = 0
    since: str = ""
    last: str = ""
    before: str = ""
    looked: int = 0

    @property
    def title(self) -> str:
        """`ValueError: horizon > history`."""
        return self.signature if self.type == self.status else f"{self.type}: {self.signature}"

    @property
    def news(self) -> str:
        """`new since 2013-07-01T13`, `known since 2013-07-01T12 (3 waves)`, `back, last in 2013-07-01T09`, or nothing when there is no
        earlier wave."""
        if not self.looked:
            return ""
        if not self.known:
            return f"new since {self.before}"
        if self.last != self.before:
            return f"back, last in {self.last}"
        return f"known since {self.since} ({self.known} {'wave' if self.known == 1 else 'waves'})"


Keys = Mapping[str, int]
"""Family key → how many."""

_ended: dict[tuple[str, int, int], Keys] = {}
"""Families of waves that have ended, which never change."""
_ended_lock = Lock()


def earlier(store: Waves, wave: Wave, most: int = BEFORE) -> list[Progress]:
    """The ended waves of the same flow and version before `wave`, newest first; parts of waves (re-runs) are not among them."""
    recent = store.recent(most * 4 + 10, version=wave.version, flow=wave.flow)
    return [p for p in recent if _when(p.wave) < _when(wave) and p.wave.ended and not p.wave.of and not p.wave.cancelled][:most]


def _when(wave: Wave) -> tuple[int, str]:
    """By the millisecond; of two of one, by what they are about."""
    return wave.created, str(wave.date)


class Past:
    """The families of the waves before one, found out a page at a time."""

    def __init__(self, store: Waves, wave: Wave, most: int = BEFORE) -> None:
        self._todo = [p.wave for p in earlier(store, wave, most)]
        self._book: Book | None = None
        self.found: list[tuple[str, Keys]] = []
        """(date, families), newest first, of the waves that were looked at so far."""

    @property
    def date(self) -> str:
        """The date of the wave that is read next; "" when all are known."""
        return str(self._todo[0].date) if self._todo else ""

    def update(self, redis: Client) -> bool:
        """Reads a page. Whether all are known now."""
        if not self._todo:
            return True
        wave = self._todo[0]
        known = _ended.get(_name(wave))
        if known is None:
            self._book = self._book or Book(wave)
            try:
                if not self._book.update(redis, blocked=False):
                    return False
            except NotFound:  # it has just expired
                self._todo, self._book = self._todo[1:], None
                return not self._todo
            known = sizes(self._book)
            _remember(wave, known)
        self.found.append((str(wave.date), known))
        self._todo, self._book = self._todo[1:], None
        return not self._todo

    def all(self, redis: Client) -> Sequence[tuple[str, Keys]]:
        """Reads all there is."""
        while not self.update(redis):
            pass
        return self.found


def _name(wave: Wave) -> tuple[str, int, int]:
    return wave.id, wave.created, wave.expire


def _remember(wave: Wave, keys: Keys) -> None:
    with _ended_lock:
        if len(_ended) >= MOST_REMEMBERED:
            _ended.clear()
        _ended[_name(wave)] = keys


def families_of(redis: Client, book: Book, past: Sequence[tuple[str, Keys]] = ()) -> tuple[Family, ...]:
    """The families of a book as far as it is read: failed before blocked, the largest first."""
    crew = Waves(redis).crew(book.wave) if book.groups else {}
    return tuple(_family(book.wave, key, group, crew, past) for key, group in by_size(book))


def _family(wave: Wave, key: str, group: Group, crew: Mapping[int, str], past: Sequence[tuple[str, Keys]]) -> Family:
    workers = [(crew.get(number, ""), count) for number, count in group.crew.most_common(MOST_WORKERS)]
    past = past if group.status == Status.FAILED else ()
    had = [date for date, keys in past if key in keys]
    return Family(
        task=wave.tasks[group.task],
        status=group.status.value,
        type=group.type,
        signature=group.signature,
        where=group.where,
        count=len(group.numbers),
        examples=[group.names[number] for number in sorted(group.names)],
        key=key,
        share=round(len(group.numbers) / wave.n, 4) if wave.n else 0.0,
        numbers=tuple(sorted(group.numbers)),
        first=iso(wave.created + group.first * 1000) if group.first != NEVER else None,
        first_entity=group.first_entity,
        worker=workers[0][0] if len(group.crew) == 1 and len(group.numbers) > 1 and len(crew) > 1 else "",
        workers={name: count for name, count in workers if name},
        blocked_by={wave.tasks[task]: count for task, count in group.blockers.most_common()},
        known=len(had),
        since=had[-1] if had else "",
        last=had[0] if had else "",
        before=past[0][0] if past else "",
        looked=len(past),
    )


def families(redis: Client, wave: Wave) -> list[Family]:
    """The families of failures of a wave: failed before blocked, the largest first; new ones and known ones are told apart.

    Raises:
        NotFound: the wave has expired.
    """
    book = shared(wave)
    with book.lock:
        past = Past(Waves(redis), wave).all(redis) if book.all(redis).groups else ()
        return list(families_of(redis, book, past))


def members_of(redis: Client, wave: Wave, key: str) -> frozenset[int]:
    """The numbers of the entities of a family; or of those in which something changed since the wave before, by one of the names in
    `changes.SETS`.

    Raises:
        NotFound: the wave has no such family, or has expired.
    """
    from console.reports.changes import SETS, members

    if key in SETS:
        return members(redis, wave, key)
    book = shared(wave)
    with book.lock:
        group = book.all(redis).groups.get(key)
        if group is None:
            raise NotFound(f"wave {wave.id} ({wave.locator}) has no family {quoted(key)}; `wavedeck failures` lists them")
        return frozenset(group.numbers)


@dataclass(frozen=True)
class FirstRed:
    """The earliest failure that no failure of the same entity came before: `at` is when it ended (ISO 8601, None when that is not
    known), `seconds` the same since the wave was created; `error` has its type, message, where and traceback."""

    wave: str
    locator: str
    entity: str
    number: int
    task: str
    at: str | None
    seconds: float
    error: dict[str, str]


def first_red(redis: Client, wave: Wave) -> FirstRed | None:
    """The earliest failure of a wave without a failed ancestor; None when nothing failed."""
    store = Waves(redis)
    found = _first(store, wave)
    if found is None:
        return None
    ended, task, entity = found
    [(key, _)] = store.members(wave, entity, entity)
    error = (store.note(wave, task, entity) or {}).get("error") or {}
    at = iso(wave.created + ended * 1000) if ended != NEVER else None
    return FirstRed(
        wave.id, wave.locator, decode_entity(key), entity, wave.tasks[task], at, round(ended, 3) if at else 0.0, error
    )


def _first(store: Waves, wave: Wave) -> tuple[float, int, int] | None:
    """When it ended, its task and entity; of two of one moment, the one that comes first in the flow, then in the wave."""
    board, n = store.board(wave), wave.n
    failed = [mask(board[task * n : (task + 1) * n], FAILED) for task in range(len(wave.tasks))]
    if not any(failed):
        return None
    best: list[tuple[float, int, int]] = []
    for task, above in enumerate(ancestors(store.plan(wave))):
        first = failed[task] & ~reduce(or_, (failed[a] for a in above), 0)
        if first:
            times = array("I", store.column_times(wave, task))
            best.append(min((ended_at(times, entity), task, entity) for entity in places(first, n)))
    return min(best)
