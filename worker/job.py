"""A wave as a slot serves it: its tasks ready to run, and the schedule that its script prints."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from engine.errors import BadFlow
from engine.flow import Flow
from engine.plan import Plan
from engine.script import header, parse_block
from engine.store.wave import Wave
from worker.inputs import Sources
from worker.shell import Shell
from worker.task import Call, Run, Seen, Task


@dataclass(frozen=True)
class Schedule:
    """What a script's lines say. Lists by task number; `present`: the tasks it has."""

    rounds: tuple[tuple[int, ...], ...]
    needs: tuple[tuple[int, ...], ...]
    timeouts: tuple[float, ...]
    limits: tuple[float, ...]

    @cached_property
    def dependants(self) -> tuple[tuple[int, ...], ...]:
        """All tasks downstream of each."""
        found: list[set[int]] = [set() for _ in self.needs]
        for one_round in reversed(self.rounds):
            for task in one_round:
                for need in self.needs[task]:
                    found[need] |= {task} | found[task]
        return tuple(tuple(sorted(f)) for f in found)

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """The round of each task."""
        found = {task: level for level, one_round in enumerate(self.rounds) for task in one_round}
        return tuple(found[task] for task in range(len(self.needs)))

    @cached_property
    def soonest(self) -> float:
        """The shortest time (s) that any task with inputs may wait."""
        return min((t for t, needs in zip(self.timeouts, self.needs, strict=True) if needs), default=float("inf"))


@lru_cache(maxsize=256)
def read_schedule(names: tuple[str, ...], block: str) -> Schedule:
    """What a script's block of lines says to the tasks of a plan.

    Raises:
        BadFlow: it has other tasks, or one waits for what is not before it.
    """
    lines = {line.task: line for line in parse_block(block)}
    if tuple(lines) != names:
        raise BadFlow(f"has the tasks {tuple(lines)}, its plan {names}")
    depth: dict[str, int] = {}
    for name, line in lines.items():
        if unknown := [a for a in line.after if a not in depth]:
            raise BadFlow(f"is in the wrong order: {name} waits for {unknown[0]}, which is not before it")
        depth[name] = 1 + max((depth[a] for a in line.after), default=-1)
    index = {name: number for number, name in enumerate(names)}
    return Schedule(
        rounds=tuple(
            tuple(index[n] for n, d in depth.items() if d == level) for level in range(1 + max(depth.values(), default=-1))
        ),
        needs=tuple(tuple(index[a] for a in line.after) for line in lines.values()),
        timeouts=tuple(line.timeout for line in lines.values()),
        limits=tuple(line.limit for line in lines.values()),
    )


class Job:
    """One wave in one slot. `number` stands for it in shared memory; `paces`: what each task took last, a cell, seconds, of this wave or
    the flow's last one; infinite while that is unknown."""

    def __init__(
        self, wave: Wave, plan: Plan, body: str, flows: Mapping[str, Flow], number: int, paces: list[float] | None = None
    ) -> None:
        self.wave = wave
        self.plan = plan
        self.number = number
        self.paces = paces or [float("inf")] * len(plan.tasks)
        self.cancelled = ""
        self.seen = Seen()
        self.loud: set[int] = set()
        """Tasks that print past Python's streams: after each of their cells the output file is asked."""
        flow = flows.get(plan.flow)
        run = Run(plan.flow, wave.version, wave.date, wave.id, wave.config)
        self.tasks = [Task(t, plan, flow, run, self.seen) for t in plan.tasks]
        self.sources = [Sources(t, wave.version, wave.base, wave.date, plan.outside) for t in plan.tasks]
        self._before = [f"{wave.version}/{name} " for name in plan.names]
        self._after = f" {wave.date}"
        self.checks = frozenset(plan.index[name] for name in wave.checks)
        self.first = tuple(n for n, task in enumerate(plan.tasks) if not task.edges and n not in self.checks)
        """Tasks that begin with the claim: they need nothing, and nothing of theirs can be there."""
        self._body = body
        self._schedules: dict[str, Schedule] = {}
        self._given: dict[int, list[tuple[str, ...] | None]] = {}
        self._calls: dict[int, list[Call | None]] = {}
        self.waits = frozenset(n for n, task in enumerate(plan.tasks) if task.waits)

    def given(self, schedule: Schedule) -> list[tuple[str, ...] | None]:
        """For each task the names of its inputs, in the order of `schedule.needs`, if these are all and each is one value."""
        known = self._given.get(id(schedule))
        if known is None:
            named = [tuple(self.plan.names[n] for n in needs) for needs in schedule.needs]
            known = [names if sources.are(names) else None for names, sources in zip(named, self.sources, strict=True)]
            self._given[id(schedule)] = known
        return known

    def calls(self, schedule: Schedule) -> list[Call | None]:
        """For each task what is called for its cells where it is a function that does not wait for others, and all its inputs are
        `given`."""
        known = self._calls.get(id(schedule))
        if known is None:
            known = [
                task.of_rows(names) if names is not None and task.is_plain and number not in self.waits else None
                for number, (task, names) in enumerate(zip(self.tasks, self.given(schedule), strict=True))
            ]
            self._calls[id(schedule)] = known
        return known

    def key(self, task: int, entity: str) -> str:
        """The pipe that a cell writes."""
        return self._before[task] + entity + self._after

    def keys(self, task: int, entities: Sequence[str]) -> list[str]:
        """The pipes that a task writes, for each entity."""
        before, after = self._before[task], self._after
        return [before + entity + after for entity in entities]

    def post(self, shell: Shell, entities: Sequence[str]) -> None:
        """Has `shell` evaluate the scripts of entities (in key form)."""
        shell.post(self._body, [header(e) for e in entities])

    def collect(self, shell: Shell) -> Schedule:
        """What those scripts say: all the same.

        Raises:
            BadFlow: they differ, or are not those of the wave's plan.
        """
        blocks = shell.collect()
        if blocks.count(blocks[0]) != len(blocks):
            raise BadFlow(f"the entities of wave {self.wave.id} have different scripts")
        return self._schedules.get(blocks[0]) or self._read(blocks[0])

    def _read(self, block: str) -> Schedule:
        try:
            self._schedules[block] = schedule = read_schedule(self.plan.names, block)
        except BadFlow as e:
            raise BadFlow(f"the script of wave {self.wave.id} {e}") from None
        return schedule
