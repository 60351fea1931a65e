"""What each screen shows, as frozen data: one function a screen, used by the console and by its headless twin alike.

Field names are stable; `wavedeck … --json` prints them. Times are ISO 8601 UTC, durations seconds.
"""

from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from console.moment import now
from console.signature import signature
from engine import script
from engine.errors import NotFound
from engine.keys import PipeKey, check_version, decode_entity, encode_entity
from engine.plan import Plan
from engine.status import MARK_OF, STATUS_OF, WROTE, Cell, Status
from engine.store.connect import Client
from engine.store.wave import Progress, Wave, span
from engine.store.waves import Waves

RAN = frozenset({Cell.RUNNING, Cell.FINISHED, Cell.FALLBACK, Cell.FAILED})
"""Cells that were given inputs."""


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
    """A line of the list of waves. `counts`: cells by status; `rate`: cells ended a second; `eta`: seconds left, None when unknown."""

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
    )


def waves(redis: Client, *, limit: int = 50, version: str | None = None, flow: str | None = None) -> list[WaveRow]:
    """The newest waves, newest first."""
    return [wave_row(p) for p in Waves(redis).recent(limit, version=version, flow=flow)]


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
class WaveDetail:
    """One wave. `counts`: task → status → cells; `marks`: task → {reused, fallback}; `bytes_a_cell`: its memory in Redis beyond the pipes."""

    wave: WaveRow
    counts: dict[str, dict[str, int]]
    marks: dict[str, dict[str, int]]
    durations: dict[str, Durations]
    edges: list[tuple[str, str]]
    bytes_a_cell: float
    state: str
    config: dict[str, dict[str, Any]]


def wave(redis: Client, name: str) -> WaveDetail:
    """One wave, named as `Waves.get` takes it."""
    store = Waves(redis)
    progress = store.progress(store.get(name))
    w = progress.wave
    times, board = store.times(w), store.board(w)
    return WaveDetail(
        wave=wave_row(progress),
        counts={t: {s.value: n for s, n in progress.by_status(i).items()} for i, t in enumerate(w.tasks)},
        marks={t: {m: progress.counts[i].get(c, 0) for c, m in MARK_OF.items()} for i, t in enumerate(w.tasks)},
        durations={t: durations(times, board, w.n, i) for i, t in enumerate(w.tasks)},
        edges=list(store.plan(w).edges),
        bytes_a_cell=bytes_a_cell(redis, w),
        state=w.state,
        config=dict(w.config),
    )


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
class Family:
    """Failures with one signature. `status`: Failed or Blocked, never mixed; `examples`: some of its entities as users write them."""

    task: str
    status: str
    type: str
    signature: str
    where: str
    count: int
    examples: list[str]


def failures(redis: Client, name: str, *, examples: int = 10) -> list[Family]:
    """The families of failures of a wave, the largest first, failed before blocked."""
    store = Waves(redis)
    w = store.get(name)
    board, members = store.board(w), store.members(w)
    grouped: dict[tuple[str, str, str, str, str], list[int]] = {}
    for (task, entity), note in sorted(store.notes(w).items()):
        cell = board[task * w.n + entity]
        error = note.get("error")
        if error and cell in (Cell.FAILED, Cell.BLOCKED):
            key = (w.tasks[task], STATUS_OF[cell].value, error["type"], signature(error["message"]), error["where"])
            grouped.setdefault(key, []).append(entity)
    families = [
        Family(task, status, kind, text, where, len(found), [decode_entity(members[e][0]) for e in found[:examples]])
        for (task, status, kind, text, where), found in grouped.items()
    ]
    return sorted(families, key=lambda f: (f.status != Status.FAILED, -f.count, f.task))


@dataclass(frozen=True)
class TaskRow:
    """A cell. `mark`: reused, fallback or ""; `waited`: seconds from when its last input ended (or the first task began) to its start."""

    task: str
    status: str
    mark: str
    started: str | None
    start: float
    waited: float
    seconds: float
    error: dict[str, str] | None
    inputs: list[dict[str, Any]]
    log: str
    pipe: str


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


def entity_by_number(redis: Client, w: Wave, number: int, *, logs: bool = True) -> EntityDetail:
    """One entity of a wave, by its number."""
    store = Waves(redis)
    [(key, partition)] = store.members(w, number, number)
    plan, times = store.plan(w), _row_times(redis, w, number)
    notes = store.notes(w, [(t, number) for t in range(len(w.tasks))])
    spans = [span(times, t) for t in range(len(w.tasks))]
    first = min((s for s, _ in spans if s), default=0.0)
    rows = []
    for t, task in enumerate(w.tasks):
        cell = store.cell(w, t, number)
        start, seconds = spans[t]
        ready = max((spans[n][0] + spans[n][1] for n in plan.needs[t]), default=first)
        note = notes.get((t, number), {})
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
                inputs=_inputs(plan, t, w, key, note, ran=cell in RAN),
                log=store.log(w, t, number) if logs else "",
                pipe=str(PipeKey(w.version, task, key, w.date)) if cell in WROTE else "",
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


def _row_times(redis: Client, w: Wave, number: int) -> bytes:
    with redis.pipeline(transaction=False) as trip:
        for task in range(len(w.tasks)):
            at = (task * w.n + number) * 8
            trip.getrange(w.key("times"), at, at + 7)
        return b"".join(trip.execute())


def _inputs(plan: Plan, task: int, w: Wave, key: str, note: Mapping[str, Any], *, ran: bool) -> list[dict[str, Any]]:
    """The inputs of a cell: as its note says, and fresh where it ran and the note says nothing."""
    told = {i["name"]: i for i in note.get("inputs", [])}
    fresh = {
        i.name: {"name": i.name, "key": str(PipeKey(w.version, i.name, key, w.date)), "age": 0.0}
        for i in plan.tasks[task].edges
        if ran
    }
    return list({**fresh, **told}.values())


def number_of(store: Waves, w: Wave, raw: str) -> int:
    """The number of an entity, as users write it or in key form.

    Raises:
        NotFound: the wave has none of that name.
    """
    for key in dict.fromkeys((encode_entity(raw), raw)):
        number = store.number(w, key)
        if number is not None:
            return number
    raise NotFound(f"wave {w.id} ({w.locator}) has no entity {raw!r}")


def script_of(redis: Client, name: str, raw: str, *, version: str | None = None, base: str | None = None) -> str:
    """The executable script of an entity of a wave; for another version when one is given. What that version has not, such as earlier
    dates, it reads from the wave's own, unless `base` says otherwise."""
    for other in (version, base):
        if other:
            check_version(other)
    store = Waves(redis)
    w = store.get(name)
    return script_by_number(store, w, number_of(store, w, raw), version=version, base=base)


def script_by_number(store: Waves, w: Wave, number: int, *, version: str | None = None, base: str | None = None) -> str:
    """The script of an entity, by its number."""
    [(key, _)] = store.members(w, number, number)
    return script.script(
        flow=w.flow,
        version=version or w.version,
        base=base if base is not None else w.base or w.version,
        date=w.date,
        wave=w.id,
        entity=key,
        body=store.body(w),
        fixed=version is not None,
    )
