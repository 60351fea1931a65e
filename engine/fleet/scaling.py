"""As many workers as a wave needs, before it is queued; and as few as may be when nothing is left to do.

Init and the last finisher may act at once. Who asks a house for anything holds the version's lock (`engine.store.wanted`), and who
asks for fewer looks, while he holds it, whether a wave is open or about to be queued: so an init that comes first keeps its workers,
and one that comes after asks for them again. Nothing of this can keep a wave from being queued: what a house refuses is said.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median_low

from engine.capacity import AT_ONCE, FARGATE, Bounds, Launches, Need, need
from engine.errors import NotFound
from engine.fleet.cpus import cpus
from engine.fleet.house import Fleet, FleetError, Service
from engine.plan import Plan
from engine.store.connect import Client
from engine.store.past import past, work
from engine.store.wanted import LOCKED, lowered, nothing_to_do, staffing, want, wanted
from engine.store.wave import Wave
from engine.store.workers import Workers

PATIENCE = 20.0
"""Seconds that init waits for the lock; then it asks for its workers without it, for too many harm nobody."""


@dataclass(frozen=True)
class Staffed:
    """What was found out and asked for. `asked`: workers that the house will have; `before`: that it had; `problem`: why it could not be
    asked, in a sentence."""

    need: Need | None
    before: int
    asked: int
    problem: str = ""

    @property
    def words(self) -> str:
        """For a person."""
        told = self.need.why if self.need is not None else ""
        return f"{told}; {self.problem}" if told and self.problem else told or self.problem


class Staffing:
    """Staffs a wave when it is called with its draft: what `launch` takes as `staff`. `result` says afterwards what was done."""

    def __init__(
        self,
        redis: Client,
        fleet: Fleet,
        plan: Plan,
        *,
        workers: str = "auto",
        slots: int | None = None,
        launches: Launches | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Parameters:
        workers: `auto` for the fleet's own bounds, or narrower ones: `2..50`, `8`.
        slots: of each worker; by what those alive have, or by the CPUs of one, when not given.
        launches: how its workers come; by its house when not given.
        """
        self._redis, self._fleet, self._plan, self._workers = redis, fleet, plan, workers
        self._slots, self._launches, self._tell = slots, launches, tell
        self.result: Staffed | None = None

    def __call__(self, draft: Wave) -> Wave:
        """Asks for the workers of a wave that is about to be queued. The draft with what is foreseen of it.

        Raises:
            Refused: the bounds make no sense.
        """
        Bounds.parse(self._workers, 1)
        try:
            with staffing(self._redis, draft.version, PATIENCE):
                self.result = self._ask(draft)
        except FleetError as e:
            self.result = Staffed(None, 0, 0, f"no workers could be asked for: {e}")
        self._tell(self.result.words)
        if (found := self.result.need) is None:
            return draft
        return replace(
            draft,
            workers=found.workers,
            soonest=int(found.forecast.soonest * 1000),
            latest=int(found.forecast.latest * 1000),
        )

    def _ask(self, draft: Wave) -> Staffed:
        service = self._fleet.desired()
        if not service.most:
            return Staffed(None, 0, 0, f"nothing is deployed for version {draft.version!r}; `wavedeck deploy` does")
        bounds = self._bounds(service)
        found = need(
            work(past(self._redis, draft.version, self._plan), self._plan, draft.n),
            bounds,
            self._slots_of(service),
            budget=(draft.deadline - draft.created) / 1000 if draft.deadline else self._plan.every,
            running=service.desired,  # what is on its way is not ordered again
            launches=self._launches or (FARGATE if service.house == "ecs" else AT_ONCE),
        )
        want(self._redis, draft.version, draft.id, max(found.workers, service.desired), bounds.low)
        if found.workers <= service.desired:
            return Staffed(found, service.desired, service.desired)
        try:
            asked = self._fleet.scale(found.workers)
        except (FleetError, NotFound) as e:
            return Staffed(found, service.desired, service.desired, f"the house refused: {e}")
        return Staffed(found, service.desired, asked)

    def _slots_of(self, service: Service) -> int:
        return self._slots or slots_of(self._redis, service)

    def _bounds(self, service: Service) -> Bounds:
        most = service.most
        if service.house == "local" and self._workers == "auto":
            most = max(1, cpus() // self._slots_of(service))  # more would only take the CPUs from each other
        asked = Bounds.parse(self._workers, most)
        low = max(asked.low, service.least)
        return Bounds(low, max(min(asked.high, service.most), low))


def slots_of(redis: Client, service: Service) -> int:
    """Slots of one worker of a fleet: what those alive have, else its whole vCPUs, else the CPUs of this machine."""
    alive = [len(w.slots) for w in Workers(redis).alive(service.version) if w.slots]
    if alive:
        return median_low(alive)
    return max(1, int(service.cpu)) if service.cpu else cpus()


def let_go(redis: Client, fleet: Fleet, now: Callable[[], float] = time.monotonic) -> int | None:
    """Lowers a version's fleet to its floor if nothing of the version is left to do. The floor; None when nothing was changed: nobody
    had asked for more, something is to be done, or somebody else is about it.

    Raises:
        FleetError: the house refuses; nothing has changed, and it may be tried again.
    """
    version = fleet.version
    told = wanted(redis, version)
    if told is None or told.workers <= told.floor:
        return None
    with staffing(redis, version) as mine:
        if not mine or not nothing_to_do(redis, version):
            return None
        told = wanted(redis, version)
        if told is None or told.workers <= told.floor:
            return None
        began = now()
        fleet.scale(told.floor)
        if (now() - began) * 1000 < LOCKED:
            lowered(redis, version)
            return told.floor
        # So late that somebody may have asked for workers meanwhile: they get them.
        after = wanted(redis, version)
        if after is not None and (after != told or not nothing_to_do(redis, version)):
            fleet.scale(after.workers)
            return None
        lowered(redis, version)
        return told.floor
