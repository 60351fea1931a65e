"""`Comparison`: reads two versions of a pipe and adds up what is different, and which of them was nearer to the truth."""

from __future__ import annotations

import contextlib
import heapq
from collections.abc import Callable, Iterator
from typing import Any

from engine.compare.figures import Apart, Asked, Compared, Errors, Gain, Numbers, Sample, Truth, steps_between
from engine.compare.paired import by_hour, by_pair, finding
from engine.compare.points import Facts, Points, chosen, points_of
from engine.compare.read import Reader, Row
from engine.compare.runs import runs
from engine.errors import BadValue
from engine.keys import Date, decode_entity
from engine.payload import decode_json
from engine.store.connect import Client

PAIRS = 1_000_000
"""Pairs of (entity, hour) that Wilcoxon's test is made over; of more an even sample."""
LARGEST = 1 << 20
"""Bytes of a value that is looked into."""
NAMED = 20
"""Entities that are named as missing."""

Different = Callable[[str, Date, Any, Any], object]


class Comparison:
    """A comparison in steps, so that whoever shows it can say how far it is.

    Memory is bounded by the number of entities and hours, not by that of pipes.

    Parameters:
        different: called with the entity (as users write it), the date and both values of each pair of JSON that differs.

    Raises:
        NotFound: there is nothing to compare; the text says what is missing.
        BadKey: a name cannot be one.
    """

    def __init__(self, redis: Client, asked: Asked, different: Different | None = None) -> None:
        self.asked, self._redis, self._different = asked, redis, different
        self._reader = Reader(redis, asked)
        self.total, self.done = len(self._reader.entities), 0
        self._counts = dict.fromkeys(("both", "equal", "different", "only_a", "only_b", "opaque"), 0)
        self._missing: tuple[list[str], list[str]] = ([], [])
        self._curves: dict[str, _Curve] = {}
        self._worst: list[tuple[float, str, Apart]] = []
        self._truth = _Against(self._reader, asked) if self._reader.truth is not None else None

    def steps(self) -> Iterator[int]:
        """Goes through the entities, some at a time; yields how many are done."""
        for rows in self._reader.rows():
            for row in rows:
                self._add(row)
            self.done += len(rows)
            yield self.done

    def result(self) -> Compared:
        """What was found. Goes through what is left first."""
        if self.done < self.total:
            for _ in self.steps():
                pass
        asked, reader = self.asked, self._reader
        return Compared(
            a=asked.a, b=asked.b, pipe=asked.pipe, dates=list(map(str, reader.dates)), entities=self.total,
            missing_a=self._missing[0], missing_b=self._missing[1], **self._counts,
            numbers=[curve.numbers(name) for name, curve in self._curves.items()],
            worst=[apart for _, _, apart in sorted(self._worst, key=lambda one: (-one[0], one[1]))],
            truth=self._truth.found() if self._truth is not None and self._truth.any else None,
            no_truth=self._truth.why_not if self._truth is not None and not self._truth.any else "",
            runs=runs(self._redis, asked, reader.dates),
        )  # fmt: skip

    # an entity

    def _add(self, row: Row) -> None:
        entity, truth = decode_entity(row.entity), self._truth
        apart = _Far()
        if truth is not None:
            truth.begin(row)
        for date, a, b in row.pairs:
            if a is None or b is None:
                self._lone(entity, a, b)
                continue
            self._counts["both"] += 1
            same = a == b
            try:
                x, y = self._read(a), self._read(b)
            except BadValue:
                self._counts["opaque"] += 1
            else:
                same = same or _alike(x, y)
                if not same and self._different is not None:
                    self._different(entity, date, x, y)
                self._compare(date, x, y, apart)
            self._counts["equal" if same else "different"] += 1
        if truth is not None:
            truth.end(entity)
        if apart.n and apart.largest:
            heap = heapq.heappushpop if len(self._worst) >= self.asked.worst else heapq.heappush
            heap(self._worst, (apart.mean, entity, apart.told(entity)))

    def _lone(self, entity: str, a: bytes | None, b: bytes | None) -> None:
        if a is None and b is None:
            return
        self._counts["only_b" if a is None else "only_a"] += 1
        names = self._missing[0 if a is None else 1]
        if len(names) < NAMED and entity not in names:
            names.append(entity)

    def _read(self, data: bytes) -> Any:
        if len(data) > LARGEST:
            raise BadValue("too large to look into")
        return decode_json(data)

    def _compare(self, date: Date, x: Any, y: Any, apart: _Far) -> None:
        horizon = self._reader.horizon
        a, b = points_of(x, date, horizon), points_of(y, date, horizon)
        for number, (name, points) in enumerate(a.items()):
            if name in b:
                curve = self._curves.setdefault(name, _Curve())
                for at, was in points.items():
                    if (now := b[name].get(at)) is not None:
                        curve.add(was, now)
                        if number == 0:
                            apart.add(str(date), at, was, now)
        if self._truth is not None:
            self._truth.add(date, a, b)


def _alike(x: Any, y: Any) -> bool:
    """Whether values are equal as JSON: 1 is 1.0 and not true."""
    if isinstance(x, dict):
        return isinstance(y, dict) and x.keys() == y.keys() and all(_alike(v, y[k]) for k, v in x.items())
    if isinstance(x, list):
        return isinstance(y, list) and len(x) == len(y) and all(map(_alike, x, y))
    return isinstance(x, bool) == isinstance(y, bool) and bool(x == y)


