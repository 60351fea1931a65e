"""Schedules, and what became of their firings.

wd:{V}:schedules             hash    flow → `Schedule` as JSON; expires after `LIFE` seconds without a firing or a change
wd:{V}:fired                 hash    flow → the last `Fired` as JSON; expires with them
wd:{V}:skipped:FLOW:DATE     string  why the firing of a date was left out: it stays so; expires after `KEPT` seconds
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from engine.errors import NotFound
from engine.keys import Date, version_key
from engine.plain import quoted
from engine.schedule import Schedule
from engine.store.catalog import Catalog
from engine.store.connect import Client

LIFE = 90 * 86400
KEPT = 7 * 86400

Outcome = Literal["started", "there", "skipped", "missed", "paused", "refused"]
"""What became of a firing: its wave was started, or was there already; it was left out for an earlier wave; it came too late; its schedule
pauses; init refused."""


@dataclass(frozen=True)
class Fired:
    """A firing. `due`, `at`: Unix seconds; `wave`: its own, or the one for which it was skipped; `detail`: why, in words."""

    flow: str
    version: str
    due: float
    date: str
    outcome: Outcome
    wave: str = ""
    detail: str = ""
    at: float = 0.0


class Schedules:
    """Reads and writes them."""

    def __init__(self, redis: Client) -> None:
        self._redis = redis

    def put(self, schedule: Schedule) -> None:
        """Sets the schedule of a flow and version."""
        key = version_key(schedule.version, "schedules")
        self._redis.hset(key, schedule.flow, msgspec.json.encode(schedule))
        self._redis.expire(key, LIFE)
        Catalog(self._redis).touch(schedule.version)

    def remove(self, version: str, flow: str) -> bool:
        """Forgets it. Whether there was one."""
        self._redis.hdel(version_key(version, "fired"), flow)
        return bool(self._redis.hdel(version_key(version, "schedules"), flow))

    def find(self, version: str, flow: str) -> Schedule | None:
        """That of a flow and version, or None."""
        stored = self._redis.hget(version_key(version, "schedules"), flow)
        return msgspec.json.decode(stored, type=Schedule) if stored is not None else None

    def get(self, version: str, flow: str) -> Schedule:
        """As `find`.

        Raises:
            NotFound: there is none.
        """
        found = self.find(version, flow)
        if found is None:
            raise NotFound(f"flow {quoted(flow)} of version {version!r} has no schedule; `wavedeck schedule set` makes one")
        return found

    def all(self, versions: Sequence[str] | None = None) -> list[Schedule]:
        """Those of these versions, or of all, by version and flow."""
        names = Catalog(self._redis).versions() if versions is None else list(versions)
        with self._redis.pipeline(transaction=False) as trip:
            for version in names:
                trip.hgetall(version_key(version, "schedules"))
            stored = trip.execute() if names else []
        found = [msgspec.json.decode(data, type=Schedule) for flows in stored for data in flows.values()]
        return sorted(found, key=lambda s: (s.version, s.flow))

    def last(self, version: str, flow: str) -> Fired | None:
        """Its last firing."""
        stored = self._redis.hget(version_key(version, "fired"), flow)
        return msgspec.json.decode(stored, type=Fired) if stored is not None else None

    def note(self, fired: Fired) -> None:
        """Keeps a firing as the last, unless a later one is known, or what became of it before it was repeated."""
        before = self.last(fired.version, fired.flow)
        if before is not None and (before.due > fired.due or (before.due == fired.due and fired.outcome == "there")):
            return
        with self._redis.pipeline(transaction=False) as trip:
            trip.hset(version_key(fired.version, "fired"), fired.flow, msgspec.json.encode(fired))
            for what in ("fired", "schedules"):
                trip.expire(version_key(fired.version, what), LIFE)
            trip.execute()

    def skip(self, fired: Fired) -> bool:
        """Leaves a firing out for good. Whether it was not left out before."""
        key = version_key(fired.version, f"skipped:{fired.flow}:{fired.date}")
        return bool(self._redis.set(key, msgspec.json.encode(fired), nx=True, ex=KEPT))

    def skipped(self, version: str, flow: str, date: Date) -> Fired | None:
        """The firing of this date when it was left out."""
        stored = self._redis.get(version_key(version, f"skipped:{flow}:{date}"))
        return msgspec.json.decode(stored, type=Fired) if stored is not None else None
