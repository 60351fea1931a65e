"""A claim taken through its tasks: round after round, all entities of the batch together.

A round's results and the starts of the next leave in one trip. Rounds that are brief, by what the tasks took last, are not told of one by
one: their results leave together, in a trip that writes no value whose inputs it could not write. Values that this batch wrote are at
hand: a pipe never changes, so reading it back would only cost. While a cell is slow, the slot's monitor calls `tend`: what is finished is
written, the batch-mates are given back to other slots, and an entity goes on alone when a task of it has waited long enough or
does not depend on the slow one.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.status import ENDED, Cell
from engine.store.claims import MOST_ATTEMPTS, Claimed, Hold, Move, Moves, held_before, holds_of, pack_time, spans, taken_over
from worker.failure import reason
from worker.inputs import Found, at_hand
from worker.job import Job, Schedule
from worker.outbox import Outbox, Result, Sent, blocked
from worker.output import thread_log
from worker.shared import LANES, HeldBatch
from worker.solo import Solo
from worker.tenure import Tenure

if TYPE_CHECKING:
    from worker.slot import Slot

FLUSH = 0.25
"""Seconds after which finished results of a round that takes long are written without waiting for the rest."""
HOARD = 1.0
"""Seconds that a cell may run before its batch-mates are given back."""
UNTOLD = 0.02
"""Seconds that cells may run, together and by what they took last, before Redis is told that they have begun. Far less than
`engine.store.claims.FRESH`, so a claim stands meanwhile."""
HEAVY = 1 << 18
"""Bytes of values that are not kept back for the sake of one trip."""
HELD, GIVEN_BACK, ALONE = 0, 1, 2
KILLER = reason("WorkerDied", f"{MOST_ATTEMPTS} workers died or fell silent while they ran it")


@dataclass(slots=True)
class Start:
    """A cell that is to run now. `at`: the entity's place in the batch; `before`: what the board says of it; `began`: monotonic."""

    task: int
    at: int
    found: Found
    before: int = Cell.RUNNING
    began: float = 0.0


def epoch_of(job: Job, claimed: Claimed) -> float:
    """When the claim's wave was created, on this machine's monotonic clock."""
    return claimed.mono - (claimed.now - job.wave.created) / 1000


def held_of(job: Job, claimed: Claimed) -> HeldBatch:
    """What a claim gave, as the watcher is told."""
    holds = holds_of(claimed.ids, claimed.records)
    return HeldBatch(job.number, job.wave.id, job.wave.version, holds, epoch_of(job, claimed))


