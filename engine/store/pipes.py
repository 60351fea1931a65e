"""Pipes: written once, expiring by their data's date; and the index by which they are browsed.

    {version}/{pipe} {entity} {date}   string  the value
    wd:{V}:pipes                       zset    pipe → when last written (Unix s)
    wd:{V}:dates:PIPE                  zset    date → its start (Unix s)
    wd:{V}:at:PIPE:DATE                hash    "w:WAVE" → entities of the wave · "e:ENTITY" → who wrote it outside a wave

The index names waves, not entities: which of a wave's entities have the pipe is on the wave's board. So it costs nothing
for each pipe, and a writer is found from it.
"""

import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.errors import PipeConflict
from engine.keys import Date, PipeKey, version_key
from engine.status import WROTE, Cell
from engine.store.connect import Client, expire_no_sooner
from engine.store.waves import Waves


def expiry(date: Date, keep: float, now: float | None = None) -> int:
    """When pipes about `date` expire, Unix seconds: `keep` seconds after the date. About a date that is older than that
    (a replay, a back-fill) they live `keep` seconds from now."""
    now = time.time() if now is None else now
    until = date.start.timestamp() + keep
    return int(until if until > now + 3600 else now + keep)


@dataclass(frozen=True, slots=True)
class Entry:
    """A pipe in a listing: its entity in key form and who wrote it: a wave's id, or words."""

    entity: str
    writer: str


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

    def put(self, key: PipeKey, value: bytes, expire: int, writer: str) -> bool:
        """Writes once. True when it was written, False when the same value was there.

        Raises:
            PipeConflict: another value is there; the text names both writers. Nothing has changed.
        """
        if self._redis.set(str(key), value, nx=True, exat=expire):
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

    def index_wave(self, version: str, pipes: Iterable[str], date: Date, wave: str, n: int, expire: int) -> None:
        """Announces that `wave` will write these pipes for `n` entities."""
        self._index(version, list(pipes), date, f"w:{wave}", str(n), expire)

    def index_stray(self, key: PipeKey, expire: int, writer: str) -> None:
        """Records a pipe that was written outside a wave."""
        self._index(key.version, [key.pipe], key.date, f"e:{key.entity}", writer, expire)

    def _index(self, version: str, pipes: Sequence[str], date: Date, field: str, value: str, expire: int) -> None:
        names = version_key(version, "pipes")
        keys = [names]
        with self._redis.pipeline(transaction=False) as trip:
            for pipe in pipes:
                at, dates = version_key(version, f"at:{pipe}:{date}"), version_key(version, f"dates:{pipe}")
                trip.hset(at, field, value)
                trip.zadd(dates, {str(date): date.start.timestamp()})
                trip.zadd(names, {pipe: int(time.time())})
                keys += [at, dates]
            trip.execute()
        expire_no_sooner(self._redis, keys, expire)

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
            self._redis.zrem(key, *gone)
        return [d for d, t in zip(dates, there, strict=True) if t]

    def waves(self, version: str, pipe: str, date: Date) -> list[str]:
        """The waves that wrote, or will write, a pipe at a date."""
        fields = self._redis.hkeys(version_key(version, f"at:{pipe}:{date}"))
        return sorted(f[2:].decode() for f in fields if f.startswith(b"w:"))

    def entries(self, version: str, pipe: str, date: Date) -> Iterator[Entry]:
        """The pipes of a name and date: a wave's entities in its order, then what was written outside waves."""
        index = self._redis.hgetall(version_key(version, f"at:{pipe}:{date}"))
        seen: set[str] = set()
        waves = [f[2:].decode() for f in sorted(index) if f.startswith(b"w:")]
        for cells in (WROTE - {Cell.REUSED}, {Cell.REUSED}):  # who wrote goes before who found it there
            for wave in waves:
                for entity in self._ended(version, wave, pipe, cells):
                    if entity not in seen:
                        seen.add(entity)
                        yield Entry(entity, wave)
        for field, writer in sorted(index.items()):
            entity = field[2:].decode()
            if field.startswith(b"e:") and entity not in seen:
                yield Entry(entity, writer.decode())

    def _ended(self, version: str, wave_id: str, pipe: str, cells: Collection[int]) -> Iterator[str]:
        """The entities of a wave whose cell of the task `pipe` is one of these."""
        waves = Waves(self._redis)
        wave = waves.find(wave_id, version)
        if wave is None or pipe not in wave.tasks:
            return
        column = waves.column(wave, wave.tasks.index(pipe))
        for (entity, _), cell in zip(waves.members(wave), column, strict=True):
            if cell in cells:
                yield entity

    def writer(self, key: PipeKey, *, beside: str = "") -> str | None:
        """Who wrote a pipe, in words; None when the index does not know. `beside`: a writer that is not meant."""
        stray = self._redis.hget(version_key(key.version, f"at:{key.pipe}:{key.date}"), f"e:{key.entity}")
        if stray:
            return str(stray.decode())
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
