"""The inputs of a task against those it had when it last went well, or those of a healthy neighbour, field by field.

Field names are stable; `wavedeck diff --json` prints them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from console.reports.differences import Difference, first
from console.reports.used import Evidence, Used
from engine.errors import BadValue, NotFound
from engine.keys import PipeKey, decode_entity
from engine.payload import decode_json
from engine.plan import Input
from engine.status import WROTE, Cell
from engine.store.connect import Client
from engine.store.wave import Wave
from engine.store.waves import MEMBERS_A_TRIP, Waves

LARGEST = 1_000_000
"""Bytes of a value that is compared field by field; of a larger one sizes and hashes are."""
PIECE = 1 << 20
EARLIER = 60
"""Earlier waves that are looked through for one that went well."""
WINDOW = 500
STEPS = 48
"""Earlier values of a history that are compared."""

Verdict = Literal["same", "different", "only here", "only there", "nowhere", "too large"]
Against = Literal["last success", "neighbour"]


@dataclass(frozen=True)
class Side:
    """An input on one side: its pipe's key ("" when it had none), how much older than its wave, its size and hash."""

    key: str = ""
    age: float = 0.0
    bytes: int | None = None
    sha: str = ""

    @property
    def there(self) -> bool:
        """Whether it has a value now."""
        return self.bytes is not None


@dataclass(frozen=True)
class InputDiff:
    """One input on both sides. `before`: of what it is compared with; `more`: whether there are more differences than told."""

    name: str
    verdict: Verdict
    before: Side = Side()
    now: Side = Side()
    differences: list[Difference] = field(default_factory=list)
    more: bool = False


@dataclass(frozen=True)
class InputsDiff:
    """A cell's inputs against another cell's of the same task. `wave`, `locator`, `entity`: the other's; empty when there is none, and
    `why` says so. `same_partition`: whether a neighbour is of the entity's own."""

    task: str
    against: Against
    wave: str = ""
    locator: str = ""
    entity: str = ""
    why: str = ""
    same_partition: bool = True
    inputs: list[InputDiff] = field(default_factory=list)


@dataclass(frozen=True)
class Neighbour:
    """The nearest entity whose same task finished in this wave."""

    number: int
    key: str
    same_partition: bool


def diff(redis: Client, wave: Wave, number: int, task: str, against: Against) -> InputsDiff:
    """Compares the inputs of a task of an entity.

    Raises:
        NotFound: the wave has no such task.
    """
    if task not in wave.tasks:
        raise NotFound(f"wave {wave.id} ({wave.locator}) has no task {task!r}; it has: {', '.join(wave.tasks)}")
    store = Waves(redis)
    [(key, partition)] = store.members(wave, number, number)
    if against == "neighbour":
        near = neighbour(store, wave, number, task)
        if near is None:
            return InputsDiff(task, against, why=f"{task} has finished for no other entity of this wave")
        inputs = _compare(redis, (wave, number, key), (wave, near.number, near.key), task)
        return InputsDiff(task, against, wave.id, wave.locator, decode_entity(near.key), "", near.same_partition, list(inputs))
    good = last_success(redis, wave, key, partition, task)
    if good is None:
        return InputsDiff(task, against, why=f"{task} has finished for this entity in no earlier wave that is kept")
    other, there = good
    inputs = _compare(redis, (wave, number, key), (other, there, key), task)
    return InputsDiff(task, against, other.id, other.locator, decode_entity(key), "", True, list(inputs))


def neighbour(store: Waves, wave: Wave, number: int, task: str) -> Neighbour | None:
    """The nearest entity, in the order of the wave, whose `task` finished in it: of the same partition, else of any; one that had all its
    inputs goes before one that had not."""
    column = store.column(wave, wave.tasks.index(task))
    [(_, own)] = store.members(wave, number, number)
    anywhere: Neighbour | None = None
    for cells in ({Cell.FINISHED, Cell.REUSED}, {Cell.FALLBACK}):
        for near, key, partition in _around(store, wave, number, column, cells):
            if partition == own:
                return Neighbour(near, key, True)
            anywhere = anywhere or Neighbour(near, key, False)
    return anywhere


