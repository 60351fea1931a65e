"""Running the cells of a batch: in the slot's main thread one after the other, and those that wait for others in threads beside it."""

import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from engine.status import Cell
from worker.holding import ALONE, GIVEN_BACK, HELD, UNTOLD, Column, Start
from worker.inputs import at_hand
from worker.output import BRIEF, thread_log
from worker.results import Result, Stretch
from worker.telling import Telling


class Running(Telling):
    """What a batch runs."""

    def _compute(self, columns: Sequence[Column], starts: Sequence[Start]) -> None:
        many = sum(len(column.rows) for column in columns) + len(starts)
        if not many:
            return
        began = time.monotonic()
        flying: list[Future[None]] = []
        pool: ThreadPoolExecutor | None = None
        if self.job.waits and many > 1:
            for start in starts:
                if start.task in self.job.waits:
                    pool = pool or self.slot.pool()
                    flying.append(pool.submit(self._in_thread, start))
        for column in columns:
            self._run(column)
        for start in starts:
            if self.slot.draining or self.job.cancelled:
                break
            if not (flying and start.task in self.job.waits):
                self._cell(start, 0)
        for future in flying:
            future.result()
        tasks = {column.task for column in columns} | {start.task for start in starts}
        self._look_for_stray_output(tasks)
        pace = (time.monotonic() - began) / many
        for task in tasks:
            before = self.job.paces[task]
            self.job.paces[task] = max(pace, before / 2) if before < UNTOLD else pace

    def _look_for_stray_output(self, tasks: Collection[int]) -> None:
        """What brief cells printed past Python's streams is the last one's; from now on they are asked one by one."""
        if stray := self.slot.output.cut():
            self.job.loud.update(tasks)
            with self._lock:
                for last in self._spell_out()[-1:]:  # none when the monitor has just taken it
                    last.log += stray

    def _run(self, column: Column) -> None:
        """The cells of a column, one after the other, in the main thread."""
        task, slot, job, tenure, first = column.task, self.slot, self.job, self.tenure, self.ids[0]
        cells, values, place, clock = self.cells[task], self.values[task], self.place, self.clock
        board, output, call, limit = slot.board, slot.output, column.call, self.schedule.limits[task]
        loud, finished, running = task in job.loud, int(Cell.FINISHED), Start(task, 0, at_hand({}))
        began = time.monotonic()
        for at, (entity, row) in enumerate(zip(self.entities, column.rows, strict=True)):
            if slot.draining or job.cancelled:
                break
            with self._lock:
                mine = place[at] == HELD and began < tenure.stands_until
                if mine:
                    running.at, running.before, running.began = at, column.before, began
                    self._running[0] = running
                    clock[at] = clock[at] or began
            if not mine:
                self._stretch = None
                self._cell(column.start(at), 0)
                began = time.monotonic()
                continue
            board.enter(0, job.number, task, first + at, began, limit, output.end)
            value, failed = b"", None
            try:
                value = call(entity, row)
            except BaseException as e:  # as in `Slot.run_cell`
                failed = slot.failed(task, first + at, entity, e, [], began, main=True)
            finally:
                board.leave(0)
            ended = time.monotonic()
            log = output.cut(brief=ended - began < BRIEF and not loud)
            with self._lock:
                if failed is None and not log and place[at] == HELD and running.before == column.before:
                    self._running[0] = None
                    cells[at], values[at] = finished, value
                    if self._stretch is None:
                        self._stretch = Stretch(task, first + at, running.before, self.epoch)
                        self._done.append(self._stretch)
                    self._stretch.add(entity, value, began, ended)
                    began = ended
                    continue
                self._stretch = None
            result = failed or Result(task, first + at, entity, Cell.FINISHED, value, seconds=ended - began)
            result.log = log
            slot.note_down(job, result)
            self._ended(running, 0, result)
            began = time.monotonic()
        self._stretch = None
        self._unsent += sum(map(len, filter(None, values)))

    def _in_thread(self, start: Start) -> None:
        if self.slot.draining or self.job.cancelled:
            return
        lane = self.slot.lanes.get()
        try:
            with thread_log() as printed:
                self._cell(start, lane, printed)
        finally:
            self.slot.lanes.put(lane)

    def _cell(self, start: Start, lane: int, printed: bytearray | None = None) -> None:
        task, at = start.task, start.at
        began = time.monotonic()
        if self._over[at] or began >= self.tenure.stands_until:
            if not self._may_start(task, at):
                return
            began = time.monotonic()
        with self._lock:
            if self.place[at] != HELD:
                return
            self._running[lane] = start
            start.began = began
            if not self.clock[at]:
                self.clock[at] = began
        result = self.slot.run_cell(
            self.job, task, self.ids[at], self.entities[at], start.found, lane, began, self.schedule.limits[task], printed
        )
        self._unsent += len(result.value or b"")
        self._ended(start, lane, result)

    def _ended(self, start: Start, lane: int, result: Result) -> None:
        """A cell is to be written."""
        task, at = start.task, start.at
        result.start = start.began - self.epoch
        result.again = self._again[at]
        with self._lock:
            self._running[lane] = None
            result.before = start.before
            self.cells[task][at] = result.cell
            self.values[task][at] = result.value
            if self.place[at] == ALONE:
                self.solos[at].deliver(result)
            else:
                self._done.append(result)

    def _may_start(self, task: int, at: int) -> bool:
        """Whether the entity is still ours, its wave goes on and its pipe is not there, by answers that are not old."""
        while True:
            if not self.tenure.fresh:
                self.outbox.ask(self.own_holds())
            self._drop_lost(at)
            if self.place[at] != HELD or self.job.cancelled or self._was_written(task, at):
                return False
            if self.tenure.sure:
                return True

    def _drop_lost(self, at: int) -> None:
        self.job.cancelled = self.job.cancelled or self.tenure.cancelled
        if self.ids[at] in self.tenure.lost:
            with self._lock:
                lost = [i for i, number in enumerate(self.ids) if number in self.tenure.lost and self.place[i] == HELD]
                for i in lost:
                    self.place[i] = GIVEN_BACK
            if lost:
                self.slot.publish_holds()

    def _was_written(self, task: int, at: int) -> bool:
        """Whether the pipe of an entity that was taken over has come since: what its earlier holder had sent may be late."""
        if not self._over[at]:
            return False
        [value] = self.outbox.get([self.job.key(task, self.entities[at])])
        if value is not None:
            with self._lock:
                if self.place[at] == HELD:  # else who has it now looks for himself
                    self.cells[task][at], self.values[task][at] = Cell.REUSED, value
                    self._done.append(Result(task, self.ids[at], self.entities[at], Cell.REUSED, value))
        return value is not None
