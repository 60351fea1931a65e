"""What each screen shows, as frozen data: one function a screen, used by the console and by its headless twin alike.

Field names are stable; `wavedeck … --json` prints them. Times are ISO 8601 UTC, durations seconds.
"""

import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from console.moment import now
from console.reports.normal import Normal, Normals
from console.reports.used import Evidence, Serves, Used
from console.widgets.text import short_seconds
from engine import script
from engine.errors import NotFound
from engine.keys import PipeKey, check_version, decode_entity, encode_entity
from engine.plain import quoted
from engine.plan import Plan
from engine.status import MARK_OF, STATUS_OF, WROTE, Cell, Status
from engine.store.connect import Client
from engine.store.need import Fit
from engine.store.wave import Progress, Wave, span
from engine.store.waves import Waves


def iso(ms: float) -> str | None:
    """Unix ms as ISO 8601; None for 0."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds") if ms else None


def phase(wave: Wave) -> str:
    """A wave in a word: queued, running, finished or cancelled."""
    if wave.cancelled:
        return "cancelled"
    if wave.ended:
        return "finished"
    return "running" if wave.started else "queued"


@dataclass(frozen=True)
class WaveRow:
    """A line of the list of waves. `counts`: cells by status; `rate`: cells ended a second; `eta`: seconds left, None when unknown;
    `of`: the wave that it runs a part of again; `behind`: the one that goes before it in the queue, as people name it; `normal`: how
    it compares to those before it. The list of waves has these two, a wave alone has not. `deadline`: after it nothing of it starts."""

    id: str
    flow: str
    version: str
    date: str
    phase: str
    entities: int
    tasks: int
    counts: dict[str, int]
    created: str | None
    started: str | None
    ended: str | None
    seconds: float
    rate: float
    eta: float | None
    left: int
    trigger: str
    by: str
    base: str = ""
    cancelled: str = ""
    cancelled_by: str = ""
    of: str = ""
    behind: str = ""
    normal: Normal | None = None
    deadline: str | None = None

    @property
    def late(self) -> bool:
        """Whether it is overdue, or will be before it ends at the rate of late."""
        until = (
            datetime.fromisoformat(self.deadline).timestamp() if self.deadline and self.phase in ("queued", "running") else None
        )
        return until is not None and now() + (self.eta or 0.0) > until


def wave_row(progress: Progress, now_ms: float | None = None) -> WaveRow:
    """A wave as a line."""
    wave, total = progress.wave, progress.total
    at = now_ms or now() * 1000
    seconds = max(0.0, ((wave.ended or at) - wave.started) / 1000) if wave.started else 0.0
    still = total[Status.PENDING] + total[Status.RUNNING]
    done = wave.cells - still - total[Status.CANCELLED]
    rate = done / seconds if seconds else 0.0
    return WaveRow(
        id=wave.id,
        flow=wave.flow,
        version=wave.version,
        date=str(wave.date),
        phase=phase(wave),
        entities=wave.n,
        tasks=len(wave.tasks),
        counts={s.value: n for s, n in total.items()},
        created=iso(wave.created),
        started=iso(wave.started),
        ended=iso(wave.ended),
        seconds=seconds,
        rate=rate,
        eta=0.0 if wave.ended else still / rate if rate else None,
        left=wave.left,
        trigger=wave.trigger,
        by=wave.by,
        base=wave.base,
        cancelled=wave.cancelled,
        cancelled_by=wave.cancelled_by,
        of=wave.of,
        deadline=iso(wave.deadline),
    )


def waves(redis: Client, *, limit: int = 50, version: str | None = None, flow: str | None = None) -> list[WaveRow]:
    """The newest waves, newest first, each with what it waits behind, and how it compares to those before it."""
    found = Waves(redis).recent(limit, version=version, flow=flow)
    return compared(found, Normals().of(redis, found, now()))


def compared(found: Sequence[Progress], normal: Mapping[str, Normal]) -> list[WaveRow]:
    """Waves as lines, with what is `normal` of each (by id)."""
    ahead = behind([p.wave for p in found])
    return [replace(wave_row(p), behind=ahead.get(p.wave.id, ""), normal=normal.get(p.wave.id)) for p in found]


def behind(waves: Sequence[Wave]) -> dict[str, str]:
    """Queued wave → the one of its version that is served right before it, as people name it. As `Waves` orders the queue: those that a
    person started first, each kind the oldest first."""
    found: dict[str, str] = {}
    before: dict[str, Wave] = {}
    for wave in sorted(waves, key=lambda w: (w.trigger.startswith("schedule:"), w.created)):
        if phase(wave) in ("queued", "running"):
            if not wave.started and wave.version in before:
                found[wave.id] = before[wave.version].locator
            before[wave.version] = wave
    return found


@dataclass(frozen=True)
class Durations:
    """How long a task's cells ran, of those that ended; None when none did."""

    p50: float | None
    p95: float | None


