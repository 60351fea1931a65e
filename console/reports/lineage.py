"""Where a pipe comes from: who wrote it, what was read for it, what was made of it. Field names are stable; `--json` prints them.

Everything is found from the plan of the wave that wrote it and from the cell's note; of one pipe only, when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from console.entity_view import EntityDetail, TaskRow, entity_by_number
from console.widgets.text import short_seconds
from engine.keys import PipeKey
from engine.plan import Input, Plan, TaskPlan
from engine.status import WROTE, Cell
from engine.store.catalog import Catalog
from engine.store.connect import Client
from engine.store.pipes import Pipes
from engine.store.wave import Wave
from engine.store.waves import Waves

FAR = 24
"""Dates before and after that are looked at for one input."""


@dataclass(frozen=True)
class Link:
    """A pipe that this one was made from, or was made from this one. `there`: whether it is in Redis; `key` is empty where nobody
    knows which it was."""

    pipe: str
    key: str
    there: bool
    note: str = ""


@dataclass(frozen=True)
class Lineage:
    """Who wrote a pipe: in words, as a wave's id and name where one did, and which worker; and its links."""

    writer: str | None = None
    wave: str = ""
    wave_name: str = ""
    worker: str = ""
    up: tuple[Link, ...] = ()
    down: tuple[Link, ...] = ()


def lineage(redis: Client, key: PipeKey, number: int = -1) -> Lineage:
    """Where a pipe comes from. `number`: the entity's number in the wave that wrote it, where that is known: in a large wave it
    spares looking for it."""
    pipes = Pipes(redis)
    stray = pipes.stray(key)
    found = _writer(redis, key, number) if stray is None else None
    if found is None:
        plans = [p for p in Catalog(redis).flows(key.version).values() if key.pipe in p.names]
        return Lineage(stray, down=tuple(link for plan in plans[:1] for link in _down(pipes, plan, key, None)))
    wave, detail = found
    plan = Waves(redis).plan(wave)
    up = tuple(_up(pipes, plan.tasks[plan.index[key.pipe]], wave, detail, key))
    words = f"wave {wave.id} ({detail.worker or 'worker unknown'})"
    return Lineage(words, wave.id, wave.locator, detail.worker, up, tuple(_down(pipes, plan, key, detail)))


def _writer(redis: Client, key: PipeKey, hint: int) -> tuple[Wave, EntityDetail] | None:
    """The wave that wrote a pipe, else one that found it there, and its entity."""
    store, there = Waves(redis), None
    for name in Pipes(redis).waves(key.version, key.pipe, key.date):
        wave = store.find(name, key.version)
        if wave is None or key.pipe not in wave.tasks:
            continue
        number = _number(store, wave, key.entity, hint)
        cell = store.cell(wave, wave.tasks.index(key.pipe), number) if number is not None else None
        if number is None or cell not in WROTE:
            continue
        if cell != Cell.REUSED:
            return wave, entity_by_number(redis, wave, number, logs=False)
        there = there or (wave, number)
    return (there[0], entity_by_number(redis, *there, logs=False)) if there else None


def _number(store: Waves, wave: Wave, entity: str, hint: int) -> int | None:
    if 0 <= hint < wave.n and [e for e, _ in store.members(wave, hint, hint)] == [entity]:
        return hint
    return store.number(wave, entity)


def _up(pipes: Pipes, task: TaskPlan, wave: Wave, detail: EntityDetail, key: PipeKey) -> Iterator[Link]:
    row = next(t for t in detail.tasks if t.task == task.name)
    given = {used.name: used for used in row.inputs}
    for i in task.inputs:
        used = given.get(i.name)
        if i.history:
            yield from _history(pipes, i, wave, key)
        elif used is not None and used.missing:
            last = f", the last good one is {short_seconds(used.good_age)} old" if used.good else ""
            yield Link(i.name, used.good, False, f"was missing{last}")
        elif used is not None:
            whose = f"of {used.version}" if used.version != key.version else ""
            age = f"{short_seconds(used.age)} old" if used.age else ""
            yield Link(i.name, used.key, used.bytes is not None, ", ".join(filter(None, [whose, age])))


def _history(pipes: Pipes, i: Input, wave: Wave, key: PipeKey) -> Iterator[Link]:
    """The values of an input at earlier dates, the newest first; of each date this version's, else the base's."""
    dates = list(islice(key.date.back(i.history), FAR))
    versions = [key.version, wave.base] if wave.base and wave.base != key.version else [key.version]
    keys = [[PipeKey(v, i.name, key.entity, date) for v in versions] for date in dates]
    there = iter(pipes.there([str(k) for group in keys for k in group]))
    for group in keys:
        found = [k for k in group if next(there)]
        if found:
            age = (key.date.start - found[0].date.start).total_seconds()
            yield Link(i.name, str(found[0]), True, f"history, {short_seconds(age)} old")


def _down(pipes: Pipes, plan: Plan, key: PipeKey, detail: EntityDetail | None) -> Iterator[Link]:
    """What was made of a pipe: in the same wave, and at later dates by tasks that read earlier ones."""
    states = {t.task: t for t in detail.tasks} if detail else {}
    for task in plan.tasks:
        i = next((i for i in task.inputs if i.name == key.pipe), None)
        if i is None:
            continue
        if not i.history:
            yield from _same_date(pipes, task, key, states)
        if i.history or i.lookback:
            yield from _later(pipes, task, i, key)


def _same_date(pipes: Pipes, task: TaskPlan, key: PipeKey, states: dict[str, TaskRow]) -> Iterator[Link]:
    made = str(PipeKey(key.version, task.name, key.entity, key.date))
    [there] = pipes.there([made])
    row = states.get(task.name)
    status = row.status if row else ""
    if there and row and any(used.name == key.pipe and used.key not in ("", str(key)) for used in row.inputs):
        return  # it ran before this one was there, with another
    yield Link(task.name, made, there, "" if there else status.lower() or "not made")


def _later(pipes: Pipes, task: TaskPlan, i: Input, key: PipeKey) -> Iterator[Link]:
    """What a task made at later dates: of a history, wherever this date is in it; of an input that may be older, where there was none
    newer."""
    steps = min(int(max(i.history, i.lookback) // key.date.step.total_seconds()), FAR)
    dates = [key.date.shift(n) for n in range(1, steps + 1)]
    own: Sequence[bool] = pipes.there([str(PipeKey(key.version, key.pipe, key.entity, d)) for d in dates])
    made = [str(PipeKey(key.version, task.name, key.entity, d)) for d in dates]
    for n, (date, there) in enumerate(zip(dates, pipes.there(made), strict=True)):
        if not i.history and own[n]:
            return
        if there:
            age = short_seconds((date.start - key.date.start).total_seconds())
            yield Link(task.name, made[n], True, f"{age} later" + (", as history" if i.history else ""))
