"""A batch's words to Redis: what has begun and what has ended, and what is done when they are not taken as they are."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from engine.status import Cell
from engine.store.claims import Move, Moves, pack_time, spans
from worker.holding import GIVEN_BACK, HELD, Column, Holding, Start
from worker.inputs import Found, at_hand
from worker.outbox import Sent, blocked
from worker.results import Ended, Result, spelled_out, value_levels


class Telling(Holding):
    """What a batch says."""

    def _tell(self, starts: Sequence[Start]) -> None:
        """The board is about to say that they run."""
        for start in starts:
            start.before = self.cells[start.task][start.at] = Cell.RUNNING

    def _tell_of(self, task: int, columns: Sequence[Column], starts: Sequence[Start], moves: Moves, now: float) -> None:
        """Puts in `moves` that the cells of a task run, as far as the board does not say so yet."""
        time_ = pack_time(now - self.epoch, 0.0)
        for column in columns:
            if column.task == task and column.before == Cell.PENDING:
                moves.steps.append(Move(task, Cell.PENDING, Cell.RUNNING, self.ids[0], len(self._all), time_ * len(self._all)))
                column.before = Cell.RUNNING
                self.cells[task][:] = bytes([Cell.RUNNING]) * len(self._all)
        untold = [s for s in starts if s.task == task and s.before == Cell.PENDING]
        for first, many, _ in spans([self.ids[s.at] for s in untold]):
            moves.steps.append(Move(task, Cell.PENDING, Cell.RUNNING, first, many, time_ * many))
        self._tell(untold)

    def _send(self, results: list[Ended], moves: Moves | None = None) -> Sent:
        return self._post(results, moves)()

    def _post(
        self, results: list[Ended], moves: Moves | None = None, commands: Sequence[tuple[Any, ...]] = ()
    ) -> Callable[[], Sent]:
        """One trip; or, if values rest on others of it and not all could be written, one a round: what rests on a value that was refused
        is made again, later. The function that is returned waits for what came of it."""
        self._unsent = 0
        chained = len(value_levels(results, self.schedule.levels)) > 1
        holds = moves.holds if moves else self.holds()
        sent = self.outbox.post(holds, results, moves, commands, chained=chained)

        def collect() -> Sent:
            came = sent()
            if came.apart:
                failed = self._send_apart(spelled_out(results))
                came = Sent(self.outbox.send(self.holds(), [], moves).moved, failed, came.replies)
            if came.failed:
                self._look_beyond(came.failed)
            self._check(came.failed)
            if came.moved:
                self._refused(came.moved.refused, came.moved.cancelled)
            return came

        return collect

    def _look_beyond(self, failed: Sequence[Result]) -> None:
        """What has begun meanwhile with a value that was refused is made again, later."""
        level = {self._at[r.number]: self.schedule.levels[r.task] for r in failed}
        with self._lock:
            begun = [(start.task, start.at) for start in self._running if start]
            begun += [(r.task, self._at[r.number]) for r in self._spell_out()]
            self._later |= {at for task, at in begun if at in level and self.schedule.levels[task] > level[at]}

    def _send_apart(self, results: list[Result]) -> list[Result]:
        failed: list[Result] = []
        spoiled: set[int] = set()
        levels = self.schedule.levels
        for level in sorted({levels[r.task] for r in results}):
            for r in results:
                if levels[r.task] == level and r.number in spoiled:
                    self._drop(r)
            whole = [r for r in results if levels[r.task] == level and r.number not in spoiled]
            failed += self.outbox.send(self.holds(), whole).failed
            spoiled = {r.number for r in failed}
        return failed

    def _inputs(self, task: int, places: Sequence[int]) -> list[Found]:
        names, needs, sources = self.job.plan.names, self.schedule.needs[task], self.job.sources[task]
        given, columns = self._given[task], [self.values[n] for n in needs]
        if given is not None and not any(None in column for column in columns):  # as nearly always
            if not given:
                return [at_hand({}) for _ in places]
            rows = (
                zip(*columns, strict=True)
                if len(places) == len(self.ids)
                else ([column[at] for column in columns] for at in places)
            )
            return [at_hand(dict(zip(given, row, strict=True))) for row in rows]
        wanted = []
        for at in places:
            there = {names[n]: value for n in needs if (value := self.values[n][at]) is not None}
            wanted.append((self.entities[at], there))
        return sources.find(wanted, self.outbox.get)

    def _block(self, task: int, at: int, found: Found) -> Result:
        self.cells[task][at] = Cell.BLOCKED
        return blocked(self.job, task, self.ids[at], self.entities[at], found)

    def _look_again(self, starts: list[Start], failed: list[Result]) -> None:
        """A value that another writer had written first is not what dependants read: what is in the pipe is."""
        places = {self._at[r.number] for r in failed}
        for start in starts:
            if start.at in places and start.at not in self._later:
                start.found = self._inputs(start.task, [start.at])[0]
                if start.found.missing:
                    result = self._block(start.task, start.at, start.found)
                    result.before = Cell.RUNNING
                    self._done.append(result)

    def _refused(self, refused: Sequence[tuple[int, int]], cancelled: str) -> None:
        if cancelled:
            self.job.cancelled = cancelled
            with self._lock:
                self._untell({(task, self._at[number]) for task, number in refused})
            return
        for _, number in refused:
            if self.place[self._at[number]] == HELD:
                self.place[self._at[number]] = GIVEN_BACK
        if refused:
            self.slot.publish_holds()

    def _untell(self, cells: set[tuple[int, int]]) -> None:
        """The board does not say that these run, after all."""
        for task, at in cells:
            self.cells[task][at] = Cell.PENDING
        for start in self._running:
            if start and (start.task, start.at) in cells:
                start.before = Cell.PENDING
        for r in self._spell_out():
            if (r.task, self._at[r.number]) in cells:
                r.before = Cell.PENDING
                self.cells[r.task][self._at[r.number]] = r.cell

    def _check(self, failed: Sequence[Result]) -> None:
        for r in failed:
            self.cells[r.task][self._at[r.number]] = r.cell
            self.values[r.task][self._at[r.number]] = None

    def _take(self) -> list[Ended]:
        """What is finished and not written, but for what others hold by now, and what is made again."""
        taken: list[Ended] = []
        self._stretch = None
        while self._done:
            taken.append(self._done.popleft())
        if not any(self.place) and not self._later:
            return taken
        kept = [r for r in spelled_out(taken) if self.place[self._at[r.number]] != GIVEN_BACK]
        for r in kept:
            if self._at[r.number] in self._later:
                self._drop(r)
        return [r for r in kept if self._at[r.number] not in self._later]

    def _drop(self, result: Result) -> None:
        """It is made again, later."""
        at = self._at[result.number]
        self._later.add(at)
        self.cells[result.task][at], self.values[result.task][at] = result.before, None

    def _spell_out(self) -> list[Result]:
        """What is finished and not written, cell by cell from now on."""
        results, self._stretch = spelled_out(self._done), None
        self._done = deque(results)
        return results

    def _drop_cancelled(self) -> None:
        """On a cancelled wave, everything that did not run is cancelled."""
        if not self.job.cancelled:
            return
        for task, cells in enumerate(self.cells):
            for at, cell in enumerate(cells):
                if cell in (Cell.PENDING, Cell.RUNNING) and self.place[at] == HELD:
                    cells[at] = Cell.CANCELLED
                    self._done.append(Result(task, self.ids[at], self.entities[at], Cell.CANCELLED, before=cell))
