"""Forecasts for those who act on them: a service asks for an entity and an hour, and gets the newest forecast that reaches it.

    from engine import forecast

    found = forecast("main", "delay_forecast", "JFK-LAX", "2026-11-27T21")
    if found is None:
        ...  # nothing reaches that hour: the entity is dark
    else:
        print(found.value, f"forecast at {found.date}, {found.age / 3600:g} h before")

Keys are read by name in pipelined trips, whole keyspaces never; it is the same on a Redis Cluster.
"""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from weakref import WeakKeyDictionary

from engine import durations
from engine.coverage import reach_of, steps
from engine.errors import BadKey, BadValue, NotFound
from engine.keys import Date, PipeKey, check_name, check_version, encode_entity, version_key
from engine.payload import Codec, decoder
from engine.store.catalog import Catalog
from engine.store.connect import Client, connect
from engine.store.pipes import Pipes

FOR_A_WHILE = 60.0
"""Seconds for which what a version says of its pipes is believed."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the newest forecast says of an hour.

    `value`: of that hour alone where `exact`, else the pipe's whole value; `whole`: the pipe's whole value; `date`: of the wave that
    made it; `age`: seconds from then to the hour, 0 when the hour's own wave did; `version`: who wrote it, the base's where the
    version had none; `key`: where it lies.
    """

    value: Any
    whole: Any
    exact: bool
    date: Date
    hour: Date
    age: float
    version: str
    key: str


@dataclass(frozen=True, slots=True)
class _Kind:
    horizon: float
    codec: Codec
    until: float


_kinds: WeakKeyDictionary[Client, dict[tuple[str, str, str], _Kind]] = WeakKeyDictionary()


def forecast(
    version: str,
    pipe: str,
    entity: str,
    hour: str | Date | datetime,
    *,
    base: str = "",
    horizon: str | float | None = None,
    redis: Client | None = None,
) -> Forecast | None:
    """The newest forecast of an entity that reaches `hour`; None when none does.

    Of two as new the version's own goes before its base's. A list of as many values as the horizon has hours is of those hours in turn;
    a mapping of dates is of those dates; so is the one of either that a mapping holds (`{"model": …, "hours": {date: value}}`). Any
    other value is given whole.

    Parameters:
        entity: its key, as the flow's code has it.
        hour: `2026-11-27T21` (of a daily flow `2026-11-27`), or a moment in it, which must be aware of its zone and names an hour.
        base: a version whose forecasts serve where this one has none.
        horizon: how far forecasts reach, where the version says nothing of it, or not what you want: `6h`, or seconds.
        redis: a client that gives bytes; when not given one on `WAVEDECK_REDIS_URL`, or on the embedded Redis that runs.

    Raises:
        BadKey: a name, or the hour, cannot be a part of a key.
        NotFound: the version (and its base) has published no task of that name that forecasts, and `horizon` is not given.
        BadValue: the pipe holds what cannot be read; the text names its key.
        redis.exceptions.RedisError: Redis is away.
    """
    return forecasts(version, pipe, [entity], hour, base=base, horizon=horizon, redis=redis).get(entity)


def forecasts(
    version: str,
    pipe: str,
    entities: Iterable[str],
    hour: str | Date | datetime,
    *,
    base: str = "",
    horizon: str | float | None = None,
    redis: Client | None = None,
) -> dict[str, Forecast]:
    """As `forecast`, of many entities: those for which there is one. A thousand keys a trip, and an older date is read only for
    entities that the newer ones have nothing of."""
    date = _date(hour)
    redis = _default(os.environ.get("WAVEDECK_REDIS_URL", "")) if redis is None else redis
    versions = [check_version(v) for v in dict.fromkeys((version, base)) if v] or [check_version(version)]
    kind = _kind(redis, versions, check_name(pipe), horizon)
    keys = {entity: encode_entity(entity) for entity in entities}
    read, found = decoder(kind.codec), dict[str, Forecast]()
    for then, owner in _candidates(redis, versions, pipe, date, reach_of(kind.horizon, date)):
        left = [entity for entity in keys if entity not in found]
        if not left:
            break
        names = [str(PipeKey(owner, pipe, keys[entity], then)) for entity in left]
        for entity, name, data in zip(left, names, Pipes(redis).get_many(names), strict=True):
            if data is not None and (one := _told(read, data, name, kind, then, date, owner)) is not None:
                found[entity] = one
    return {entity: found[entity] for entity in keys if entity in found}


