"""What a comparison finds, as frozen data, and what it is added up in. Pure. Field names are stable: `--json` prints them.

A difference is always the second version's minus the first's: negative errors of the second are its gain.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from engine.keys import Date

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
KEPT = 100_000
"""Numbers that a sample keeps; quantiles of more are those of so many, drawn evenly."""


@dataclass(frozen=True)
class Asked:
    """What is compared. `first`, `last`: the dates, both included; the newest that both versions have where they are empty.

    Parameters:
        truth: the pipe that says what really happened, `NAME` or `VERSION/NAME`; nothing for none.
        curve: which curve of the values is held against the truth, by its name; the one that both have where it is empty.
        worst: how many entities are told by name.
    """

    a: str
    b: str
    pipe: str
    first: str = ""
    last: str = ""
    truth: str = ""
    curve: str = ""
    worst: int = 10


@dataclass(frozen=True)
class Spread:
    """How a quantity lies: `n` values, their mean, the smallest and largest, quantiles by name (p01 … p99). `sampled`: whether the quantiles
    are of an even sample."""

    n: int
    mean: float
    least: float
    most: float
    quantiles: dict[str, float]
    sampled: bool = False


@dataclass(frozen=True)
class Numbers:
    """A curve (or a single number: `curve` is empty, or its key) in both versions. `equal` of `points` are; `difference` of all of them,
    `relative` as a share of the first version's, where that is not 0; None where there are none."""

    curve: str
    points: int
    equal: int
    difference: Spread | None
    relative: Spread | None


@dataclass(frozen=True)
class Apart:
    """An entity (as users write it) and how far apart both versions are: the mean and the largest absolute difference of its `points` of the
    first curve, and where the largest is: the wave's date, the point, both values."""

    entity: str
    points: int
    mean: float
    largest: float
    date: str
    at: str
    a: float
    b: float


@dataclass(frozen=True)
class Score:
    """Errors of forecasts, in the unit of the values: mean absolute, root mean square, and mean (positive: too high)."""

    mae: float
    rmse: float
    bias: float


@dataclass(frozen=True)
class Both:
    """Errors of both versions over the same `points`: `what` says of which; a lead in steps, a date."""

    what: str
    points: int
    a: Score
    b: Score


@dataclass(frozen=True)
class Test:
    """A paired test of the absolute errors. `difference`: the second's mean absolute error less the first's, with its 95 % interval `low` to
    `high`; `p`: how often chance alone would show as much; `n` of what (`unit`); `degrees` of freedom. None where it could not be made; `why` says."""

    name: str
    n: int
    unit: str
    statistic: float | None = None
    p: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    degrees: int | None = None
    sampled: bool = False
    why: str = ""


@dataclass(frozen=True)
class Gain:
    """An entity, and the mean absolute errors of both versions for it, over `points`."""

    entity: str
    points: int
    a: float
    b: float


@dataclass(frozen=True)
class Truth:
    """Both versions against what really happened, where both and the truth have a number.

    Parameters:
        pipe: `VERSION/NAME`.
        pairs: pairs of (entity, hour); `nearer_a`, `nearer_b`: in how many of them which version was nearer.
        better: the version that forecasts better, by the first test; empty where that cannot be said. `words`: the finding in a sentence.
        lost, won: entities for which the second version is worse, and better, by most.
    """

    pipe: str
    curve: str
    points: int
    entities: int
    hours: int
    a: Score
    b: Score
    by_lead: list[Both]
    by_date: list[Both]
    pairs: int
    nearer_a: int
    nearer_b: int
    tests: list[Test]
    better: str
    words: str
    lost: list[Gain]
    won: list[Gain]


@dataclass(frozen=True)
class Runs:
    """How long a version's task ran, seconds: cells that computed their pipe, and quantiles over them (p50, p95, max). `memory` is null:
    no worker records what a cell took."""

    version: str
    cells: int
    mean: float
    p50: float
    p95: float
    most: float
    total: float
    memory: None = None


@dataclass(frozen=True)
class Compared:
    """Two versions of a pipe. Counts are of pipes, one an entity and date.

    Parameters:
        both: there in both versions: of these `equal` are the same values, `different` are not.
        only_a, only_b: there in one version only; `missing_a`, `missing_b`: some of the entities that the version has not.
        opaque: of `both`, those that are no JSON, or too large to look into; only their bytes were compared.
        numbers: a curve each; the first is the main one.
        no_truth: why there is no `truth` though it was asked for: what the pipe says is of other hours or curves.
    """

    a: str
    b: str
    pipe: str
    dates: list[str]
    entities: int
    both: int
    equal: int
    different: int
    only_a: int
    only_b: int
    missing_a: list[str]
    missing_b: list[str]
    opaque: int
    numbers: list[Numbers]
    worst: list[Apart]
    truth: Truth | None
    no_truth: str
    runs: list[Runs]


class Sample:
    """Numbers of which so many are kept that quantiles can be told: all, or an even sample that is the same for the same numbers."""

    def __init__(self, most: int = KEPT) -> None:
        self.n, self.total = 0, 0.0
        self.least, self.most = float("inf"), float("-inf")
        self.kept = array("d")
        self._room, self._dice = most, random.Random(0)  # noqa: S311 nothing secret is drawn

    def add(self, value: float) -> None:
        """One more."""
        self.n += 1
        self.total += value
        self.least, self.most = min(self.least, value), max(self.most, value)
        if len(self.kept) < self._room:
            self.kept.append(value)
        elif (place := self._dice.randrange(self.n)) < self._room:
            self.kept[place] = value

    def spread(self) -> Spread | None:
        """How they lie; None when there are none."""
        if not self.n:
            return None
        ordered = sorted(self.kept)
        told = {f"p{q * 100:02.0f}": quantile(ordered, q) for q in QUANTILES}
        return Spread(self.n, self.total / self.n, self.least, self.most, told, self.n > len(self.kept))


def quantile(ordered: Sequence[float], q: float) -> float:
    """Of rising numbers, between neighbours in proportion (as numpy's default)."""
    at = (len(ordered) - 1) * q
    low = int(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


@dataclass(slots=True)
class Errors:
    """Sums of the errors of two versions over the same points."""

    n: int = 0
    a: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])
    b: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])

    def add(self, a: float, b: float) -> None:
        """The errors of a point, forecast minus truth."""
        self.n += 1
        for sums, error in ((self.a, a), (self.b, b)):
            sums[0] += abs(error)
            sums[1] += error * error
            sums[2] += error

    def both(self, what: str = "") -> Both:
        """What they come to."""
        return Both(what, self.n, *(_score(self.n, sums) for sums in (self.a, self.b)))


def _score(n: int, sums: Iterable[float]) -> Score:
    absolute, square, total = sums
    return Score(absolute / n, (square / n) ** 0.5, total / n)


@lru_cache(maxsize=65536)
def steps_between(start: str, end: str) -> int | None:
    """Hours (or days) from a date to a later one; None where they are not of one kind, or no dates."""
    if len(start) != len(end):
        return None
    first, last = Date(start), Date(end)
    return round((last.start - first.start) / first.step)
