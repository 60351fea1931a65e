"""How long an act will take, from how long the same tasks took before; and which pipes are there already. Read off the screen's path."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING

from console.widgets.text import short_seconds
from engine.keys import version_key
from engine.status import WROTE
from engine.store.past import before as before_of
from engine.store.past import means as means_of
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.keys import Date
    from engine.plan import Plan
    from engine.store.connect import Client
    from engine.store.wave import Wave

_WROTE = bytes(cell in WROTE for cell in range(256))


def expect(redis: Client, version: str, plan: Plan, cells: Mapping[str, int], slots: int) -> str:
    """How long `cells` (task → how many run) will take on so many slots, in words that say from what that is estimated."""
    if not any(cells.values()):
        return "no time: nothing has to run"
    before, known = before_of(redis, version, plan.flow)
    if not before:
        return f"time unknown: {'no wave of this flow has run to its end' if known else 'first wave of this flow'}"
    means = means_of(redis, before, cells)
    if not any(means.values()):
        return f"time unknown: nothing ran in the last {'wave' if len(before) == 1 else 'waves'}"
    work = sum(means.get(task, 0.0) * number for task, number in cells.items())
    longest = _longest(plan, {task: means.get(task, 0.0) if number else 0.0 for task, number in cells.items()})
    basis = _basis(before, version, [task for task, number in cells.items() if number and not means.get(task)])
    if not slots:
        return f"{short_seconds(work)} of one slot's time, once there is one ({basis})"
    return f"about {short_seconds(max(work / slots, longest))} on {slots:,} {'slot' if slots == 1 else 'slots'} ({basis})"


def _basis(before: Sequence[Wave], version: str, unknown: Sequence[str]) -> str:
    of = "" if before[0].version == version else f" of {before[0].version}"
    told = f"the last {len(before)} waves{of}" if len(before) > 1 else f"the wave of {before[0].date}{of}"
    return f"run times of {told}" + (f"; not known of {', '.join(unknown)}" if unknown else "")


def _longest(plan: Plan, seconds: Mapping[str, float]) -> float:
    """What one entity takes when nothing waits for a slot."""
    ends: list[float] = []
    for task, needs in zip(plan.names, plan.needs, strict=True):
        ends.append(seconds.get(task, 0.0) + max((ends[n] for n in needs), default=0.0))
    return max(ends, default=0.0)


def there_already(redis: Client, version: str, tasks: Sequence[str], date: Date, keys: Collection[str]) -> dict[str, int]:
    """Task → how many of the entities `keys` (in key form) have its pipe about `date`; tasks with none are left out."""
    with redis.pipeline(transaction=False) as trip:
        for task in tasks:
            trip.hkeys(version_key(version, f"at:{task}:{date}"))
        index = {task: [f.decode() for f in fields] for task, fields in zip(tasks, trip.execute(), strict=True)}
    wanted = keys if isinstance(keys, set | frozenset) else frozenset(keys)
    there = {task: {f[2:] for f in fields if f.startswith("e:")} & wanted for task, fields in index.items()}
    store = Waves(redis)
    for wave_id in sorted({f[2:] for fields in index.values() for f in fields if f.startswith("w:")}):
        wave = store.find(wave_id, version)
        if wave is None:
            continue
        board = store.board(wave)
        entities = [entity for entity, _ in store.members(wave)]
        numbers = [number for number, entity in enumerate(entities) if entity in wanted]
        chosen = [entities[number] for number in numbers]
        for task in set(tasks) & set(wave.tasks) if numbers else ():
            at = wave.tasks.index(task) * wave.n
            wrote = board[at : at + wave.n].translate(_WROTE)
            there[task].update(compress(chosen, map(wrote.__getitem__, numbers)))
    return {task: len(found) for task, found in there.items() if found}
