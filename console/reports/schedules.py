"""Schedules as they are shown: frozen data for `wavedeck schedule list` and its `--json`. Times are ISO 8601 UTC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.moment import now as moment_now
from console.views import iso
from engine import durations
from engine.store.schedules import Schedules

if TYPE_CHECKING:
    from engine.schedule import Schedule
    from engine.store.connect import Client
    from engine.store.schedules import Fired


@dataclass(frozen=True, slots=True)
class LastRow:
    """A firing. `wave`: the one that it started or found there, or for which it was left out."""

    due: str | None
    date: str
    outcome: str
    wave: str
    detail: str


@dataclass(frozen=True, slots=True)
class ScheduleRow:
    """A schedule. `when`: every 1h, or a cron expression; `next`: when it is due; None while it pauses. Durations as people write them, ""
    for the flow's own."""

    flow: str
    version: str
    when: str
    overlap: str
    deadline: str
    workers: str
    state: str
    paused: bool
    house: str
    next: str | None
    last: LastRow | None
    by: str
    changed: str | None


def schedules(redis: Client, version: str | None = None, flow: str = "") -> list[ScheduleRow]:
    """Those of a version and flow, or all."""
    store = Schedules(redis)
    found = store.all([version] if version else None)
    return [row(s, store.last(s.version, s.flow)) for s in found if not flow or s.flow == flow]


def row(schedule: Schedule, last: Fired | None) -> ScheduleRow:
    """One as it is shown."""
    return ScheduleRow(
        flow=schedule.flow,
        version=schedule.version,
        when=schedule.words,
        overlap=schedule.overlap,
        deadline=durations.text(schedule.deadline) if schedule.deadline else "",
        workers=schedule.workers,
        state=schedule.state,
        paused=schedule.paused,
        house=schedule.house,
        next=None if schedule.paused else iso(schedule.next(max(moment_now(), schedule.since - 1)) * 1000),
        last=fired_row(last) if last is not None else None,
        by=schedule.by,
        changed=iso(schedule.changed * 1000),
    )


def fired_row(fired: Fired) -> LastRow:
    """A firing as it is shown."""
    return LastRow(iso(fired.due * 1000), fired.date, fired.outcome, fired.wave, fired.detail)
