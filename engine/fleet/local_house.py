"""The house of local processes: workers of this machine, kept by one of this user's commands."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from engine.errors import NotFound, Refused
from engine.fleet.embedded import data_dir
from engine.fleet.house import ALL, About, Deployment, FleetWorker, HouseName, LogLine, Service, Spec
from engine.fleet.keeper import Keeper, Now, Place, Wish
from engine.fleet.lines import is_about, read_line
from engine.fleet.local import WORKER

MOST = 100
"""Local workers of a version."""
POLL = 0.2
"""Seconds between two looks at logs that are followed."""


class LocalHouse:
    """Local fleets. With `keep` the first `scale` of a fleet that nobody keeps starts its workers in this process, and `close` ends
    them; without, only fleets that another command keeps can be scaled. The rest as for `LocalFleet`."""

    name: HouseName = "local"

    def __init__(
        self,
        url: str,
        *,
        keep: bool = False,
        home: Path | None = None,
        slots: int | None = None,
        flows: str | None = None,
        command: Sequence[str] = WORKER,
    ) -> None:
        self._url, self._keep, self._home = url, keep, home
        self._slots, self._flows, self._command = slots, flows, command
        self._keepers: dict[str, Keeper] = {}

    def close(self) -> None:
        """Ends the workers that this process keeps."""
        while self._keepers:
            self._keepers.popitem()[1].close()

    def keeps(self, version: str) -> bool:
        """Whether this process keeps a version's workers."""
        return version in self._keepers

    def fleet(self, version: str) -> "LocalVersion":
        """A version's workers."""
        return LocalVersion(self, Place(version, self._home))

    def services(self) -> list[Service]:
        """Of every version whose workers are kept by some command of this user."""
        found = []
        for file in sorted((data_dir(self._home) / "fleet").glob("*/now.json")):
            try:
                version = msgspec.json.decode(file.read_bytes(), type=Now).version
            except (FileNotFoundError, msgspec.DecodeError):
                continue
            service = self.fleet(version).desired()
            found += [service] if service.state != "absent" else []
        return sorted(found, key=lambda service: service.version)

    def keep(self, version: str) -> None:
        """Keep a version's workers in this process, unless another command does.

        Raises:
            NotFound: nobody keeps them, and this house does not either.
        """
        if Place(version, self._home).is_kept():
            return
        if not self._keep:
            raise NotFound(f"nobody keeps local workers of {version}; `wavedeck fleet scale N --version {version}` does")
        self._keepers[version] = Keeper(
            self._url, version, home=self._home, slots=self._slots, flows=self._flows, command=self._command
        )


class LocalVersion:
    """One version's local workers, whoever keeps them."""

    def __init__(self, house: LocalHouse, place: Place) -> None:
        self.version = place.version
        self._house, self._place = house, place

    def desired(self) -> Service:
        """As the keeper last said, which is a tenth of a second ago at most."""
        now = self._place.now()
        if now is None:
            return Service(self.version, "local", 0, 0, 0, 0, MOST, "absent", detail="nobody keeps local workers of it")
        wanted = self._place.wish().count
        staying = sum(worker.state == "running" for worker in now.workers)
        steady = staying == wanted and all(worker.state != "stopping" for worker in now.workers)
        missing = max(0, wanted - staying)
        state: Literal["steady", "scaling"] = "steady" if steady else "scaling"
        return Service(self.version, "local", wanted, staying, missing, 0, MOST, state, detail=f"kept by process {now.keeper}")

    def workers(self, *, stopped: bool = False) -> list[FleetWorker]:
        """The keeper's; none while nobody keeps them."""
        now = self._place.now()
        return [worker for worker in (now.workers if now else ()) if stopped or worker.state != "stopped"]

    def scale(self, count: int) -> int:
        """Leaves the wish with the keeper, which may be this process from now on."""
        if count < 0:
            raise Refused(f"a fleet cannot have {count} workers")
        self._house.keep(self.version)
        count = min(count, MOST)
        wish = self._place.wish()
        if wish.count != count:
            self._place.write("wish.json", Wish(self.version, count, wish.leave))
        return count

    def stop(self, worker: str, reason: str) -> None:
        """Has the keeper tell it to leave."""
        known = {w.name: w for w in self.workers()}
        if worker not in known:
            names = ", ".join(known) or "none"
            raise NotFound(f"{self.version} has no local worker {worker}; there are: {names}")
        wish = self._place.wish()
        self._place.write("wish.json", Wish(self.version, wish.count, {**wish.leave, worker: reason}))

    def logs(self, about: About = ALL, *, since: float = 0.0, follow: bool = False) -> Iterator[LogLine]:
        """What the workers of the fleet that is kept now have written."""
        ends: dict[str, tuple[int, float]] = {}
        while True:
            now = self._place.now()
            begun = {worker.name: worker.created for worker in (now.workers if now else ())}
            lines: list[LogLine] = []
            for name, log in (now.logs if now else {}).items():
                if about.worker in ("", name):
                    new, ends[name] = _read_on(Path(log), name, *ends.get(name, (0, begun.get(name, 0.0))))
                    lines += new
            yield from sorted((line for line in lines if line.at >= since and is_about(line, about)), key=lambda line: line.at)
            if not follow:
                return
            time.sleep(POLL)

    def deploy(self, spec: Spec, *, dry_run: bool = False) -> Deployment:  # noqa: ARG002
        """Refused: local workers run the code that is here."""
        raise Refused("local workers run the code of this machine, there is nothing to deploy; for Amazon ECS give --house ecs")

    def undeploy(self, *, dry_run: bool = False) -> Deployment:  # noqa: ARG002
        """Refused, as `deploy`."""
        raise Refused(f"local workers are not deployed; `wavedeck fleet scale 0 --version {self.version}` ends them")


def _read_on(log: Path, worker: str, start: int, at: float) -> tuple[list[LogLine], tuple[int, float]]:
    """The whole lines of a log from a byte on, and where to go on. A line without a time has that of the line before, which the first
    one has in `at`."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            data = file.read()
    except FileNotFoundError:
        return [], (start, at)
    whole = data[: data.rfind(b"\n") + 1]
    lines: list[LogLine] = []
    for text in whole.decode("utf-8", "replace").splitlines():
        lines.append(read_line(worker, text, at))
        at = lines[-1].at
    return lines, (start + len(whole), at)
