"""One pipe with all that is known of it, and beside it another version's. Field names are stable; `--json` prints them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import msgspec

from console.browse import PipeDetail
from console.locator import Locator
from console.moment import now
from console.reports.differences import Difference, differences, first
from console.reports.lineage import Link, lineage
from console.reports.series import Chart, chart_of
from console.views import iso
from engine.errors import BadKey, BadValue, NotFound
from engine.keys import Date, PipeKey
from engine.payload import decode_json
from engine.plain import quoted
from engine.store.catalog import Catalog
from engine.store.connect import Client
from engine.store.pipes import Pipes

MOST = 2000
"""Differences that are listed."""
READ = 16 * 1024 * 1024
"""Bytes up to which a screen reads a value whole; of a longer one it shows the beginning."""
BEGINNING = 256 * 1024
COMPARED, TOGETHER = 256 * 1024, 8 * 1024 * 1024
"""Bytes up to which values of a list of entities are compared by what they say, longer ones only by their bytes; and of so many bytes
at a time."""
TEXT = 65536
"""Bytes of a value that is no JSON which are printed."""


@dataclass(frozen=True)
class Whole:
    """One pipe: its value, who wrote it (a wave's id and name, and its worker), what it was made of and what was made of it, its
    curves; and, when it is compared, the other version's value (None: there is none), whether both are `equal`, and what is different,
    the first of it when there is `more`."""

    detail: PipeDetail
    wave: str = ""
    wave_name: str = ""
    worker: str = ""
    up: tuple[Link, ...] = ()
    down: tuple[Link, ...] = ()
    chart: Chart | None = None
    other: str = ""
    theirs: PipeDetail | None = None
    equal: bool | None = None
    differences: tuple[Difference, ...] = field(default=())
    more: bool = False


@dataclass(frozen=True, eq=False)
class Shown:
    """A pipe for a screen: `data` as it lies in Redis, or the beginning of it."""

    whole: Whole
    data: bytes
    theirs: bytes | None = None


def key_of(version: str, name: str, entity: str, date: str) -> PipeKey:
    """The key of the pipe of a user's entity.

    Raises:
        BadKey: a part is illegal.
    """
    if not version:
        raise BadKey(f"{quoted(name)} is not VERSION/NAME")
    return PipeKey.make(version, name, entity, date)


def whole(redis: Client, place: Locator) -> Whole:
    """The pipe at a place, and beside it that of `place.other`.

    Raises:
        NotFound: there is none.
        BadKey: the place cannot be a pipe's.
    """
    version, _, name = place.path.rpartition("/")
    return shown(redis, key_of(version, name, place.entity, place.date), place.other, most=None).whole


def shown(redis: Client, key: PipeKey, other: str = "", *, number: int = -1, most: int | None = READ) -> Shown:
    """A pipe, and beside it that of another version. `number`: the entity's in the wave that wrote it, where it is known; `most`: bytes
    up to which the value is read whole.

    Raises:
        NotFound: there is none.
    """
    detail, data = _read(redis, key, most)
    from_where = lineage(redis, key, number)
    own = chart_of(redis, key, detail.value) if detail.json else None
    w = from_where
    mine = Whole(replace(detail, writer=w.writer), w.wave, w.wave_name, w.worker, w.up, w.down, own, other)
    return _beside(redis, key, mine, data, most) if other else Shown(mine, data)


def peek(redis: Client, key: PipeKey, other: str = "") -> Shown:
    """A pipe's value without where it comes from, its beginning where it is long; and beside it that of another version."""
    detail, data = _read(redis, key, BEGINNING)
    return _beside(redis, key, Whole(detail, other=other), data, BEGINNING) if other else Shown(Whole(detail), data)


def _beside(redis: Client, key: PipeKey, mine: Whole, data: bytes, most: int | None) -> Shown:
    try:
        theirs, beside = _read(redis, PipeKey(mine.other, key.pipe, key.entity, key.date), most)
    except NotFound:
        return Shown(mine, data)
    both = mine.detail.json and theirs.json
    found, more = first(mine.detail.value, theirs.value, MOST) if both else ([], False)
    equal = not found if both else data == beside
    return Shown(replace(mine, theirs=theirs, equal=equal, differences=tuple(found), more=more), data, beside)


def _read(redis: Client, key: PipeKey, most: int | None) -> tuple[PipeDetail, bytes]:
    with redis.pipeline(transaction=False) as trip:
        trip.strlen(str(key))
        trip.pttl(str(key))
        size, left = trip.execute()
    if left == -2:
        raise NotFound(f"no pipe {str(key)!r}")
    cut = most is not None and size > most
    data: bytes = redis.getrange(str(key), 0, BEGINNING - 1) if cut else redis.get(str(key)) or b""
    try:
        value, is_json = (decode_json(data), True) if not cut else (_text(data), False)
    except BadValue:
        value, is_json = _text(data), False
    expires = iso(now() * 1000 + left) if left > 0 else None
    return PipeDetail(str(key), is_json, value, size, expires, None), data


def _text(data: bytes) -> str:
    return data[:TEXT].decode("utf-8", "backslashreplace")


def others(redis: Client, key: PipeKey) -> list[str]:
    """The other versions that have this pipe, the last active first."""
    known = [v for v in Catalog(redis).versions() if v != key.version]
    there = Pipes(redis).there([str(PipeKey(v, key.pipe, key.entity, key.date)) for v in known])
    return [v for v, t in zip(known, there, strict=True) if t]


def flat(found: Whole) -> dict[str, Any]:
    """A pipe as `wavedeck pipe --json` prints it: its own fields and the others side by side."""
    fields: dict[str, Any] = msgspec.to_builtins(found)
    return {**fields.pop("detail"), **fields}


# many entities of two versions

Verdict = Literal["equal", "differs", "missing", "gone"]


@dataclass(frozen=True)
class Against:
    """An entity's pipe against another version's: `missing` there, `gone` here; `words`: the first difference."""

    verdict: Verdict
    words: str = ""


def against(redis: Client, version: str, other: str, name: str, entities: Sequence[str], date: str) -> list[Against]:
    """The pipes of these entities (in key form) against those of another version; of large values not more than that they differ."""
    at = Date(date)
    keys = [[str(PipeKey(v, name, e, at)) for e in entities] for v in (version, other)]
    with redis.pipeline(transaction=False) as trip:
        for key in [*keys[0], *keys[1]]:
            trip.strlen(key)
            trip.exists(key)
        replies = trip.execute() if entities else []
    sizes = [size if there else -1 for size, there in zip(replies[::2], replies[1::2], strict=True)]
    pairs = list(zip(sizes[: len(entities)], sizes[len(entities) :], strict=True))
    wanted = [i for i, (a, b) in enumerate(pairs) if a >= 0 and b >= 0 and max(a, b) <= COMPARED]
    found: dict[int, Against] = {}
    while wanted:
        room = TOGETHER
        batch: list[int] = []
        while wanted and (not batch or sum(pairs[wanted[0]]) <= room):
            room -= sum(pairs[wanted[0]])
            batch.append(wanted.pop(0))
        values = Pipes(redis).get_many([keys[side][i] for i in batch for side in (0, 1)])
        found |= {i: _verdict(values[2 * n], values[2 * n + 1]) for n, i in enumerate(batch)}
    return [found.get(i) or _by_size(redis, pair, (keys[0][i], keys[1][i])) for i, pair in enumerate(pairs)]


def _by_size(redis: Client, sizes: tuple[int, int], keys: tuple[str, str]) -> Against:
    """What can be said of pipes that are not both there, or too large to look into."""
    if sizes[0] < 0:
        return Against("gone")
    if sizes[1] < 0:
        return Against("missing")
    same = sizes[0] == sizes[1] and sizes[0] <= READ and redis.get(keys[0]) == redis.get(keys[1])
    return Against("equal") if same else Against("differs", f"{sizes[0]:,} → {sizes[1]:,} bytes")


def _verdict(a: bytes | None, b: bytes | None) -> Against:
    if a == b:
        return Against("equal")
    if a is None or b is None:
        return Against("gone" if a is None else "missing")
    try:
        found = next(differences(decode_json(a), decode_json(b)), None)
    except BadValue:
        return Against("differs", f"{len(a):,} → {len(b):,} bytes")
    return Against("differs", found.words) if found else Against("equal")
