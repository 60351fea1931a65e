"""The ledger: one compact record a wave, kept for months after the wave itself is gone; and which entities usually take long.

wd:{V}:ledger:WAVE:CREATED   string  `Entry` as JSON, about 1 to 2 kB; written once
wd:{V}:ledgers:FLOW          zset    WAVE:CREATED → when the wave was created (ms); what is older by more than records are kept goes at each write
wd:{V}:ledger:scribe         string  who writes records now; expires by itself
wd:{V}:longest:FLOW          string  `Longest` as JSON; only of flows with entities that could hold up a wave's end
"""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from engine import durations
from engine.errors import Refused
from engine.keys import version_key
from engine.store.connect import Client, expire_no_sooner
from engine.store.wave import Wave

KEEP = "180d"
"""How long a record is kept, unless WAVEDECK_LEDGER_KEEP says otherwise."""
SCRIBE = 60
"""Seconds after which another may write what one has begun to."""
LONGEST_KEEP = 14 * 86400
MOST_LONGEST = 2000
"""Entities of a flow that are remembered as long, at most."""
A_TRIP = 200


@dataclass(frozen=True)
class Cost:
    """What a wave cost. `busy`: seconds that cells ran; `vcpu`: slot seconds of its workers from their first cell of it to their last (a slot
    is meant to have a CPU); `gb`: the same of their memory, in GB-seconds; both 0 where the workers are not known any more. `price`: of these
    two, where prices are configured."""

    busy: float
    vcpu: float = 0.0
    gb: float = 0.0
    price: float | None = None


@dataclass(frozen=True)
class Entry:
    """What is kept of a wave. Moments in Unix ms, 0 for none; durations in seconds.

    `members`, `config`: hashes, the same for the same; `plan`: the plan's; `code`, `images`: of the workers that served it, where they say.
    `counts`: task → board letter → cells; `durations`: task → p50, p95, max of the cells that ran; `failures`: the largest families, as
    `[task, type, signature, cells]`; `coverage`: how far its forecasts reach, where that was found out. `workers`, `slots`: that served
    it, slots 0 where unknown. `spread`: the coefficient of variation of what its entities took.
    """

    wave: str
    flow: str
    version: str
    date: str
    trigger: str
    by: str
    created: int
    started: int
    ended: int
    entities: int
    members: str
    plan: str
    config: str
    counts: Mapping[str, Mapping[str, int]]
    durations: Mapping[str, tuple[float, float, float]]
    cost: Cost
    base: str = ""
    of: str = ""
    deadline: int = 0
    cancelled: str = ""
    cancelled_by: str = ""
    code: Sequence[str] = ()
    images: Sequence[str] = ()
    failures: Sequence[tuple[str, str, str, int]] = ()
    workers: int = 0
    slots: int = 0
    spread: float = 0.0
    coverage: Any = None

    @property
    def name(self) -> str:
        """What tells it from all others: an id may come again when its wave has expired."""
        return f"{self.wave}:{self.created}"

    @property
    def seconds(self) -> float:
        """From its first claim to its end."""
        return max(self.ended - self.started, 0) / 1000 if self.started and self.ended else 0.0

    def cells(self, letters: str) -> int:
        """How many of its cells have one of these board letters."""
        return sum(counts.get(letter, 0) for counts in self.counts.values() for letter in letters)


@dataclass(frozen=True)
class Longest:
    """The entities of a flow that take longest, in key form, with the seconds that are expected of each, the longest first. `gain`: by how
    much the last waves would have been shorter, the newest counting most, had they gone first by what was expected before each: 0.2 is a
    fifth; None before there was anything to expect."""

    entities: Sequence[tuple[str, float]] = ()
    gain: float | None = None
    wave: str = ""


def kept() -> float:
    """Seconds that records are kept.

    Raises:
        Refused: WAVEDECK_LEDGER_KEEP is no duration.
    """
    text = os.environ.get("WAVEDECK_LEDGER_KEEP", KEEP)
    try:
        return durations.seconds(text)
    except ValueError as e:
        raise Refused(f"WAVEDECK_LEDGER_KEEP: {e}") from None


def name_of(wave: Wave) -> str:
    """The name of a wave's record."""
    return f"{wave.id}:{wave.created}"


def read_longest(stored: bytes | None) -> Longest:
    """What is stored; none where that is nothing, or cannot be read."""
    try:
        return msgspec.json.decode(stored, type=Longest) if stored else Longest()
    except msgspec.MsgspecError:
        return Longest()


class Ledger:
    """Writes and reads the records of a version."""

    def __init__(self, redis: Client, version: str) -> None:
        self._redis, self._version = redis, version

    def _key(self, name: str) -> str:
        return version_key(self._version, f"ledger:{name}")

    def _index(self, flow: str) -> str:
        return version_key(self._version, f"ledgers:{flow}")

    def write(self, entry: Entry) -> bool:
        """Adds a record. False when it was there already: what was written first stays."""
        keep = int(kept())
        index = self._index(entry.flow)
        with self._redis.pipeline(transaction=False) as trip:
            trip.set(self._key(entry.name), msgspec.json.encode(entry), nx=True, ex=keep)
            trip.zadd(index, {entry.name: entry.created})
            trip.zremrangebyscore(index, "-inf", entry.created - keep * 1000)
            written = trip.execute()[0]
        expire_no_sooner(self._redis, [index], int(time.time()) + keep)
        return bool(written)

    def has(self, names: Sequence[str]) -> list[bool]:
        """Which of these records are there."""
        with self._redis.pipeline(transaction=False) as trip:
            for name in names:
                trip.exists(self._key(name))
            return [bool(there) for there in trip.execute()] if names else []

    def recent(self, flow: str, limit: int) -> list[Entry]:
        """The newest records of a flow, newest first. One that cannot be read is left out."""
        return list(self.read(self.names(flow, limit)))

    def names(self, flow: str, limit: int) -> list[str]:
        """The names of the newest records of a flow, newest first."""
        return [name.decode() for name in self._redis.zrevrange(self._index(flow), 0, limit - 1)]

    def read(self, names: Sequence[str]) -> Iterator[Entry]:
        """These records, but for those that are gone."""
        for at in range(0, len(names), A_TRIP):
            for stored in self._redis.mget([self._key(name) for name in names[at : at + A_TRIP]]):
                if stored is not None:
                    try:
                        yield msgspec.json.decode(stored, type=Entry)
                    except msgspec.MsgspecError:
                        continue  # of a later version of this program

    def begin(self, who: str) -> bool:
        """Whether `who` may write records now: one at a time does, or the same work would be done by every worker."""
        return bool(self._redis.set(version_key(self._version, "ledger:scribe"), who, nx=True, ex=SCRIBE))

    def end(self) -> None:
        """The next may."""
        self._redis.delete(version_key(self._version, "ledger:scribe"))

    def longest(self, flow: str) -> Longest:
        """The entities of a flow that usually take longest."""
        return read_longest(self._redis.get(version_key(self._version, f"longest:{flow}")))

    def expect(self, flow: str, longest: Longest) -> None:
        """Keeps them; none: forgets them."""
        key = version_key(self._version, f"longest:{flow}")
        if longest.entities:
            self._redis.set(key, msgspec.json.encode(longest), ex=LONGEST_KEEP)
        else:
            self._redis.delete(key)
