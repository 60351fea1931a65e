"""The pipes of two versions and of the truth, entity by entity: a batch of keys a trip, so many at a time that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.compare.figures import Asked
from engine.errors import NotFound
from engine.keys import Date, PipeKey, check_name, check_version
from engine.store.catalog import Catalog
from engine.store.connect import Client
from engine.store.listing import Listing
from engine.store.pipes import Pipes

KEYS, BYTES, FIRST = 20_000, 64 << 20, 2_000
"""Keys that are read before what they hold is added up: at most so many, at most about so many bytes, and how many at first."""
UNKNOWN, AFTER = 48, 24
"""Dates that a forecast is taken to reach where no plan says it, and dates after its reach at which truths may be told."""
MOST_DATES = 10_000


@dataclass(frozen=True)
class Row:
    """An entity (in key form): at each date both versions' bytes, None where there are none; and the truth's by the date it was told."""

    entity: str
    partition: str
    pairs: list[tuple[Date, bytes | None, bytes | None]]
    told: list[tuple[Date, bytes]]


class Reader:
    """What is to be read of a comparison. `dates`: those in which a version has the pipe; `entities`: (entity, partition) of either version;
    `horizon`: steps that the pipe forecasts, 0 when it is no forecast; `truth`: version and name, or None.

    Raises:
        NotFound: neither version has the pipe at these dates, or no version the truth.
        BadKey: a name cannot be one.
    """

    def __init__(self, redis: Client, asked: Asked) -> None:
        for version in (asked.a, asked.b):
            check_version(version)
        for date in filter(None, (asked.first, asked.last)):
            Date(date)
        self._redis, self._asked = redis, asked
        self.pipe = check_name(asked.pipe)
        self.dates = self._dates()
        self.horizon = self._horizon()
        self.truth = self._truth() if asked.truth else None
        self.entities: dict[str, str] = {}
        for date in self.dates:
            for version in (asked.a, asked.b):
                listing = Listing(redis, version, asked.pipe, date).all()
                for entity, partition in listing.names(0, listing.known):
                    self.entities.setdefault(entity, partition)

    def _dates(self) -> list[Date]:
        asked, store = self._asked, Pipes(self._redis)
        known = {v: store.dates(v, self.pipe, MOST_DATES) for v in (asked.a, asked.b)}
        for version, dates in known.items():
            if not dates:
                raise NotFound(f"version {version!r} has no pipe {self.pipe!r}; `wavedeck pipes {version}` lists what it has")
        if not asked.first and not asked.last:
            common = set(known[asked.a]) & set(known[asked.b])
            if not common:
                raise NotFound(f"{asked.a} and {asked.b} have no date of {self.pipe!r} in common; --from and --to name some")
            return [max(common)]
        first, last = asked.first or "", asked.last or "9999"
        found = sorted({d for dates in known.values() for d in dates if first <= d <= last or d.startswith(last)})
        if not found:
            newest = ", ".join(f"{v}: {dates[-1]} to {dates[0]}" for v, dates in known.items())
            raise NotFound(f"no pipe {self.pipe!r} from {first or 'the first'} to {last}; there are {newest}")
        return found

    def _horizon(self) -> int:
        step = self.dates[0].step.total_seconds()
        for version in (self._asked.a, self._asked.b):
            for plan in Catalog(self._redis).flows(version).values():
                if self.pipe in plan.index:
                    return int(plan.tasks[plan.index[self.pipe]].horizon / step)
        return UNKNOWN

    def _truth(self) -> tuple[str, str, list[Date]]:
        version, _, name = self._asked.truth.rpartition("/")
        check_name(name)
        last = self.dates[-1].shift(self.horizon + AFTER)
        best: tuple[str, str, list[Date]] = ("", name, [])
        candidates = [check_version(version)] if version else [self._asked.a, self._asked.b]
        for candidate in candidates:
            told = [d for d in Pipes(self._redis).dates(candidate, name, MOST_DATES) if self.dates[0] <= d <= last]
            if len(told) > len(best[2]):
                best = candidate, name, sorted(told)
        if not best[2]:
            raise NotFound(
                f"no pipe {name!r} of {' or '.join(candidates)} from {self.dates[0]} to {last}, to hold forecasts against"
            )
        return best

    def rows(self) -> Iterator[list[Row]]:
        """Rows of all entities, some at a time."""
        everyone = list(self.entities.items())
        told = self.truth[2] if self.truth is not None else []
        width = 2 * len(self.dates) + len(told)
        at, keys = 0, FIRST
        while at < len(everyone):
            some = everyone[at : at + max(keys // width, 1)]
            at += len(some)
            values = Pipes(self._redis).get_many([key for entity, _ in some for key in self._keys(entity, told)])
            size = sum(len(value) for value in values if value is not None)
            keys = min(KEYS, max(width, int(BYTES / max(size / len(values), 1))))
            yield [self._row(*one, told, values[i * width : (i + 1) * width]) for i, one in enumerate(some)]

    def _keys(self, entity: str, told: Sequence[Date]) -> Iterator[str]:
        for version in (self._asked.a, self._asked.b):
            yield from (str(PipeKey(version, self.pipe, entity, date)) for date in self.dates)
        if self.truth is not None:
            yield from (str(PipeKey(self.truth[0], self.truth[1], entity, date)) for date in told)

    def _row(self, entity: str, partition: str, told: Sequence[Date], values: Sequence[bytes | None]) -> Row:
        n = len(self.dates)
        pairs = list(zip(self.dates, values[:n], values[n : 2 * n], strict=True))
        known = [(date, value) for date, value in zip(told, values[2 * n :], strict=True) if value is not None]
        return Row(entity, partition, pairs, known)
