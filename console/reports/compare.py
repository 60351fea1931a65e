"""Two versions of a pipe, as data for a screen, a headless twin and a Markdown report. Field names are stable; `--json` prints them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from console.reports.differences import Difference, Step, brief, differences, path_text
from engine.compare import Asked, Compared, Comparison
from engine.curves import is_date
from engine.keys import Date
from engine.store.connect import Client

MOST_PATHS, MOST_PAIRS, A_PAIR = 200, 50_000, 500
"""Paths that are told, pairs of values that are gone through for them, and differences of a pair."""
EACH = "*"


@dataclass(frozen=True)
class PathRow:
    """A path at which values differ; a date or a place in a list in it is `*`. `changed`, `added`, `removed`: how many values; `pipes`: in how
    many pipes; of numbers the mean difference; and one of them: entity, date, and both values in a few characters."""

    path: str
    pipes: int
    changed: int
    added: int
    removed: int
    mean: float | None
    entity: str
    date: str
    before: str
    now: str


@dataclass(frozen=True)
class Report:
    """What was found, and where in the values. `paths_of`: of how many different pipes the paths are; `more`: whether there were more of either."""

    found: Compared
    paths: list[PathRow]
    paths_of: int
    more: bool


class Paths:
    """Adds up differences of pairs of values by path."""

    def __init__(self) -> None:
        self._rows: dict[str, _Path] = {}
        self.pairs, self.more = 0, False

    def add(self, entity: str, date: Date, before: Any, now: Any) -> None:
        """A pair that differs."""
        if self.pairs >= MOST_PAIRS:
            self.more = True
            return
        self.pairs += 1
        seen: set[str] = set()
        for one in islice(differences(before, now), A_PAIR):
            path = path_text(tuple(map(_each, one.path))).replace(f"[{EACH!r}]", f"[{EACH}]")
            row = self._rows.get(path)
            if row is None:
                if len(self._rows) >= MOST_PATHS:
                    self.more = True
                    continue
                row = self._rows[path] = _Path(one, entity, str(date))
            row.add(one, new=path not in seen)
            seen.add(path)

    def rows(self) -> list[PathRow]:
        """Those of most pipes first."""
        found = [row.told(path) for path, row in self._rows.items()]
        return sorted(found, key=lambda row: (-row.pipes, -row.changed - row.added - row.removed, row.path))


def _each(step: Step) -> Step:
    return EACH if isinstance(step, int) or is_date(step) else step


class _Path:
    def __init__(self, first: Difference, entity: str, date: str) -> None:
        self.first, self.entity, self.date = first, entity, date
        self.pipes, self.numbers, self.total = 0, 0, 0.0
        self.counts = {"changed": 0, "added": 0, "removed": 0}

    def add(self, one: Difference, *, new: bool) -> None:
        self.pipes += new
        self.counts[one.what] += 1
        if one.relative is not None or (one.what == "changed" and one.before == 0 and isinstance(one.now, int | float)):
            self.numbers += 1
            self.total += float(one.now - one.before)

    def told(self, path: str) -> PathRow:
        one = self.first
        before = "–" if one.what == "added" else brief(one.before)
        now = "–" if one.what == "removed" else brief(one.now)
        mean = self.total / self.numbers if self.numbers else None
        return PathRow(
            path or "the value",
            self.pipes,
            **self.counts,
            mean=mean,
            entity=self.entity,
            date=self.date,
            before=before,
            now=now,
        )


class Reporting:
    """A report that is made in steps: `steps` goes on with it, `report` is what there is when it is done."""

    def __init__(self, redis: Client, asked: Asked) -> None:
        self._paths = Paths()
        self.comparison = Comparison(redis, asked, self._paths.add)

    def steps(self) -> Iterator[int]:
        """Entities that are done, again and again."""
        return self.comparison.steps()

    def report(self) -> Report:
        """All of it."""
        found = self.comparison.result()
        return Report(found, self._paths.rows(), self._paths.pairs, self._paths.more)


def flat(report: Report) -> dict[str, Any]:
    """As `--json` prints it: what was found, with the paths beside it."""
    told: dict[str, Any] = msgspec.to_builtins(report.found)
    paths: Any = msgspec.to_builtins(report.paths)
    return {**told, "paths": paths, "paths_of": report.paths_of, "more": report.more}


def number(value: float | None) -> str:
    """In few characters: `12.34`, `0.041`, `1,204`; a dash for none."""
    if value is None:
        return "–"
    size = abs(value)
    if size >= 1e9 or 0 < size < 1e-4:
        return f"{value:.3g}"
    if size >= 1000:
        return f"{value:,.0f}"
    return f"{value:.2f}" if size >= 0.095 else f"{value:.2g}" if value else "0"


def share(part: int, whole: int) -> str:
    """`98.2 %`."""
    return f"{part / whole:.1%}".replace("%", " %") if whole else "–"


def percent(part: float | None) -> str:
    """A change: `+7.4 %`, `−2.0 %`."""
    return "–" if part is None else f"{part:+,.1%}".replace("%", " %").replace("-", "−")


def signed(value: float | None) -> str:
    """A difference: `+0.41`, `−6.80`."""
    return "–" if value is None else f"{'+' if value > 0 else '−' if value < 0 else '±'}{number(abs(value))}"


def when(found: Compared) -> str:
    """The dates in words."""
    dates = found.dates
    return dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}, {len(dates):,} dates"


def counts(found: Compared) -> list[tuple[str, int, str]]:
    """How many pipes there are: in words, number, and which, or what share."""
    a, b = found.a, found.b
    gone = [
        (f"only in {v}", n, _named(names, n))
        for v, n, names in ((a, found.only_a, found.missing_b), (b, found.only_b, found.missing_a))
    ]
    rows = [
        (f"in both {a} and {b}", found.both, ""),
        ("of these equal", found.equal, share(found.equal, found.both)),
        ("of these different", found.different, share(found.different, found.both)),
        *gone,
    ]
    if found.opaque:
        rows.append(("compared by their bytes alone", found.opaque, "no JSON, or over 1 MiB"))
    return rows


def _named(names: list[str], count: int) -> str:
    shown = ", ".join(names[:5])
    return shown + (" …" if count > 5 else "") if shown else ""


def headline(found: Compared) -> str:
    """What came out, in one sentence."""
    if found.truth is not None:
        return found.truth.words
    if found.no_truth:
        return found.no_truth
    if not found.both:
        return f"{found.a} and {found.b} have no {found.pipe} in common at {when(found)}"
    if not found.different:
        return f"all {found.both:,} are equal"
    return f"{found.different:,} of {found.both:,} are different ({share(found.different, found.both)})"