def _around(store: Waves, wave: Wave, number: int, column: bytes, cells: set[Cell]) -> Iterator[tuple[int, str, str]]:
    """Entities with such a cell, nearest first, read in windows that grow."""
    low = high = number
    width = WINDOW
    while low > 0 or high < wave.n:
        new_low, new_high = max(low - width, 0), min(high + width, wave.n)
        found: list[tuple[int, str, str]] = []
        for start, end in ((new_low, low), (high, new_high)):
            if end > start and any(column[n] in cells for n in range(start, end)):
                members = store.members(wave, start, end - 1)
                found += [(n, *m) for n, m in enumerate(members, start) if column[n] in cells and n != number]
        yield from sorted(found, key=lambda at: (abs(at[0] - number), at[0]))
        low, high, width = new_low, new_high, width * 4


def last_success(redis: Client, wave: Wave, key: str, partition: str, task: str) -> tuple[Wave, int] | None:
    """The last wave before this one, by date, in which the entity's task finished, and the entity's number in it; of the base version
    when this one has none."""
    store = Waves(redis)
    for version in dict.fromkeys([wave.version, wave.base]):
        if not version:
            continue
        before = [p.wave for p in store.recent(EARLIER, version=version, flow=wave.flow) if p.wave.id != wave.id]
        before = [w for w in before if (w.date, w.created) < (wave.date, wave.created) and task in w.tasks]
        for other in sorted(before, key=lambda w: (w.date, w.created), reverse=True):
            at = _find(redis, store, other, key, partition)
            if at is not None and store.cell(other, other.tasks.index(task), at) in WROTE:
                return other, at
    return None


def _find(redis: Client, store: Waves, wave: Wave, key: str, partition: str) -> int | None:
    """An entity's number: the server looks for it where its partition is the same; where it is another, only small waves are read."""
    at: int | None = redis.lpos(wave.key("members"), f"{key} {partition}")
    return store.number(wave, key) if at is None and wave.n <= MEMBERS_A_TRIP else at


At = tuple[Wave, int, str]
"""A wave, the number of an entity in it, and the entity's key."""


def _compare(redis: Client, here: At, there: At, task: str) -> Iterator[InputDiff]:
    now, before = _given(redis, here, task), _given(redis, there, task)
    for name in dict.fromkeys([*before, *now]):
        a, b = before.get(name), now.get(name)
        if isinstance(a, _History) or isinstance(b, _History):
            yield _histories(redis, name, a, b)
        else:
            yield compare_values(name, *_load(redis, a), *_load(redis, b))
    a_config, b_config = (w.config.get(task, {}) for w in (there[0], here[0]))
    if a_config != b_config:
        found, more = first(a_config, b_config)
        yield InputDiff("config", "different", Side("config"), Side("config"), found, more)


@dataclass(frozen=True)
class _History:
    """Keys of earlier values, by how long before the wave's date they are; several where a base version is looked at, too."""

    keys: tuple[tuple[str, tuple[str, ...]], ...] = ()


def _given(redis: Client, at: At, task: str) -> dict[str, Used | _History]:
    """The inputs of a cell by name. What has not been looked up is what there would be now."""
    wave, number, key = at
    store = Waves(redis)
    number_of_task = wave.tasks.index(task)
    plan = store.plan(wave).tasks[number_of_task]
    cell, note = store.cell(wave, number_of_task, number), store.note(wave, number_of_task, number) or {}
    inputs, _ = Evidence(redis, wave).of(plan, number_of_task, key, cell, note)
    found: dict[str, Used | _History] = {i.name: i for i in inputs if i.state != "history"}
    return found | {i.name: _history(wave, key, i) for i in plan.inputs if i.history}


