"""What each screen shows, as frozen data: one function a screen, used by the console and by its headless twin alike.

Field names are stable; `wavedeck … --json` prints them. Times are ISO 8601 UTC, durations seconds.
"""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import msgspec

from console.moment import now
from console.reports.normal import Normal
from console.reports.normals import Normals
from console.widgets.text import short_seconds
from engine.plan import Plan
from engine.status import MARK_OF, Cell, Status
from engine.store.connect import Client
from engine.store.need import Fit
from engine.store.wave import Progress, Wave
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
