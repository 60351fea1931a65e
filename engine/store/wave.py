"""A wave's record and its progress: what is known of one, as frozen data. Pure."""

import hashlib
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from engine.keys import Date, wave_key
from engine.payload import decode_json, encode_json
from engine.plan import Plan
from engine.status import Status, count_by_status

OVERDUE = "overdue"
"""The reason of a wave whose deadline has passed: nothing of it starts any more, and what runs may end."""


@dataclass(frozen=True)
class Wave:
    """A wave's record. `created`, `started`, `ended`, `deadline`: Unix ms, 0 when there is none; `expire`: Unix s."""

    id: str
    flow: str
    version: str
    date: Date
    trigger: str
    by: str
    tasks: tuple[str, ...]
    n: int
    created: int
    expire: int
    base: str = ""
    state: str = ""
    deadline: int = 0
    plan: str = ""
    config: dict[str, dict[str, Any]] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    """Tasks some of whose pipes may have been there before the wave."""
    started: int = 0
    ended: int = 0
    left: int = 0
    """Entities that have not ended."""
    next: int = 0
    """The first entity that was never claimed."""
    cancelled: str = ""
    cancelled_by: str = ""
    of: str = ""
    """The wave that this one runs a part of again."""
    workers: int = 0
    """How many workers were wanted for it; 0 when nobody computed that. It was then foreseen to end `soonest` to `latest` ms after it
    was created."""
    soonest: int = 0
    latest: int = 0

    @property
    def cells(self) -> int:
        """Entities × tasks."""
        return self.n * len(self.tasks)

    @property
    def running(self) -> bool:
        """Whether it has entities that have not ended."""
        return not self.ended

    @cached_property
    def locator(self) -> str:
        """How people name it: `flights@main 2013-07-01T14`."""
        return f"{self.flow}@{self.version} {self.date}"

    def key(self, what: str) -> str:
        """One of its keys."""
        return wave_key(self.version, self.id, what)


@dataclass(frozen=True)
class Progress:
    """A wave and how far it is: for each task the number of its cells by board byte."""

    wave: Wave
    counts: tuple[dict[int, int], ...]

    def by_status(self, task: int) -> dict[Status, int]:
        """A task's counts by status; every status is there."""
        return count_by_status(self.counts[task])

    @cached_property
    def total(self) -> dict[Status, int]:
        """All tasks' counts by status."""
        totals = dict.fromkeys(Status, 0)
        for task in range(len(self.counts)):
            for status, count in self.by_status(task).items():
                totals[status] += count
        return totals


def wave_id(flow: str, version: str, date: str, trigger: str) -> str:
    """The id of the wave of a (flow, version, date, trigger): `w` and 12 hex digits, the same for the same four."""
    return "w" + hashlib.sha256("\0".join((flow, version, date, trigger)).encode()).hexdigest()[:12]


def span(times: bytes, at: int) -> tuple[float, float]:
    """Start (seconds since the wave was created) and duration (seconds) of the cell at `at`; zeros when it never ran."""
    start = int.from_bytes(times[at * 8 : at * 8 + 4], "little")
    duration = int.from_bytes(times[at * 8 + 4 : at * 8 + 8], "little")
    return start / 1000, duration / 100_000


def new_wave(
    plan: Plan, *, version: str, date: Date, trigger: str, by: str, n: int, expire: int, now: float | None = None, **more: Any
) -> Wave:
    """The record of a wave that begins now (Unix seconds; this machine's clock when not given)."""
    return Wave(
        id=wave_id(plan.flow, version, date, trigger),
        flow=plan.flow,
        version=version,
        date=date,
        trigger=trigger,
        by=by,
        tasks=plan.names,
        n=n,
        created=int((time.time() if now is None else now) * 1000),
        expire=expire,
        plan=plan.sha,
        left=n,
        **more,
    )


_INTS = ("created", "expire", "deadline", "started", "ended", "left", "next", "workers", "soonest", "latest")
_TEXTS = ("flow", "version", "trigger", "by", "base", "state", "plan", "cancelled", "cancelled_by", "of")


def to_hash(wave: Wave) -> dict[str, Any]:
    """The record as Redis keeps it; `from_hash` reads it."""
    record: dict[str, Any] = {name: getattr(wave, name) for name in _TEXTS if getattr(wave, name)}
    record |= {name: getattr(wave, name) for name in _INTS if getattr(wave, name)}
    return record | {
        "date": str(wave.date),
        "n": wave.n,
        "tasks": len(wave.tasks),
        "next": wave.next,
        "left": wave.left,
        "names": " ".join(wave.tasks),
        "checks": " ".join(wave.checks),
        "config": encode_json(wave.config),
    }


def from_hash(wave: str, stored: dict[bytes, bytes]) -> Wave:
    """The record of the wave with the id `wave`."""
    text = {k.decode(): v.decode() for k, v in stored.items()}
    more: dict[str, Any] = {name: int(text.get(name, 0)) for name in _INTS}
    more |= {name: text.get(name, "") for name in _TEXTS}
    return Wave(
        id=wave,
        date=Date(text["date"]),
        tasks=tuple(text["names"].split()),
        n=int(text["n"]),
        config=decode_json(stored[b"config"]),
        checks=tuple(text["checks"].split()),
        **more,
    )


def read_counts(stored: dict[bytes, bytes], tasks: int) -> tuple[dict[int, int], ...]:
    """The counters of a wave, for each task by board byte; zeros are left out."""
    counts: tuple[dict[int, int], ...] = tuple({} for _ in range(tasks))
    for name, value in stored.items():
        if count := int(value):
            counts[int(name[:-1])][name[-1]] = count
    return counts
