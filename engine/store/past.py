"""How long the tasks of a flow took in its last waves, and what a wave of it will take."""

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from engine.capacity import Work
from engine.plan import Plan
from engine.status import Cell
from engine.store.connect import Client
from engine.store.wave import Wave
from engine.store.waves import Waves

LAST = 3
"""How many waves of the past count."""
LOOKED_AT = 30
UNKNOWN = 0.1
"""Seconds that a cell is taken to run of a task that has never run."""
AROUND = 0.0005
"""Seconds that a slot spends on a cell beyond the task itself: some five times what `make bench` measures on a quiet machine."""
_RAN = bytes(cell in (Cell.FINISHED, Cell.FALLBACK, Cell.FAILED) for cell in range(256))


@dataclass(frozen=True)
class Past:
    """What is known. `means`: task → seconds a cell of it ran, 0 where none did; `longest`: seconds of the entity that took longest in
    the newest wave; `waves`: those that were looked at, the newest first; `known`: whether the flow has any wave at all."""

    means: Mapping[str, float]
    longest: float
    waves: tuple[Wave, ...]
    known: bool


def before(redis: Client, version: str, flow: str) -> tuple[list[Wave], bool]:
    """The last waves of a flow that ran to their end, of its version where there are such; and whether there are any waves of it."""
    store, known = Waves(redis), False
    for wanted in (version, None):
        recent = store.recent(LOOKED_AT, version=wanted, flow=flow)
        if ended := [p.wave for p in recent if p.wave.ended and not p.wave.cancelled]:
            return ended[:LAST], True
        known = bool(recent)
    return [], known


def means(redis: Client, waves: Sequence[Wave], tasks: Collection[str]) -> dict[str, float]:
    """Task → seconds that a cell of it ran, on average; 0 where none ran."""
    store, total, count = Waves(redis), dict.fromkeys(tasks, 0), dict.fromkeys(tasks, 0)
    for wave in waves:
        for task in set(tasks) & set(wave.tasks):
            number = wave.tasks.index(task)
            ran = store.column(wave, number).translate(_RAN)
            took = array("I", store.column_times(wave, number))[1::2]
            seconds = list(compress(took, ran))
            total[task] += sum(seconds)
            count[task] += len(seconds) - seconds.count(0)
    return {task: total[task] / count[task] / 100_000 if count[task] else 0.0 for task in tasks}


def past(redis: Client, version: str, plan: Plan) -> Past:
    """What is known of the tasks of `plan`."""
    waves, known = before(redis, version, plan.flow)
    return Past(means(redis, waves, plan.names), _longest(redis, waves[0]) if waves else 0.0, tuple(waves), known)


def _longest(redis: Client, wave: Wave) -> float:
    """Seconds that the tasks of one entity took in all, of the one that took longest."""
    times = array("I", Waves(redis).times(wave))[1::2]
    columns = [times[task * wave.n : (task + 1) * wave.n] for task in range(len(wave.tasks))]
    return max(map(sum, zip(*columns, strict=True)), default=0) / 100_000


def work(found: Past, plan: Plan, entities: int) -> Work:
    """What a wave over so many entities will take of one slot, if all of its cells run."""
    unknown = [task for task in plan.names if not found.means[task]]
    entity = sum(found.means[task] or UNKNOWN for task in plan.names) + AROUND * len(plan.names)
    if not found.waves or len(unknown) == len(plan.names):
        basis = f"no run times are known, {UNKNOWN:g} s a task are assumed"
    else:
        last = found.waves[0]
        told = f"the last {len(found.waves)} waves" if len(found.waves) > 1 else f"the wave of {last.date}"
        basis = f"run times of {told}" + (f"; {UNKNOWN:g} s assumed of {', '.join(unknown)}" if unknown else "")
    return Work(entities, entity * entities, max(found.longest, entity), basis)
