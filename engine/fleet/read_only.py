"""A house that is only looked at: whatever would change something is refused before it is asked."""

from collections.abc import Iterator, Sequence

from engine.errors import Refused
from engine.fleet.house import ALL, About, Deployment, Fleet, FleetWorker, House, LogLine, Service, Spec


class ReadOnlyHouse:
    """As `house`, for those who may change nothing."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.name = house.name

    def close(self) -> None:
        """As the house."""
        self._house.close()

    def keeps(self, version: str) -> bool:
        """As the house."""
        return self._house.keeps(version)

    def fleet(self, version: str) -> "ReadOnlyFleet":
        """A version's fleet, to look at."""
        return ReadOnlyFleet(self._house.fleet(version))

    def services(self) -> Sequence[Service]:
        """As the house."""
        return self._house.services()


class ReadOnlyFleet:
    """As `fleet`, of which `scale`, `stop`, `deploy` and `undeploy` are refused; a dry run is none of them."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.version = fleet.version

    def desired(self) -> Service:
        """As the fleet."""
        return self._fleet.desired()

    def workers(self, *, stopped: bool = False) -> list[FleetWorker]:
        """As the fleet."""
        return self._fleet.workers(stopped=stopped)

    def scale(self, count: int) -> int:  # noqa: ARG002
        """Refused."""
        raise Refused(f"read-only: {self.version} is not scaled")

    def stop(self, worker: str, reason: str) -> None:  # noqa: ARG002
        """Refused."""
        raise Refused(f"read-only: no worker of {self.version} is stopped")

    def logs(self, about: About = ALL, *, since: float = 0.0, follow: bool = False) -> Iterator[LogLine]:
        """As the fleet."""
        return self._fleet.logs(about, since=since, follow=follow)

    def deploy(self, spec: Spec, *, dry_run: bool = False) -> Deployment:
        """Refused, but for a dry run."""
        if not dry_run:
            raise Refused(f"read-only: {self.version} is not deployed")
        return self._fleet.deploy(spec, dry_run=True)

    def undeploy(self, *, dry_run: bool = False) -> Deployment:
        """Refused, but for a dry run."""
        if not dry_run:
            raise Refused(f"read-only: {self.version} is not removed")
        return self._fleet.undeploy(dry_run=True)
