"""A schedule fires: the wave of a date is started, once, however often and by however many it is fired."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.cancel import cancel
from engine.errors import Refused
from engine.flow import Source
from engine.keys import Date
from engine.launch import Launched, launch, nothing
from engine.plan import Plan
from engine.schedule import Schedule
from engine.store.acts import Act, Acts
from engine.store.connect import Client, clock
from engine.store.schedules import Fired, Outcome, Schedules
from engine.store.wave import Wave, wave_id
from engine.store.waves import Waves

BY = "schedule"
LOOKED_AT = 50
"""Of how many of the newest waves of a flow those are found that a schedule started and that have not ended."""


@dataclass(frozen=True)
class Firing:
    """What became of it, and the launch if there was one."""

    fired: Fired
    launched: Launched | None = None


def trigger_of(date: Date, state: str = "") -> str:
    """The trigger of the wave of a date: the same for the schedule, whoever fires it, and for `wavedeck init`."""
    return f"schedule:{date}" + (f" {state}" if state else "")


def fire(
    redis: Client,
    schedule: Schedule,
    plan: Plan,
    due: float,
    *,
    source: Source | None = None,
    staff: Callable[[Wave], Wave] | None = None,
    by_hand: bool = False,
    by: str = BY,
    origin: str = "schedule",
    force: bool = False,
    on_progress: Callable[[int], None] = nothing,
) -> Firing:
    """Starts the wave that is due at `due` (Unix seconds), or says why not. What was left out once stays so.

    Parameters:
        by_hand: a person wants it now: also of a schedule that pauses, and however late it is.
        staff, source, force, on_progress: as `launch` takes them.

    Raises:
        WavedeckError: as `launch` says; it is noted as what became of the firing.
    """
    told = Schedules(redis)
    date = schedule.date(due, hourly=plan.hourly)
    now = clock(redis)
    draft = Fired(schedule.flow, schedule.version, due, str(date), "started", at=now)
    own = wave_id(schedule.flow, schedule.version, date, trigger_of(date, schedule.state))
    there = Waves(redis).find(own, schedule.version)
    if there is None and not by_hand:
        if schedule.paused:
            return Firing(replace(draft, outcome="paused", detail="the schedule pauses"))
        if (before := told.skipped(schedule.version, schedule.flow, date)) is not None:
            return Firing(before)
        if now - due >= schedule.interval(due):
            late = f"it came {_minutes(now - due)} late, when the next was due already"
            return Firing(_leave_out(redis, schedule, replace(draft, outcome="missed", detail=late)))
    others = _open(redis, schedule, own)
    if there is None and (blocker := _blocker(schedule, others, date)):
        return Firing(_leave_out(redis, schedule, _skipped(draft, blocker, date)))
    try:
        launched = launch(
            redis, plan, version=schedule.version, date=date, trigger=trigger_of(date, schedule.state), by=by, origin=origin,
            state=schedule.state or None, source=source, deadline=_left(schedule, plan, 0.0 if by_hand else now - due),
            staff=staff, force=force, on_progress=on_progress,
        )  # fmt: skip
    except Refused as e:
        told.note(replace(draft, outcome="refused", detail=str(e)))
        raise
    if schedule.overlap == "replace":
        _end(redis, [w for w in others if w.date.start < date.start], date)
    outcome: Outcome = "started" if launched.created else "there"
    fired = replace(draft, outcome=outcome, wave=launched.wave.id)
    told.note(fired)
    return Firing(fired, launched)


def _open(redis: Client, schedule: Schedule, own: str) -> list[Wave]:
    """Waves of the flow, the version and the state that a schedule started and that have not ended, but for its own."""
    recent = Waves(redis).recent(LOOKED_AT, version=schedule.version, flow=schedule.flow)
    return [
        p.wave
        for p in recent
        if p.wave.trigger == trigger_of(p.wave.date, schedule.state) and p.wave.running and not p.wave.cancelled and p.wave.id != own
    ]  # fmt: skip


def _blocker(schedule: Schedule, others: list[Wave], date: Date) -> Wave | None:
    """The wave for which that of `date` is left out."""
    later = [w for w in others if w.date.start > date.start] if schedule.overlap != "queue" else []
    return next(iter(later or (others if schedule.overlap == "skip" else [])), None)


def _skipped(draft: Fired, blocker: Wave, date: Date) -> Fired:
    which = "a later wave" if blocker.date.start > date.start else "the wave before"
    return replace(draft, outcome="skipped", wave=blocker.id, detail=f"{which}, {blocker.locator}, has not ended")


def _leave_out(redis: Client, schedule: Schedule, fired: Fired) -> Fired:
    if Schedules(redis).skip(fired):
        _record(redis, schedule, fired)
    return fired


def _record(redis: Client, schedule: Schedule, fired: Fired) -> None:
    Acts(redis).record(Act(0, "skip", BY, "schedule", schedule.version, schedule.flow, fired.wave, fired.date, 0, fired.detail))
    Schedules(redis).note(fired)


def _end(redis: Client, earlier: list[Wave], date: Date) -> None:
    for wave in earlier:
        try:
            cancel(redis, wave, by=BY, reason=f"replaced by the wave of {date}", origin="schedule")
        except Refused:
            continue  # it has ended by itself


def _left(schedule: Schedule, plan: Plan, late: float) -> float:
    return max((schedule.deadline or plan.deadline or plan.every) - late, 1.0)


def note_missed(redis: Client, schedule: Schedule, dues: list[float], *, hourly: bool) -> list[Fired]:
    """Leaves out what was due while nobody was there to fire it, and says so once. Those that were not left out before."""
    told, now = Schedules(redis), clock(redis)
    found: list[Fired] = []
    for due in dues:
        date = schedule.date(due, hourly=hourly)
        own = wave_id(schedule.flow, schedule.version, date, trigger_of(date, schedule.state))
        fired = Fired(schedule.flow, schedule.version, due, str(date), "missed", detail="nobody was there to fire it", at=now)
        if Waves(redis).find(own, schedule.version) is None and told.skip(fired):
            found.append(fired)
    if len(found) > 1:
        found[-1] = replace(
            found[-1], detail=f"nobody was there to fire it, nor {len(found) - 1} before it since {found[0].date}"
        )
    if found:
        _record(redis, schedule, found[-1])
    return found


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min"
