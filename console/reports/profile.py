"""Where a wave's time went: its tasks, its slots and why they were idle, what held up its end, and what more workers would have done.

The core is pure; `read` asks Redis. Moments are seconds since the wave was queued. Field names are stable; `--json` prints them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.reports.critical import critical_path
from engine.keys import decode_entity
from engine.simulate import bounds, makespan
from engine.timing import TICK, Ran, Timing

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.wave import Wave

SLOWEST = 10
"""How many of the slowest entities are named."""
IDLE = {
    "start": "before their first cell",
    "waiting": "an entity in hand waited for an input or a timeout",
    "between": "claims, reads and writes between cells, or another wave's entities",
    "away": "took nothing up any more while entities were queued",
    "tail": "nothing was left to take up",
}
"""Why a slot was idle, by the word that names it."""


@dataclass(frozen=True)
class Spread:
    """Seconds."""

    p50: float = 0.0
    p95: float = 0.0
    max: float = 0.0


@dataclass(frozen=True)
class TaskTimes:
    """Of the cells of a task that ran: `wait`: from when its entity was taken up until its inputs had ended (or its timeout had passed);
    `queue`: from then until it began, behind others on its slot; of a task without inputs since the wave was queued. `seconds`: all its run
    times together, `share`: of all tasks'."""

    task: str
    cells: int
    wait: Spread
    queue: Spread
    run: Spread
    seconds: float
    share: float


@dataclass(frozen=True)
class Step:
    """A cell of the entity that ended last; `waited`: from when the one before it had ended, or since the wave was queued."""

    task: str
    entity: str
    waited: float
    seconds: float
    end: float


@dataclass(frozen=True)
class Slow:
    """An entity that took long: of a slot in all, and most of that in `task`."""

    entity: str
    seconds: float
    task: str
    task_seconds: float
    start: float


@dataclass(frozen=True)
class WhatIf:
    """With `times` the workers: what the wave would have taken, from its first cell on, and the bounds that hold for every order."""

    times: float
    slots: int
    seconds: float
    soonest: float
    latest: float


@dataclass(frozen=True)
class Profile:
    """Where a wave's time went. `seconds`: from its first cell to its last; `queued`: from its queueing to its first cell; `busy`: seconds
    that slots ran cells, `idle`: and that they did not, by reason (`IDLE`); `last`: the chain of cells that ended last; `critical_path`: the
    tasks whose median run times add up to most; `guessed`: whether slots are not known any more and were counted by what ran at once; `ratio`: what the simulation says of the wave as it ran, against what it took."""

    wave: str
    locator: str
    phase: str
    entities: int
    cells: int
    workers: int
    slots: int
    guessed: bool
    queued: float
    seconds: float
    busy: float
    idle: dict[str, float] = field(default_factory=dict)
    tasks: list[TaskTimes] = field(default_factory=list)
    critical_path: list[str] = field(default_factory=list)
    last: list[Step] = field(default_factory=list)
    slowest: list[Slow] = field(default_factory=list)
    what_if: list[WhatIf] = field(default_factory=list)
    ratio: float | None = None

    @property
    def used(self) -> float:
        """The share of its slots' time in which they ran cells, 0 to 1."""
        whole = self.busy + sum(self.idle.values())
        return self.busy / whole if whole else 0.0


# the pure core


