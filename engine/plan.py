"""A flow as data: what the compiler, the workers and the console know of it without its code. Pure, and JSON both ways."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import msgspec

from engine.errors import BadFlow
from engine.payload import Codec


@dataclass(frozen=True)
class Input:
    """One parameter of a task. Durations in seconds."""

    name: str
    required: bool = True
    lookback: float = 0.0
    """How old the input may be when this date's is missing."""
    history: float = 0.0
    """When set, the parameter is no edge: it receives the pipe's values at the earlier dates this far back."""


@dataclass(frozen=True)
class TaskPlan:
    """One node of a flow. Durations in seconds."""

    name: str
    inputs: tuple[Input, ...] = ()
    timeout: float = 600.0
    """How long it waits for its inputs; then it runs with what there is."""
    limit: float = 3600.0
    """How long it may run; then it is killed and `Failed`."""
    horizon: float = 0.0
    """How far its forecast reaches; 0 when it is none."""
    config: dict[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    """The argument list of a task that is no Python function."""
    reserved: tuple[str, ...] = ()
    """Which of entity, date, config, state the function takes."""
    codec: Codec = "json"
    waits: bool = False
    where: str = ""
    """File and line, for messages."""
    code: str = ""
    """The fingerprint of its code (`engine.fingerprint`); "" when it is not known."""

    @property
    def kind(self) -> Literal["python", "command"]:
        """What runs it."""
        return "command" if self.command else "python"

    @cached_property
    def edges(self) -> tuple[Input, ...]:
        """The inputs that come from this wave's own tasks."""
        return tuple(i for i in self.inputs if not i.history)


@dataclass(frozen=True)
class Plan:
    """A flow: its tasks in an order in which every task comes after its inputs. Durations in seconds."""

    flow: str
    tasks: tuple[TaskPlan, ...]
    every: float = 3600.0
    state: str = ""
    keep: float = 30 * 86400.0
    active: float = 3600.0
    """How long after an entity was last seen it belongs to the state."""
    deadline: float = 0.0
    """How long after its start nothing of a wave starts any more; 0: `every`."""
    sources: tuple[str, ...] = ()
    doc: str = ""
    outside: dict[str, Codec] = field(default_factory=dict)
    """Tasks of the flow that this plan leaves out and reads, as the base version wrote them; with their codecs."""

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in order; a task's number is its place here and on the board."""
        return tuple(t.name for t in self.tasks)

    @cached_property
    def index(self) -> dict[str, int]:
        """Name → number."""
        return {name: i for i, name in enumerate(self.names)}

    @cached_property
    def needs(self) -> tuple[tuple[int, ...], ...]:
        """For each task, the numbers of those it waits for."""
        return tuple(tuple(self.index[i.name] for i in t.edges if i.name in self.index) for t in self.tasks)

    @cached_property
    def dependants(self) -> tuple[tuple[int, ...], ...]:
        """For each task, the numbers of those that wait for it."""
        return tuple(tuple(j for j, needs in enumerate(self.needs) if i in needs) for i in range(len(self.tasks)))

    @cached_property
    def rounds(self) -> tuple[tuple[int, ...], ...]:
        """The tasks by the length of the longest path that leads to them: those of one round need none of their own."""
        depth: list[int] = []
        for needs in self.needs:
            depth.append(1 + max((depth[n] for n in needs), default=-1))
        return tuple(tuple(i for i, d in enumerate(depth) if d == level) for level in range(max(depth, default=-1) + 1))

    @cached_property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Pairs of names (from, to)."""
        return tuple((i.name, t.name) for t in self.tasks for i in t.edges if i.name in self.index)

    def codec_of(self, task: str) -> Codec:
        """The codec of the pipe of a task, of the plan or outside."""
        return self.tasks[self.index[task]].codec if task in self.index else self.outside[task]

    def only(self, names: Collection[str]) -> "Plan":
        """These tasks alone. What they take of the others is read, as `outside` says."""
        tasks = tuple(t for t in self.tasks if t.name in names)
        read = {i.name: self.codec_of(i.name) for t in tasks for i in t.inputs if i.name not in names}
        return replace(self, tasks=tasks, outside=read)

    def downstream(self, names: Collection[str]) -> set[str]:
        """These tasks and all whose values may change with theirs, a history's later ones included."""
        found = set(names)
        while more := {t.name for t in self.tasks if any(i.name in found for i in t.inputs)} - found:
            found |= more
        return found

    @property
    def hourly(self) -> bool:
        """Whether its waves are about hours, not days."""
        return self.every < 86400

    @cached_property
    def sha(self) -> str:
        """What the plan does, as 12 hex digits: equal plans are equal, wherever their code lies."""
        tasks = [{**msgspec.to_builtins(t), "where": ""} for t in self.tasks]
        outside = [self.outside] if self.outside else []
        return hashlib.sha256(msgspec.json.encode([self.flow, tasks, *outside], order="deterministic")).hexdigest()[:12]

    def __hash__(self) -> int:
        return hash(self.sha)

    def to_json(self) -> bytes:
        """What `from_json` reads."""
        return self._json

    @cached_property
    def _json(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, data: bytes) -> "Plan":
        """The plan that was published.

        Raises:
            BadFlow: the bytes are no plan that this version of Wavedeck reads.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.MsgspecError as e:
            raise BadFlow(f"the published flow cannot be read: {e}") from None
