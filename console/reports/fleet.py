"""Where workers run, what is outstanding, and what a wave costs. Frozen data for the screen and its headless twin.

A house may be slow and may refuse, so what it says and what Redis says come apart and are put together here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from engine.errors import WavedeckError
from engine.fleet.house import FleetWorker, House, Service
from engine.ledger import priced
from engine.store.backlog import Backlog, backlog
from engine.store.catalog import Catalog
from engine.store.ledger import Ledger

if TYPE_CHECKING:
    from engine.store.connect import Client
    from engine.store.ledger import Entry

LAST = 5
"""Waves of a flow by which the cost of the next one is estimated."""
LOOKED_AT = 20
"""The newest records of a flow among which those are looked for."""
GB = 1e9


@dataclass(frozen=True)
class Seen:
    """A version's fleet as its house tells it. `error`: why its workers could not be told."""

    service: Service
    workers: tuple[FleetWorker, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class WaveCost:
    """What a wave of a flow costs, by its last ones: medians. `waves`: of how many; `vcpu` and `gb`: vCPU seconds and GB-seconds;
    `price`: of these, None where no prices are configured."""

    flow: str
    waves: int
    vcpu: float
    gb: float
    price: float | None


@dataclass(frozen=True)
class Around:
    """What Redis knows of a version: units outstanding, and what its waves cost."""

    backlog: Backlog
    costs: tuple[WaveCost, ...]


@dataclass(frozen=True)
class FleetRow:
    """A version's fleet with what is around it; `around` is None where Redis has not told."""

    seen: Seen
    around: Around | None = None

    @property
    def service(self) -> Service:
        """The fleet, as its house told it."""
        return self.seen.service

    @property
    def outstanding(self) -> int:
        """Units outstanding, 0 where that is not known."""
        return self.around.backlog.outstanding if self.around else 0

    @property
    def idle_house(self) -> bool:
        """Whether there is something to do, and nobody here is asked to do it."""
        return bool(self.outstanding) and not (self.service.desired or self.service.running or self.service.pending)

    @property
    def hourly(self) -> float | None:
        """What its workers cost an hour; None where no prices are configured, or the house does not say how large they are."""
        return hourly(self.service, self.service.running + self.service.pending)

    @property
    def bad(self) -> str:
        """What somebody should look at, in a sentence; empty for nothing."""
        if self.service.state == "failed":
            return f"{self.service.version}: {self.service.detail or 'the last deployment failed'}"
        if self.idle_house:
            return f"{self.service.version}: {units(self.outstanding)} outstanding, and its fleet wants no worker"
        return ""

    def odd(self, worker: FleetWorker) -> bool:
        """Whether a worker runs another image than new ones start from."""
        mine, theirs = digest(worker.image), digest(self.service.image)
        return bool(mine and theirs) and mine != theirs


def look(house: House, version: str = "") -> tuple[Seen, ...]:
    """What a house tells of a version's fleet, or of all, with those that ended lately. One whose workers it does not tell takes
    nothing from the others.

    Raises:
        FleetError: it tells nothing.
    """
    services = [house.fleet(version).desired()] if version else list(house.services())
    return tuple(_seen(house, service) for service in services)


def _seen(house: House, service: Service) -> Seen:
    if service.state == "absent":
        return Seen(service)
    try:
        return Seen(service, tuple(house.fleet(service.version).workers(stopped=True)))
    except WavedeckError as error:
        return Seen(service, error=str(error))


def read_around(redis: Client, versions: Sequence[str]) -> dict[str, Around]:
    """What Redis knows of these versions."""
    catalog = Catalog(redis)
    return {
        told.version: Around(told, tuple(costs(redis, told.version, sorted(catalog.flows(told.version)))))
        for told in backlog(redis, versions)
    }


def costs(redis: Client, version: str, flows: Iterable[str]) -> list[WaveCost]:
    """What a wave of each flow costs, of those of which the ledger knows it."""
    ledger = Ledger(redis, version)
    found = (wave_cost(flow, ledger.recent(flow, LOOKED_AT)) for flow in flows)
    return [cost for cost in found if cost is not None]


def wave_cost(flow: str, entries: Iterable[Entry]) -> WaveCost | None:
    """By the newest of these records, newest first; a wave that was cancelled, or ran part of another again, says nothing."""
    whole = [e for e in entries if e.cost.vcpu and not e.cancelled and not e.of][:LAST]
    if not whole:
        return None
    vcpu, gb = (median(getattr(e.cost, name) for e in whole) for name in ("vcpu", "gb"))
    price = priced(vcpu, gb)
    if price is None and (told := [e.cost.price for e in whole if e.cost.price is not None]):
        price = median(told)
    return WaveCost(flow, len(whole), vcpu, gb, price)


def hourly(service: Service, workers: int) -> float | None:
    """What so many workers of a fleet cost an hour; None where that is not known."""
    return priced(service.cpu * workers * 3600, service.memory / GB * workers * 3600) if service.cpu else None


def digest(image: str) -> str:
    """What is short of an image's digest and long enough to tell it from others; empty where there is none."""
    return image.rpartition("sha256:")[2][:12] if "sha256:" in image else ""


def units(number: int) -> str:
    """`1 unit`, `1,204 units`."""
    return f"{number:,} unit{'' if number == 1 else 's'}"


def money(price: float | None) -> str:
    """A price in few digits."""
    return (
        "–"
        if price is None
        else f"{price:,.2f}"
        if price >= 1 or not price
        else f"{price:.2g}"
        if price < 0.01
        else f"{price:.3f}"
    )


def rows(seen: Iterable[Seen], around: Mapping[str, Around]) -> tuple[FleetRow, ...]:
    """Both together, by version."""
    return tuple(FleetRow(one, around.get(one.service.version)) for one in seen)


def as_told(row: FleetRow) -> dict[str, Any]:
    """What is printed of a row beside service and workers; null where Redis could not be asked."""
    import msgspec

    around = row.around
    return {
        "backlog": {**msgspec.to_builtins(around.backlog), "outstanding": row.outstanding} if around else None,
        "wave_costs": msgspec.to_builtins(around.costs) if around else None,
        "hourly": row.hourly,
    }