def _history(wave: Wave, key: str, i: Input) -> _History:
    versions = list(dict.fromkeys([wave.version, wave.base or wave.version]))
    dates = list(wave.date.back(i.history))[:STEPS]
    unit = "h" if wave.date.hourly else "d"
    return _History(
        tuple((f"-{n}{unit}", tuple(str(PipeKey(v, i.name, key, date)) for v in versions)) for n, date in enumerate(dates, 1))
    )


def _load(redis: Client, used: Used | _History | None) -> tuple[Side, bytes | None]:
    """An input and its value; of one that is too large only its hash, read in pieces."""
    if not isinstance(used, Used) or used.bytes is None:
        return Side(), None
    if used.bytes <= LARGEST:
        value: bytes | None = redis.get(used.key)
        if value is None:
            return Side(used.key, used.age), None
        return Side(used.key, used.age, len(value), hashlib.sha256(value).hexdigest()[:12]), value
    sha = hashlib.sha256()
    for start in range(0, used.bytes, PIECE):
        sha.update(redis.getrange(used.key, start, start + PIECE - 1))
    return Side(used.key, used.age, used.bytes, sha.hexdigest()[:12]), None


def compare_values(name: str, before: Side, a: bytes | None, now: Side, b: bytes | None) -> InputDiff:
    """One input on both sides; `a` and `b` are the values, None where there is none or it is too large. Pure."""
    if not before.there or not now.there:
        verdict: Verdict = "only there" if before.there else "only here" if now.there else "nowhere"
        return InputDiff(name, verdict, before, now)
    if before.sha == now.sha and before.bytes == now.bytes:
        return InputDiff(name, "same", before, now)
    if a is None or b is None:
        return InputDiff(name, "too large", before, now)
    try:
        found, more = first(decode_json(a), decode_json(b))
    except (BadValue, RecursionError):
        return InputDiff(name, "different", before, now)
    return InputDiff(name, "different" if found else "same", before, now, found, more)


def _histories(redis: Client, name: str, a: Used | _History | None, b: Used | _History | None) -> InputDiff:
    """Two histories by age: an hour before the one date against an hour before the other."""
    (before, old), (now, new) = _read(redis, a), _read(redis, b)
    if not (before.there and now.there) or old == new:
        return compare_values(name, before, None, now, None)
    try:
        was, is_now = ({k: decode_json(v) for k, v in values.items()} for values in (old, new))
    except BadValue:
        return InputDiff(name, "different", before, now)
    found, more = first(was, is_now)
    return InputDiff(name, "different" if found else "same", before, now, found, more)


def _read(redis: Client, history: Used | _History | None) -> tuple[Side, dict[str, bytes]]:
    """The values of a history by age, a megabyte at most."""
    steps = history.keys if isinstance(history, _History) else ()
    keys = [key for _, choice in steps for key in choice]
    with redis.pipeline(transaction=False) as trip:
        for key in keys:
            trip.strlen(key)
        sizes = dict(zip(keys, trip.execute() if keys else [], strict=True))
    chosen: dict[str, str] = {}
    total = 0
    for age, choice in steps:
        key = next((k for k in choice if sizes[k]), "")
        if key and total + sizes[key] <= LARGEST:
            chosen[age], total = key, total + sizes[key]
    values: Sequence[bytes | None] = redis.mget(list(chosen.values())) if chosen else []
    found = {age: value for age, value in zip(chosen, values, strict=True) if value is not None}
    return (Side(f"{len(found)} earlier values", 0.0, total) if found else Side()), found


def flat(found: InputsDiff) -> dict[str, Any]:
    """It as `diff --json` prints it: each difference with its path in words."""
    data: dict[str, Any] = msgspec.to_builtins(found)
    for told, i in zip(data["inputs"], found.inputs, strict=True):
        told["differences"] = [
            {"path": d.where, "what": d.what, "before": d.before, "now": d.now, "relative": d.relative} for d in i.differences
        ]
    return data
