"""A wave on any number of workers, in virtual time: what is decided is decided by the engine's own code, what takes time is measured.

The engine's: when workers come (`engine.capacity`), the order of the queue (entities as they lie, each claim the next ones), and
how many a slot claims at once (`worker.sizing`). Redis is one server that does one thing at a time.
"""

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from worker.sizing import Sizing


@dataclass(frozen=True)
class Costs:
    """Seconds. `slot`: that a slot spends on an entity beyond its tasks; `redis`: of Redis' one CPU for an entity, of `background`
    for a worker each second; `latency`: from a slot to Redis and back; `init`: for a wave, and `init_entity` for each entity of it."""

    slot: float
    redis: float
    background: float
    latency: float
    init: float
    init_entity: float

    def queued(self, entities: int) -> float:
        """How long init takes."""
        return self.init + self.init_entity * entities


@dataclass(frozen=True)
class Run:
    """What became of it. `total`: seconds from the order of the workers to the end of the last entity; `served`: entities; `busy`:
    seconds that slots were at work; `redis`: the share of its time that Redis was; `waited`: seconds that slots waited for it, in all."""

    total: float
    served: int
    claims: int
    busy: float
    redis: float
    waited: float


def simulate(entities: Sequence[float], arrivals: Sequence[float], slots: int, costs: Costs) -> Run:
    """Runs entities of these seconds on workers that come at these moments."""
    crew: set[int] = set()
    number = itertools.count()
    queued_at = costs.queued(len(entities))
    heap = [(max(at, queued_at), next(number), worker, Sizing()) for worker, at in enumerate(arrivals) for _ in range(slots)]
    heapq.heapify(heap)
    # What heartbeats and renewals take of Redis is not there for claims.
    share = min(costs.background * len(arrivals), 0.95)
    at = claims = 0
    redis_free = redis_busy = busy = waited = total = 0.0
    while at < len(entities):
        free, _, worker, sizing = heapq.heappop(heap)
        crew.add(worker)
        size = min(sizing.size, len(entities) - at)
        asked = free + costs.latency / 2
        served = max(asked, redis_free)
        cost = costs.redis * size / (1 - share)
        redis_free = served + cost
        began = redis_free + costs.latency / 2
        work = sum(entities[at : at + size]) + costs.slot * size
        end = began + work
        at += size
        claims += 1
        redis_busy += cost
        waited += served - asked
        busy += work
        total = max(total, end)
        sizing.note(size, work, len(entities) - at, len(crew) * slots)
        heapq.heappush(heap, (end, next(number), worker, sizing))
    total += costs.latency + costs.redis / (1 - share)  # the last is said to be done
    return Run(total, at, claims, busy, redis_busy / total + share, waited)
