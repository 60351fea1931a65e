"""What workers say to Redis: claims, transitions, renewals, give-backs; and trips that carry many commands at once."""

import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from redis import RedisCluster
from redis.exceptions import AskError, ClusterError, NoScriptError, ResponseError, TryAgainError
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.keys import wave_key
from engine.status import legal_pairs
from engine.store.connect import AWAY, Client
from engine.store.exchange import exchange, on_one_server, post
from engine.store.scripts import CLAIM, MOVE, RELEASE, RENEW, Arg
from engine.store.wave import Wave

LEASE = 15.0
"""Seconds that a claim lives without being renewed."""
FRESH = 0.05
"""Seconds that an answer of Redis about a claim is good for: on an older one a worker starts nothing, but asks again."""
MOST_ATTEMPTS = 2
"""How many workers may die over a running cell before it counts as what killed them."""
RECORD = 8
_UNSERVED = (ClusterError, TryAgainError, AskError)
_TIME = struct.Struct("<II")
_LATEST = 0xFFFFFFFF
_LEGAL = legal_pairs()

Hold = tuple[int, int, bytes]
"""Entities that a worker holds: the first, how many, and their claim records."""
Put = tuple[int, Sequence[str], Sequence[bytes]]
"""Values of neighbouring entities: the first one, the keys of their pipes, and the values."""


@dataclass(slots=True)
class Claimed:
    """A batch of entities under a lease. Lists run in step, one item an entity."""

    wave: Wave
    now: int
    """Redis' clock when it was claimed, Unix ms; `mono` is this process's monotonic clock when it was asked for."""
    mono: float
    ids: list[int]
    entities: list[str]
    partitions: list[str]
    records: list[bytes]
    cells: list[bytes | None]
    """The cells of an entity that was claimed before, a byte a task; None for one that never was. One that is still Running ran when
    the last of `MOST_ATTEMPTS` workers died: it is not to be run again."""
    queued: int = 0
    next_lease: int = 0
    workers: int = 1
    """How many workers have served the wave so far."""
    begun: Sequence[int] = ()
    """Tasks that are Running since the claim, in entities that nobody had claimed before."""
    wanted: int = 0
    """How many were asked for."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Nothing to claim, and there will be nothing: `gone`, `ended`, `cancelled` or `overdue`; entities that are still held. Or nothing
    now: `full`, until there is room in Redis again."""

    reason: str
    left: int = 0


@dataclass(frozen=True, slots=True)
class Move:
    """One step of neighbouring entities. `times`: 8 bytes each (`pack_time`), or empty."""

    task: int
    before: int
    after: int
    first: int
    many: int
    times: bytes = b""


@dataclass(slots=True)
class Moves:
    """What one call of the transition script does."""

    holds: list[Hold]
    steps: list[Move] = field(default_factory=list)
    notes: list[tuple[int, int, bytes]] = field(default_factory=list)
    logs: list[tuple[int, int, bytes]] = field(default_factory=list)
    ends: list[tuple[int, int]] = field(default_factory=list)
    """(first, how many) entities that are done."""

    def __bool__(self) -> bool:
        return bool(self.steps or self.notes or self.logs or self.ends)


@dataclass(frozen=True, slots=True)
class Moved:
    """What became of it: why the wave is cancelled (or ""), its entities left, and (task, entity) pairs refused."""

    cancelled: str
    left: int
    refused: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a renewal found: why the wave is cancelled (or ""), how many leases were prolonged, the entities that are no longer the
    caller's. What has ended is neither."""

    cancelled: str
    many: int
    lost: frozenset[int] = frozenset()


def pack_time(start: float, duration: float) -> bytes:
    """A cell's time: seconds since the wave was created, seconds it took."""
    ms, tens = int(start * 1000), int(duration * 100_000)
    if 0 <= ms <= _LATEST and 0 <= tens <= _LATEST:
        return _TIME.pack(ms, tens)
    return _TIME.pack(min(max(ms, 0), _LATEST), min(max(tens, 0), _LATEST))


