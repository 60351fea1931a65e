"""What a batch is and holds: its entities, their cells and values, and where each of them is by now."""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.status import Cell
from engine.store.claims import Claimed, Hold, held_before, holds_of, taken_over
from worker.inputs import Found, at_hand
from worker.job import Job, Schedule
from worker.outbox import Outbox
from worker.results import Ended, Stretch
from worker.shared import LANES, HeldBatch
from worker.solo import Solo
from worker.task import Call
from worker.tenure import Tenure

if TYPE_CHECKING:
    from worker.slot import Slot

UNTOLD = 0.02
"""Seconds that cells may run, together and by what they took last, before Redis is told that they have begun. Far less than
`engine.store.claims.FRESH`, so a claim stands meanwhile."""
HELD, GIVEN_BACK, ALONE = 0, 1, 2


@dataclass(slots=True)
class Start:
    """A cell that is to run now. `at`: the entity's place in the batch; `before`: what the board says of it; `began`: monotonic."""

    task: int
    at: int
    found: Found
    before: int = Cell.RUNNING
    began: float = 0.0


@dataclass(slots=True)
class Column:
    """Cells of one task that are to run now, of all entities of a batch whom nobody held before, and all their inputs are at hand: a
    row of `rows` each, in the order of `names`. `call`: what is called for each; `before`: as in `Start`."""

    task: int
    call: Call
    names: tuple[str, ...]
    rows: Sequence[tuple[bytes, ...]]
    before: int

    def start(self, at: int) -> Start:
        """One cell of it."""
        return Start(self.task, at, at_hand(dict(zip(self.names, self.rows[at], strict=True))), self.before)


def epoch_of(job: Job, claimed: Claimed) -> float:
    """When the claim's wave was created, on this machine's monotonic clock."""
    return claimed.mono - (claimed.now - job.wave.created) / 1000


def held_of(job: Job, claimed: Claimed) -> HeldBatch:
    """What a claim gave, as the watcher is told."""
    holds = holds_of(claimed.ids, claimed.records)
    return HeldBatch(job.number, job.wave.id, job.wave.version, holds, epoch_of(job, claimed))


class Holding:
    """A claim under way in a slot, of which `place` says for each entity whether it is still this batch's."""

    def __init__(self, slot: "Slot", job: Job, claimed: Claimed, schedule: Schedule, held: HeldBatch | None = None) -> None:
        self.slot, self.job, self.schedule = slot, job, schedule
        self.ids, self.entities, self.records = claimed.ids, claimed.entities, claimed.records
        count, tasks = len(claimed.ids), len(job.tasks)
        self.cells = [bytearray([Cell.PENDING]) * count for _ in range(tasks)]
        self.resumed = [at for at, cells in enumerate(claimed.cells) if cells is not None]
        for at in self.resumed:
            for task, cell in enumerate(claimed.cells[at] or b""):
                self.cells[task][at] = cell
        self._begun = frozenset(claimed.begun)
        """Tasks that the claim has started in entities that nobody had claimed before."""
        fresh = [at for at, cells in enumerate(claimed.cells) if cells is None]
        for task in self._begun:
            for at in fresh:
                self.cells[task][at] = Cell.RUNNING
        self.values: list[list[bytes | None]] = [[None] * count for _ in range(tasks)]
        self.epoch = epoch_of(job, claimed)
        self.clock = [0.0] * count
        self.place = bytearray(count)
        self.tenure = Tenure(slot.writes, job.wave, slot.settings.lease, claimed.mono)
        self.outbox = Outbox(slot.writes, job, slot.name, slot.give_up, self.tenure)
        self._chains = self.outbox.chains
        self._given = job.given(schedule)
        self._calls = job.calls(schedule)
        self.solos: dict[int, Solo] = {}
        self._at = {number: at for at, number in enumerate(self.ids)}
        self._again = [held_before(record) for record in self.records]
        self._over = [taken_over(record) for record in self.records]
        self._held = held or held_of(job, claimed)
        self._whole = self._held.holds
        self._all = range(count)
        self._in_columns = not self.resumed and len(self._whole) == 1
        self._running: list[Start | None] = [None] * LANES
        self._done: deque[Ended] = deque()
        self._stretch: Stretch | None = None
        """The last of `_done` while more is added to it."""
        self._told = claimed.mono
        """When Redis was last told of all that had begun (monotonic)."""
        self._unsent = 0
        """Bytes of values that are not written yet."""
        self._later: set[int] = set()
        """Places of entities that need another pass, told of round by round."""
        self._redo: set[int] = set()
        """Those whose other pass this is."""
        self._lock = threading.Lock()
        self._sending = threading.Lock()

    def holds(self) -> list[Hold]:
        """What this batch may write for: its own entities and those that went on alone from it."""
        return self._holds_of(HELD, ALONE)

    def own_holds(self) -> list[Hold]:
        """The entities that are still this batch's."""
        return self._holds_of(HELD)

    @property
    def held(self) -> HeldBatch | None:
        """What is still this batch's, as the watcher is told; and what it runs, though others may hold it by now: the watcher asks
        about that, and ends it."""
        if not any(self.place):
            return self._held
        busy = {start.at for start in self._running if start and self.place[start.at] != ALONE}
        kept = [at for at in range(len(self.ids)) if self.place[at] == HELD or at in busy]
        wave, holds = self.job.wave, holds_of([self.ids[at] for at in kept], [self.records[at] for at in kept])
        return HeldBatch(self.job.number, wave.id, wave.version, holds, self.epoch) if holds else None

    def _holds_of(self, *places: int) -> list[Hold]:
        if not any(self.place):  # all are held, as nearly always
            return self._whole
        kept = [at for at in range(len(self.ids)) if self.place[at] in places]
        return holds_of([self.ids[at] for at in kept], [self.records[at] for at in kept])