def durations(times: bytes, board: bytes, n: int, task: int) -> Durations:
    """Median and 95th percentile of a task's run times."""
    column = array("I", times[task * n * 8 : (task + 1) * n * 8])[1::2]
    cells = board[task * n : (task + 1) * n]
    ran = sorted(d for d, c in zip(column, cells, strict=True) if d and c != Cell.RUNNING)
    if not ran:
        return Durations(None, None)
    return Durations(ran[len(ran) // 2] / 100_000, ran[min(len(ran) - 1, len(ran) * 95 // 100)] / 100_000)


@dataclass(frozen=True)
class Foreseen:
    """What init foresaw of a wave whose workers it saw to: it ends `soonest` to `latest` seconds after it was created, on so many
    `workers`; it `took` so many seconds, None while it runs."""

    workers: int
    soonest: float
    latest: float
    took: float | None

    @property
    def words(self) -> str:
        """Both against each other, in a line."""
        span = f"{short_seconds(self.soonest)} to {short_seconds(self.latest)}"
        told = f"{span} foreseen on {self.workers:,} {'worker' if self.workers == 1 else 'workers'}"
        if self.took is None:
            return told
        if self.took > self.latest > 0:
            off = f"{self.took / self.latest - 1:.0%} longer"
        elif self.took < self.soonest:
            off = f"{1 - self.took / self.soonest:.0%} less"
        else:
            off = "as foreseen"
        return f"took {short_seconds(self.took)}, {off} ({told})"


def foreseen(wave: Wave) -> Foreseen | None:
    """None when nobody foresaw anything."""
    if not wave.workers:
        return None
    took = (wave.ended - wave.created) / 1000 if wave.ended and not wave.cancelled else None
    return Foreseen(wave.workers, wave.soonest / 1000, wave.latest / 1000, took)


@dataclass(frozen=True)
class WaveDetail:
    """One wave. `counts`: task → status → cells; `marks`: task → {reused, fallback}; `bytes_a_cell`: its memory in Redis beyond the pipes.

    `critical_path`: the tasks whose median run times add up to most; `slowest`: the task with the longest; `first_red`: the earliest
    failure without a failed ancestor. `at`: the moment that all of this is about when it is not now; a wave as it was has no run times.
    """

    wave: WaveRow
    counts: dict[str, dict[str, int]]
    marks: dict[str, dict[str, int]]
    durations: dict[str, Durations]
    edges: list[tuple[str, str]]
    bytes_a_cell: float
    state: str
    config: dict[str, dict[str, Any]]
    critical_path: list[str]
    slowest: str
    first_red: dict[str, Any] | None
    at: str | None
    foreseen: "Foreseen | None" = None


def wave(redis: Client, name: str, at: str = "") -> WaveDetail:
    """One wave, named as `Waves.get` takes it; with `at` as it was at that moment, written as `rewind.moment` reads it.

    Raises:
        NotFound: there is none.
        ValueError: `at` cannot be understood, or the wave was not there.
    """
    from console.reports.critical import critical_path, slowest
    from console.reports.failures import first_red

    store = Waves(redis)
    progress = store.progress(store.get(name))
    w, plan = progress.wave, store.plan(progress.wave)
    then = _then(store, progress, plan, at) if at else None
    progress = then[0] if then else progress
    times, board = store.times(w), store.board(w)
    ran = {t: Durations(None, None) if then else durations(times, board, w.n, i) for i, t in enumerate(w.tasks)}
    p50 = {task: d.p50 for task, d in ran.items()}
    red = first_red(redis, w)
    row = wave_row(progress, w.created + then[1] * 1000) if then else wave_row(progress)
    return WaveDetail(
        wave=row,
        counts={t: {s.value: n for s, n in progress.by_status(i).items()} for i, t in enumerate(w.tasks)},
        marks={t: {m: progress.counts[i].get(c, 0) for c, m in MARK_OF.items()} for i, t in enumerate(w.tasks)},
        durations=ran,
        edges=list(plan.edges),
        bytes_a_cell=bytes_a_cell(redis, w),
        state=w.state,
        config=dict(w.config),
        critical_path=list(critical_path(plan, p50)),
        slowest=slowest(p50),
        first_red=msgspec.to_builtins(red) if red and (then is None or 0 < red.seconds <= then[1]) else None,
        at=iso(w.created + then[1] * 1000) if then else None,
        foreseen=foreseen(w),
    )


def _then(store: Waves, progress: Progress, plan: Plan, at: str) -> tuple[Progress, float]:
    """How far a wave was at a moment, and that moment in seconds after it was created."""
    from console.reports.rewind import board_at, counts_of, moment

    w = progress.wave
    last = max((w.ended or now() * 1000) - w.created, 0) / 1000
    seconds = moment(at, w.created / 1000, last)
    board = board_at(store.board(w), store.times(w), w.n, plan.needs, seconds, last)
    then = replace(w, ended=0 if seconds < last else w.ended, cancelled="" if seconds < last else w.cancelled)
    return Progress(then, counts_of(board, w.n, len(w.tasks))), seconds


def memory(fit: Fit) -> dict[str, Any]:
    """What a wave needs in Redis and what there is, in bytes."""
    need, room = fit.need, fit.room
    return {
        "need": need.total,
        "pipes": need.pipes,
        "board": need.board,
        "notes": need.notes,
        "basis": need.basis,
        "under_way": fit.promised,
        "used": room.used if room is not None else None,
        "limit": room.limit if room is not None else None,
        "policy": room.policy if room is not None else None,
    }


def bytes_a_cell(redis: Client, w: Wave) -> float:
    """What a wave holds in Redis beyond its pipes, for each of its cells."""
    return round(Waves(redis).memory(w) / w.cells, 2)


def flat(detail: WaveDetail) -> dict[str, Any]:
    """`detail` as `wave ID --json` prints it: the line's fields and the others side by side; `counts` by task, `cells` of all."""
    fields: dict[str, Any] = msgspec.to_builtins(detail)
    return {**fields.pop("wave"), "cells": detail.wave.counts, **fields}


def launched(w: Wave, *, new: bool) -> dict[str, Any]:
    """A wave that was just started, as `trigger --json` prints it: its line, and whether it is `new`."""
    counts: tuple[dict[int, int], ...] = tuple({Cell.PENDING: w.n} for _ in w.tasks)
    return {**msgspec.to_builtins(wave_row(Progress(w, counts))), "new": new}


@dataclass(frozen=True)
class TaskRow:
    """A cell. `mark`: reused, fallback or ""; `waited`: seconds from when its last input ended (or the first task began) to its start;
    `inputs`: what it was given, or what there is of it so far; `serves`: what covers for a forecast that it did not write."""

    task: str
    status: str
    mark: str
    started: str | None
    start: float
    waited: float
    seconds: float
    error: dict[str, str] | None
    inputs: list[Used]
    log: str
    pipe: str
    serves: Serves | None = None


@dataclass(frozen=True)
class EntityDetail:
    """One entity of a wave; `entity` and `partition` as users write them, `key` in key form."""

    wave: str
    locator: str
    entity: str
    key: str
    partition: str
    number: int
    worker: str
    tasks: list[TaskRow]


def entity(redis: Client, name: str, raw: str, *, logs: bool = True) -> EntityDetail:
    """One entity of a wave.

    Raises:
        NotFound: no such wave, or the wave has no such entity.
    """
    store = Waves(redis)
    w = store.get(name)
    number = number_of(store, w, raw)
    return entity_by_number(redis, w, number, logs=logs)


def entity_by_number(
    redis: Client, w: Wave, number: int, *, logs: bool = True, plan: Plan | None = None, given: Evidence | None = None
) -> EntityDetail:
    """One entity of a wave, by its number. `plan` and `given`, where one has them already, spare reading what does not change."""
    store = Waves(redis)
    plan, given = plan or store.plan(w), given or Evidence(redis, w)
    [(key, partition)] = store.members(w, number, number)
    cells, times = _row(redis, w, number)
    notes = store.notes(w, [(t, number) for t in range(len(w.tasks))])
    spans = [span(times, t) for t in range(len(w.tasks))]
    first = min((s for s, _ in spans if s), default=0.0)
    rows = []
    for t, (task, cell) in enumerate(zip(w.tasks, cells, strict=True)):
        start, seconds = spans[t]
        ready = max((spans[n][0] + spans[n][1] for n in plan.needs[t]), default=first)
        note = notes.get((t, number), {})
        inputs, serves = given.of(plan.tasks[t], t, key, cell, note)
        rows.append(
            TaskRow(
                task=task,
                status=STATUS_OF[cell].value,
                mark=MARK_OF.get(cell, ""),
                started=iso(w.created + start * 1000) if start else None,
                start=start,
                waited=max(0.0, start - ready) if start else 0.0,
                seconds=seconds if cell != Cell.RUNNING else max(0.0, now() - w.created / 1000 - start),
                error=note.get("error"),
                inputs=list(inputs),
                log=store.log(w, t, number) if logs else "",
                pipe=str(PipeKey(w.version, task, key, w.date)) if cell in WROTE else "",
                serves=serves,
            )
        )
    return EntityDetail(
        wave=w.id,
        locator=w.locator,
        entity=decode_entity(key),
        key=key,
        partition=decode_entity(partition),
        number=number,
        worker=store.worker_of(w, number) or "",
        tasks=rows,
    )


def _row(redis: Client, w: Wave, number: int) -> tuple[bytes, bytes]:
    """The cells of an entity, a byte a task, and their times."""
    with redis.pipeline(transaction=False) as trip:
        for task in range(len(w.tasks)):
            at = task * w.n + number
            trip.getrange(w.key("board"), at, at)
            trip.getrange(w.key("times"), at * 8, at * 8 + 7)
        replies = trip.execute()
    return b"".join(replies[::2]), b"".join(replies[1::2])


def number_of(store: Waves, w: Wave, raw: str) -> int:
    """The number of an entity, as users write it or in key form.

    Raises:
        NotFound: the wave has none of that name.
    """
    for key in dict.fromkeys((encode_entity(raw), raw)):
        number = store.number(w, key)
        if number is not None:
            return number
    raise NotFound(f"wave {w.id} ({w.locator}) has no entity {quoted(raw)}")


def script_of(
    redis: Client, name: str, raw: str, *, version: str | None = None, base: str | None = None, task: str | None = None
) -> str:
    """The executable script of an entity of a wave; for another version when one is given, of one `task` alone when that is. What that
    version has not, such as earlier dates, it reads from the wave's own, unless `base` says otherwise.

    Raises:
        NotFound: no such wave, entity or task.
    """
    for other in (version, base):
        if other:
            check_version(other)
    store = Waves(redis)
    w = store.get(name)
    return script_by_number(store, w, number_of(store, w, raw), version=version, base=base, task=task)


def script_by_number(
    store: Waves, w: Wave, number: int, *, version: str | None = None, base: str | None = None, task: str | None = None
) -> str:
    """The script of an entity, by its number; otherwise as `script_of`."""
    [(key, _)] = store.members(w, number, number)
    if task is not None and task not in w.tasks:
        raise NotFound(f"wave {w.id} ({w.locator}) has no task {task!r}; it has: {', '.join(w.tasks)}")
    body = store.body(w)
    return script.script(
        flow=w.flow,
        version=version or w.version,
        base=base if base is not None else w.base or w.version,
        date=w.date,
        wave=w.id,
        entity=key,
        body=body if task is None else _alone(body, task),
        fixed=version is not None,
    )


def _alone(body: str, task: str) -> str:
    """A script's body with the line of one task, which waits for no other: what it takes is in the pipes, or it is not."""
    lines = [line for line in body.split("\n") if line.split()[:1] != ["task"] or line.split()[1] == task]
    return "\n".join(re.sub(r" --after \S+", "", line) for line in lines)
