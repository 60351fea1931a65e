"""What the slot's monitor does for a batch whose cells are slow: what is finished is written, the batch-mates are given back to other
slots, and an entity goes on alone when a task of it has waited long enough or does not depend on the slow one."""

import time
from collections.abc import Sequence
from dataclasses import replace

from engine.status import ENDED, Cell
from engine.store.claims import Move, Moves, holds_of, pack_time
from worker.holding import ALONE, GIVEN_BACK, HELD, Start
from worker.solo import Solo
from worker.telling import Telling

FLUSH = 0.25
"""Seconds after which finished results of a round that takes long are written without waiting for the rest."""
HOARD = 1.0
"""Seconds that a cell may run before its batch-mates are given back."""


class Tended(Telling):
    """A batch that is looked after, in the monitor's thread."""

    def tend(self) -> float:
        """Looks after a batch that takes long. Returns seconds until it should look again."""
        now = time.monotonic()
        with self._lock:
            running = [replace(start) for start in self._running if start]
        oldest = min((start.began for start in running), default=now)
        if now - oldest > FLUSH and (self._done or any(start.before == Cell.PENDING for start in running)):
            self.flush()
        for at in {start.at for start in running}:
            if self.place[at] == HELD and (self._due(at, running) <= now or self._has_other_branch(at, running, now)):
                self._let_go(at)
        if now - oldest > HOARD:
            self._share()
        due = min((self._due(s.at, running) for s in running if self.place[s.at] == HELD), default=now + FLUSH)
        return min(max(due - now, 0.001), FLUSH, max(self.schedule.soonest / 8, 0.005))

    def flush(self) -> None:
        """Writes what is finished, and tells what has begun."""
        with self._sending:
            moves = Moves(self.holds())
            with self._lock:
                results = self._take()
                untold = [s for s in self._running if s and s.before == Cell.PENDING and self.place[s.at] == HELD]
                self._tell(untold)
                for s in untold:
                    began = pack_time(s.began - self.epoch, 0.0)
                    moves.steps.append(Move(s.task, Cell.PENDING, Cell.RUNNING, self.ids[s.at], 1, began))
            if results or moves:
                self._send(results, moves)

    def _due(self, at: int, running: Sequence[Start]) -> float:
        """When the first task of an entity that waits for a running one has waited long enough (monotonic)."""
        if not self.clock[at]:
            return float("inf")
        waiting = {d for start in running if start.at == at for d in self.schedule.dependants[start.task]}
        timeouts = [self.schedule.timeouts[t] for t in waiting if self.cells[t][at] == Cell.PENDING]
        return self.clock[at] + min(timeouts, default=float("inf"))

    def _has_other_branch(self, at: int, running: Sequence[Start], now: float) -> bool:
        """Whether an entity whose cell is slow has tasks that need not wait for it."""
        slow = [start.task for start in running if start.at == at and now - start.began > HOARD]
        if not slow:
            return False
        waiting = {d for task in slow for d in self.schedule.dependants[task]}
        waiting |= {start.task for start in running if start.at == at}
        return any(c[at] not in ENDED and t not in waiting for t, c in enumerate(self.cells))

    def _let_go(self, at: int) -> None:
        """The entity goes on in a thread of its own, beside the cell that is still running."""
        self.flush()
        with self._lock:
            flying = {start.task for start in self._running if start and start.at == at}
            if not flying or self.place[at] != HELD or at in self._later:
                return
            self.place[at] = ALONE
            self.solos[at] = solo = Solo(
                self.slot,
                self.job,
                self.schedule,
                number=self.ids[at],
                entity=self.entities[at],
                record=self.records[at],
                cells=bytearray(c[at] for c in self.cells),
                values=[v[at] for v in self.values],
                flying=flying,
                epoch=self.epoch,
                clock=self.clock[at],
                since=self.tenure.since,
            )
        self.slot.add_solo(solo)
        self.slot.publish_holds()
        solo.start()

    def _share(self) -> None:
        """Gives back the entities that are not running and have not ended: other slots may be idle."""
        self.flush()
        with self._lock:
            busy = {start.at for start in self._running if start}
            mates = [
                at
                for at in range(len(self.ids))
                if self.place[at] == HELD and at not in busy and any(c[at] not in ENDED for c in self.cells)
            ]
            for at in mates:
                self.place[at] = GIVEN_BACK
        if mates:
            self.slot.give_back(self.job, holds_of([self.ids[at] for at in mates], [self.records[at] for at in mates]))
            self.slot.publish_holds()
        self.slot.share_ahead()
