"""Pipes: written once, expiring by their data's date; and the index by which they are browsed.

    {version}/{pipe} {entity} {date}   string  the value
    wd:{V}:pipes                       zset    pipe → when last written (Unix s)
    wd:{V}:dates:PIPE                  zset    date → its start (Unix s)
    wd:{V}:at:PIPE:DATE                hash    "w:WAVE" → entities of the wave · "e:ENTITY" → who wrote it outside a wave

The index names waves, not entities: which of a wave's entities have the pipe is on the wave's board. So it costs nothing
for each pipe, and a writer is found from it.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.errors import PipeConflict
from engine.keys import Date, PipeKey, version_key
from engine.status import WROTE
from engine.store.connect import Client
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
                f"pipe {str(key)!r} was written by {self.writer(key) or 'somebody'} with another value; "
                f"what {writer} computed is not kept"
            )

    def index_wave(self, version: str, pipes: Iterable[str], date: Date, wave: str, n: int, expire: int) -> None:
        """Announces that `wave` will write these pipes for `n` entities."""
        with self._redis.pipeline(transaction=False) as trip:
            for pipe in pipes:
                self._index(trip, version, pipe, date, f"w:{wave}", str(n), expire)
            trip.execute()

    def index_stray(self, key: PipeKey, expire: int, writer: str) -> None:
        """Records a pipe that was written outside a wave."""
        with self._redis.pipeline(transaction=False) as trip:
            self._index(trip, key.version, key.pipe, key.date, f"e:{key.entity}", writer, expire)
            trip.execute()

    def _index(self, trip: Client, version: str, pipe: str, date: Date, field: str, value: str, expire: int) -> None:
        at, dates, pipes = (version_key(version, k) for k in (f"at:{pipe}:{date}", f"dates:{pipe}", "pipes"))
        trip.hset(at, field, value)
        trip.expireat(at, expire)
        trip.zadd(dates, {str(date): date.start.timestamp()})
        trip.expireat(dates, expire)
        trip.zadd(pipes, {pipe: int(time.time())})
        trip.expireat(pipes, expire)

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
        waves = Waves(self._redis)
        for field in sorted(index):
            if not field.startswith(b"w:"):
                continue
            wave = waves.find(field[2:].decode(), version)
            if wave is None or pipe not in wave.tasks:
                continue
            column = waves.column(wave, wave.tasks.index(pipe))
            members = waves.members(wave)
            for (member, _), cell in zip(members, column, strict=True):
                if cell in WROTE and member not in seen:
                    seen.add(member)
                    yield Entry(member, wave.id)
        for field, writer in sorted(index.items()):
            entity: str = field[2:].decode()
            if field.startswith(b"e:") and entity not in seen:
                yield Entry(entity, writer.decode())

    def writer(self, key: PipeKey) -> str | None:
        """Who wrote a pipe, in words; None when the index does not know."""
        stray = self._redis.hget(version_key(key.version, f"at:{key.pipe}:{key.date}"), f"e:{key.entity}")
        if stray:
            return str(stray.decode())
        waves = Waves(self._redis)
        for wave_id in self.waves(key.version, key.pipe, key.date):
            wave = waves.find(wave_id, key.version)
            if wave is None or key.pipe not in wave.tasks:
                continue
            number = waves.number(wave, key.entity)
            if number is not None and waves.cell(wave, wave.tasks.index(key.pipe), number) in WROTE:
                return f"wave {wave.id} ({waves.worker_of(wave, number) or 'worker unknown'})"
        return None
