"""Pipes: written once, expiring by their data's date; and the index by which they are browsed.

    {version}/{pipe} {entity} {date}   string  the value
    wd:{V}:pipes                       zset    pipe → when last written (Unix s)
    wd:{V}:dates:PIPE                  zset    date → its start (Unix s)
    wd:{V}:at:PIPE:DATE                hash    "w:WAVE" → entities of the wave · "e:ENTITY" → who wrote it outside a wave

The index names waves, not entities: which of a wave's entities have the pipe is on the wave's board. So it costs nothing
for each pipe, and a writer is found from it.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from redis.exceptions import ResponseError

from engine.errors import PipeConflict, Refused
from engine.keys import Date, PipeKey, version_key, wave_key
from engine.status import WROTE, Cell
from engine.store.connect import Client, expire_no_sooner
from engine.store.listing import Entry, Listing
from engine.store.read_only import tidying
from engine.store.room import is_full, sized, unless_full
from engine.store.wave import read_counts
from engine.store.waves import Waves

PAGE = 1000
"""Entries that `entries` reads at a time."""

__all__ = ["Count", "Entry", "Listing", "Pipes", "expiry"]


def expiry(date: Date, keep: float, now: float | None = None) -> int:
    """When pipes about `date` expire, Unix seconds: `keep` seconds after the date. About a date that is older than that
    (a replay, a back-fill) they live `keep` seconds from now."""
    now = time.time() if now is None else now
    until = date.start.timestamp() + keep
    return int(until if until > now + 3600 else now + keep)


@dataclass(frozen=True, slots=True)
class Count:
    """How many pipes of a name and date there are: `exact`, or at most so many where several writers may have told the same one.
    `waves`: ids of those that wrote, or will; `outside`: how many were written outside waves."""

    n: int
    exact: bool
    waves: tuple[str, ...] = ()
    outside: int = 0


class Pipes:
    """Reads and writes pipes."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def get(self, key: PipeKey | str) -> bytes | None:
        """The value, or None."""
        value: bytes | None = self._redis.get(str(key))
        return value

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """The values, None where there is none, a thousand keys a trip."""
        values: list[bytes | None] = []
        for at in range(0, len(keys), 1000):
            values += self._redis.mget(keys[at : at + 1000])
        return values

    def there(self, keys: Sequence[str]) -> list[bool]:
        """Which of these keys there are, in one trip."""
        with self._redis.pipeline(transaction=False) as trip:
            for key in keys:
                trip.exists(key)
            return [bool(there) for there in trip.execute()] if keys else []

    def put(self, key: PipeKey, value: bytes, expire: int, writer: str) -> bool:
        """Writes once. True when it was written, False when the same value was there.

        Raises:
            PipeConflict: another value is there; the text names both writers. Nothing has changed.
            Refused: Redis is full.
        """
        try:
            written = self._redis.set(str(key), value, nx=True, exat=expire)
        except ResponseError as e:
            if is_full(e):
                raise Refused(
                    f"its value of {sized(len(value))} could not be written: Redis uses all of its maxmemory"
                ) from None
            raise
        if written:
            with unless_full():
                self.index_stray(key, expire, writer)
            return True
        self.check_same(key, value, writer)
        return False

    def check_same(self, key: PipeKey, value: bytes, writer: str) -> None:
        """Returns when the pipe holds `value`.

        Raises:
            PipeConflict: it holds another; the text names both writers.
        """
        there = self.get(key)
        if there != value:
            raise PipeConflict(
                f"pipe {str(key)!r} was written by {self.writer(key, beside=writer) or 'somebody'} with another value; "
                f"what {writer} computed is not kept"
            )

    def index_stray(self, key: PipeKey, expire: int, writer: str) -> None:
        """Records a pipe that was written outside a wave. What waves write, they announce when they are made (`making.py`)."""
        names, at, dates = (
            version_key(key.version, what) for what in ("pipes", f"at:{key.pipe}:{key.date}", f"dates:{key.pipe}")
        )
        with self._redis.pipeline(transaction=False) as trip:
            trip.hset(at, f"e:{key.entity}", writer)
            trip.zadd(dates, {str(key.date): key.date.start.timestamp()})
            trip.zadd(names, {key.pipe: int(time.time())})
            trip.execute()
        expire_no_sooner(self._redis, [names, at, dates], expire)

    def names(self, version: str) -> list[str]:
        """The pipes that a version has written, by name."""
        return sorted(p.decode() for p in self._redis.zrange(version_key(version, "pipes"), 0, -1))

    def dates(self, version: str, pipe: str, limit: int = 1000) -> list[Date]:
        """The dates of a pipe, newest first. Dates whose pipes have expired are dropped on the way."""
        key = version_key(version, f"dates:{pipe}")
        dates = [Date(d.decode()) for d in self._redis.zrevrange(key, 0, limit - 1)]
        with self._redis.pipeline(transaction=False) as trip:
            for date in dates:
                trip.exists(version_key(version, f"at:{pipe}:{date}"))
            there = trip.execute()
        if gone := [d for d, t in zip(dates, there, strict=True) if not t]:
            with tidying():
                self._redis.zrem(key, *gone)
        return [d for d, t in zip(dates, there, strict=True) if t]

    def waves(self, version: str, pipe: str, date: Date) -> list[str]:
        """The waves that wrote, or will write, a pipe at a date."""
        fields = self._redis.hkeys(version_key(version, f"at:{pipe}:{date}"))
        return sorted(f[2:].decode() for f in fields if f.startswith(b"w:"))

    def page(self, version: str, pipe: str, date: Date, after: str = "", limit: int = 1000) -> tuple[list[Entry], str]:
        """Some of the pipes of a name and date in the order of `Listing`, and where the next page begins: "" after the last.

        Raises:
            BadKey: `after` is not where a page of these pipes ended.
        """
        listing = Listing(self._redis, version, pipe, date)
        first = listing.row_of(after) if after else 0
        while listing.known <= first + limit and not listing.complete:
            listing.extend()
        return listing.rows(first, first + limit), listing.mark(first + limit)

    def entries(self, version: str, pipe: str, date: Date, start: str = "", limit: int | None = None) -> Iterator[Entry]:
        """The pipes of a name and date, each once: of waves by age in their order, then what was written outside waves. From `start`
        on, which a `page` gave; a page at a time. Who wrote goes before who found it there."""
        left = limit
        while left is None or left > 0:
            found, start = self.page(version, pipe, date, start, PAGE if left is None else min(left, PAGE))
            yield from found
            if not start:
                return
            left = None if left is None else left - len(found)

    def counts(self, version: str, pipe: str, dates: Sequence[Date]) -> list[Count]:
        """How many pipes of a name there are at each of these dates."""
        return self.counts_of(version, [(pipe, date) for date in dates])

    def counts_of(self, version: str, wanted: Sequence[tuple[str, Date]]) -> list[Count]:
        """How many pipes there are of each name and date, from the waves' counters: two trips for all of them."""
        ats = [version_key(version, f"at:{pipe}:{date}") for pipe, date in wanted]
        with self._redis.pipeline(transaction=False) as trip:
            for at in ats:
                trip.hlen(at)
                trip.hscan(at, 0, match="w:*", count=256)
            replies = trip.execute() if ats else []
            waves: list[list[str]] = []
            for at, (cursor, fields) in zip(ats, replies[1::2], strict=True):
                names = [*fields] if not cursor else [name for name, _ in self._redis.hscan_iter(at, match="w:*", count=5000)]
                waves.append(sorted(name[2:].decode() for name in names))
            for wave in (wave for ids in waves for wave in ids):
                trip.hget(wave_key(version, wave, "wave"), "names")
                trip.hgetall(wave_key(version, wave, "counts"))
            told = iter(trip.execute() if any(waves) else [])
        return [
            _count(pipe, ids, size - len(ids), [(next(told), next(told)) for _ in ids])
            for (pipe, _), ids, size in zip(wanted, waves, replies[::2], strict=True)
        ]

    def stray(self, key: PipeKey) -> str | None:
        """Who wrote a pipe outside waves, in words; None when nobody did."""
        told = self._redis.hget(version_key(key.version, f"at:{key.pipe}:{key.date}"), f"e:{key.entity}")
        return told.decode() if told else None

    def writer(self, key: PipeKey, *, beside: str = "") -> str | None:
        """Who wrote a pipe, in words; None when the index does not know. `beside`: a writer that is not meant."""
        if stray := self.stray(key):
            return stray
        waves, found_there = Waves(self._redis), None
        for wave_id in self.waves(key.version, key.pipe, key.date):
            wave = waves.find(wave_id, key.version)
            if wave is None or key.pipe not in wave.tasks:
                continue
            number = waves.number(wave, key.entity)
            cell = waves.cell(wave, wave.tasks.index(key.pipe), number) if number is not None else None
            if number is None or cell not in WROTE or beside.startswith(f"wave {wave.id} "):
                continue
            words = f"wave {wave.id} ({waves.worker_of(wave, number) or 'worker unknown'})"
            if cell != Cell.REUSED:
                return words
            found_there = found_there or words
        return found_there


def _count(pipe: str, waves: Sequence[str], outside: int, told: Sequence[tuple[bytes | None, Mapping[bytes, bytes]]]) -> Count:
    """`told`: of each wave the names of its tasks and its counters."""
    wrote, most, writers = 0, 0, 0
    for names, stored in told:
        tasks = (names or b"").decode().split()
        if pipe in tasks:
            counts = read_counts(dict(stored), len(tasks))[tasks.index(pipe)]
            own = sum(counts.get(cell, 0) for cell in WROTE - {Cell.REUSED})
            wrote, most = wrote + own, max(most, own + counts.get(Cell.REUSED, 0))
            writers += bool(own or counts.get(Cell.REUSED, 0))
    n = max(wrote, most) + outside
    return Count(n, writers + bool(outside) <= 1, tuple(waves), outside)
