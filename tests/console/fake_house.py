"""A house in memory, for the console's tests: it does at once what a real one does in minutes, and notes what it was asked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from played import NOON

from engine.errors import NotFound
from engine.fleet.house import (
    About,
    Change,
    Deployment,
    Fleet,
    FleetError,
    FleetWorker,
    HouseName,
    LogLine,
    Service,
    Spec,
    Throttled,
)

ALL = About()
OLD, NEW = (f"registry/flows@sha256:{letter * 64}" for letter in "ab")
PAGE = "https://eu-central-1.console.aws.amazon.com/ecs/v2/clusters"


def a_service(version: str, **more: object) -> Service:
    """A service of three workers."""
    told = {"house": "ecs", "desired": 3, "running": 3, "pending": 0, "least": 0, "most": 20, "state": "steady", "image": OLD}
    told |= {"cpu": 1.0, "memory": 4 << 30, "url": f"{PAGE}/{version}"}
    return Service(version, **(told | more))  # type: ignore[arg-type]


def a_worker(version: str, number: int, **more: object) -> FleetWorker:
    """A worker that began an hour before noon."""
    told = {
        "kind": "spot",
        "state": "running",
        "created": NOON - 3660,
        "started": NOON - 3600,
        "image": OLD,
        "protected": False,
    }
    name = f"{number:032x}"
    return FleetWorker(**({"name": name, "version": version, "url": f"{PAGE}/{version}/{name}"} | told | more))  # type: ignore[arg-type]


@dataclass
class FakeHouse:
    """Fleets as `services` and `workers` say. `refuses`: what it says to whoever asks, `throttles`: of which version it does not tell
    the workers; `asked`: what was asked of it, `did`: what it did."""

    name: HouseName = "ecs"
    services_: dict[str, Service] = field(default_factory=dict)
    workers: list[FleetWorker] = field(default_factory=list)
    refuses: str = ""
    throttles: str = ""
    asked: list[str] = field(default_factory=list)
    did: list[tuple[object, ...]] = field(default_factory=list)

    def close(self) -> None: ...

    def keeps(self, version: str) -> bool:
        return False

    def fleet(self, version: str) -> Fleet:
        return FakeFleet(self, version)

    def services(self) -> Sequence[Service]:
        self.ask("services")
        return [self.services_[version] for version in sorted(self.services_)]

    def ask(self, what: str) -> None:
        self.asked.append(what)
        if self.refuses:
            raise FleetError(self.refuses)


@dataclass
class FakeFleet:
    """One version of a `FakeHouse`."""

    house: FakeHouse
    version: str

    def desired(self) -> Service:
        self.house.ask("desired")
        absent = Service(self.version, self.house.name, 0, 0, 0, 0, 0, "absent", detail="nothing is deployed")
        return self.house.services_.get(self.version, absent)

    def workers(self, *, stopped: bool = False) -> list[FleetWorker]:
        self.house.ask("workers")
        if self.house.throttles == self.version:
            raise Throttled("AWS was asked too often; ask later")
        return [w for w in self.house.workers if w.version == self.version and (stopped or w.state != "stopped")]

    def scale(self, count: int) -> int:
        self.house.ask("scale")
        before = self.house.services_[self.version]
        count = max(before.least, min(count, before.most))
        self.house.services_[self.version] = replace(before, desired=count, state="scaling")
        self.house.did.append(("scale", self.version, count))
        return count

    def stop(self, worker: str, reason: str) -> None:
        if worker not in {w.name for w in self.house.workers}:
            raise NotFound(f"{self.version} has no worker {worker!r}")
        self.house.did.append(("stop", self.version, worker, reason))

    def logs(self, about: About = ALL, *, since: float = 0.0, follow: bool = False) -> Iterator[LogLine]:
        return iter(())

    def deploy(self, spec: Spec, *, dry_run: bool = False) -> Deployment:
        there = self.house.services_.get(self.version)
        same = there is not None and there.image == spec.image
        told = [Change("=", "cluster", f"wavedeck-{self.version}")]
        told += [Change("=" if same else "~", "service", "workers", () if same else (f"image: … → {spec.image}",))]
        if not dry_run:
            self.house.services_[self.version] = replace(there or a_service(self.version), image=spec.image, state="rolling")
            self.house.did.append(("deploy", self.version, spec.image, spec.memory))
        return Deployment(self.version, tuple(told), dry_run)

    def undeploy(self, *, dry_run: bool = False) -> Deployment:
        raise NotImplementedError


def town() -> FakeHouse:
    """`main` rolls to another image and lost two workers, `feature/x` has nobody, `try` went back to the image before."""
    said = "ECS deployment ecs-svc/42 in progress."
    services = [
        a_service("main", state="rolling", desired=4, pending=1, image=NEW, detail=said),
        a_service("feature/x", desired=0, running=0),
        a_service("try", state="failed", desired=1, running=1, detail="sha256:bbbb would not run, AWS went back"),
    ]
    oom = "out of memory: it used more than its 4,096 MiB (exit 137)"
    workers = [
        a_worker("main", 1, protected=True),
        a_worker("main", 2, kind="on-demand", started=NOON - 7200),
        a_worker("main", 3, image=NEW, started=NOON - 90),
        a_worker("main", 4, image=NEW, state="pending", started=0.0, created=NOON - 20),
        a_worker("main", 5, state="stopped", stopped=NOON - 300, exit=137, reason=oom),
        a_worker("main", 6, state="stopped", stopped=NOON - 600, exit=0, reason="Spot took it back"),
        a_worker("try", 7),
    ]
    return FakeHouse("ecs", {s.version: s for s in services}, workers)
