"""Where a task's inputs come from: this version and date, else the base version, else earlier dates within `lookback`."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from engine.keys import Date
from engine.plan import Input, TaskPlan


@dataclass(frozen=True, slots=True)
class Place:
    """Where an input may lie."""

    version: str
    date: Date

    def key(self, pipe: str, entity: str) -> str:
        """The pipe's key. The parts were checked when the wave was made."""
        return f"{self.version}/{pipe} {entity} {self.date}"


@dataclass(slots=True)
class Found:
    """A task's inputs for one entity: their bytes (by date for a history), and what is to be told of them."""

    values: dict[str, Any] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)
    """One for each input that is not of this version and date: {name, key, age (s)}, or {name, missing: True}."""
    fallback: bool = False
    """Whether something is older than it should be, or missing."""
    missing: list[str] = field(default_factory=list)
    """Required inputs that are nowhere."""


_NONE: list[Any] = []


def at_hand(values: dict[str, Any]) -> Found:
    """Inputs that are all there, of which there is nothing to tell. Its empty lists are everybody's."""
    return Found(values, _NONE, False, _NONE)


class Sources:
    """The places where each input of a task is looked up, in order. `outside`: of an overlay wave the tasks that are read from the base
    alone; what it runs itself is then read from the version alone, but for a history: a base's value must not pass for its own."""

    def __init__(self, task: TaskPlan, version: str, base: str, date: Date, outside: Collection[str] = ()) -> None:
        self.task = task
        self.date = date
        self._version = version
        self._bases = [version, base] if base and base != version else [version]
        self._outside = outside
        self._no_history = len(task.edges) == len(task.inputs)

    @cached_property
    def edges(self) -> list[tuple[Input, list[Place]]]:
        """The inputs of the wave's own date. Found out when one is not at hand, which most never come to."""
        return [(i, self._places(i, [self.date, *self.date.back(i.lookback)])) for i in self.task.edges]

    @cached_property
    def histories(self) -> list[tuple[Input, list[list[Place]]]]:
        """The inputs of earlier dates, by date."""
        return [(i, [self._places(i, [d]) for d in self.date.back(i.history)]) for i in self.task.inputs if i.history]

    def are(self, names: Sequence[str]) -> bool:
        """Whether these are all the task's inputs, and each is one value."""
        edges = self.task.edges
        return self._no_history and len(names) == len(edges) and all(i.name in names for i in edges)

    def _places(self, i: Input, dates: Sequence[Date]) -> list[Place]:
        bases = self._bases
        if i.name in self._outside:
            bases = bases[-1:]
        elif self._outside and not i.history:
            bases = bases[:1]
        return [Place(v, d) for d in dates for v in bases]

    def find(
        self, wanted: Sequence[tuple[str, dict[str, bytes]]], get: Callable[[list[str]], list[bytes | None]]
    ) -> list[Found]:
        """The inputs of each (entity in key form, inputs that are at hand already), with one read for all that are not. What was at
        hand becomes the result's.

        Parameters:
            get: reads keys; called at most once.
        """
        if self._no_history and all(i.name in at_hand for _, at_hand in wanted for i in self.task.edges):
            return [Found(at_hand) for _, at_hand in wanted]
        keys: list[str] = []
        for entity, at_hand in wanted:
            for i, places in self.edges:
                if i.name not in at_hand:
                    keys += [p.key(i.name, entity) for p in places]
            for i, dates in self.histories:
                keys += [p.key(i.name, entity) for places in dates for p in places]
        values = iter(get(keys) if keys else [])
        return [self._one(entity, at_hand, values) for entity, at_hand in wanted]

    def _one(self, entity: str, at_hand: dict[str, bytes], values: Any) -> Found:
        found = Found(values=dict(at_hand))
        for i, places in self.edges:
            if i.name in at_hand:
                continue
            hits = [(p, v) for p, v in zip(places, [next(values) for _ in places], strict=True) if v is not None]
            if hits:
                self._take(found, i, entity, *hits[0])
            else:
                self._miss(found, i)
        for i, dates in self.histories:
            past: dict[str, bytes] = {}
            for places in dates:
                for p, v in zip(places, [next(values) for _ in places], strict=True):
                    if v is not None:
                        past.setdefault(str(p.date), v)
            found.values[i.name] = past
        return found

    def _take(self, found: Found, i: Input, entity: str, place: Place, value: bytes) -> None:
        found.values[i.name] = value
        age = (self.date.start - place.date.start).total_seconds()
        if age or place.version != self._version:
            found.notes.append({"name": i.name, "key": place.key(i.name, entity), "age": age})
        found.fallback = found.fallback or age > 0

    def _miss(self, found: Found, i: Input) -> None:
        found.notes.append({"name": i.name, "missing": True})
        if i.required:
            found.missing.append(i.name)
        else:
            found.fallback = True
