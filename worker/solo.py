"""One entity that goes on alone, in a thread of its own, because a task's wait is over while an input is still running.

The rule of waiting, to the letter: a task waits until all its dependencies have ended or its own timeout has passed, and
then runs with what there is. The clock of an entity's timeouts starts when its first task does.
"""

import logging
import threading
import time
from typing import TYPE_CHECKING

from engine.status import ENDED, Cell
from engine.store.claims import Move, Moves, held_before, pack_time, taken_over
from worker.inputs import Found
from worker.job import Job, Schedule
from worker.outbox import Outbox, blocked
from worker.output import thread_log
from worker.results import Result
from worker.tenure import Tenure

if TYPE_CHECKING:
    from worker.slot import Slot

log = logging.getLogger("wavedeck.worker")


class Solo(threading.Thread):
    """Runs the rest of an entity. `flying`: tasks that the batch still runs; their results come through `deliver`. `since`: when
    it was last certain that the entity's lease runs (monotonic)."""

    def __init__(
        self,
        slot: "Slot",
        job: Job,
        schedule: Schedule,
        *,
        number: int,
        entity: str,
        record: bytes,
        cells: bytearray,
        values: list[bytes | None],
        flying: set[int],
        epoch: float,
        clock: float,
        since: float,
    ) -> None:
        super().__init__(name=f"solo-{number}", daemon=True)
        self.slot, self.job, self.schedule = slot, job, schedule
        self.number, self.entity, self.record = number, entity, record
        self._cells, self._values, self._flying = cells, values, flying
        self.epoch, self._clock = epoch, clock
        self._holds = [(number, 1, record)]
        self._tenure = Tenure(slot.writes, job.wave, slot.settings.lease, since)
        self._outbox = Outbox(slot.writes, job, slot.name, slot.give_up, self._tenure)
        self._news = threading.Condition()
        self._delivered: list[Result] = []
        self._lost = False

    def deliver(self, result: Result) -> None:
        """The batch has ended one of the entity's cells."""
        with self._news:
            self._delivered.append(result)
            self._news.notify()

    def run(self) -> None:
        """Until every cell of the entity has ended."""
        try:
            with thread_log() as printed:
                while not self._lost and self._step(printed):
                    printed.clear()
            if not self._lost:
                self._end()
        except Exception:
            about = {"wave": self.job.wave.id, "entity": self.entity}
            log.exception("entity %s of wave %s: its lease will run out", self.entity, self.job.wave.id, extra=about)
        finally:
            self.slot.drop_solo(self)

    def _step(self, printed: bytearray) -> bool:
        with self._news:
            arrived, self._delivered = self._delivered, []
        if arrived:
            self._write(arrived)
            return True
        if self.job.cancelled or self.slot.draining:
            return self._wait(None) if self._flying else False
        now = time.monotonic()
        open_ = [t for t, c in enumerate(self._cells) if c not in ENDED and t not in self._flying]
        ready = [t for t in open_ if all(self._cells[n] in ENDED for n in self.schedule.needs[t])]
        overdue = [t for t in open_ if self._clock + self.schedule.timeouts[t] <= now]
        if ready or overdue:
            self._take_up(ready[0] if ready else min(overdue, key=self.schedule.timeouts.__getitem__), printed)
            return True
        if not open_ and not self._flying:
            return False
        return self._wait(min((self._clock + self.schedule.timeouts[t] for t in open_), default=None))

    def _wait(self, until: float | None) -> bool:
        with self._news:
            if not self._delivered:
                self._news.wait(None if until is None else max(until - time.monotonic(), 0))
        return True

    def _take_up(self, task: int, printed: bytearray) -> None:
        names = self.job.plan.names
        at_hand = {names[n]: v for n in self.schedule.needs[task] if (v := self._values[n]) is not None}
        [found] = self.job.sources[task].find([(self.entity, at_hand)], self._outbox.get)
        for need in self.schedule.needs[task]:
            if self._cells[need] not in ENDED:
                note = next((n for n in found.notes if n["name"] == names[need]), None)
                if note is not None:
                    note["timed_out"] = True
        if found.missing:
            self._write([self._blocked(task, found)])
            return
        if self._cells[task] == Cell.PENDING:
            moves = Moves(list(self._holds))
            now = pack_time(time.monotonic() - self.epoch, 0.0)
            moves.steps.append(Move(task, Cell.PENDING, Cell.RUNNING, self.number, 1, now))
            self._sent(moves, [])
            if self._lost or self.job.cancelled:
                return
            self._cells[task] = Cell.RUNNING
        lane = self.slot.lanes.get()
        try:
            if not self._may_start(task):
                return
            began = time.monotonic()
            result = self.slot.run_cell(
                self.job, task, self.number, self.entity, found, lane, began, self.schedule.limits[task], printed
            )
            result.start = began - self.epoch
            result.again = held_before(self.record)
        finally:
            self.slot.lanes.put(lane)
        self._write([result])

    def _may_start(self, task: int) -> bool:
        """Whether the entity is still ours, its wave goes on and the task's pipe is not there, by answers that are not old."""
        while True:
            if not self._tenure.fresh:
                self._outbox.ask(self._holds)
            self.job.cancelled = self.job.cancelled or self._tenure.cancelled
            self._lost = self._lost or self.number in self._tenure.lost
            if self._lost or self.job.cancelled or self._was_written(task):
                return False
            if self._tenure.sure:
                return True

    def _was_written(self, task: int) -> bool:
        """Whether the pipe of an entity that was taken over has come since: what its earlier holder had sent may be late."""
        if not taken_over(self.record):
            return False
        [value] = self._outbox.get([self.job.key(task, self.entity)])
        if value is not None:
            self._write([Result(task, self.number, self.entity, Cell.REUSED, value)])
        return value is not None

    def _blocked(self, task: int, found: Found) -> Result:
        result = blocked(self.job, task, self.number, self.entity, found)
        result.before = self._cells[task]
        return result

    def _write(self, results: list[Result]) -> None:
        self._sent(None, results)
        for r in results:
            self._flying.discard(r.task)
            self._cells[r.task] = r.cell
            self._values[r.task] = r.value

    def _sent(self, moves: Moves | None, results: list[Result]) -> None:
        sent = self._outbox.send(self._holds, results, moves)
        if sent.moved and sent.moved.cancelled:
            self.job.cancelled = sent.moved.cancelled
        elif sent.moved and sent.moved.refused:
            self._lost = True

    def _end(self) -> None:
        if self.slot.draining and any(c not in ENDED for c in self._cells):
            self.slot.give_back(self.job, self._holds)
            return
        left = [(t, c) for t, c in enumerate(self._cells) if c not in ENDED]
        results = [Result(t, self.number, self.entity, Cell.CANCELLED, before=c) for t, c in left]
        moves = Moves(list(self._holds), ends=[(self.number, 1)])
        sent = self._outbox.send(self._holds, results, moves)
        if sent.moved and sent.moved.left == 0:
            self.slot.wave_ended(self.job)
