"""An incident block: what a person pastes into a ticket, in Markdown. Nothing from outside can leave its place in it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime

from console import entity_view, views
from console.locator import Locator
from console.moment import now
from console.reports.failures import Family, FirstRed, families, first_red
from console.reports.markdown import block, code, row
from console.widgets.text import short_seconds
from engine.keys import encode_entity
from engine.status import Cell, Status
from engine.store.connect import Client
from engine.store.wave import Progress, Wave
from engine.store.waves import Waves
from engine.store.workers import Workers

MOST = 5
"""Families, workers and tasks that are named."""


def incident(redis: Client, place: Locator) -> str:
    """The block about a wave; or, for the place of an entity, about that entity.

    Raises:
        NotFound: no such wave or entity.
    """
    wave = Waves(redis).get(place.of)
    lines = _entity(redis, wave, place) if place.view == "entity" else _wave(redis, wave)
    return "\n".join(lines) + "\n"


def moment(iso: str | None) -> str:
    """ISO 8601 UTC as a person reads it: `2013-07-01 14:05:19 UTC`."""
    return f"{iso[:10]} {iso[11:19]} UTC" if iso else "–"


def _head(wave: Wave, place: Locator) -> Iterator[str]:
    written = moment(datetime.fromtimestamp(now(), UTC).isoformat())
    yield f"- place {code(f':{place}', 5000)}, written {written}"
    began, ended = moment(views.iso(wave.started)), moment(views.iso(wave.ended))
    yield f"- wave {code(wave.id)}, created {moment(views.iso(wave.created))}, began {began}, ended {ended}"
    version = f"- version {code(wave.version)}" + (f" on base {code(wave.base)}" if wave.base else "")
    again = f", a part of {code(wave.of)} again" if wave.of else ""
    yield f"{version}, plan {code(wave.plan)}, started by {code(wave.by)} ({code(wave.trigger)}){again}"


# a wave


def _wave(redis: Client, wave: Wave) -> Iterator[str]:
    store = Waves(redis)
    progress, found, red = store.progress(wave), families(redis, wave), first_red(redis, wave)
    worst = found[0] if found else None
    line = views.wave_row(progress)
    yield f"### {code(wave.locator)}: " + (f"{worst.count:,} × {code(worst.title)}" if worst else line.phase)
    yield ""
    yield from _head(progress.wave, Locator("wave", wave=wave.id, name=wave.locator))
    counts = ", ".join(f"{count:,} {status.value}" for status in Status if (count := line.counts[status]))
    cancelled = f" ({code(wave.cancelled)})" if wave.cancelled else ""
    yield f"- {line.phase}{cancelled} after {short_seconds(line.seconds)}: {line.entities:,} entities × {line.tasks} tasks"
    yield f"- cells: {counts}"
    yield f"- served meanwhile: {_served(progress)}"
    yield f"- workers: {_workers(redis, store, wave)}"
    if red is not None:
        error = code(f"{red.error.get('type', '')}: {red.error.get('message', '')}")
        yield f"- first red: {code(red.entity)} at {code(red.task)}, {moment(red.at)}: {error}"
    for status in (Status.FAILED, Status.BLOCKED):
        yield from _table(status, [f for f in found if f.status == status])
    yield from ("", *block("\n".join(_commands(wave, worst, red)), "sh"))


def _served(progress: Progress) -> str:
    old = {task: n for task, c in zip(progress.wave.tasks, progress.counts, strict=True) if (n := c.get(Cell.FALLBACK, 0))}
    if not old:
        return "no cell ran with an older input"
    named = ", ".join(f"{code(task)} {count:,}" for task, count in list(old.items())[:MOST])
    return f"{sum(old.values()):,} cells ran with an older input ({named}{' …' if len(old) > MOST else ''})"


def _workers(redis: Client, store: Waves, wave: Wave) -> str:
    names = sorted(store.crew(wave).values())
    named = f" ({', '.join(map(code, names[:MOST]))}{' …' if len(names) > MOST else ''})" if names else ""
    return f"{len(names):,} served it{named}, {len(Workers(redis).alive(wave.version)):,} of this version alive"


def _table(status: Status, rows: list[Family]) -> Iterator[str]:
    if rows:
        yield from ("", row(["count", status.value.lower(), "what", "where", "first", ""]), row(["---:", *["---"] * 5]))
        yield from (row(_family(f)) for f in rows[:MOST])
    if len(rows) > MOST:
        yield from ("", f"… and {len(rows) - MOST:,} more families")


def _family(f: Family) -> list[str]:
    more = [f.news] if f.news else []
    more += [f"all on {code(f.worker)}"] if f.worker else []
    more += [f"by {', '.join(f'{code(task)} {count:,}' for task, count in f.blocked_by.items())}"] if f.blocked_by else []
    where = code(f.where) if f.where else ""
    return [f"{f.count:,}", code(f.task), code(f.title), where, moment(f.first), "; ".join(more)]


def _commands(wave: Wave, worst: Family | None, red: FirstRed | None) -> Iterator[str]:
    yield f"wavedeck failures {wave.id}"
    if red is not None:
        yield from _of_entity(wave, red.entity)
    if worst is not None:
        yield f"wavedeck rerun {wave.id} --family {worst.key}"


def _of_entity(wave: Wave, entity: str) -> Iterator[str]:
    """Its evidence, and the same run here. The key is in key form, which holds neither spaces nor lines."""
    key = shlex.quote(encode_entity(entity))
    dashes = "-- " if key.startswith("-") else ""
    yield f"wavedeck entity {wave.id} {dashes}{key}"
    yield f"wavedeck script {wave.id} {dashes}{key} > s.sh; bash s.sh"


# an entity


def _entity(redis: Client, wave: Wave, place: Locator) -> Iterator[str]:
    detail = entity_view.entity(redis, wave.id, place.entity, logs=False)
    bad = [t for t in detail.tasks if t.status in (Status.FAILED, Status.BLOCKED)]
    failed = [t for t in bad if t.status == Status.FAILED]
    worst = next((t for t in bad if t.task == place.task), next(iter(failed or bad), None))
    what = f"{code(worst.task)} {worst.status}" if worst else "nothing failed"
    yield f"### {code(wave.locator)} {code(detail.entity)}: {what}"
    yield ""
    task = worst.task if worst else ""
    yield from _head(wave, Locator("entity", wave=wave.id, name=wave.locator, entity=detail.entity, task=task))
    yield f"- partition {code(detail.partition)}, worker {code(detail.worker or '–')}"
    yield "- tasks: " + ", ".join(f"{code(t.task)} {t.status}{f' ({t.mark})' if t.mark else ''}" for t in detail.tasks)
    if worst is not None:
        yield from _evidence(worst)
    yield from ("", *block("\n".join(_of_entity(wave, detail.entity)), "sh"))


def _evidence(task: entity_view.TaskRow) -> Iterator[str]:
    inputs = ", ".join(code(i.words) for i in task.inputs) or "none"
    yield f"- {code(task.task)}: began {moment(task.started)}, ran {short_seconds(task.seconds)}; inputs: {inputs}"
    if task.serves is not None:
        yield f"- meanwhile {code(task.serves.key)} serves until {moment(task.serves.until)}"
    if task.error:
        where = f" in {code(task.error['where'])}" if task.error["where"] else ""
        told = code(f"{task.error['type']}: {task.error['message']}")
        yield f"- {told}{where}"
        yield from ("", *block(task.error["traceback"] or task.error["message"]))
