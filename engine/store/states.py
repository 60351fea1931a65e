"""States: which entities are active now, by partition.

wd:states                  zset  state → when last refreshed (Unix s)
wd:state:{S}:partitions    zset  partition → when last seen (Unix s, of the data's clock)
wd:state:{S}:in:PARTITION  zset  entity → when last seen
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import BadKey
from engine.keys import STATES, Date, check_name, encode_entity, state_key
from engine.store.connect import Client

LIFE = 90 * 86400
"""Seconds that a state outlives its last refresh."""


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
        low, high = "-inf", "+inf"
        if date is not None:
            start = date.start.timestamp()
            low, high = str(start - active), f"({start + date.step.total_seconds()}"
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


def _partition(raw: str) -> str:
    try:
        return encode_entity(raw)
    except BadKey as e:
        raise BadKey(str(e).replace("entity key", "partition", 1)) from None
