"""Which entities have forecasts that reach the coming hours, read from the boards of the waves that wrote them: a few keys a wave, and none
an entity. It holds for as long as boards live, which is as long as the pipes do; a pipe that somebody deleted by hand is not missed.

Read are, of each date that a forecast may reach from, `wd:{V}:at:PIPE:DATE` (which waves wrote; who wrote outside waves), of those waves
the record, the task's column of the board and the members, and of the state who is active.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from engine.coverage import (
    Coverage,
    Written,
    cover,
    figures,
    hour_now,
    lacking,
    newest_due,
    of_numbers,
    open_cells,
    reach_of,
    steps,
    wrote,
)
from engine.errors import BadFlow, NotFound, Refused
from engine.keys import Date, version_key, wave_key
from engine.plan import Plan, TaskPlan
from engine.store.connect import Client, clock
from engine.store.states import States
from engine.store.wave import Wave, from_hash
from engine.store.waves import Waves

Members = Sequence[tuple[str, str]]
LONGEST = 24 * 366
"""Steps that are looked back and ahead, whatever a flow says of its horizon."""
LOOKED_AT = 3
"""Dates of a pipe among which its newest wave is looked for."""
KEPT = 100
"""Waves whose members are remembered."""


def forecasting(plan: Plan) -> list[TaskPlan]:
    """The tasks of a flow that forecast."""
    return [task for task in plan.tasks if task.horizon]


@dataclass
class _Found:
    """What wrote forecasts of a task that may reach an hour: waves by id, and by date the entities that had theirs outside waves."""

    waves: dict[str, Wave] = field(default_factory=dict)
    strays: dict[Date, set[str]] = field(default_factory=dict)


class Forecasts:
    """Reads the coverage of a version's flow. Remembers what cannot change: the members of waves, and the boards of those that have
    ended; for one thread."""

    def __init__(self, redis: Client, version: str, plan: Plan) -> None:
        self.redis, self.version, self.plan = redis, version, plan
        self._plans: dict[str, Plan] = {plan.sha: plan}
        self._columns: dict[tuple[str, str], bytes] = {}
        self._stamp: object = None
        self._everyone: Members = ()
        self._places: dict[str, array[int]] = {}
        self._last: tuple[Members, list[bytes], array[int]] | None = None

    def hour(self, now: float | None = None) -> Date:
        """The hour (or day) that it is for the flow, see `hour_now`.

        Raises:
            NotFound: it has no wave with forecasts.
        """
        now = clock(self.redis) if now is None else now
        tasks = forecasting(self.plan)
        with self.redis.pipeline(transaction=False) as trip:
            for task in tasks:
                trip.zrevrange(version_key(self.version, f"dates:{task.name}"), 0, LOOKED_AT - 1)
            dates = {Date(d.decode()) for found in (trip.execute() if tasks else []) for d in found}
        for date in sorted(dates, reverse=True):
            found = _Found()
            for task in tasks:
                self._find(found, self.version, task.name, [date])
            if own := [w.created for w in found.waves.values() if w.flow == self.plan.flow]:
                return hour_now(now, self.plan.every, date, min(own) / 1000)
        raise NotFound(f"{self.plan.flow}@{self.version} has no wave, so there are no forecasts")

    def coverage(
        self,
        task: str,
        *,
        at: Date | None = None,
        hours: int | None = None,
        base: str | None = None,
        members: Members | None = None,
        now: float | None = None,
    ) -> Coverage:
        """How the forecasts of a task cover the hours from `at` on.

        Parameters:
            at: the hour (or day) to look from; the one that it is for the flow when not given.
            hours: how many hours (or days); as far as a fresh forecast reaches when not given.
            base: a version whose forecasts serve where this one has none; that of the newest wave when not given.
            members: (entity, partition) in key form that count; those active in the state when not given.
            now: Unix seconds; Redis' clock when not given.

        Raises:
            NotFound: the flow has no such task, or it does not forecast, or has never run.
            Refused: nobody is active.
        """
        wanted = next((t for t in forecasting(self.plan) if t.name == task), None)
        if wanted is None:
            known = ", ".join(t.name for t in forecasting(self.plan)) or "none"
            raise NotFound(
                f"flow {self.plan.flow!r} has no task {task!r} that forecasts (with a horizon); those that do: {known}"
            )
        now = clock(self.redis) if now is None else now
        at = at or self.hour(now)
        ahead = min(hours or 0, LONGEST)
        found = self._found(wanted, at, ahead, base)
        whole = [
            w for w in found.waves.values()
            if w.flow == self.plan.flow and w.version == self.version and w.date <= at and not w.of
        ]  # fmt: skip
        newest = max(whole, key=lambda w: w.date, default=None)
        over = newest is not None and all(_is_over(w, now) for w in whole if w.date == newest.date)
        due = newest_due(at, self.plan.every, newest.date if newest else None, over=over)
        count = ahead or max(steps(at, due) + reach_of(wanted.horizon, at), 1)
        state = (newest.state if newest else "") or self.plan.state
        everyone = members if members is not None else self._active(state, at)
        if not everyone:
            raise Refused(f"nobody is active in state {state!r}, so there is nobody to forecast for")
        written, awaited = self._written(wanted, found, everyone, at, now)
        dates = [at.shift(n) for n in range(count)]
        told = cover(written, dates, (1 << len(everyone)) - 1, due)
        return Coverage(self.version, self.plan.flow, task, at, due, told, everyone, awaited, tuple(written))

    # who wrote

    def _found(self, task: TaskPlan, at: Date, ahead: int, base: str | None) -> _Found:
        """All that may reach an hour from `at` on. A wave of an earlier plan may have reached further than the flow does now, so twice
        as far and a day is looked back."""
        found, reach = _Found(), min(reach_of(task.horizon, at), LONGEST)
        first, last = at.shift(-2 * reach - int(86400 / at.step.total_seconds())), at.shift(max(ahead, reach))
        self._find(found, self.version, task.name, self._dates(self.version, task.name, first, last))
        if base is None and found.waves:
            base = max(found.waves.values(), key=lambda w: w.created).base
        if base and base != self.version:
            self._find(found, base, task.name, self._dates(base, task.name, first, last))
        found.waves = {wave.id: wave for wave in found.waves.values() if at < wave.date.shift(self._reach(wave, task))}
        return found

    def _dates(self, version: str, pipe: str, first: Date, last: Date) -> list[Date]:
        """The dates at which there are pipes of a name, from one to another."""
        key, low, high = version_key(version, f"dates:{pipe}"), first.start.timestamp(), last.start.timestamp()
        dates = [Date(d.decode()) for d in self.redis.zrangebyscore(key, low, high)]
        return [date for date in dates if date.hourly == first.hourly]

    def _find(self, found: _Found, version: str, pipe: str, dates: Sequence[Date]) -> None:
        """Adds what wrote, or will write, the pipes of a name and these dates."""
        ids: dict[str, None] = {}
        with self.redis.pipeline(transaction=False) as trip:
            for date in dates:
                trip.hkeys(version_key(version, f"at:{pipe}:{date}"))
            for date, fields in zip(dates, trip.execute() if dates else [], strict=True):
                for name in fields:
                    if name.startswith(b"w:"):
                        ids[name[2:].decode()] = None
                    else:
                        found.strays.setdefault(date, set()).add(name[2:].decode())
            for wave in ids:
                trip.hgetall(wave_key(version, wave, "wave"))
            stored = trip.execute() if ids else []
        waves = [from_hash(wave, record) for wave, record in zip(ids, stored, strict=True) if b"n" in record]
        found.waves |= {wave.id: wave for wave in waves if pipe in wave.tasks}

    def _reach(self, wave: Wave, task: TaskPlan) -> int:
        """How far the forecasts of a wave reach, as the flow was then."""
        if wave.plan not in self._plans:
            try:
                self._plans[wave.plan] = Waves(self.redis).plan(wave)
            except BadFlow:  # it is just expiring, or another Wavedeck wrote it
                self._plans[wave.plan] = self.plan
        plan = self._plans[wave.plan]
        return min(reach_of(plan.tasks[plan.index[task.name]].horizon, wave.date), LONGEST) if task.name in plan.index else 0

    def _written(self, task: TaskPlan, found: _Found, everyone: Members, at: Date, now: float) -> tuple[list[Written], int]:
        """For whom there are forecasts, newest first, and whom a running wave may still serve. A wave whose forecasts newer ones have
        replaced for everyone is not looked into."""
        numbers = {entity: i for i, (entity, _) in enumerate(everyone)} if found.strays else {}
        written = [
            Written(date, reach_of(task.horizon, date), of_numbers([numbers[e] for e in entities if e in numbers]))
            for date, entities in found.strays.items()
        ]
        waves, awaited = sorted(found.waves.values(), key=lambda w: w.date, reverse=True), 0
        for wave, cells in zip(waves, self._cells(waves, task.name), strict=True):
            one, runs = Written(wave.date, self._reach(wave, task), (1 << len(everyone)) - 1), not _is_over(wave, now)
            if (runs or wrote(cells)) and lacking(one, written, at):
                placed = self._placed(wave, everyone, cells)
                written.append(replace(one, entities=wrote(placed)))
                awaited |= open_cells(placed) if runs else 0
        return sorted((w for w in written if w.entities), key=lambda w: w.date, reverse=True), awaited

    def _cells(self, waves: Sequence[Wave], task: str) -> list[bytes]:
        """The task's column of each wave's board; of one that has ended it is read once."""
        asked = [w for w in waves if (w.id, task) not in self._columns]
        with self.redis.pipeline(transaction=False) as trip:
            for w in asked:
                at = w.tasks.index(task) * w.n
                trip.getrange(w.key("board"), at, at + w.n - 1)
            read = {(w.id, task): cells for w, cells in zip(asked, trip.execute() if asked else [], strict=True)}
        cells = {(w.id, task): read.get((w.id, task)) or self._columns.get((w.id, task), b"") for w in waves}
        self._columns = {key: column for key, column in self._columns.items() if key[1] != task}
        self._columns |= {(w.id, task): cells[w.id, task] for w in waves if w.ended}
        return [cells[w.id, task] for w in waves]

    # who counts

    def _active(self, state: str, like: Date) -> Members:
        """Who is active now: when the state was last refreshed, for a scheduler that has died must not leave nobody to be dark."""
        states = States(self.redis)
        newest = states.newest(state)
        if newest is None:
            return ()
        at = Date.of(datetime.fromtimestamp(newest, UTC), hourly=like.hourly)
        stamp = (state, at, states.stamp(state))
        if stamp != self._stamp:
            members = [(m.entity, m.partition) for m in states.members(state, date=at, active=self.plan.active)]
            self._stamp = stamp
            if members != self._everyone:
                self._everyone, self._places = members, {}
        return self._everyone

    def _placed(self, wave: Wave, everyone: Members, cells: bytes) -> bytes:
        """A wave's cells in the order of `everyone`; `?` for those that it has not."""
        known = everyone is self._everyone
        if (places := self._places.get(wave.id) if known else None) is None:
            raw = self.redis.lrange(wave.key("members"), 0, -1)
            if self._last and self._last[0] is everyone and self._last[1] == raw:
                places = self._last[2]
            else:
                where = {member.partition(b" ")[0]: i for i, member in enumerate(raw)}
                places = array("i", [where.get(entity.encode(), -1) for entity, _ in everyone])
            self._last = everyone, raw, places
            if known:
                self._places = dict([*self._places.items(), (wave.id, places)][-KEPT:])
        cells = cells.ljust(wave.n, b"?") + b"?"  # where -1 leads
        return bytes([cells[i] for i in places])


def _is_over(wave: Wave, now: float) -> bool:
    """Whether nothing of it starts any more: it has ended, was cancelled, or its deadline has passed."""
    return bool(wave.ended or wave.cancelled or (wave.deadline and now * 1000 > wave.deadline))


def coverage_figures(redis: Client, wave: Wave, plan: Plan | None = None) -> dict[str, dict[str, Any]]:
    """What to keep of a wave's coverage when it has ended: `figures` for each task that forecasts, of the wave's own entities at its own
    date; {} when none does. Reads a few keys a wave, and members of an earlier wave only for entities that this one wrote nothing for."""
    plan = plan or Waves(redis).plan(wave)
    tasks = [task.name for task in forecasting(plan) if task.name in wave.tasks]
    members = Waves(redis).members(wave) if tasks else []
    reader = Forecasts(redis, wave.version, plan)
    return {task: figures(reader.coverage(task, at=wave.date, base=wave.base, members=members)) for task in tasks if members}