def profile(
    timing: Timing, names: Sequence[str], *, known: Mapping[int, int], times: Iterable[float] = (2.0,), **of: str
) -> Profile:
    """The profile of what has run so far.

    Parameters:
        names: the entities, as users write them; those that are needed may do.
        known: crew number → slots, of workers of which that is known.
        times: how many times the workers to simulate.
        of: `wave`, `locator` and `phase`.
    """
    slots = timing.slots(known)
    idle, ready, busy = _idle(timing, slots)
    costs = timing.costs(slots)
    runs = _by_task(timing)
    total = sum(map(sum, runs)) or 1.0
    medians = {task: spread(run).p50 for task, run in zip(timing.plan.names, runs, strict=True)}
    around = idle.get("between", 0.0) / max(len(timing.cells), 1)
    what_if = list(_what_if(timing, costs, around, ready, [1.0, *times])) if timing.cells else []
    took = timing.last - timing.first
    return Profile(
        **of,
        entities=timing.n,
        cells=len(timing.cells),
        workers=len(slots),
        slots=sum(slots.values()),
        guessed=any(not known.get(worker) for worker in slots),
        queued=timing.first,
        seconds=took,
        busy=busy,
        idle={why: idle[why] for why in IDLE if idle.get(why)},
        tasks=[
            TaskTimes(task, len(run), spread(waits), spread(queues), spread(run), sum(run), sum(run) / total)
            for task, run, (waits, queues) in zip(timing.plan.names, runs, _waits(timing), strict=True)
        ],
        critical_path=list(critical_path(timing.plan, medians)),
        last=_last(timing, names),
        slowest=_slowest(timing, costs, names),
        what_if=what_if,
        ratio=round(what_if[0].seconds / took, 3) if took else None,
    )


