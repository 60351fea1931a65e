"""What the home screen and the screen of coverage read of forecasts. Runs in the feed's thread."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from console.moment import now
from console.reports.coverage import Kind, Partition, Who, grouped, is_loud, loudest, words
from engine.errors import NotFound, Refused, WavedeckError
from engine.store.catalog import Catalog
from engine.store.coverage import Forecasts, forecasting
from engine.store.wave import Progress
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.coverage import Coverage
    from engine.plan import Plan
    from engine.store.connect import Client
    from engine.store.wave import Wave

EVERY, LONG = 3.0, 60.0
"""Seconds between reads while waves move, and the most after which all is read although nothing has."""
SHARE = 30
"""Reading may take one part in so many of the time."""
MOST_FLOWS, LOOKED_AT = 3, 50
"""Flows that the home screen tells of; waves that are looked at for what there is to show."""
HOUR = 3600


@dataclass(frozen=True)
class CoverageNews:
    """A flow's forecasts, the worst task first; `groups`: by task those that are not served fresh, by partition."""

    flow: str
    version: str
    tasks: tuple[Coverage, ...]
    groups: Mapping[str, Sequence[tuple[Partition, Sequence[Who]]]]


@dataclass(frozen=True)
class CoverLine:
    """The worst task of a flow in a sentence, by parts, and a shorter one; `loud`: somebody should look."""

    flow: str
    version: str
    task: str
    long: tuple[tuple[Kind, str], ...]
    short: tuple[tuple[Kind, str], ...]
    loud: bool


class Covers:
    """The sentences of the home screen. Read anew when waves have moved or an hour has turned, and then not more often than costs
    nothing to speak of."""

    def __init__(self) -> None:
        self._readers: dict[tuple[str, str], tuple[str, Forecasts]] = {}
        self._lines: tuple[CoverLine, ...] = ()
        self._not_before = 0.0
        self._hour, self._seen = -1, list[Progress]()
        self.waiting = False

    @property
    def due(self) -> bool:
        """Whether it should be asked for its lines although no wave has moved."""
        return int(now() // HOUR) != self._hour or (self.waiting and time.monotonic() >= self._not_before)

    def of(self, redis: Client, found: Sequence[Progress]) -> tuple[CoverLine, ...]:
        """The lines, from the newest waves; those of before where it is too soon."""
        began, hour = time.monotonic(), int(now() // HOUR)
        if hour == self._hour and (list(found) == self._seen or began < self._not_before):
            self.waiting = list(found) != self._seen
            return self._lines
        self.waiting, self._hour, self._seen = False, hour, list(found)
        chosen = continued([progress.wave for progress in found])
        self._readers = {key: reader for key, reader in self._readers.items() if key in [(w.flow, w.version) for w in chosen]}
        covers = [cover for wave in chosen if (cover := self._worst(redis, wave)) is not None]
        self._lines = tuple(map(_line, loudest(covers)[:MOST_FLOWS]))
        self._not_before = time.monotonic() + max(EVERY, SHARE * (time.monotonic() - began))
        return self._lines

    def _worst(self, redis: Client, wave: Wave) -> Coverage | None:
        """None where nothing forecasts, nobody is active, or what there is cannot be read: the list of waves goes on without."""
        key = wave.flow, wave.version
        try:
            if key not in self._readers or self._readers[key][0] != wave.plan:
                self._readers[key] = wave.plan, Forecasts(redis, wave.version, Waves(redis).plan(wave))
            reader = self._readers[key][1]
            covers = [reader.coverage(task.name, now=now()) for task in forecasting(reader.plan)]
        except (WavedeckError, ResponseError):
            return None
        return loudest(covers)[0] if covers else None


def continued(waves: Sequence[Wave]) -> list[Wave]:
    """The newest wave of each flow and version whose forecasts somebody stands on: of those that a schedule makes; of a flow that none
    does, of the version that ran last. The versions of experiments end, and nobody is to be woken for that."""
    newest: dict[tuple[str, str], Wave] = {}
    scheduled: dict[tuple[str, str], None] = {}
    for wave in sorted((w for w in waves if not w.of), key=lambda w: -w.created):
        newest.setdefault((wave.flow, wave.version), wave)
        if wave.trigger.startswith("schedule:"):
            scheduled[wave.flow, wave.version] = None
    flows = {flow for flow, _ in scheduled}
    first = {flow: (flow, version) for flow, version in reversed(newest) if flow not in flows}
    return [newest[key] for key in (*scheduled, *first.values())]


def _line(c: Coverage) -> CoverLine:
    return CoverLine(c.flow, c.version, c.task, tuple(words(c)), tuple(words(c, short=True)), is_loud(c))


class CoverageSource:
    """A flow's forecasts. `path`: flow@version, flow, or nothing: then those of the newest wave that has some."""

    def __init__(self, path: str) -> None:
        self._flow, _, self._version = path.partition("@")
        self._reader: Forecasts | None = None
        self._live: tuple[Wave, ...] = ()
        self._stamp: tuple[Any, ...] = ()
        self._looked_at = 0.0

    def read(self, redis: Client) -> tuple[CoverageNews | None, float]:
        """The coverage; None when no wave has moved and no hour has turned.

        Raises:
            NotFound: there is no such flow, or none that forecasts; nobody is active.
        """
        began, store = time.monotonic(), Waves(redis)
        if self._reader is not None and began - self._looked_at < LONG and self._now(store) == self._stamp:
            return None, EVERY
        plan, version = self._plan(redis)
        if self._reader is None or (self._reader.version, self._reader.plan) != (version, plan):
            self._reader = Forecasts(redis, version, plan)
        recent = store.recent(LOOKED_AT, version=version, flow=plan.flow)
        self._live = tuple(progress.wave for progress in recent if progress.wave.running)
        self._stamp, self._looked_at = self._now(store), began
        try:
            covers = loudest([self._reader.coverage(task.name, now=now()) for task in forecasting(plan)])
        except Refused as error:
            raise NotFound(str(error)) from None
        groups = {c.task: grouped(c) for c in covers}
        return CoverageNews(plan.flow, version, tuple(covers), groups), max(EVERY, SHARE * (time.monotonic() - began))

    def _now(self, store: Waves) -> tuple[Any, ...]:
        """Another one when a wave has moved or an hour has turned."""
        assert self._reader is not None  # noqa: S101
        return (*store.stamp([self._reader.version], self._live, LOOKED_AT), int(now() // HOUR))

    def _plan(self, redis: Client) -> tuple[Plan, str]:
        """The flow, and the version."""
        if self._flow:
            version = self._version or "main"
            plan = Catalog(redis).plan(version, self._flow)
            if not forecasting(plan):
                raise NotFound(f"no task of {self._flow}@{version} forecasts: none has a horizon")
            return plan, version
        for wave in continued([progress.wave for progress in Waves(redis).recent(LOOKED_AT)]):
            plan = Waves(redis).plan(wave)
            if forecasting(plan):
                return plan, wave.version
        raise NotFound("no flow that ran lately forecasts: no task has a horizon")