class _Curve:
    def __init__(self) -> None:
        self.equal, self.difference, self.relative = 0, Sample(), Sample()

    def add(self, a: float, b: float) -> None:
        self.equal += a == b
        self.difference.add(b - a)
        if a:
            self.relative.add((b - a) / abs(a))

    def numbers(self, name: str) -> Numbers:
        return Numbers(name, self.difference.n, self.equal, self.difference.spread(), self.relative.spread())


class _Far:
    """How far apart an entity's values are."""

    __slots__ = ("largest", "n", "total", "where")

    def __init__(self) -> None:
        self.n, self.total, self.largest = 0, 0.0, 0.0
        self.where: tuple[str, str, float, float] = ("", "", 0.0, 0.0)

    @property
    def mean(self) -> float:
        return self.total / self.n

    def add(self, date: str, at: str, a: float, b: float) -> None:
        self.n += 1
        self.total += (size := abs(b - a))
        if size > self.largest:
            self.largest, self.where = size, (date, at, a, b)

    def told(self, entity: str) -> Apart:
        date, at, a, b = self.where
        return Apart(entity, self.n, self.mean, self.largest, date, at, a, b)


class _Against:
    """Both versions against the truth."""

    def __init__(self, reader: Reader, asked: Asked) -> None:
        assert reader.truth is not None  # noqa: S101
        self._asked, self._reader = asked, reader
        self.curve, self._facts, self._seen = asked.curve, Facts(), set[str]()
        self._all, self._leads, self._dates = Errors(), dict[int, Errors](), dict[str, Errors]()
        self._hours: dict[str, tuple[int, float]] = {}
        self._pairs, self._nearer = Sample(PAIRS), [0, 0]
        self._own, self._own_hours = Errors(), dict[str, tuple[int, float, float]]()
        self._entities = 0
        self._lost: list[tuple[float, str, Gain]] = []
        self._won: list[tuple[float, str, Gain]] = []

    def begin(self, row: Row) -> None:
        """What is known of this entity: of each hour what was told last, and not before it had begun."""
        self._facts, self._own, self._own_hours = Facts(), Errors(), {}
        for date, data in row.told:
            with contextlib.suppress(BadValue):
                self._facts.add(decode_json(data), date)
        self._seen.update(self._facts.names)

    def add(self, date: Date, a: Points, b: Points) -> None:
        """A pair of values."""
        name = chosen(a, self.curve)
        if name is None or name not in b:
            return
        facts = self._facts.of(name)
        for at, first in a[name].items():
            second, fact = b[name].get(at), facts.get(at)
            if second is None or fact is None:
                continue
            errors = first - fact, second - fact
            for sums in (self._all, self._own, self._dates.setdefault(str(date), Errors())):
                sums.add(*errors)
            if (lead := steps_between(str(date), at)) is not None:
                self._leads.setdefault(lead, Errors()).add(*errors)
            n, total, size = self._own_hours.get(at, (0, 0.0, 0.0))
            loss, gain = abs(errors[1]), abs(errors[0])
            self._own_hours[at] = n + 1, total + loss - gain, size + loss + gain
        self.curve = self.curve or name

    def end(self, entity: str) -> None:
        """That was all of an entity."""
        if not self._own.n:
            return
        self._entities += 1
        for at, (n, total, size) in self._own_hours.items():
            count, so_far = self._hours.get(at, (0, 0.0))
            self._hours[at] = count + n, so_far + total
            self._pairs.add(loss := _tied(total / n, size))
            if loss:
                self._nearer[loss < 0] += 1
        told = self._own.both()
        gain = Gain(entity, told.points, told.a.mae, told.b.mae)
        for heap, loss in ((self._lost, gain.b - gain.a), (self._won, gain.a - gain.b)):
            if loss > 0:
                (heapq.heappushpop if len(heap) >= self._asked.worst else heapq.heappush)(heap, (loss, entity, gain))

    @property
    def any(self) -> bool:
        """Whether there was anything to hold forecasts against."""
        return bool(self._all.n)

    @property
    def why_not(self) -> str:
        """Why there was not."""
        version, name, dates = self._reader.truth or ("", "", [])
        known = ", ".join(name or "a number" for name in sorted(self._seen)[:10]) or "none"
        return (
            f"{version}/{name} ({dates[0]} to {dates[-1]}) says nothing of the hours that {self._asked.pipe} forecasts "
            f"(curve {self.curve or 'of its own'!r}; it has {known})"
        )

    def found(self) -> Truth:
        version, name, _ = self._reader.truth or ("", "", [])
        everything = self._all.both()
        tests = [by_hour(_numbered(self._hours)), by_pair(self._pairs)]
        maes, rmses = ([getattr(s, what) for s in (everything.a, everything.b)] for what in ("mae", "rmse"))
        better, words = finding(self._asked.a, self._asked.b, maes, rmses, tests[0])
        ordered = [[g for _, _, g in sorted(heap, key=lambda one: (-one[0], one[1]))] for heap in (self._lost, self._won)]
        return Truth(
            f"{version}/{name}", self.curve, everything.points, self._entities, len(self._hours), everything.a, everything.b,
            [sums.both(str(lead)) for lead, sums in sorted(self._leads.items())],
            [sums.both(date) for date, sums in sorted(self._dates.items())],
            self._pairs.n, self._nearer[0], self._nearer[1], tests, better, words, *ordered,
        )  # fmt: skip


def _tied(loss: float, size: float) -> float:
    """A difference of errors without the last bits of its float, so that what is equal is a tie."""
    return float(f"{loss:.10g}") if abs(loss) > 1e-12 * size else 0.0


def _numbered(hours: dict[str, tuple[int, float]]) -> dict[int, tuple[int, float]]:
    """By number, so that neighbours can be told."""
    first = min(hours)
    return {steps_between(first, at) or 0: sums for at, sums in hours.items()}
