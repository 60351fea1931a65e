"""Why a cell, or a whole entity, is pending: exactly, and now. What is known is read by `facts`; what it means is pure (`reasons`).

Field names are stable; `wavedeck why --json` prints them. Times are Unix seconds by Redis' clock, durations seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from console.moment import now
from engine.keys import decode_entity, version_key, wave_key
from engine.plan import Plan
from engine.status import ENDED, STATUS_OF, Cell
from engine.store.connect import Client, clock
from engine.store.room import room
from engine.store.wave import Wave, span
from engine.store.waves import Waves
from engine.store.workers import Worker

Kind = Literal[
    "", "runs", "waits", "held", "lost", "queued", "no worker", "no flow", "stopping", "full", "cancelled", "overdue"
]
QUIET = 6.0
"""Seconds of silence (three heartbeats) after which a worker that holds something is named with when it was heard."""
BEFORE = 1000
"""Waves of the queue that are looked at."""


@dataclass(frozen=True)
class Facts:
    """What Redis says of an entity at one moment.

    Parameters:
        at: now. `created`, `starts` (when each cell began, 0 when it did not), `lease` (when the claim ends) and `heard` likewise.
        cells: a byte a task.
        resumed: somebody had claimed it before who holds it now.
        holder: who claimed it last; `holder_heard`: when that worker was heard last, None when it has left or was never heard.
        before: entities of the wave that are served before it; None when it is not in the queue.
        waves: waves of the version that are served before this one and have entities to claim, and how many entities.
        full: Redis has no room left, seen of an entity that nobody holds.
        workers: those of the version that are alive; `heard`: when any of them was last heard, dead or alive.
    """

    at: float
    flow: str
    version: str
    cells: bytes
    starts: tuple[float, ...]
    cancelled: str = ""
    deadline: float = 0.0
    resumed: bool = False
    holder: str = ""
    lease: float | None = None
    holder_heard: float | None = None
    before: int | None = None
    waves: tuple[int, int] = (0, 0)
    workers: tuple[Worker, ...] = ()
    heard: float | None = None
    full: bool = False


@dataclass(frozen=True)
class Reason:
    """Why, in a word and in a sentence. `left`: seconds until it ends by itself (a patience, a lease); `on`: the tasks waited for."""

    kind: Kind = ""
    text: str = ""
    left: float | None = None
    on: tuple[str, ...] = ()

    @property
    def brief(self) -> str:
        """It where there is little room."""
        return f"waits for {', '.join(self.on)}" if self.on else self.kind


@dataclass(frozen=True)
class Why:
    """An entity's reason, and that of each of its tasks that is pending or runs; an entity that has ended has none."""

    entity: Reason = Reason()
    tasks: Mapping[str, Reason] = field(default_factory=dict)


def span_words(seconds: float) -> str:
    """A time that nobody counts in parts of a second: `9 s`, `3 min`, `2 h`, `5 days`."""
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min"
    return f"{whole // 3600} h" if whole < 48 * 3600 else f"{whole // 86400} days"


def reasons(plan: Plan, f: Facts) -> Why:
    """What holds the entity up, and each of its tasks."""
    open_ = [t for t, cell in enumerate(f.cells) if cell not in ENDED]
    if not open_:
        return Why()
    stuck = _stuck(f)
    tasks = {}
    for t in open_:
        if f.cells[t] == Cell.RUNNING:
            tasks[plan.names[t]] = _runs(f, t)
        else:
            tasks[plan.names[t]] = _pending(plan, f, t, stuck)
    running = [t for t in open_ if f.cells[t] == Cell.RUNNING]
    if stuck is not None:
        entity = stuck
    elif running:
        entity = Reason("runs", f"{plan.names[running[0]]} {_runs(f, running[0]).text} on {f.holder}")
    else:
        entity = tasks[plan.names[open_[0]]]
    return Why(entity, tasks)


def _runs(f: Facts, task: int) -> Reason:
    return Reason("runs", f"runs {span_words(f.at - f.starts[task])} already" if f.starts[task] else "runs")


def _pending(plan: Plan, f: Facts, task: int, stuck: Reason | None) -> Reason:
    on = [n for n in plan.needs[task] if f.cells[n] not in ENDED]
    if stuck is not None and (stuck.kind != "held" or not on):
        return stuck
    return _waits(plan, f, task, on) if on else _next(f)


def _next(f: Facts) -> Reason:
    return Reason("held", f"held by worker {f.holder}, which runs others of its batch first")