def pack_times(times: Sequence[tuple[float, float]]) -> bytes:
    """The times of cells, one after the other: (start, duration) each, as `pack_time` has them."""
    numbers = [number for start, duration in times for number in (int(start * 1000), int(duration * 100_000))]
    if not numbers:
        return b""
    if min(numbers) < 0 or max(numbers) > _LATEST:
        return b"".join(pack_time(start, duration) for start, duration in times)
    return struct.pack(f"<{len(numbers)}I", *numbers)


def held_before(record: bytes) -> bool:
    """Whether somebody else held the entity before it was claimed with this record."""
    return int.from_bytes(record[:4], "little") > 1


def taken_over(record: bytes) -> bool:
    """Whether the entity was claimed with this record from somebody whose lease ran out: that one may be alive."""
    return record[6] > 1


def holds_of(ids: Sequence[int], records: Sequence[bytes]) -> list[Hold]:
    """The holds of entities: neighbours together."""
    return [(first, many, b"".join(records[at : at + many])) for first, many, at in spans(ids)]


def spans(ids: Sequence[int]) -> list[tuple[int, int, int]]:
    """Neighbouring numbers as (first, how many, where the first stands in `ids`)."""
    if ids and [*ids] == [*range(ids[0], ids[0] + len(ids))]:  # as nearly always
        return [(ids[0], len(ids), 0)]
    found, at = [], 0
    for i in range(1, len(ids) + 1):
        if i == len(ids) or ids[i] != ids[i - 1] + 1:
            found.append((ids[at], i - at, at))
            at = i
    return found


_CLAIM_KEYS = ("wave", "members", "board", "counts", "claims", "leases", "returned", "crew", "times")
_MOVE_KEYS = ("wave", "board", "times", "counts", "claims", "leases", "notes", "logs")


