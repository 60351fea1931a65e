"""When the waves of a flow are due. Pure; all times are UTC and Unix seconds.

A wave is about the hour or day in which it is due, so one is due in each at most: a finer schedule would meet the same wave again.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, get_args

from cronsim import CronSim, CronSimError

from engine import durations
from engine.errors import Refused
from engine.keys import Date

Overlap = Literal["skip", "queue", "replace"]
"""What a firing does when an earlier wave of the schedule has not ended: it is left out; it is queued behind it; it ends that one."""
OVERLAPS: tuple[Overlap, ...] = get_args(Overlap)
_LOOKED_AT = 400
"""Firings of a cron expression that are looked at to see whether two are about one date."""


@dataclass(frozen=True)
class Schedule:
    """Of one flow and version. `every`: seconds, counted from 1970, or 0 and `cron`: five fields, UTC.

    `deadline`: seconds after which nothing of a wave starts, counted from when it was due; 0: the flow's. `workers`: as
    `capacity.Bounds.parse` reads it; "": what there are. `since`: nothing due before it is fired. `by`, `changed`: who changed
    it last, and when. `house`: who fires it: a command of some machine, or Amazon's EventBridge.
    """

    flow: str
    version: str
    every: float = 0.0
    cron: str = ""
    overlap: Overlap = "queue"
    deadline: float = 0.0
    workers: str = ""
    state: str = ""
    paused: bool = False
    since: float = 0.0
    by: str = ""
    changed: float = 0.0
    house: Literal["local", "ecs"] = "local"

    @property
    def words(self) -> str:
        """When it fires, as people write it."""
        return f"every {durations.text(self.every)}" if self.every else f"cron {self.cron}"

    def last(self, now: float) -> float | None:
        """The latest moment up to `now` at which it was due; None when it was not since it has been there."""
        if self.every:
            due = now // self.every * self.every
        else:
            due = next(CronSim(self.cron, _utc(now + 1), reverse=True)).timestamp()
        return due if due >= self.since else None

    def following(self, after: float) -> Iterator[float]:
        """The moments at which it is due, after this one."""
        if self.every:
            due = after // self.every * self.every
            while True:
                due += self.every
                yield due
        for moment in CronSim(self.cron, _utc(after)):
            yield moment.timestamp()

    def next(self, after: float) -> float:
        """The first of them."""
        return next(self.following(after))

    def interval(self, due: float) -> float:
        """Seconds from one firing to the next."""
        return self.next(due) - due

    def between(self, after: float, until: float, most: int) -> list[float]:
        """When it was due after `after` and before `until`; `most` of them."""
        found: list[float] = []
        for due in self.following(max(after, self.since - 1)):
            if due >= until or len(found) == most:
                break
            found.append(due)
        return found

    def date(self, due: float, *, hourly: bool) -> Date:
        """What the wave that is due then is about."""
        return Date.of(_utc(due), hourly=hourly)


def check(schedule: Schedule, *, hourly: bool) -> Schedule:
    """`schedule` itself, when it makes sense for a flow whose waves are about hours (else days).

    Raises:
        Refused: it does not; the text says why.
    """
    if bool(schedule.every) == bool(schedule.cron):
        raise Refused("a schedule has either an interval (--every 1h) or a cron expression (--cron '5 * * * *')")
    if schedule.overlap not in OVERLAPS:
        raise Refused(f"overlap {schedule.overlap!r} is none of {', '.join(OVERLAPS)}")
    step = 3600.0 if hourly else 86400.0
    unit = "hour" if hourly else "day"
    if schedule.every and (schedule.every % step or not math.isfinite(schedule.every)):
        raise Refused(
            f"a wave of {schedule.flow!r} is about one {unit}, so its schedule is every {unit} or every few, not {schedule.words}"
        )
    if schedule.cron:
        _check_cron(schedule, hourly=hourly, unit=unit)
    return schedule


def _check_cron(schedule: Schedule, *, hourly: bool, unit: str) -> None:
    if len(schedule.cron.split()) != 5:
        raise Refused(f"cron {schedule.cron[:60]!r} has not five fields: minute, hour, day, month, weekday")
    before = ""
    try:
        for number, due in enumerate(schedule.following(schedule.since)):
            date = schedule.date(due, hourly=hourly)
            if date == before:
                raise Refused(
                    f"cron {schedule.cron!r} fires twice in {date}, and a wave of {schedule.flow!r} is about one {unit}"
                )
            before = date
            if number == _LOOKED_AT:
                return
    except CronSimError as e:
        raise Refused(f"cron {schedule.cron[:60]!r}: {e}") from None
    if not before:
        raise Refused(f"cron {schedule.cron!r} never fires")


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
