"""Fires schedules from a command of this machine: for the embedded Redis, and wherever EventBridge is not wanted.

Any number of these may run at once: a date's wave is the same wave whoever starts it. Nothing is remembered here; what was fired last
is in Redis, so a scheduler that was away finds what it missed, says so, and starts the latest only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from console.start import choose_plan, source_of
from engine.errors import WavedeckError
from engine.firing import Firing, fire, note_missed
from engine.fleet.scaling import Staffing, let_go
from engine.store.schedules import Fired, Schedules
from engine.store.wanted import wanted

if TYPE_CHECKING:
    from engine.fleet.house import House
    from engine.plan import Plan
    from engine.schedule import Schedule
    from engine.store.connect import Client

LONGEST = 15.0
"""Seconds between two looks at most: somebody may have changed a schedule."""
SOON = 1.0
MOST_MISSED = 1000
"""Firings of a schedule that are left out one by one after an absence."""


class Scheduler:
    """`tick` fires what is due, and lets workers go that nobody needs. `slots`: of each worker; `now` in Unix seconds; `tell` gets a line for each thing done."""

    def __init__(
        self,
        redis: Client,
        house: House | None = None,
        *,
        slots: int | None = None,
        now: Callable[[], float] = time.time,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._redis, self._house, self._slots, self._now, self._tell = redis, house, slots, now, tell
        self._away = False

    def serve(self, until: Callable[[float], bool]) -> None:
        """Fires what is due until `until`, which waits for so many seconds, says that it is over."""
        while not until(self.tick()):
            pass

    def tick(self) -> float:
        """Fires what is due now. Seconds until the next look."""
        try:
            schedules = [s for s in Schedules(self._redis).all() if s.house == "local"]
            for schedule in schedules:
                if not schedule.paused:
                    self._look(schedule)
            self._let_go({s.version for s in schedules if s.workers})
        except RedisError as e:
            if not self._away:
                self._tell(f"redis is away: {e}")
            self._away = True
            return 1.0
        if self._away:
            self._tell("redis is back")
        self._away = False
        return self._pause(schedules)

    def _pause(self, schedules: Sequence[Schedule]) -> float:
        now = self._now()
        if any(
            told.workers > told.floor for v in {s.version for s in schedules} if (told := wanted(self._redis, v)) is not None
        ):
            return SOON  # somebody is to be let go
        return min([LONGEST, *(max(s.next(now) - now, 0.05) for s in schedules if not s.paused)])

    def _look(self, schedule: Schedule) -> None:
        due = schedule.last(self._now())
        if due is None:
            return
        before = Schedules(self._redis).last(schedule.version, schedule.flow)
        if before is not None and before.due >= due:
            return
        try:
            plan, flow = choose_plan(self._redis, schedule.version, schedule.flow)
            after = before.due if before is not None else schedule.since - 1
            missed = note_missed(self._redis, schedule, schedule.between(after, due, MOST_MISSED), hourly=plan.hourly)
            if missed:
                self._tell(f"{schedule.flow}@{schedule.version} {missed[-1].date}  missed: {missed[-1].detail}")
            source = source_of(flow, schedule.state or plan.state)
            self._told(fire(self._redis, schedule, plan, due, source=source, staff=self._staff(schedule, plan)))
        except WavedeckError as e:
            self._refused(schedule, due, e)

    def _staff(self, schedule: Schedule, plan: Plan) -> Staffing | None:
        if not schedule.workers or self._house is None:
            return None
        fleet = self._house.fleet(schedule.version)
        return Staffing(self._redis, fleet, plan, workers=schedule.workers, slots=self._slots, tell=self._tell)

    def _refused(self, schedule: Schedule, due: float, why: WavedeckError) -> None:
        """Not tried again before it is due the next time."""
        date = schedule.date(due, hourly=True)
        Schedules(self._redis).note(
            Fired(schedule.flow, schedule.version, due, str(date), "refused", detail=str(why), at=self._now())
        )
        self._tell(f"{schedule.flow}@{schedule.version} {date}  refused: {why}")

    def _told(self, firing: Firing) -> None:
        fired = firing.fired
        self._tell(
            f"{fired.flow}@{fired.version} {fired.date}  {fired.outcome}"
            + (f": {fired.detail}" if fired.detail else f": wave {fired.wave}" if fired.wave else "")
        )

    def _let_go(self, versions: set[str]) -> None:
        for version in sorted(versions) if self._house is not None else ():
            try:
                floor = let_go(self._redis, self._house.fleet(version)) if self._house is not None else None
            except WavedeckError as e:
                self._tell(f"{version}: its workers could not be let go: {e}")
            else:
                if floor is not None:
                    self._tell(f"{version}: nothing is left to do, {floor} workers stay")
