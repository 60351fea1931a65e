"""Waves: their records, boards, and what is read of them. The shapes of a wave's keys are in `lua/common.lua`.

wd:{V}:waves           zset    wave → when created (ms)
wd:{V}:queue           zset    waves to serve, the most urgent first
wd:{V}:bell            list    a token for each slot to wake: the id of a wave that has come, or "1"
wd:{V#W}:wave …        the wave's own keys
wd:{V#W}:plan, :body   string  the flow as it was compiled, and the script all its entities share
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from weakref import WeakSet

from redis.exceptions import ExecAbortError, NoPermissionError, ResponseError

from engine.errors import NotFound
from engine.keys import VERSIONS, version_key, wave_key
from engine.payload import decode_json
from engine.plain import quoted
from engine.plan import Plan
from engine.store.catalog import Catalog
from engine.store.connect import Client, clock
from engine.store.exchange import ask, pairs
from engine.store.read_only import tidying
from engine.store.room import is_full, unless_full
from engine.store.scripts import CANCEL
from engine.store.wave import OVERDUE, Progress, Wave, from_hash, read_counts

MEMBERS_A_TRIP = 5000
LOOKED_AT = 500


class Waves:
    """Finds, reads and ends waves; `making.py` makes them."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    # writing

    def drop_expired(self, version: str) -> None:
        """Takes waves that have expired off the list, of the newest `LOOKED_AT`. Readers may not."""
        listed = [w.decode() for w in self._redis.zrevrange(version_key(version, "waves"), 0, LOOKED_AT - 1)]
        with self._redis.pipeline(transaction=False) as trip:
            for wave in listed:
                trip.exists(wave_key(version, wave, "wave"))
            there = trip.execute()
        if gone := [wave for wave, found in zip(listed, there, strict=True) if not found]:
            self._redis.zrem(version_key(version, "waves"), *gone)

    def cancel(self, wave: Wave, reason: str, by: str) -> tuple[int, int] | None:
        """Ends a wave: when this returns, nothing of it starts any more. Cells cancelled at once, and entities that workers still
        hold and will cancel; None when it had ended or was cancelled before."""
        keys = [wave.key(k) for k in ("wave", "board", "counts", "returned", "leases")]
        done = CANCEL(self._redis, keys, [reason or "cancelled", by])
        if done is None:
            return None
        if done[1] == 0:
            self.dequeue(wave.version, wave.id)
        return int(done[0]), int(done[1])

    def end_overdue(self, version: str, queued: Sequence[str] | None = None, now: float | None = None) -> list[str]:
        """Cancels the waves of a version whose deadline has passed, with the reason «overdue»; what of them runs may end. Anybody
        who works for the version may call it; the ids of those that it ended.

        Parameters:
            queued: ids of those that are looked at; all that are queued when not given.
            now: Redis' clock, Unix seconds; asked for when not given.
        """
        if queued is None:
            queued = [w.decode() for w in self._redis.zrange(version_key(version, "queue"), 0, -1)]
        if not queued:
            return []
        told = ask(self._redis, [("HMGET", wave_key(version, name, "wave"), "deadline", "cancelled") for name in queued])
        now = (clock(self._redis) if now is None else now) * 1000
        late = [name for name, (until, ended) in zip(queued, told, strict=True) if until and not ended and now > int(until)]
        found = [wave for name in late if (wave := self.find(name, version)) is not None]
        return [wave.id for wave in found if self.cancel(wave, OVERDUE, "deadline") is not None]

    def dequeue(self, version: str, wave: str) -> None:
        """Takes a wave that has ended, or is gone, off the list of those to serve."""
        self._redis.zrem(version_key(version, "queue"), wave)

    # finding

    def find(self, wave: str, version: str | None = None) -> Wave | None:
        """The wave with this id; looked for in every version when none is given.

        Raises:
            redis.exceptions.NoPermissionError: it may be in a version of which this user may not read.
        """
        forbidden: NoPermissionError | None = None
        if not wave.isascii():  # no id is; what is no text at all could not even be asked for
            return None
        for v in [version] if version is not None else Catalog(self._redis).versions():
            try:
                stored = self._redis.hgetall(wave_key(v, wave, "wave"))
            except NoPermissionError as e:
                forbidden = e
                continue
            if b"n" in stored:
                return from_hash(wave, stored)
        if forbidden is not None:
            raise forbidden
        return None

    def compiled(self, wave: str, version: str) -> tuple[Wave, bytes, bytes] | None:
        """A wave with its flow and its script as they are stored, in one trip."""
        return read_compiled(wave, ask(self._redis, compiled_commands(wave, version)))

    def get(self, name: str) -> Wave:
        """The wave that a person names: an id, the beginning of one, `last`, or `flow@version date`.

        Raises:
            NotFound: there is none, or several; the text says which.
        """
        if wave := self.find(name):
            return wave
        flow, at, rest = name.partition("@")
        version, _, date = rest.rpartition(" ")
        found = [
            p.wave
            for p in self.recent(200)
            if (at and (p.wave.flow, p.wave.version, p.wave.date) == (flow, version, date))
            or (not at and len(name) >= 3 and p.wave.id.startswith(name))
            or name == "last"
        ]
        if not found:
            raise NotFound(f"no wave {quoted(name)}; `wavedeck waves` lists them")
        ids = {w.id for w in found}
        if len(ids) > 1 and not at and name != "last":
            raise NotFound(f"{name!r} begins several waves: {', '.join(sorted(ids))}")
        return found[0]

    def recent(self, limit: int = 50, *, version: str | None = None, flow: str | None = None) -> list[Progress]:
        """The newest waves, newest first, with their counts."""
        versions = [version] if version is not None else Catalog(self._redis).versions()
        with self._redis.pipeline(transaction=False) as trip:
            for v in versions:
                trip.zrevrange(version_key(v, "waves"), 0, limit * (4 if flow else 1) - 1, withscores=True)
            lists = trip.execute()
        found = [(int(ms), v, w.decode()) for v, waves in zip(versions, lists, strict=True) for w, ms in waves]
        found.sort(reverse=True)
        out: list[Progress] = []
        for at in range(0, len(found), limit):
            part = found[at : at + limit]
            with self._redis.pipeline(transaction=False) as trip:
                for _, v, w in part:
                    trip.hgetall(wave_key(v, w, "wave"))
                    trip.hgetall(wave_key(v, w, "counts"))
                replies = trip.execute()
            for (_, v, w), stored, counts in zip(part, replies[::2], replies[1::2], strict=True):
                if b"n" not in stored:
                    with tidying():
                        self._redis.zrem(version_key(v, "waves"), w)
                elif flow is None or stored[b"flow"] == flow.encode():
                    wave = from_hash(w, stored)
                    out.append(Progress(wave, read_counts(counts, len(wave.tasks))))
            if len(out) >= limit:
                break
        return out[:limit]

    def stamp(self, versions: Iterable[str], waves: Iterable[Wave], limit: int) -> tuple[Any, ...]:
        """Another one when one of these `waves` has moved, or the list of the newest of these versions or of versions has changed: in
        one trip. Only what was asked for alike can be compared."""
        with self._redis.pipeline(transaction=False) as trip:
            trip.zrange(VERSIONS, 0, -1)
            for version in versions:
                trip.zrevrange(version_key(version, "waves"), 0, limit - 1)
            for wave in waves:
                trip.hgetall(wave.key("wave"))
                trip.hgetall(wave.key("counts"))
            known, *more = trip.execute()
        return sorted(known), *more

    def progress(self, wave: Wave) -> Progress:
        """The wave as it is now, with its counts, both read in one moment.

        Raises:
            NotFound: it has expired.
        """
        stored, counts = read_together(
            self._redis, lambda trip: (trip.hgetall(wave.key("wave")), trip.hgetall(wave.key("counts")))
        )
        if b"n" not in stored:
            raise NotFound(f"wave {wave.id} has expired")
        return Progress(from_hash(wave.id, stored), read_counts(counts, len(wave.tasks)))

    # reading

    def plan(self, wave: Wave) -> Plan:
        """The flow as the wave was compiled from."""
        return Plan.from_json(self._redis.get(wave.key("plan")) or b"")

    def body(self, wave: Wave) -> str:
        """The script that all its entities share."""
        return (self._redis.get(wave.key("body")) or b"").decode()

    def board(self, wave: Wave) -> bytes:
        """All cells, task by task: cell of (task t, entity e) at `t * n + e`."""
        board: bytes = self._redis.get(wave.key("board")) or b""
        return board

    def times(self, wave: Wave) -> bytes:
        """All times, as `common.lua` says; `span` reads one."""
        times: bytes = self._redis.get(wave.key("times")) or b""
        return times

    def column_times(self, wave: Wave, task: int) -> bytes:
        """The times of one task; `span` reads an entity's."""
        times: bytes = self._redis.getrange(wave.key("times"), task * wave.n * 8, (task + 1) * wave.n * 8 - 1)
        return times

    def column(self, wave: Wave, task: int) -> bytes:
        """The cells of one task, an entity a byte."""
        column: bytes = self._redis.getrange(wave.key("board"), task * wave.n, (task + 1) * wave.n - 1)
        return column

    def cell(self, wave: Wave, task: int, entity: int) -> int:
        """One cell's byte."""
        at = task * wave.n + entity
        return int((self._redis.getrange(wave.key("board"), at, at) or b"?")[0])

    def members(self, wave: Wave, first: int = 0, last: int = -1) -> list[tuple[str, str]]:
        """(entity, partition) of the wave's entities, in key form, in order; `last` is included."""
        pairs = (m.decode().partition(" ") for m in self._redis.lrange(wave.key("members"), first, last))
        return [(entity, partition) for entity, _, partition in pairs]

    def number(self, wave: Wave, entity: str) -> int | None:
        """The number of an entity (in key form) in a wave, or None."""
        prefix = entity.encode() + b" "
        for at in range(0, wave.n, MEMBERS_A_TRIP):
            part = self._redis.lrange(wave.key("members"), at, at + MEMBERS_A_TRIP - 1)
            for i, member in enumerate(part):
                if member.startswith(prefix):
                    return at + i
        return None

    def note(self, wave: Wave, task: int, entity: int) -> dict[str, Any] | None:
        """What a cell has to say: why it failed, was blocked, or what it ran with."""
        stored = self._redis.hget(wave.key("notes"), f"{task}:{entity}")
        return None if stored is None else dict(decode_json(stored))

    def notes(self, wave: Wave, cells: Iterable[tuple[int, int]] | None = None) -> dict[tuple[int, int], dict[str, Any]]:
        """Notes by (task, entity): of these cells, or all."""
        found: dict[tuple[int, int], dict[str, Any]] = {}
        if cells is None:
            for name, stored in self._redis.hscan_iter(wave.key("notes"), count=1000):
                task, _, entity = name.decode().partition(":")
                found[int(task), int(entity)] = dict(decode_json(stored))
            return found
        wanted = list(cells)
        if wanted:
            for cell, stored in zip(wanted, self._redis.hmget(wave.key("notes"), [f"{t}:{e}" for t, e in wanted]), strict=True):
                if stored is not None:
                    found[cell] = dict(decode_json(stored))
        return found

    def log(self, wave: Wave, task: int, entity: int) -> str:
        """What a cell printed, its last 64 KiB."""
        stored: bytes | None = self._redis.hget(wave.key("logs"), f"{task}:{entity}")
        return (stored or b"").decode("utf-8", "replace")

    def worker_of(self, wave: Wave, entity: int) -> str | None:
        """Who claimed an entity last."""
        record = self._redis.getrange(wave.key("claims"), entity * 8, entity * 8 + 7)
        number = int.from_bytes(record[4:6], "little")
        return self.crew(wave).get(number) if number else None

    def workers_of(self, wave: Wave, first: int, count: int) -> list[str]:
        """Who claimed each of these entities last; "" for nobody."""
        records = self._redis.getrange(wave.key("claims"), first * 8, (first + count) * 8 - 1)
        crew = self.crew(wave)
        return [crew.get(int.from_bytes(records[i + 4 : i + 6], "little"), "") for i in range(0, len(records), 8)]

    def claim_numbers(self, wave: Wave) -> list[int]:
        """For each entity the crew number of who claimed it last; 0 for nobody."""
        records: bytes = self._redis.get(wave.key("claims")) or b""
        return [low | high << 8 for low, high in zip(records[4::8], records[5::8], strict=True)]

    def crew(self, wave: Wave) -> dict[int, str]:
        """Crew number → worker."""
        return {int(v): k.decode() for k, v in self._redis.hgetall(wave.key("crew")).items() if k != b"#"}

    def memory(self, wave: Wave) -> int:
        """Bytes that the wave holds in Redis beyond its pipes; 0 when the server cannot say."""
        parts = (
            "wave",
            "plan",
            "body",
            "members",
            "board",
            "times",
            "counts",
            "claims",
            "returned",
            "leases",
            "crew",
            "notes",
            "logs",
        )
        with self._redis.pipeline(transaction=False) as trip:
            for what in parts:
                trip.memory_usage(wave.key(what), samples=0)
            sizes = trip.execute(raise_on_error=False)
        return sum(size for size in sizes if isinstance(size, int))