@lru_cache(maxsize=256)
def _keys(version: str, wave: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(wave_key(version, wave, name) for name in names)


def claim_command(
    wave: Wave, want: int, worker: str, lease: float = LEASE, begin: Sequence[int] = (), latest: int = 0
) -> tuple[Arg, ...]:
    """Claims up to `want` entities; `read_claim` reads the reply.

    Parameters:
        begin: tasks that are Running from then on in those that nobody has claimed before.
        latest: when it is too late (Redis' clock, Unix ms) and nothing is given: a Redis that hung would give it to nobody.
    """
    args = (want, int(lease * 1000), worker, MOST_ATTEMPTS, wave.expire, " ".join(map(str, begin)), latest)
    return CLAIM.command(_keys(wave.version, wave.id, _CLAIM_KEYS), args)


def read_claim(
    wave: Wave, reply: list[Any], begun: Sequence[int] = (), mono: float | None = None, wanted: int = 0
) -> Claimed | Closed:
    """What a claim of `wanted` entities gave that was asked for at `mono` and began these tasks. A `Claimed` may be empty: all that is left is held by others."""
    if reply[0] != b"ok":
        return Closed(reply[0].decode(), int(reply[1]) if len(reply) > 1 else 0)
    _, now, queued, lease, crew, first, many, record, fresh, again, records, cells, members = reply
    pairs = [m.decode().partition(" ") for m in [*members, *fresh]]
    return Claimed(
        wave=wave,
        now=now,
        mono=time.monotonic() if mono is None else mono,
        ids=[*map(int, again), *range(first, first + many)],
        entities=[p[0] for p in pairs],
        partitions=[p[2] for p in pairs],
        records=[*records, *[record] * many],
        cells=[*cells, *[None] * many],
        queued=queued,
        next_lease=lease,
        workers=crew,
        begun=begun,
        wanted=wanted,
    )


def move_command(wave: Wave, moves: Moves, *, unsure: bool = False, puts: Sequence[Put] = ()) -> tuple[Arg, ...]:
    """The call that makes them; `read_move` reads the reply.

    Parameters:
        unsure: values that they tell of are written in the same trip; when Redis is full the reply is an error then (`is_unsure`), and
            nothing is moved.
        puts: values that the call writes itself, inputs before what was made of them; on one server only. Where one cannot be written the reply is an error (`is_apart`), nothing is moved, and none that follows for its entity is written.
    """
    args: list[Arg] = [_LEGAL, wave.expire, int(unsure), len(moves.holds)]
    for hold in moves.holds:
        args += hold
    args.append(len(puts))
    for first, keys, _ in puts:
        args += (first, len(keys))
    args.append(len(moves.steps))
    for s in moves.steps:
        args += (s.task, chr(s.before), chr(s.after), s.first, s.many, s.times)
    for texts in (moves.notes, moves.logs):
        args.append(len(texts))
        for text in texts:
            args += text
    args.append(len(moves.ends))
    for end in moves.ends:
        args += end
    for _, _, values in puts:
        args += values
    names = _keys(wave.version, wave.id, _MOVE_KEYS)
    return MOVE.command([*names, *(key for _, keys, _ in puts for key in keys)] if puts else names, args)


def is_unsure(reply: Any) -> bool:
    """Whether nothing was moved, since Redis is full and some values may not have been written."""
    return isinstance(reply, ResponseError) and "UNSURE" in str(reply)


def is_apart(reply: Any) -> bool:
    """Whether nothing was moved, since the values are to be written in trips of their own, round by round."""
    return isinstance(reply, ResponseError) and "APART" in str(reply)


def read_move(reply: list[Any]) -> Moved:
    """What a transition call did."""
    refused = [(int(t), int(e)) for t, e, *_ in (r.split(b" ") for r in reply[2:])]
    return Moved(reply[0].decode(), int(reply[1]), refused)


def release(redis: Client, wave: Wave, holds: Sequence[Hold]) -> int:
    """Gives entities back, with what of them had ended. Returns how many were still the caller's."""
    keys = [wave.key(k) for k in ("wave", "board", "counts", "claims", "leases", "returned")]
    return int(RELEASE(redis, keys, [wave.expire, len(holds), *_flat(holds)]))


def renew(redis: Client, wave: Wave, holds: Sequence[Hold], lease: float = LEASE) -> Renewed:
    """Prolongs the leases of what is still the caller's."""
    keys = [wave.key(k) for k in ("wave", "claims", "leases")]
    cancelled, many, *lost = RENEW(redis, keys, [int(lease * 1000), len(holds), *_flat(holds)])
    return Renewed(cancelled.decode(), int(many), frozenset(map(int, lost)))


def _flat(holds: Iterable[Hold]) -> list[Arg]:
    return [part for hold in holds for part in hold]


def trip(redis: Client, commands: Sequence[tuple[Any, ...]], then: Sequence[tuple[Any, ...]] = ()) -> list[Any]:
    """Sends commands in one trip, in order, and after them those of `then`: a second trip on a cluster, whose nodes know no
    order among them. A command that the server refuses gives its error as its result, and the others
    are not touched by it. Scripts that the server has forgotten are loaded and called again.

    Raises:
        redis.exceptions.RedisError: one of `AWAY`: the server was lost, or does not serve now; what it had taken it has done, and all
            of ours may be repeated.
    """
    if then and isinstance(redis, RedisCluster):
        return [*trip(redis, commands), *trip(redis, then)]
    commands = [*commands, *then]
    return _looked_at(redis, commands, exchange(redis, commands)) if commands else []


def begin_trip(
    redis: Client, commands: Sequence[tuple[Any, ...]], then: Sequence[tuple[Any, ...]] = ()
) -> Callable[[], list[Any]]:
    """As `trip`, but it only sends; the function that is returned waits for the results, or raises."""
    if not on_one_server(redis):
        return lambda: trip(redis, commands, then)
    commands = [*commands, *then]
    if not commands:
        return lambda: []
    replies = post(redis, commands)
    return lambda: _looked_at(redis, commands, replies())


def _looked_at(redis: Client, commands: Sequence[tuple[Any, ...]], replies: list[Any]) -> list[Any]:
    """The replies, once scripts that the server had forgotten are called again."""
    errors = [(i, r) for i, r in enumerate(replies) if isinstance(r, Exception)]
    for _, error in errors:
        if isinstance(error, AWAY):
            raise error
        if isinstance(error, _UNSERVED):
            raise RedisConnectionError(f"the cluster does not serve this key now: {error}") from error
    forgotten = [i for i, error in errors if isinstance(error, NoScriptError)]
    if forgotten:
        for script in (CLAIM, MOVE, RELEASE, RENEW):
            script.load(redis)
        for i in forgotten:
            try:
                replies[i] = redis.execute_command(*commands[i])
            except ResponseError as e:
                if isinstance(e, AWAY):
                    raise
                replies[i] = e
    return replies
