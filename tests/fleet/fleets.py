"""A fleet that notes what it is asked: for tests of those who ask."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from engine.fleet.house import About, Deployment, FleetError, FleetWorker, HouseName, LogLine, Service, Spec

ALL = About()


@dataclass
class NotedFleet:
    """The workers of a version, as a number. `asked`: each call of `scale`; `meanwhile` is called in the middle of it."""

    version: str = "main"
    count: int = 0
    least: int = 0
    most: int = 50
    cpu: float = 2.0
    house: HouseName = "ecs"
    asked: list[int] = field(default_factory=list)
    refuses: str = ""
    absent: bool = False
    meanwhile: Callable[[int], None] = lambda _: None
    gone: list[FleetWorker] = field(default_factory=list)

    def desired(self) -> Service:
        state = "absent" if self.absent else "steady"
        return Service(
            self.version, self.house, self.count, self.count, 0, self.least, 0 if self.absent else self.most, state, cpu=self.cpu
        )  # fmt: skip

    def workers(self, *, stopped: bool = False) -> list[FleetWorker]:
        return list(self.gone) if stopped else []

    def scale(self, count: int) -> int:
        if self.refuses:
            raise FleetError(self.refuses)
        self.meanwhile(count)
        self.asked.append(count)
        self.count = min(max(count, self.least), self.most)
        return self.count

    def stop(self, worker: str, reason: str) -> None:
        raise NotImplementedError

    def logs(self, about: About = ALL, *, since: float = 0.0, follow: bool = False) -> Iterator[LogLine]:
        raise NotImplementedError

    def deploy(self, spec: Spec, *, dry_run: bool = False) -> Deployment:
        raise NotImplementedError

    def undeploy(self, *, dry_run: bool = False) -> Deployment:
        raise NotImplementedError