_NO_MULTI: WeakSet[Client] = WeakSet()


def read_together(redis: Client, fill: Callable[[Client], object]) -> list[Any]:
    """What the commands that `fill` puts into a pipeline read, all in one moment. Where the user may read and not begin a
    transaction, and where Redis is full and lets nobody, in one trip."""
    if redis not in _NO_MULTI:
        with redis.pipeline(transaction=True) as trip:
            fill(trip)
            try:
                return list(trip.execute())
            except NoPermissionError:
                _NO_MULTI.add(redis)
            except ResponseError as e:
                if not (is_full(e) or isinstance(e, ExecAbortError)):
                    raise
    with redis.pipeline(transaction=False) as trip:
        fill(trip)
        return list(trip.execute())


def tokens(entities: int) -> int:
    """How many slots there is work for, as far as that is worth a wake-up."""
    return max(1, min(entities, 64))


def compiled_commands(wave: str, version: str) -> list[tuple[str, str]]:
    """What `read_compiled` reads the replies of."""
    return [
        ("HGETALL", wave_key(version, wave, "wave")), ("GET", wave_key(version, wave, "plan")), ("GET", wave_key(version, wave, "body")),
    ]  # fmt: skip


def read_compiled(wave: str, replies: Sequence[Any]) -> tuple[Wave, bytes, bytes] | None:
    """A wave with its flow and its script as they are stored; None when there is none."""
    stored, plan, body = replies
    record = pairs(stored)
    return (from_hash(wave, record), plan or b"", body or b"") if b"n" in record else None


def ring(redis: Client, version: str, slots: int) -> None:
    """Wakes idle slots of a version, as many as there is work for. None when Redis is full: they look by themselves once a second."""
    key = version_key(version, "bell")
    with unless_full(), redis.pipeline(transaction=False) as trip:
        trip.rpush(key, *[b"1"] * tokens(slots))
        trip.ltrim(key, 0, 255)
        trip.expire(key, 3600)
        trip.execute()
