"""How many workers somebody asked for, for a version, and who may change that now.

wd:{V}:wanted    hash    workers (asked for last), floor (how many stay when nothing is to be done), wave (for which), until (ms: while that
                         wave is not there, init is still about to queue it); expires after `LIFE` seconds
wd:{V}:letting-go  string  while an idle worker has the house asked; expires after `worker.letting_go.ALONE` ms
wd:{V}:staffing  string  a token, while somebody asks a house for more workers or for fewer; expires after `LOCKED` ms
"""

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.keys import version_key
from engine.store.connect import Client, clock
from engine.store.scripts import UNLOCK
from engine.store.waves import Waves

LIFE = 90 * 86400
LOCKED = 90_000
"""Ms that a lock outlives whoever took it and died."""
ABOUT_TO = 120_000
"""Ms within which an init that asked for workers has queued its wave, or died."""


@dataclass(frozen=True)
class Wanted:
    """What was asked for last. `until`: Unix ms."""

    workers: int
    floor: int
    wave: str
    until: int


def want(redis: Client, version: str, wave: str, workers: int, floor: int) -> None:
    """Notes that a wave is about to be queued, and how many workers are asked for it."""
    key = version_key(version, "wanted")
    until = int(clock(redis) * 1000) + ABOUT_TO
    with redis.pipeline(transaction=False) as trip:
        trip.hset(key, mapping={"workers": workers, "floor": floor, "wave": wave, "until": until})
        trip.expire(key, LIFE)
        trip.execute()


def wanted(redis: Client, version: str) -> Wanted | None:
    """What was asked for last; None when nobody has asked."""
    workers, floor, wave, until = redis.hmget(version_key(version, "wanted"), "workers", "floor", "wave", "until")
    return Wanted(int(workers), int(floor or 0), (wave or b"").decode(), int(until or 0)) if workers else None


def lowered(redis: Client, version: str) -> None:
    """Notes that no more than the floor are asked for by now."""
    if (now := wanted(redis, version)) is not None:
        redis.hset(version_key(version, "wanted"), "workers", now.floor)


def nothing_to_do(redis: Client, version: str) -> bool:
    """Whether no wave of the version is open, nor about to be queued."""
    waves = Waves(redis)
    waves.end_overdue(version)
    queued = [name.decode() for name in redis.zrange(version_key(version, "queue"), 0, -1)]
    for name in queued:
        found = waves.find(name, version)
        if found is not None and not found.ended:
            return False
    told = wanted(redis, version)
    if told is None or not told.wave:
        return True
    found = waves.find(told.wave, version)
    return bool(found.ended) if found is not None else clock(redis) * 1000 >= told.until


@contextlib.contextmanager
def staffing(redis: Client, version: str, patience: float = 0.0, sleep: Callable[[float], None] = time.sleep) -> Iterator[bool]:
    """The right to ask for more workers or for fewer; False when somebody else has it still after `patience` seconds. Who had it and died
    keeps others from it for `LOCKED` ms."""
    key, token = version_key(version, "staffing"), secrets.token_hex(8)
    until = time.monotonic() + patience
    while not (held := bool(redis.set(key, token, nx=True, px=LOCKED))) and time.monotonic() < until:
        sleep(0.1)
    try:
        yield held
    finally:
        if held:
            UNLOCK(redis, [key], [token])
