"""What the screen of a wave asks once, when a person wants it: how it was, other orders of its entities; and what a cell waits for."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.moment import now
from engine.plan import Plan
from engine.status import ENDED, Cell
from engine.store.wave import Wave, span
from engine.store.waves import Waves

if TYPE_CHECKING:
    from console.reports.rewind import Film
    from engine.store.connect import Client

NEVER = 0xFFFFFFFF
RAN = frozenset({Cell.RUNNING, Cell.FINISHED, Cell.FALLBACK, Cell.FAILED})
"""Cells that have begun."""


@dataclass(frozen=True, eq=False)
class Reel:
    """A film of a wave with the moments it is about, in seconds after it was created (Unix time): `started`, and `last`, up to which
    it goes, the wave's end when it has `ended`."""

    film: Film
    created: float
    started: float
    last: float
    ended: bool


def reel(redis: Client, name: str) -> Reel:
    """The film of a wave, named as `Waves.get` takes it.

    Raises:
        NotFound: no such wave.
    """
    from console.reports.rewind import film

    store = Waves(redis)
    wave = store.progress(store.get(name)).wave
    times, board, plan = store.times(wave), store.board(wave), store.plan(wave)
    last = max((wave.ended or now() * 1000) - wave.created, 0) / 1000
    started = max(wave.started - wave.created, 0) / 1000 if wave.started else last
    return Reel(film(board, times, wave.n, plan.needs, last), wave.created / 1000, started, last, bool(wave.ended))


def orders(redis: Client, wave: Wave, what: str, task: int | None = None) -> array[int]:
    """All entities of a wave sorted by `worker`, by `start` or the `slowest` first (of `task`, or of all): those of which nothing is
    known last, and by number where it is the same."""
    store, n = Waves(redis), wave.n
    if what == "worker":
        crew = store.crew(wave)
        workers = [crew.get(number, "\uffff") for number in store.claim_numbers(wave)]
        return array("I", sorted(range(n), key=workers.__getitem__))
    tasks = range(len(wave.tasks)) if task is None else (task,)
    columns = [array("I", store.column_times(wave, t)) for t in tasks]
    if what == "start":
        starts = [[at or NEVER for at in column[0::2]] for column in columns]
        first = list(map(min, *starts)) if len(starts) > 1 else starts[0]
        return array("I", sorted(range(n), key=first.__getitem__))
    took = list(map(sum, zip(*(column[1::2] for column in columns), strict=True)))
    return array("I", sorted(range(n), key=took.__getitem__, reverse=True))


def begun(redis: Client, wave: Wave, entities: Collection[int]) -> dict[int, float]:
    """Entity → when its first task started, in seconds after the wave was created; without those that have not begun."""
    tasks, numbers = len(wave.tasks), list(entities)
    if not numbers:
        return {}
    with redis.pipeline(transaction=False) as trip:
        for entity in numbers:
            for task in range(tasks):
                at = (task * wave.n + entity) * 8
                trip.getrange(wave.key("times"), at, at + 7)
        replies = trip.execute()
    found = {}
    for at, entity in enumerate(numbers):
        starts = [start for reply in replies[at * tasks : (at + 1) * tasks] if (start := span(reply, 0)[0])]
        if starts:
            found[entity] = min(starts)
    return found


def waits_for(
    plan: Plan, cells: bytes, entity: int, *, next_: int, begun: float | None, elapsed: float, workers: int, version: str
) -> str:
    """What an entity waits for, in a few words; nothing if it does not wait.

    Parameters:
        cells: its cells, one a task.
        next_: the first entity that was never claimed.
        begun: when its first task started, `elapsed`: how late it is now; seconds after the wave was created.
        workers: how many workers of its `version` are alive.
    """
    nobody = "" if workers else f"no worker of {version} is alive"
    if Cell.RUNNING in cells:
        return ", ".join(filter(None, [_waits(plan, cells, begun, elapsed) or _runs(plan.names, cells), nobody]))
    if Cell.PENDING not in cells or nobody:
        return nobody if Cell.PENDING in cells else ""
    if entity >= next_:
        before = entity - next_
        return f"queued behind {before:,} {'entity' if before == 1 else 'entities'}" if before else "next in the queue"
    return _turn(plan, cells)


def _waits(plan: Plan, cells: bytes, begun: float | None, elapsed: float) -> str:
    """The first task that waits for one that runs."""
    for task, needs in enumerate(plan.needs):
        running = [plan.names[n] for n in needs if cells[n] == Cell.RUNNING] if cells[task] == Cell.PENDING else []
        if running:
            return f"waits for {', '.join(running)} …{_left(plan.tasks[task].timeout, begun, elapsed)}"
    return ""


def _left(timeout: float, begun: float | None, elapsed: float) -> str:
    """The clock of an entity's timeouts starts when its first task does. Whole minutes until the last one: a screen full of waiting
    entities is then still, and costs nothing."""
    if begun is None:
        return ""
    left = begun + timeout - elapsed
    if left <= 0:
        return ", its patience has ended"
    return f", {int(left)} s left" if left < 60 else f", {int(left // 60)} min left"


def _runs(names: Sequence[str], cells: bytes) -> str:
    running = [names[task] for task, cell in enumerate(cells) if cell == Cell.RUNNING]
    return f"{', '.join(running)} …" if running else ""


def _turn(plan: Plan, cells: bytes) -> str:
    """A worker has it, and will come to it."""
    ready = [
        plan.names[task]
        for task, cell in enumerate(cells)
        if cell == Cell.PENDING and all(cells[n] in ENDED for n in plan.needs[task])
    ]
    return f"{ready[0]} is next" if ready else ""


def status_words(names: Sequence[str], cells: bytes, words: Mapping[int, str]) -> str:
    """An entity's cells in words: `sales finished, weather failed`."""
    return ", ".join(f"{name} {words.get(cell, 'unknown')}" for name, cell in zip(names, cells, strict=True))
