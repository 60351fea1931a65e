"""Where workers run, seen from above: one interface, two houses. The console and the commands know nothing else of a fleet.

A *house* runs the workers of many versions; a *fleet* is those of one version in it. `engine.fleet.local_house` has processes of
this machine, `engine.fleet.ecs.house` tasks on Amazon ECS. What a worker does is told by its heartbeat (`engine.store.workers`);
a house tells what was asked for, what runs, and why something ended.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from engine.errors import WavedeckError

HouseName = Literal["local", "ecs"]


class FleetError(WavedeckError):
    """A house cannot do what was asked: it is away, it refuses, or something it needs is missing. The text says what to do."""


class Throttled(FleetError):
    """A house was asked too often, and went on saying so while it was asked again, slower and slower. Asking later helps."""


class NoCapacity(FleetError):
    """A house has no room for more workers now. Asking later may help; another size or more subnets may too."""


@dataclass(frozen=True)
class Service:
    """A version's fleet as it was when asked.

    `desired`: workers that should be there; `running`, `pending`: those that are, and those on their way. `least`, `most`: the
    bounds of `desired`. `state`: `absent` (nothing is deployed), `steady`, `scaling`, `rolling` (to another image), `failed` (the
    last roll was taken back or given up), `leaving` (it is being removed). `image`: what new workers start from, with its digest;
    empty for local ones. `detail`: the house's own last words about it. `url`: its page in the AWS console.
    """

    version: str
    house: HouseName
    desired: int
    running: int
    pending: int
    least: int
    most: int
    state: Literal["absent", "steady", "scaling", "rolling", "failed", "leaving"]
    image: str = ""
    detail: str = ""
    url: str = ""
    cpu: float = 0.0
    """Of one worker, in vCPUs; 0 where it is not known."""
    memory: int = 0
    """Of one worker, in bytes; 0 where it is not known."""


@dataclass(frozen=True)
class FleetWorker:
    """A worker as its house knows it. Times in Unix seconds, 0 for not yet.

    `name`: what its heartbeat is called by where the house knows that, and what `stop` and `logs` take. `kind`: `local`, `spot` or
    `on-demand`. `image`: the digest it was started from. `exit`: its exit status, negative for a signal. `reason`: why it ended or
    is about to, in a sentence. `protected`: it told the house that it is busy; None where there is no such thing.
    """

    name: str
    version: str
    kind: Literal["local", "spot", "on-demand"]
    state: Literal["pending", "running", "stopping", "stopped"]
    created: float = 0.0
    started: float = 0.0
    stopped: float = 0.0
    image: str = ""
    exit: int | None = None
    reason: str = ""
    protected: bool | None = None
    pid: int = 0
    url: str = ""


@dataclass(frozen=True)
class LogLine:
    """A line that a worker wrote. `at`: Unix seconds; `wave`, `entity` (in key form), `task`: what it is about, empty where it
    does not say."""

    at: float
    worker: str
    text: str
    wave: str = ""
    entity: str = ""
    task: str = ""
    level: str = ""


@dataclass(frozen=True)
class About:
    """Which lines of a log: those of this worker, wave, entity and task; empty for all."""

    worker: str = ""
    wave: str = ""
    entity: str = ""
    task: str = ""


ALL = About()


@dataclass(frozen=True)
class Spec:
    """What a version's fleet is to be.

    `image`: an image by digest, `registry/name@sha256:…`. `cpu`: of a worker, in CPU units, 1,024 a vCPU; `memory` in MiB; `arch`:
    `X86_64` or `ARM64`. `slots`: of a worker; None for as many as its vCPUs. `least`, `most`: bounds of the number of workers.
    `base`: workers that run on demand; of those beyond, `spot` and `on_demand` are the shares of each kind. `flows`: import
    path of the flows in the image; empty for what the image says.
    """

    image: str
    cpu: int = 1024
    memory: int = 4096
    arch: Literal["X86_64", "ARM64"] = "X86_64"
    slots: int | None = None
    least: int = 0
    most: int = 100
    base: int = 1
    spot: int = 4
    on_demand: int = 1
    flows: str = ""


@dataclass(frozen=True)
class Change:
    """What a deploy does, or would, to one thing: `+` makes it, `~` alters it, `-` removes it, `=` leaves it, `!` leaves it behind.

    `lines`: what differs, one a line, in words or as `name: before → now`.
    """

    sign: Literal["+", "~", "-", "=", "!"]
    kind: str
    name: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Deployment:
    """What a deploy or undeploy did; with `dry_run` what it would have done."""

    version: str
    changes: tuple[Change, ...]
    dry_run: bool = False

    @property
    def unchanged(self) -> bool:
        """Whether all was there as it should be."""
        return all(change.sign in "=!" for change in self.changes)


class Fleet(Protocol):
    """The workers of one version in one house. Every method may raise `FleetError`."""

    version: str

    def desired(self) -> Service:
        """How many workers there should be, how many there are, and how it stands with the deployment."""

    def workers(self, *, stopped: bool = False) -> list[FleetWorker]:
        """Those there are, oldest first; with `stopped` also those that ended lately, as far as the house remembers."""

    def scale(self, count: int) -> int:
        """Have `count` workers: returns at once with how many the house will have, within `least` and `most`.

        Workers that are too many finish or give back what they hold. A house that has as many already is not asked for more.

        Raises:
            NotFound: nothing is deployed for this version.
        """

    def stop(self, worker: str, reason: str) -> None:
        """Have one worker end, in order. Another starts in its place as long as `desired` asks for it.

        Raises:
            NotFound: there is no such worker.
        """

    def logs(self, about: About = ALL, *, since: float = 0.0, follow: bool = False) -> Iterator[LogLine]:
        """Lines in the order of their times, from `since` (Unix seconds) on; with `follow` it does not end by itself."""

    def deploy(self, spec: Spec, *, dry_run: bool = False) -> Deployment:
        """Make the fleet what `spec` says. Called again with the same it changes nothing.

        Raises:
            Refused: the spec cannot be, or this house deploys nothing; nothing has been changed.
        """

    def undeploy(self, *, dry_run: bool = False) -> Deployment:
        """Remove what `deploy` made; what is left behind is among the changes with the sign `!`."""


class House(Protocol):
    """Runs the fleets of many versions."""

    name: HouseName

    def close(self) -> None:
        """Ends what lives only as long as this house: local workers that it keeps. May be called again."""

    def keeps(self, version: str) -> bool:
        """Whether this version's workers live in this process and end with `close`."""

    def fleet(self, version: str) -> Fleet:
        """A version's fleet, deployed or not. Asks nobody."""

    def services(self) -> Sequence[Service]:
        """Of every version that has a fleet here, by version."""