def _waits(plan: Plan, f: Facts, task: int, on: list[int]) -> Reason:
    names = plan.names
    if len(on) == 1:
        told = f"{names[on[0]]}, {_state(plan, f, on[0])}"
    else:
        told = ", ".join(f"{names[n]} ({_state(plan, f, n)})" for n in on)
    patience, left = _patience(plan, f, task)
    return Reason("waits", f"waits for {told}; {patience}", left, tuple(names[n] for n in on))


def _state(plan: Plan, f: Facts, task: int) -> str:
    """How far a task is that others wait for."""
    if f.cells[task] == Cell.RUNNING:
        return _runs(f, task).text
    behind = [plan.names[n] for n in plan.needs[task] if f.cells[n] not in ENDED]
    return f"which waits for {', '.join(behind)}" if behind else "which has not begun"


def _patience(plan: Plan, f: Facts, task: int) -> tuple[str, float | None]:
    """When a task goes on without what it waits for.

    The clock of an entity's timeouts starts when its first task does, anew for each worker that takes it up (`worker/solo.py`): of an
    entity that was taken up again only what runs now is known to have begun since.
    """
    starts = [s for s, cell in zip(f.starts, f.cells, strict=True) if s and (cell == Cell.RUNNING or not f.resumed)]
    if not starts:
        return f"its patience ({span_words(plan.tasks[task].timeout)}) begins with the first task", None
    left = min(starts) + plan.tasks[task].timeout - f.at
    if left <= 0:
        return "its patience has ended, it runs next with what there is", 0.0
    return f"its patience ends in {span_words(left)}", left


def _stuck(f: Facts) -> Reason | None:
    """What keeps the whole entity from going on; None while a worker that is heard of holds it."""
    held = f.lease is not None and f.lease > f.at
    if f.cancelled:
        holds = f"; {f.holder} still holds it, its {_lease(f)}" if held else ""
        return Reason(
            "cancelled", f"the wave is cancelled ({f.cancelled}){holds}", f.lease - f.at if held and f.lease else None
        )
    if held and f.lease is not None:
        quiet = f.holder_heard is None or f.at - f.holder_heard > QUIET
        text = f"held by worker {f.holder}, whose {_lease(f)}; {_heard(f)}"
        return Reason("held", text, f.lease - f.at) if quiet else None
    if f.deadline and f.at > f.deadline:
        return Reason(
            "overdue", f"the wave's deadline passed {span_words(f.at - f.deadline)} ago: nothing of it starts any more"
        )
    return _unserved(f) or _queued(f)


def _lease(f: Facts) -> str:
    return f"lease ends in {span_words((f.lease or f.at) - f.at)}"


def _heard(f: Facts) -> str:
    if f.holder_heard is None:
        return f"{f.holder} was not heard for a day"
    return f"{f.holder} was heard {span_words(f.at - f.holder_heard)} ago"


def _unserved(f: Facts) -> Reason | None:
    """Why nobody would take it up, were it its turn."""
    if not f.workers:
        last = f"last heard {span_words(f.at - f.heard)} ago" if f.heard is not None else "none was heard for a day"
        return Reason("no worker", f"no worker of {f.version} is alive ({last})")
    if all(w.flows for w in f.workers) and not any(f.flow in w.flows for w in f.workers):
        return Reason("no flow", f"workers of {f.version} are alive but do not have this flow ({f.flow})")
    if all(w.draining for w in f.workers):
        return Reason("stopping", f"all workers of {f.version} that are alive are stopping")
    if f.full:
        return Reason("full", "Redis is full (maxmemory): nobody takes anything up until there is room")
    return None


def _queued(f: Facts) -> Reason:
    if f.lease is not None:
        ended = f"{f.holder} fell silent, its lease ended {span_words(f.at - f.lease)} ago"
        return Reason("lost", f"{ended}: the next worker that is free takes it up")
    if f.before is None:
        return Reason("queued", "it changes hands: nobody holds it at this moment")
    waves, entities = f.waves
    ahead = (
        f"{f.before:,} {'entity' if f.before == 1 else 'entities'} before it in this wave"
        if f.before
        else "it is next in this wave"
    )
    if waves:
        ahead += f", {waves} {'wave' if waves == 1 else 'waves'} of {f.version} before this one ({entities:,} to claim)"
    return Reason("queued", f"queued: {ahead}")


# reading


