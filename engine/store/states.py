"""States: which entities are active now, by partition.

wd:states                  zset  state → when last refreshed (Unix s)
wd:state:{S}:partitions    zset  partition → when last seen (Unix s, of the data's clock)
wd:state:{S}:in:PARTITION  zset  entity → when last seen
"""

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

from engine.errors import BadKey
from engine.keys import STATES, Date, check_name, encode_entity, state_key
from engine.store.connect import Client
from engine.store.exchange import ask

LIFE = 90 * 86400
"""Seconds that a state outlives its last refresh."""
A_FEW = 200
"""Questions up to which entities are looked up one by one; beyond, all of a state are read."""
_partitions: WeakKeyDictionary[Client, dict[str, tuple[bytes, ...]]] = WeakKeyDictionary()
"""The partitions that each state had when it was last asked."""


@dataclass(frozen=True, slots=True)
class Member:
    """An entity of a state; both names in key form. `seen`: Unix seconds, of the data's clock."""

    entity: str
    partition: str
    seen: float


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a state is. `refreshed`: Unix seconds; `seen`: the newest moment of its data's clock. An entity that moved counts in
    each partition that still remembers it."""

    state: str
    refreshed: float
    seen: float
    partitions: int
    entities: int


class States:
    """Reads and refreshes states."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def seen(self, state: str, entities: Iterable[tuple[str, str]], at: float) -> int:
        """Marks (entity, partition) pairs, as users write them, as active at `at` (Unix seconds). An earlier moment than the
        recorded one changes nothing. Returns how many pairs there were.

        Raises:
            BadKey: a name cannot be a key; nothing after it has been recorded.
        """
        check_name(state, "state")
        total = 0
        by_partition: dict[str, dict[str, float]] = {}
        for entity, partition in entities:
            by_partition.setdefault(_partition(partition), {})[encode_entity(entity)] = at
            total += 1
        with self._redis.pipeline(transaction=False) as trip:
            for partition, members in by_partition.items():
                names = list(members)
                key = state_key(state, f"in:{partition}")
                for start in range(0, len(names), 5000):
                    trip.zadd(key, dict.fromkeys(names[start : start + 5000], at), gt=True)
                trip.expire(key, LIFE)
            if by_partition:
                trip.zadd(state_key(state, "partitions"), dict.fromkeys(by_partition, at), gt=True)
                trip.expire(state_key(state, "partitions"), LIFE)
                trip.zadd(STATES, {state: int(time.time())})
                trip.expire(STATES, LIFE)
            trip.execute()
        return total

    def names(self) -> list[str]:
        """The states there are."""
        return sorted(s.decode() for s in self._redis.zrange(STATES, 0, -1))

    def extents(self) -> list[Extent]:
        """All states that hold somebody, by name, without reading who."""
        names = [(name.decode(), at) for name, at in self._redis.zrange(STATES, 0, -1, withscores=True)]
        with self._redis.pipeline(transaction=False) as trip:
            for name, _ in names:
                trip.zrange(state_key(name, "partitions"), 0, -1, withscores=True)
            partitions = trip.execute()
            for (name, _), found in zip(names, partitions, strict=True):
                for partition, _ in found:
                    trip.zcard(state_key(name, f"in:{partition.decode()}"))
            sizes = iter(trip.execute())
        extents = [
            Extent(name, at, max((seen for _, seen in found), default=0.0), len(found), sum(next(sizes) for _ in found))
            for (name, at), found in zip(names, partitions, strict=True)
        ]
        return sorted((e for e in extents if e.entities), key=lambda e: e.state)

    def stamp(self, state: str) -> tuple[object, ...]:
        """Another one when somebody joined the state or was seen later than before; costs two commands a partition. What was seen
        out of order, before its partition's newest moment, does not change it."""
        partitions = self._redis.zrange(state_key(state, "partitions"), 0, -1, withscores=True)
        with self._redis.pipeline(transaction=False) as trip:
            for partition, seen in partitions:
                trip.zcard(state_key(state, f"in:{partition.decode()}"))
                trip.zcount(state_key(state, f"in:{partition.decode()}"), seen, "+inf")
            return (*partitions, *trip.execute())

    def newest(self, state: str) -> float | None:
        """The newest moment at which anybody was seen in a state (Unix seconds, of the data's clock); None when nobody ever was."""
        last = self._redis.zrevrange(state_key(state, "partitions"), 0, 0, withscores=True)
        return float(last[0][1]) if last else None

    def members(self, state: str, *, date: Date | None = None, active: float = 0.0) -> list[Member]:
        """The entities of a state, by partition and name; with a date, those seen in it or in the `active` seconds before. An
        entity seen in two partitions is in the one where it was seen last."""
        low, high = _bounds(*_window(date, active)) if date is not None else ("-inf", "+inf")
        partitions = [p.decode() for p in self._redis.zrange(state_key(state, "partitions"), 0, -1)]
        with self._redis.pipeline(transaction=False) as trip:
            for partition in partitions:
                trip.zrangebyscore(state_key(state, f"in:{partition}"), low, high, withscores=True)
            found = trip.execute()
        latest: dict[str, Member] = {}
        for partition, pairs in zip(partitions, found, strict=True):
            for name, seen in pairs:
                entity = name.decode()
                if entity not in latest or latest[entity].seen < seen:
                    latest[entity] = Member(entity, partition, seen)
        return sorted(latest.values(), key=lambda m: (m.partition, m.entity))


