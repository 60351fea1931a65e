"""What the ledger says of a flow's waves, and how that moves. Field names are stable; `--json` prints them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any

from console.views import iso
from console.widgets.sparks import spark

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.ledger import Entry

RECENT = 5
"""The newest waves, which are held against those before them."""
LONGEST_SPARK = 40


@dataclass(frozen=True)
class Past:
    """A wave as the ledger has it. `seconds`: from its first claim to its end; `rates` are shares of the cells that ran; `fallbacks`: cells
    that ran with an older input; `there`: whether the wave itself is still in Redis. Else as `engine.store.ledger.Entry`."""

    wave: str
    flow: str
    version: str
    date: str
    phase: str
    created: str | None
    ended: str | None
    seconds: float
    entities: int
    ran: int
    failed: int
    blocked: int
    reused: int
    fallbacks: int
    failure_rate: float
    durations: dict[str, dict[str, float]]
    failures: list[dict[str, Any]]
    workers: int
    slots: int
    cost: dict[str, float | None]
    spread: float
    coverage: Any
    members: str
    plan: str
    config: str
    code: list[str]
    images: list[str]
    by: str
    trigger: str
    of: str
    deadline: str | None
    cancelled: str
    there: bool


@dataclass(frozen=True)
class Trend:
    """How a number has moved, oldest wave first. `now`: the median of the newest waves, `before`: of those before them, None where there
    are none."""

    what: str
    numbers: list[float]
    now: float
    before: float | None

    @property
    def line(self) -> str:
        """A bar a wave, the newest last."""
        return spark(self.numbers[-LONGEST_SPARK:])

    @property
    def ratio(self) -> float | None:
        """Now against before."""
        return self.now / self.before if self.before else None


@dataclass(frozen=True)
class FlowHistory:
    """The waves of a flow, newest first, and trends over those that ran whole."""

    flow: str
    version: str
    waves: list[Past]
    trends: list[Trend] = field(default_factory=list)


def history(redis: Client, flow: str, version: str, limit: int = 50) -> FlowHistory:
    """The newest waves of a flow. What has ended and has no record yet is summed up, and written where this user may write."""
    from engine.ledger import entries
    from engine.store.waves import Waves

    found = entries(redis, version, flow, limit)
    there = {p.wave.id: p.wave.created for p in Waves(redis).recent(limit, version=version, flow=flow)}
    return of_entries(flow, version, found, {e.name for e in found if there.get(e.wave) == e.created})


def of_entries(flow: str, version: str, found: Sequence[Entry], there: set[str]) -> FlowHistory:
    """The same of records, newest first. Pure."""
    waves = [_past(entry, entry.name in there) for entry in found]
    return FlowHistory(flow, version, waves, trends(waves))


def trends(waves: Sequence[Past]) -> list[Trend]:
    """Of duration, failures, fallbacks and what was paid for; of whole waves, oldest first."""
    whole = [wave for wave in reversed(waves) if wave.phase == "finished" and not wave.of and wave.ran]
    if not whole:
        return []
    numbers = {
        "seconds": [wave.seconds for wave in whole],
        "failure rate": [wave.failure_rate for wave in whole],
        "fallbacks": [float(wave.fallbacks) for wave in whole],
        "entities": [float(wave.entities) for wave in whole],
        "busy slot seconds": [float(wave.cost["busy"] or 0.0) for wave in whole],
    }
    found = []
    for what, own in numbers.items():
        recent = min(RECENT, max(len(own) // 2, 1))
        before = median(own[:-recent]) if len(own) > recent else None
        found.append(Trend(what, own, median(own[-recent:]), before))
    return found


def _past(entry: Entry, there: bool) -> Past:
    ran = entry.cells("FOX")
    failed = entry.cells("X")
    return Past(
        wave=entry.wave, flow=entry.flow, version=entry.version, date=entry.date,
        phase="cancelled" if entry.cancelled else "finished",
        created=iso(entry.created), ended=iso(entry.ended), seconds=entry.seconds, entities=entry.entities,
        ran=ran, failed=failed, blocked=entry.cells("B"), reused=entry.cells("U"), fallbacks=entry.cells("O"),
        failure_rate=failed / ran if ran else 0.0,
        durations={task: dict(zip(("p50", "p95", "max"), own, strict=True)) for task, own in entry.durations.items()},
        failures=[dict(zip(("task", "type", "signature", "count"), family, strict=True)) for family in entry.failures],
        workers=entry.workers, slots=entry.slots,
        cost={"busy": entry.cost.busy, "vcpu_seconds": entry.cost.vcpu, "gb_seconds": entry.cost.gb, "price": entry.cost.price},
        spread=entry.spread, coverage=entry.coverage, members=entry.members, plan=entry.plan, config=entry.config,
        code=list(entry.code), images=list(entry.images), by=entry.by, trigger=entry.trigger, of=entry.of,
        deadline=iso(entry.deadline), cancelled=entry.cancelled, there=there,
    )  # fmt: skip