class Batch:
    """A claim under way in a slot."""

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
        self.solos: dict[int, Solo] = {}
        self._at = {number: at for at, number in enumerate(self.ids)}
        self._again = [held_before(record) for record in self.records]
        self._over = [taken_over(record) for record in self.records]
        self._held = held or held_of(job, claimed)
        self._whole = self._held.holds
        self._running: list[Start | None] = [None] * LANES
        self._done: deque[Result] = deque()
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

    # the main thread

    def run(self) -> None:
        """Every cell of every entity that stays with this batch, up to its end."""
        self._rounds(self._reuse())

    def _rounds(self, results: list[Result]) -> None:
        for one_round in self.schedule.rounds:
            starts = self._begin(one_round, results)
            results = []
            self._compute(starts)
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

    def _reuse(self) -> list[Result]:
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
        results = []
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

    def _begin(self, one_round: Sequence[int], results: list[Result]) -> list[Start]:
        """Decides for each cell of a round, and says so on the board, together with what is finished; or does not, while all is brief.
        Those that the claim has begun are on the board as they are."""
        starts: list[Start] = []
        expected = 0.0
        for task in one_round:
            cells = self.cells[task]
            wanted = self._wanted(task)
            if not wanted or self.job.cancelled:
                continue
            expected += len(wanted) * self.job.paces[task]
            for at, found in zip(wanted, self._inputs(task, wanted), strict=True):
                if found.missing:
                    results.append(self._block(task, at, found))
                else:
                    starts.append(Start(task, at, found, cells[at]))
        if self._is_brief(expected):
            self._done.extend(results)
            return starts
        with self._sending:
            results += self._take()
            moves = Moves(self.holds())
            now = time.monotonic()
            for task in one_round:
                untold = [s for s in starts if s.task == task and s.before == Cell.PENDING]
                for first, many, _ in spans([self.ids[s.at] for s in untold]):
                    moves.steps.append(
                        Move(task, Cell.PENDING, Cell.RUNNING, first, many, pack_time(now - self.epoch, 0.0) * many)
                    )
                self._tell(untold)
            if not results and not moves:
                return starts
            self._told = now
            sent = self._send(results, moves)
        if sent.failed:
            self._look_again(starts, sent.failed)
        return [
            s
            for s in starts
            if self.place[s.at] == HELD and self.cells[s.task][s.at] == Cell.RUNNING and s.at not in self._later
        ]

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
            return range(len(cells))  # as nearly always
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

    def _tell(self, starts: Sequence[Start]) -> None:
        """The board is about to say that they run."""
        for start in starts:
            start.before = self.cells[start.task][start.at] = Cell.RUNNING

    def _send(self, results: list[Result], moves: Moves | None = None) -> Sent:
        return self._post(results, moves)()

    def _post(
        self, results: list[Result], moves: Moves | None = None, commands: Sequence[tuple[Any, ...]] = ()
    ) -> Callable[[], Sent]:
        """One trip; or, if values rest on others of it and not all could be written, one a round: what rests on a value that was refused
        is made again, later. The function that is returned waits for what came of it."""
        self._unsent = 0
        levels = self.schedule.levels
        chained = len({levels[r.task] for r in results if r.value is not None and r.cell != Cell.REUSED}) > 1
        holds = moves.holds if moves else self.holds()
        sent = self.outbox.post(holds, results, moves, commands, chained=chained)

        def collect() -> Sent:
            came = sent()
            if came.apart:
                failed = self._send_apart(results)
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
            begun += [(r.task, self._at[r.number]) for r in self._done]
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
        for r in self._done:
            if (r.task, self._at[r.number]) in cells:
                r.before = Cell.PENDING
                self.cells[r.task][self._at[r.number]] = r.cell

    def _check(self, failed: Sequence[Result]) -> None:
        for r in failed:
            self.cells[r.task][self._at[r.number]] = r.cell
            self.values[r.task][self._at[r.number]] = None

    def _drop_cancelled(self) -> None:
        """On a cancelled wave, everything that did not run is cancelled."""
        if not self.job.cancelled:
            return
        for task, cells in enumerate(self.cells):
            for at, cell in enumerate(cells):
                if cell in (Cell.PENDING, Cell.RUNNING) and self.place[at] == HELD:
                    cells[at] = Cell.CANCELLED
                    self._done.append(Result(task, self.ids[at], self.entities[at], Cell.CANCELLED, before=cell))

    # running cells

    def _compute(self, starts: list[Start]) -> None:
        if not starts:
            return
        began = time.monotonic()
        flying: list[Future[None]] = []
        pool: ThreadPoolExecutor | None = None
        if self.job.waits and len(starts) > 1:
            for start in starts:
                if start.task in self.job.waits:
                    pool = pool or self.slot.pool()
                    flying.append(pool.submit(self._in_thread, start))
        for start in starts:
            if self.slot.draining or self.job.cancelled:
                break
            if not (flying and start.task in self.job.waits):
                self._cell(start, 0)
        for future in flying:
            future.result()
        self._look_for_stray_output(starts)
        pace = (time.monotonic() - began) / len(starts)
        for task in {s.task for s in starts}:
            before = self.job.paces[task]
            self.job.paces[task] = max(pace, before / 2) if before < UNTOLD else pace

    def _look_for_stray_output(self, starts: Sequence[Start]) -> None:
        """What brief cells printed past Python's streams is the last one's; from now on they are asked one by one."""
        if stray := self.slot.output.cut():
            self.job.loud.update(start.task for start in starts)
            with contextlib.suppress(IndexError):  # the monitor has just taken it
                self._done[-1].log += stray

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
        result.start = began - self.epoch
        result.again = self._again[at]
        with self._lock:
            self._running[lane] = None
            result.before = start.before
            self._unsent += len(result.value or b"")
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

    def _take(self) -> list[Result]:
        """What is finished and not written, but for what others hold by now, and what is made again."""
        taken = []
        while self._done:
            taken.append(self._done.popleft())
        if any(self.place):
            taken = [r for r in taken if self.place[self._at[r.number]] != GIVEN_BACK]
        if self._later:
            for r in taken:
                if self._at[r.number] in self._later:
                    self._drop(r)
            taken = [r for r in taken if self._at[r.number] not in self._later]
        return taken

    def _drop(self, result: Result) -> None:
        """It is made again, later."""
        at = self._at[result.number]
        self._later.add(at)
        self.cells[result.task][at], self.values[result.task][at] = result.before, None

    # the monitor's thread

    def tend(self) -> float:
        """Looks after a batch that takes long. Returns seconds until it should look again."""
        now = time.monotonic()
        running = [start for start in self._running if start]
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
            with self._lock:
                results = self._take()
                untold = [s for s in self._running if s and s.before == Cell.PENDING and self.place[s.at] == HELD]
                self._tell(untold)
            moves = Moves(self.holds())
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