class Active:
    """Who is active in a state at a date, or in the `active` seconds before: commands, and what is read of their replies.

    Which partitions there are hardly ever changes, so the ones of the last time are asked along with that question; when there are
    others, all of them are asked in a second trip.

    Parameters:
        entities: only these, in key form, when there are any.
    """

    def __init__(self, redis: Client, state: str, date: Date, active: float, entities: Sequence[str] = ()) -> None:
        self._redis, self._state, self._date, self._seconds, self._entities = redis, state, date, active, entities
        self._window = _window(date, active)
        self._guess = _partitions.setdefault(redis, {}).get(state, ())

    def commands(self) -> list[tuple[Any, ...]]:
        """What is to be asked in one trip, in order."""
        return [("ZRANGE", state_key(self._state, "partitions"), 0, -1), *self._of(self._guess)]

    def ask(self) -> dict[str, list[str]]:
        """Asks, and reads."""
        return self.read(ask(self._redis, self.commands()))

    def read(self, replies: Sequence[Any]) -> dict[str, list[str]]:
        """Entities by partition, all in key form, each once: of several partitions that hold it in the one where it was seen last."""
        partitions, *told = replies
        if (there := tuple(partitions)) != self._guess:
            _partitions[self._redis][self._state] = there
            told = ask(self._redis, self._of(there))
        names = [name.decode() for name in there]
        if self._one_by_one(there):
            return self._where(names, told)
        found = {  # decoded all at once: no name holds a line's end
            partition: b"\n".join(entities).decode().split("\n")
            for partition, entities in zip(names, told, strict=True)
            if entities
        }
        if len(found) > 1 and len(set().union(*found.values())) < sum(map(len, told)):  # somebody is in two
            members = States(self._redis).members(self._state, date=self._date, active=self._seconds)
            return grouped((member.entity, member.partition) for member in members)
        return found

    def _where(self, partitions: Sequence[str], scores: Sequence[Any]) -> dict[str, list[str]]:
        low, high = self._window
        found: dict[str, tuple[float, str]] = {}
        many = len(self._entities)
        for at, partition in enumerate(partitions):
            for entity, score in zip(self._entities, scores[at * many :], strict=False):
                seen = -math.inf if score is None else float(score)
                if low <= seen < high and (entity not in found or found[entity][0] < seen):
                    found[entity] = seen, partition
        return grouped((entity, partition) for entity, (_, partition) in found.items())

    def _one_by_one(self, partitions: Sequence[bytes]) -> bool:
        return 0 < len(self._entities) * len(partitions) <= A_FEW

    def _of(self, partitions: Sequence[bytes]) -> list[tuple[Any, ...]]:
        keys = [state_key(self._state, f"in:{name.decode()}") for name in partitions]
        if self._one_by_one(partitions):
            return [("ZSCORE", key, entity) for key in keys for entity in self._entities]
        return [("ZRANGEBYSCORE", key, *_bounds(*self._window)) for key in keys]


def grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Entities by partition, of pairs (entity, partition)."""
    groups: dict[str, list[str]] = {}
    for entity, partition in pairs:
        groups.setdefault(partition, []).append(entity)
    return groups


def _window(date: Date, active: float) -> tuple[float, float]:
    """From when until when (not included) somebody must have been seen, Unix seconds."""
    start = date.start.timestamp()
    return start - active, start + date.step.total_seconds()


def _bounds(low: float, high: float) -> tuple[str, str]:
    return str(low), f"({high}"


def _partition(raw: str) -> str:
    try:
        return encode_entity(raw)
    except BadKey as e:
        raise BadKey(str(e).replace("entity key", "partition", 1)) from None