def _date(hour: str | Date | datetime) -> Date:
    if isinstance(hour, datetime):
        if hour.tzinfo is None:
            raise BadKey(f"hour {hour.isoformat()} has no zone: dates are UTC")
        return Date.of(hour)
    return Date(hour)


@lru_cache(maxsize=4)
def _default(url: str) -> Client:
    from engine.fleet.embedded import redis_server

    if not url:
        with redis_server(start=False) as server:
            url = server.url
    return connect(url, read_only=True)


def _kind(redis: Client, versions: Sequence[str], pipe: str, horizon: str | float | None) -> _Kind:
    """How far the pipe's forecasts reach and how they are written, as the first version that knows the pipe has published."""
    known = _kinds.setdefault(redis, {})
    at = versions[0], versions[-1], pipe
    if at not in known or known[at].until < time.monotonic():
        tasks = [t for v in versions for plan in Catalog(redis).flows(v).values() for t in plan.tasks if t.name == pipe]
        task = next((t for t in tasks if t.horizon), next(iter(tasks), None))
        known[at] = _Kind(task.horizon if task else 0.0, task.codec if task else "json", time.monotonic() + FOR_A_WHILE)
    kind = known[at]
    if horizon is not None:
        return _Kind(durations.seconds(horizon), kind.codec, 0.0)
    if not kind.horizon:
        del known[at]  # it may be published any moment
        raise NotFound(f"version {versions[0]!r} has published no task {pipe!r} with a horizon (or say horizon='6h')")
    return kind


def _candidates(redis: Client, versions: Sequence[str], pipe: str, hour: Date, reach: int) -> list[tuple[Date, str]]:
    """The dates, newest first, and versions at which there are pipes that reach `hour`."""
    pairs = [(hour.shift(-n), version) for n in range(reach) for version in versions]
    with redis.pipeline(transaction=False) as trip:
        for date, version in pairs:
            trip.exists(version_key(version, f"at:{pipe}:{date}"))
        return [pair for pair, there in zip(pairs, trip.execute() if pairs else [], strict=True) if there]


def _told(read: Any, data: bytes, key: str, kind: _Kind, date: Date, hour: Date, version: str) -> Forecast | None:
    try:
        whole = read(data)
    except BadValue as error:
        raise BadValue(f"pipe {key!r}: {error}") from None
    reach, ahead = _span(kind.horizon, date, hour)
    parts = _parts(whole, reach, len(date))
    if parts is None:
        value = whole
    elif isinstance(parts, list):
        value = parts[ahead]
    elif hour in parts:
        value = parts[hour]
    else:
        return None  # it ends sooner than its flow says
    return Forecast(value, whole, parts is not None, date, hour, ahead * date.step.total_seconds(), version, key)


@lru_cache(maxsize=1024)
def _span(horizon: float, date: Date, hour: Date) -> tuple[int, int]:
    """How many hours a forecast has, and which of them `hour` is."""
    return reach_of(horizon, date), steps(date, hour)


def _parts(value: Any, reach: int, length: int) -> list[Any] | Mapping[str, Any] | None:
    """What of a value is told by hours: a value each in turn, or by date; None when nothing is. `length`: of a date."""
    if _by_hour(value, reach, length):
        told: list[Any] | Mapping[str, Any] = value
        return told
    inner = [v for v in value.values() if _by_hour(v, reach, length)] if isinstance(value, Mapping) else []
    return inner[0] if len(inner) == 1 else None


def _by_hour(value: Any, reach: int, length: int) -> bool:
    if isinstance(value, list):
        return len(value) == reach
    return isinstance(value, Mapping) and bool(value) and all(_is_date(key, length) for key in value)


@lru_cache(maxsize=4096)
def _is_date(text: str, length: int) -> bool:
    if len(text) != length:
        return False
    try:
        Date(text)
    except BadKey:
        return False
    return True
