"""A claim taken through its tasks: round after round, all entities of the batch together.

A round's results and the starts of the next leave in one trip. Rounds that are brief, by what the tasks took last, are not told of one by
one: their results leave together, in a trip that writes no value whose inputs it could not write. Values that this batch wrote are at
hand: a pipe never changes, so reading it back would only cost.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from engine.status import Cell
from engine.store.claims import MOST_ATTEMPTS, Moves, spans
from worker.failure import reason
from worker.holding import HELD, UNTOLD, Column, Start
from worker.results import Ended, Result
from worker.running import Running
from worker.tending import Tended

HEAVY = 1 << 18
"""Bytes of values that are not kept back for the sake of one trip."""
KILLER = reason("WorkerDied", f"{MOST_ATTEMPTS} workers died or fell silent while they ran it")


class Batch(Running, Tended):
    """A claim under way in a slot, from its first cell to its last."""

    def run(self) -> None:
        """Every cell of every entity that stays with this batch, up to its end."""
        self._rounds(self._reuse())

    def _rounds(self, results: list[Ended]) -> None:
        for one_round in self.schedule.rounds:
            columns, starts = self._begin(one_round, results)
            results = []
            self._compute(columns, starts)
            if self.slot.draining:
                break

    def end(self, commands: Sequence[tuple[Any, ...]]) -> Callable[[], tuple[int, list[Any]]]:
        """Writes what is left to write and ends the leases; runs `commands` in the same trip. The function that is returned waits for what
        came of it: how many entities of the wave have not ended (-1: unknown), and the commands' replies."""
        with self._sending:
            self._drop_cancelled()
            results = self._take()
            if self.slot.draining:
                self._send(results)
                self.slot.give_back(self.job, self.own_holds())
                return lambda: (-1, [])
            sent = self._post(results, self._ends(), commands)

        def collect() -> tuple[int, list[Any]]:
            came = sent()
            return came.moved.left if came.moved else -1, came.replies

        return collect

    def _ends(self) -> Moves:
        mine = [number for at, number in enumerate(self.ids) if self.place[at] == HELD]
        return Moves(self.holds(), ends=[(first, many) for first, many, _ in spans(mine)])

    @property
    def unfinished(self) -> bool:
        """Whether entities need another pass, since a value could not be written that others had been made of."""
        return bool(self._later)

    def once_more(self) -> int:
        """That pass. Returns how many entities of the wave have not ended (-1: unknown)."""
        self._redo, self._later = self._later, set()
        self._rounds([])
        return self.end([])()[0]

    def _reuse(self) -> list[Ended]:
        """Cells whose pipe is there already: those of entities that somebody began, and of tasks that the wave was told of. And those
        that are not run again, since workers died over them."""
        if not self.resumed and not self.job.checks:
            return []
        again = set(self.resumed)
        wanted = [
            (task, at)
            for task, cells in enumerate(self.cells)
            for at, cell in enumerate(cells)
            if (at in again and cell in (Cell.PENDING, Cell.RUNNING)) or (cell == Cell.PENDING and task in self.job.checks)
        ]
        values = self.outbox.get([self.job.key(task, self.entities[at]) for task, at in wanted])
        results: list[Ended] = []
        for (task, at), value in zip(wanted, values, strict=True):
            before = self.cells[task][at]
            if value is not None:
                self.values[task][at] = value
                self.cells[task][at] = Cell.REUSED
                results.append(Result(task, self.ids[at], self.entities[at], Cell.REUSED, before=before))
            elif before == Cell.RUNNING:
                self.cells[task][at] = Cell.FAILED
                note = {"error": KILLER, "worker": self.slot.name}
                results.append(Result(task, self.ids[at], self.entities[at], Cell.FAILED, note=note, before=before))
        return results

    def _begin(self, one_round: Sequence[int], results: list[Ended]) -> tuple[list[Column], list[Start]]:
        """Decides for each cell of a round, and says so on the board, together with what is finished; or does not, while all is brief.
        Those that the claim has begun are on the board as they are."""
        columns: list[Column] = []
        starts: list[Start] = []
        expected = 0.0
        for task in one_round:
            cells = self.cells[task]
            wanted = self._wanted(task)
            if not wanted or self.job.cancelled:
                continue
            expected += len(wanted) * self.job.paces[task]
            if wanted is self._all and (column := self._column(task)) is not None:
                columns.append(column)
                continue
            for at, found in zip(wanted, self._inputs(task, wanted), strict=True):
                if found.missing:
                    results.append(self._block(task, at, found))
                else:
                    starts.append(Start(task, at, found, cells[at]))
        if self._is_brief(expected):
            self._done.extend(results)
            return columns, starts
        with self._sending:
            results += self._take()
            moves = Moves(self.holds())
            now = time.monotonic()
            for task in one_round:
                self._tell_of(task, columns, starts, moves, now)
            if not results and not moves:
                return columns, starts
            self._told = now
            sent = self._send(results, moves)
        if sent.failed or self.job.cancelled or self._later or any(self.place):
            starts = [column.start(at) for column in columns for at in self._all] + starts
            columns = []
        if sent.failed:
            self._look_again(starts, sent.failed)
        return columns, [
            s
            for s in starts
            if self.place[s.at] == HELD and self.cells[s.task][s.at] == Cell.RUNNING and s.at not in self._later
        ]

    def _column(self, task: int) -> Column | None:
        """All cells of a task at once, where nothing has to be decided for one of them alone."""
        call, names = self._calls[task], self._given[task]
        inputs = [self.values[n] for n in self.schedule.needs[task]]
        if not self._in_columns or call is None or names is None or any(None in values for values in inputs):
            return None
        rows: Sequence[Any] = list(zip(*inputs, strict=True)) if inputs else [()] * len(self._all)
        return Column(task, call, names, rows, self.cells[task][0])

    def _wanted(self, task: int) -> Sequence[int]:
        """The places of entities whose cell is to run now, if its inputs are there."""
        cells, begun = self.cells[task], task in self._begun
        if self._redo:
            return [at for at in sorted(self._redo) if self.place[at] == HELD and cells[at] in (Cell.PENDING, Cell.RUNNING)]
        if (
            not any(self.place)
            and not self.resumed
            and not self._later
            and cells.count(Cell.RUNNING if begun else Cell.PENDING) == len(cells)
        ):
            return self._all  # as nearly always
        again = set(self.resumed) if begun else set()
        return [
            at
            for at, c in enumerate(cells)
            if self.place[at] == HELD
            and at not in self._later
            and (c == Cell.PENDING or (begun and c == Cell.RUNNING and at not in again))
        ]

    def _is_brief(self, expected: float) -> bool:
        """Whether a round may run untold: all that is untold takes no longer than `UNTOLD` with it. `expected`: what it takes, seconds."""
        return (
            time.monotonic() - self._told + expected <= UNTOLD
            and self._unsent <= HEAVY
            and not self.resumed
            and not self._redo
            and not self.job.cancelled
            and self._chains
        )
