"""What the screen of a comparison reads: pipes of two versions, a part at a time. Runs in the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.locator import Locator
from console.reports.compare import Report, Reporting
from console.reports.levels import split
from console.reports.series import observed, truths
from engine.compare import Asked
from engine.errors import WavedeckError
from engine.store.catalog import Catalog
from engine.store.pipes import Pipes

if TYPE_CHECKING:
    from engine.store.connect import Client

PART, EVERY = 0.3, 2.5
"""Seconds of reading after which the screen is told how far it is; and between looks at whether more has been written."""
SPAN = ".."
WEEK, NEWEST = 168, 3
"""Dates that a comparison begins with, at most; and the newest ones at which is looked for whether more has been written."""


@dataclass(frozen=True, eq=False)
class CompareNews:
    """How far a comparison is: `done` of `total` entities; the `report` when it is through; `error`: why there is none."""

    place: Locator
    done: int = 0
    total: int = 0
    report: Report | None = None
    error: str = ""


def asked_by(place: Locator, versions: list[str]) -> Asked:
    """What a place asks for."""
    version, name = split(place.path, versions)
    first, span, last = place.date.partition(SPAN)
    return Asked(version, place.other, name, first, last if span else first, place.task)


def all_dates(redis: Client, version: str, other: str, name: str, most: int = 10_000) -> str:
    """The span of the dates that both versions have of a pipe, the newest `most`; nothing where they have not two."""
    known = [set(Pipes(redis).dates(v, name, 10_000)) for v in (version, other)]
    both = sorted(known[0] & known[1])[-most:]
    return f"{both[0]}{SPAN}{both[-1]}" if len(both) > 1 else ""


def facts(redis: Client, version: str, other: str, name: str) -> list[str]:
    """Pipes that may say what really happened, of either version: those that a plan points to, and those called after it first."""
    found: dict[str, None] = {}
    for one in (version, other):
        for plan in Catalog(redis).flows(one).values():
            if name in plan.index and plan.tasks[plan.index[name]].horizon:
                found |= dict.fromkeys([*observed(plan, name), *truths(plan, name)])
    written = {pipe for one in (version, other) for pipe in Pipes(redis).names(one)}
    return [pipe for pipe in found if pipe in written]


def rivals(redis: Client, version: str, name: str, other: str) -> tuple[str, str, str]:
    """The version to compare with: `other`, else the last active one that has the pipe; the pipe that says what really happened; and the
    span of the dates of both, a week of hours at most. Empty where there is none."""
    if not other:
        store = Pipes(redis)
        known = (v for v in Catalog(redis).versions() if v != version and name in store.names(v))
        other = next(known, "")
    if not other:
        return "", "", ""
    return other, next(iter(facts(redis, version, other, name)), ""), all_dates(redis, version, other, name, WEEK)


class CompareSource:
    """Answers `place`, which may be set from any thread."""

    def __init__(self, place: Locator) -> None:
        self.place = place
        self._of: Locator | None = None
        self._reporting: Reporting | None = None
        self._steps: Iterator[int] | None = None
        self._stamp: object = None
        self._adding = False
        self._wrong: tuple[Locator, str] | None = None

    def read(self, redis: Client) -> tuple[CompareNews | None, float]:
        """How far it is, at once again until it is through; then what has come when more has been written."""
        place = self.place
        try:
            return self._read(redis, place)
        except WavedeckError as wrong:
            self._of = self._steps = None
            self._adding, before, self._wrong = False, self._wrong, (place, str(wrong))
            told = CompareNews(place, error=str(wrong).partition("\n")[0])
            return told if self._wrong != before else None, EVERY

    def _read(self, redis: Client, place: Locator) -> tuple[CompareNews | None, float]:
        asked = asked_by(place, Catalog(redis).versions())
        if place != self._of or self._steps is None:
            stamp = self._stamp_of(redis, asked)
            if place == self._of and stamp == self._stamp:
                return None, EVERY
            self._reporting = Reporting(redis, asked)
            self._steps, self._of, self._stamp = self._reporting.steps(), place, stamp
        assert self._reporting is not None  # noqa: S101
        until, done = time.monotonic() + PART, self._reporting.comparison.done
        total = self._reporting.comparison.total
        while done < total:
            done = next(self._steps, total)
            if time.monotonic() > until:
                return CompareNews(place, done, total), 0.0
        if place.task and not self._adding:
            self._adding = True  # the tests take a moment, the first time
            return CompareNews(place, done, total), 0.0
        self._adding = False
        self._steps = None
        return CompareNews(place, total, total, self._reporting.report()), EVERY

    def _stamp_of(self, redis: Client, asked: Asked) -> object:
        """Another one when more has been written."""
        store = Pipes(redis)
        names = [asked.pipe, *([asked.truth.rpartition("/")[2]] if asked.truth else [])]
        told = []
        for version in (asked.a, asked.b):
            for name in names:
                dates = store.dates(version, name, 10_000)
                told.append((len(dates), dates[:NEWEST], store.counts(version, name, dates[:NEWEST])))
        return told
