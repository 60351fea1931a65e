"""One entity of a wave as its screen and its headless twin show it, and its script. As in `views`: frozen data with stable names."""

import re
from dataclasses import dataclass

from console.moment import now
from console.reports.used import Evidence, Serves, Used
from console.views import iso
from engine import script
from engine.errors import NotFound
from engine.keys import PipeKey, check_version, decode_entity, encode_entity
from engine.plain import quoted
from engine.plan import Plan
from engine.status import MARK_OF, STATUS_OF, WROTE, Cell
from engine.store.connect import Client
from engine.store.wave import Wave, span
from engine.store.waves import Waves


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