def spread(numbers: Sequence[float]) -> Spread:
    """Median, 95th percentile and maximum."""
    if not numbers:
        return Spread()
    ordered = sorted(numbers)
    many = len(ordered)
    return Spread(ordered[many // 2], ordered[min(many - 1, many * 95 // 100)], ordered[-1])


def _by_task(timing: Timing) -> list[list[float]]:
    found: list[list[float]] = [[] for _ in timing.plan.tasks]
    for cell in timing.cells:
        found[cell.task].append(cell.seconds)
    return found


def ready_at(timing: Timing, cell: Ran) -> float:
    """When a cell could have begun: its inputs had ended, or it waited no longer for them; 0 for one without inputs."""
    needs = timing.plan.needs[cell.task]
    if not needs:
        return 0.0
    ends, n = timing.ends, timing.n
    at = max([ends[need * n + cell.entity] for need in needs]) or timing.taken[cell.entity]
    return min(at, cell.start)


def _waits(timing: Timing) -> list[tuple[list[float], list[float]]]:
    """Of each task, how long its cells waited for their inputs, and then for their turn."""
    found: list[tuple[list[float], list[float]]] = [([], []) for _ in timing.plan.tasks]
    for cell in timing.cells:
        at = ready_at(timing, cell)
        found[cell.task][0].append(max(at - timing.taken[cell.entity], 0.0))
        found[cell.task][1].append(cell.start - at)
    return found


def _idle(timing: Timing, slots: Mapping[int, int]) -> tuple[dict[str, float], list[float], float]:
    """Idle slot seconds by reason, when each slot was first busy (since the wave's first cell), and busy slot seconds.

    The i-th slot of a worker counts as busy while more than i of its cells run: who is who does not matter for a sum.
    """
    found: dict[str, float] = {}
    ready: list[float] = []
    busy = 0.0
    emptied = max(timing.taken.values(), default=0.0)

    def idle(why: str, since: float, until: float) -> None:
        if until > since:
            found[why] = found.get(why, 0.0) + until - since

    for worker, cells in timing.by_worker.items():
        free: list[float | None] = [None] * slots[worker]
        for at, number, cell in _edges(cells, slots[worker]):
            since = free[number]
            if cell is None:
                free[number] = at
                continue
            busy -= at
            if since is None:
                ready.append(at - timing.first)
                idle("start", timing.first, at)
            else:
                busy += since
                awaited = min(max(ready_at(timing, cell), since), at) if at - since > 2 * TICK else since
                idle("waiting", since, awaited)
                idle("between" if awaited < emptied or at - awaited < 2 * TICK else "tail", awaited, at)
        for since in free:
            if since is None:
                ready.append(timing.last - timing.first)
                idle("tail", timing.first, timing.last)
            else:
                busy += since
                idle("away", since, min(emptied, timing.last))
                idle("tail", max(since, emptied), timing.last)
    return found, ready, busy


def _edges(cells: Sequence[Ran], slots: int) -> Iterator[tuple[float, int, Ran | None]]:
    """When the i-th slot becomes busy, with the cell that makes it so, and when free, with None; in order."""
    ends = sorted(cell.end for cell in cells)
    running = done = 0
    for cell in cells:
        while done < len(ends) and ends[done] <= cell.start:
            running -= 1
            if running < slots:
                yield ends[done], running, None
            done += 1
        if running < slots:
            yield cell.start, running, cell
        running += 1
    for end in ends[done:]:
        running -= 1
        if running < slots:
            yield end, running, None


def _what_if(
    timing: Timing, costs: Sequence[float], around: float, ready: Sequence[float], times: Iterable[float]
) -> Iterator[WhatIf]:
    """Simulated in the order of the queue; each cell costs `around` it what it cost then."""
    many = [0] * timing.n
    for cell in timing.cells:
        many[cell.entity] += 1
    places = [place for place in range(timing.n) if many[place]]
    lengths = timing.lengths()
    own = [costs[place] + around * many[place] for place in places]
    least = [lengths[place] for place in places] if lengths else []
    arrivals = sorted(ready)
    for factor in dict.fromkeys(times):
        slots = max(round(len(arrivals) * factor), 1)
        there = [arrivals[i * len(arrivals) // slots] for i in range(slots)]
        limits = bounds(own, slots, least)
        yield WhatIf(factor, slots, makespan(own, there, least), limits.soonest, limits.latest + there[-1])


def _last(timing: Timing, names: Sequence[str]) -> list[Step]:
    """The cell that ended last, and before it, of each, the input that ended last."""
    if not timing.cells:
        return []
    chain = [max(timing.cells, key=lambda cell: cell.end)]
    own = {cell.task: cell for cell in timing.of(chain[0].entity)}
    while needs := [own[need] for need in timing.plan.needs[chain[-1].task] if need in own]:
        chain.append(max(needs, key=lambda cell: cell.end))
    steps, before = [], 0.0
    for cell in reversed(chain):
        task = timing.plan.names[cell.task]
        steps.append(Step(task, names[cell.entity], max(cell.start - before, 0.0), cell.seconds, cell.end))
        before = cell.end
    return steps


def _slowest(timing: Timing, costs: Sequence[float], names: Sequence[str]) -> list[Slow]:
    found = []
    for entity in sorted(timing.taken, key=lambda place: -costs[place])[:SLOWEST]:
        most = max(timing.of(entity), key=lambda cell: cell.seconds)
        task = timing.plan.names[most.task]
        found.append(Slow(names[entity], costs[entity], task, most.seconds, timing.taken[entity]))
    return found


# the reader


@dataclass(frozen=True)
class Reading:
    """A wave's record, its times, its entities as users write them, its workers by crew number, and their slots where known."""

    wave: Wave
    timing: Timing
    names: Sequence[str]
    crew: Mapping[int, str]
    known: Mapping[int, int]


def read(redis: Client, name: str) -> Reading:
    """Reads the times of a wave, named as `Waves.get` takes it.

    Raises:
        NotFound: there is none, or it has expired.
    """
    from engine.ledger import slots_of
    from engine.store.waves import Waves

    store = Waves(redis)
    wave = store.progress(store.get(name)).wave
    timing = Timing(store.plan(wave), wave.n, store.board(wave), store.times(wave), store.claim_numbers(wave))
    names = [decode_entity(entity) for entity, _ in store.members(wave)]
    crew = store.crew(wave)
    return Reading(wave, timing, names, crew, slots_of(redis, wave, crew))


def profile_of(reading: Reading, times: Iterable[float] = (2.0,)) -> Profile:
    """The profile of a wave as it was read."""
    from console.views import phase

    wave = reading.wave
    return profile(
        reading.timing, reading.names, known=reading.known, times=times, wave=wave.id, locator=wave.locator, phase=phase(wave)
    )