def facts(redis: Client, wave: Wave, number: int) -> Facts:
    """What Redis says of an entity of a wave now, in three trips, and one more of one that nobody holds."""
    n, tasks, version = wave.n, len(wave.tasks), wave.version
    at = now() + (clock(redis) - time.time())  # Redis' clock, as the console's own runs
    with redis.pipeline(transaction=False) as trip:
        trip.hmget(wave.key("wave"), "next", "cancelled", "deadline")
        trip.getrange(wave.key("claims"), number * 8, number * 8 + 7)
        trip.zscore(wave.key("leases"), number)
        trip.lpos(wave.key("returned"), number)
        trip.llen(wave.key("returned"))
        trip.hgetall(wave.key("crew"))
        trip.zrange(version_key(version, "queue"), 0, BEFORE)
        trip.zrange(version_key(version, "workers"), 0, -1, withscores=True)
        for task in range(tasks):
            trip.getrange(wave.key("board"), task * n + number, task * n + number)
            trip.getrange(wave.key("times"), (task * n + number) * 8, (task * n + number) * 8 + 7)
        record, claim, lease, back, returned, crew, queue, heard, *row = trip.execute()
    names = {int(v): k.decode() for k, v in crew.items() if k != b"#"}
    holder = names.get(int.from_bytes(claim[4:6], "little"), "")
    scores = {name.decode(): score for name, score in heard}
    ahead = queue[: queue.index(wave.id.encode())] if wave.id.encode() in queue else []
    with redis.pipeline(transaction=False) as trip:
        trip.zcount(wave.key("leases"), "-inf", at * 1000)
        for name in scores:
            trip.get(version_key(version, f"worker:{name}"))
        for other in ahead:
            trip.hmget(wave_key(version, other.decode(), "wave"), "n", "next")
            trip.llen(wave_key(version, other.decode(), "returned"))
        expired, *more = trip.execute()
    beats, others = more[: len(scores)], more[len(scores) :]
    waiting = [int(a or 0) - int(b or 0) + int(k) for (a, b), k in zip(others[::2], others[1::2], strict=True)]
    workers = tuple(msgspec.json.decode(beat, type=Worker) for beat in beats if beat)
    alive = {w.name: w.beat for w in workers}
    there = room(redis) if lease is None else None
    return Facts(
        at=at,
        flow=wave.flow,
        version=version,
        cells=b"".join(cell or b"P" for cell in row[::2]),
        starts=tuple(wave.created / 1000 + start if (start := span(time_, 0)[0]) else 0.0 for time_ in row[1::2]),
        cancelled=(record[1] or b"").decode(),
        deadline=int(record[2] or 0) / 1000,
        resumed=int.from_bytes(claim[:4], "little") > 1,
        holder=holder,
        lease=None if lease is None else lease / 1000,
        holder_heard=alive.get(holder, scores.get(holder)),
        before=_before(number, int(record[0] or 0), back, int(returned), int(expired)) if lease is None else None,
        waves=(sum(1 for w in waiting if w > 0), sum(w for w in waiting if w > 0)),
        workers=workers,
        heard=max([*scores.values(), *alive.values()], default=None),
        full=there is not None and there.full,
    )


def _before(number: int, next_: int, back: int | None, returned: int, expired: int) -> int | None:
    """Entities that a claim takes first: those whose lease ran out, those given back, those never claimed, in the order of the wave."""
    if back is not None:
        return expired + back
    return expired + returned + number - next_ if number >= next_ else None


@dataclass(frozen=True)
class TaskReason:
    """A task as `wavedeck why` tells of it."""

    task: str
    status: str
    kind: str
    text: str
    left: float | None
    on: tuple[str, ...]


@dataclass(frozen=True)
class WhyView:
    """An entity of a wave with its reasons; `kind` and `text` are empty for what has ended."""

    wave: str
    locator: str
    entity: str
    key: str
    kind: str
    text: str
    left: float | None
    tasks: list[TaskReason]


def why(redis: Client, wave: Wave, number: int) -> WhyView:
    """Why an entity of a wave, and each of its tasks, is where it is."""
    store = Waves(redis)
    [(key, _)] = store.members(wave, number, number)
    told = facts(redis, wave, number)
    found = reasons(store.plan(wave), told)
    rows = []
    for task, cell in zip(wave.tasks, told.cells, strict=True):
        reason = found.tasks.get(task, Reason())
        rows.append(TaskReason(task, STATUS_OF[cell].value, reason.kind, reason.text, reason.left, reason.on))
    entity = found.entity
    return WhyView(wave.id, wave.locator, decode_entity(key), key, entity.kind, entity.text, entity.left, rows)
