"""The levels of the pipes above the value: versions, names, dates, and how many of each. Field names are stable; `--json` prints them.

Entities, of which there may be a million, come from `engine.store.listing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.locator import Locator
from console.views import iso
from engine.keys import VERSIONS, Date, version_key
from engine.store.catalog import Catalog
from engine.store.connect import Client
from engine.store.pipes import Pipes

LEVELS = ("versions", "pipes", "dates", "entities", "value")
MOST_DATES = 10_000
LOOKED = 3
"""Dates of a pipe that are looked at for the newest that has something."""


def level_of(place: Locator) -> str:
    """Which level a place is."""
    if not place.path:
        return "versions"
    return LEVELS[1 + ("/" in place.path) + bool(place.date) + bool(place.date and place.entity)]


def split(path: str, versions: Sequence[str]) -> tuple[str, str]:
    """The version and the name of a path. A version may hold `/`: the whole path is one when there is one of that name."""
    if path in versions or "/" not in path:
        return path, ""
    version, _, name = path.rpartition("/")
    return version, name


@dataclass(frozen=True)
class VersionRow:
    """A version, how many names of pipes it has, and when it was last active (ISO 8601)."""

    version: str
    pipes: int
    active: str | None


@dataclass(frozen=True)
class NameRow:
    """The pipes of a name. `dates`: how many; `newest`: the last of them, and how many entities have it there; `horizon`: how far it
    forecasts, seconds, 0 when it is no forecast; `written`: when a wave last announced some (ISO 8601)."""

    name: str
    dates: int
    newest: str
    entities: int
    horizon: float
    written: str | None


@dataclass(frozen=True)
class DateRow:
    """The pipes of a name and date. `entities`: how many have it, at most so many unless `exact`; `waves`: ids of those that wrote, or
    will; `outside`: how many were written outside waves."""

    date: str
    entities: int
    exact: bool
    waves: list[str]
    outside: int


def versions(redis: Client) -> list[VersionRow]:
    """The versions, the last active first."""
    known = redis.zrevrange(VERSIONS, 0, -1, withscores=True)
    with redis.pipeline(transaction=False) as trip:
        for version, _ in known:
            trip.zcard(version_key(version.decode(), "pipes"))
        sizes = trip.execute() if known else []
    return [VersionRow(v.decode(), size, iso(at * 1000)) for (v, at), size in zip(known, sizes, strict=True)]


def names(redis: Client, version: str) -> list[NameRow]:
    """The pipes of a version, by name."""
    found = sorted((n.decode(), at) for n, at in redis.zrange(version_key(version, "pipes"), 0, -1, withscores=True))
    horizons = {t.name: t.horizon for plan in Catalog(redis).flows(version).values() for t in plan.tasks}
    with redis.pipeline(transaction=False) as trip:
        for name, _ in found:
            trip.zcard(version_key(version, f"dates:{name}"))
            trip.zrevrange(version_key(version, f"dates:{name}"), 0, LOOKED - 1)
        replies = trip.execute() if found else []
    newest = {n: [Date(d.decode()) for d in last] for (n, _), last in zip(found, replies[1::2], strict=True)}
    pairs = [(name, date) for name, last in newest.items() for date in last]
    counts = dict(zip(pairs, Pipes(redis).counts_of(version, pairs), strict=True))
    rows = []
    for (name, at), size in zip(found, replies[::2], strict=True):
        # a wave that has only just begun has nothing to show yet: the date before it is what one wants to see
        date = next((d for d in newest[name] if counts[name, d].n), next(iter(newest[name]), None))
        entities = counts[name, date].n if date is not None else 0
        rows.append(NameRow(name, size, str(date or ""), entities, horizons.get(name, 0.0), iso(at * 1000)))
    return rows


def dates(redis: Client, version: str, name: str, most: int = MOST_DATES) -> list[Date]:
    """The dates of a pipe, newest first, without those whose pipes have expired."""
    return Pipes(redis).dates(version, name, most)


def date_rows(redis: Client, version: str, name: str, wanted: Sequence[Date]) -> list[DateRow]:
    """What is known of some dates of a pipe, from the waves' counters."""
    counts = Pipes(redis).counts(version, name, wanted)
    return [DateRow(str(d), c.n, c.exact, list(c.waves), c.outside) for d, c in zip(wanted, counts, strict=True)]


def others(redis: Client, version: str, name: str, date: str) -> list[str]:
    """The other versions that have pipes of this name and date, the last active first."""
    known = [v for v in Catalog(redis).versions() if v != version]
    with redis.pipeline(transaction=False) as trip:
        for other in known:
            trip.exists(version_key(other, f"at:{name}:{date}"))
        there = trip.execute() if known else []
    return [v for v, t in zip(known, there, strict=True) if t]
