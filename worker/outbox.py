"""From results to Redis: pipes first, then the transitions that say that they are there, in one trip; on a cluster in two."""

import logging
import operator
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from engine import durations
from engine.errors import PipeConflict
from engine.keys import Date, PipeKey
from engine.payload import encode_json
from engine.plan import TaskPlan
from engine.status import WROTE, Cell
from engine.store.claims import (
    Hold,
    Move,
    Moved,
    Moves,
    Put,
    begin_trip,
    is_apart,
    is_unsure,
    move_command,
    pack_times,
    read_move,
    trip,
)
from engine.store.connect import AWAY, Client, find_anew
from engine.store.exchange import on_one_server
from engine.store.pipes import Pipes
from engine.store.room import is_full, sized, unless_full
from engine.store.states import States
from worker.failure import reason
from worker.inputs import Found
from worker.job import Job
from worker.results import Ended, Result, Stretch, spelled_out
from worker.tenure import Tenure

log = logging.getLogger("wavedeck.worker")
_in_order = operator.attrgetter("task", "number")
_RAN = frozenset(map(int, WROTE - {Cell.REUSED}))
"""Cells that ran, whatever the board had said of them before."""


@dataclass(slots=True)
class Sent:
    """What a trip brought back: the transitions, results whose value was refused and which are others now, the replies of the
    other commands."""

    moved: Moved | None
    failed: list[Result] = field(default_factory=list)
    replies: list[Any] = field(default_factory=list)
    apart: bool = False
    """Whether nothing was moved: the results are to be sent again, round by round."""


class Outbox:
    """Writes for one wave. Waits while Redis is away: nothing that was computed is lost, and whoever lost the lease meanwhile
    is refused when it is back. `redis`: a client that sends nothing twice by itself; what is sent again here was asked about again."""

    def __init__(self, redis: Client, job: Job, worker: str, give_up: Callable[[], bool], tenure: Tenure) -> None:
        self.redis, self.job, self.tenure = redis, job, tenure
        self._worker = worker
        self._give_up = give_up

    @property
    def chains(self) -> bool:
        """Whether results may be sent together with those that they were made of."""
        return on_one_server(self.redis)

    def ask(self, holds: Sequence[Hold]) -> None:
        """Asks whether the claim stands."""
        self.patiently(lambda: self.tenure.ask(holds))

    def get(self, keys: list[str]) -> list[bytes | None]:
        """Values of pipes."""
        values: list[bytes | None] = self.patiently(lambda: Pipes(self.redis).get_many(keys))
        return values

    def send(self, holds: Sequence[Hold], results: Sequence[Ended], moves: Moves | None = None) -> Sent:
        """As `post` of these alone, and waits for what came of it."""
        return self.post(holds, results, moves)()

    def post(
        self,
        holds: Sequence[Hold],
        results: Sequence[Ended],
        moves: Moves | None = None,
        commands: Sequence[tuple[Any, ...]] = (),
        *,
        chained: bool = False,
    ) -> Callable[[], Sent]:
        """Writes results' pipes, then all transitions, then runs `commands`. Values of entities that are lost are dropped. `chained`:
        some results were made of others of them, so none may be written whose inputs cannot be. The function that is returned waits
        for what came of it."""
        return _Sending(self, holds, results, moves or Moves(list(holds)), commands, chained=chained).collect

    def move(self, moves: Moves) -> Any:
        """Makes transitions alone; gives the reply."""
        [reply] = self.patiently(lambda: trip(self.redis, [move_command(self.job.wave, moves)]))
        return reply

    def same(self, result: Result, reply: Any) -> bool:
        """Whether a pipe that was not written holds the value all the same. If not, the result becomes a failure; or, where an
        earlier holder of this very cell wrote it, who was taken for dead and was not, what that one left."""
        key = PipeKey(self.job.wave.version, self.job.plan.names[result.task], result.entity, self.job.wave.date)
        if isinstance(reply, Exception) and is_full(reply):
            size = sized(len(result.value or b""))
            error = reason("RedisFull", f"its value of {size} could not be written: Redis uses all of its maxmemory")
        elif isinstance(reply, Exception):
            error = reason(type(reply).__name__, f"its value could not be written: {reply}")
        else:
            writer = f"wave {self.job.wave.id} ({self._worker})"
            try:
                self.patiently(lambda: Pipes(self.redis).check_same(key, result.value or b"", writer))
            except PipeConflict as e:
                error = reason("PipeConflict", str(e))
                if result.again and not self.patiently(lambda: Pipes(self.redis).writer(key, beside=writer)):
                    log.warning(
                        "%s was written by an earlier holder that is not dead; what it wrote is kept",
                        key,
                        extra={"wave": self.job.wave.id, "entity": result.entity, "task": self.job.plan.names[result.task]},
                    )
                    result.cell, result.value = Cell.REUSED, None
                    return False
            else:
                return True
        result.cell, result.value = Cell.FAILED, None
        result.note = {**(result.note or {}), "error": error, "worker": self._worker}
        return False

    def patiently(self, call: Callable[[], Any]) -> Any:
        """`call`, again and again while Redis is away."""
        wait, since = 0.05, time.monotonic()
        while True:
            try:
                return call()
            except AWAY as e:
                if self._give_up():
                    raise
                find_anew(self.redis, e)
                if wait == 0.05:
                    log.warning("redis is away: %s", e)
                time.sleep(wait)
                wait = min(wait * 2, 1.0)
                if wait == 1.0:
                    log.debug("redis is away since %.0f s", time.monotonic() - since)


class _Sending:
    """One call of an outbox' `post`."""

    def __init__(
        self,
        outbox: Outbox,
        holds: Sequence[Hold],
        results: Sequence[Ended],
        moves: Moves,
        commands: Sequence[Any],
        *,
        chained: bool,
    ) -> None:
        alone = [] if chained else spelled_out(results)
        ended = results if chained else alone
        self._outbox, self._holds, self._ended, self._commands = outbox, holds, ended, commands
        job, tenure = outbox.job, outbox.tenure
        self._base, self._told = moves, with_results(moves, ended)
        self._puts = [r for r in alone if r.value is not None and r.cell != Cell.REUSED]
        puts = _puts(job, ended) if chained else []
        self._fenced = bool(puts or self._puts)
        self._move: list[tuple[Any, ...]] = []
        if self._told:
            self._move = [move_command(job.wave, self._told, unsure=bool(self._puts), puts=puts)]
        self._seen = job.seen.take()
        self._asked = 0.0
        self._under_way = self._begin() if tenure.sure or not self._fenced else None

    def _begin(self) -> Callable[[], list[Any]]:
        job = self._outbox.job
        self._puts = [r for r in self._puts if r.number not in self._outbox.tenure.lost]
        self._asked = time.monotonic()
        pipes = [("SET", job.key(r.task, r.entity), r.value, "NX", "EXAT", job.wave.expire) for r in self._puts]
        return begin_trip(self._outbox.redis, pipes, [*self._move, *self._commands])

    def _attempt(self) -> list[Any]:
        under_way, self._under_way = self._under_way, None
        if under_way is None:
            if self._fenced:  # Redis was away, or we stood still: it may have come back as another
                self._outbox.tenure.ask(self._holds)
            under_way = self._begin()
        return under_way()

    def collect(self) -> Sent:
        """Waits for the replies, as long as that takes, and sees to what could not be written."""
        outbox = self._outbox
        replies = outbox.patiently(self._attempt)
        puts = self._puts
        if self._seen:
            wave = outbox.job.wave
            with unless_full():  # then the values of the tasks that saw them were refused as well
                outbox.patiently(lambda: States(outbox.redis).seen(wave.state, self._seen, wave.date.start.timestamp()))
        said = {id(r): r.cell for r in puts}
        failed = [r for r, reply in zip(puts, replies, strict=False) if reply is not True and not outbox.same(r, reply)]
        rest = replies[len(puts) + len(self._move) :]
        answer = replies[len(puts)] if self._move else None
        if is_apart(answer):
            return Sent(None, replies=rest, apart=True)
        if is_unsure(answer):  # now it is known which values are there
            answer = outbox.move(with_results(self._base, self._ended))
        elif failed:
            steps = [Move(r.task, said[id(r)], r.cell, r.number, 1) for r in failed]
            outbox.move(Moves(list(self._holds), steps, [(r.task, r.number, encode_json(r.note)) for r in failed if r.note]))
        return Sent(self._moved(answer), failed, rest)

    def _moved(self, answer: Any) -> Moved | None:
        if answer is None:
            return None
        if isinstance(answer, RedisError):
            if "GONE" not in str(answer):
                raise answer
            return Moved("gone", 0, [])
        moved = read_move(answer)
        if not moved.refused and not moved.cancelled and any(s.after == Cell.RUNNING for s in self._told.steps):
            self._outbox.tenure.heard(self._asked)
        return moved


def _puts(job: Job, ended: Sequence[Ended]) -> list[Put]:
    """The pipes that these cells write, in their order."""
    puts: list[Put] = []
    for e in ended:
        if isinstance(e, Stretch):
            puts.append((e.first, job.keys(e.task, e.entities), e.values))
        elif e.value is not None and e.cell != Cell.REUSED:
            puts.append((e.number, [job.key(e.task, e.entity)], [e.value]))
    return puts


def with_results(base: Moves, ended: Sequence[Ended]) -> Moves:
    """`base`, and what became of these cells."""
    moves = Moves(base.holds, [*base.steps], [*base.notes], [*base.logs], base.ends)
    alone: list[Result] = []
    for e in ended:
        if isinstance(e, Stretch):
            moves.steps.append(Move(e.task, e.before, Cell.FINISHED, e.first, len(e.values), pack_times(e.cells)))
            continue
        alone.append(e)
        if e.note:
            moves.notes.append((e.task, e.number, encode_json(e.note)))
        if e.log:
            moves.logs.append((e.task, e.number, e.log))
    steps = _steps(alone)
    if len(steps) > 2 * len({s.task for s in steps}):  # they came in no order, as from threads
        steps = _steps(sorted(alone, key=_in_order))
    moves.steps += steps
    return moves


def _steps(results: Sequence[Result]) -> list[Move]:
    """Their transitions; neighbours that follow each other are one."""
    steps: list[Move] = []
    times: list[tuple[float, float]] = []
    task = before = cell = first = many = -1
    for r in results:
        if r.number == first + many and r.task == task and r.cell == cell and r.before == before:
            many += 1
        else:
            if many > 0:
                steps.append(Move(task, before, cell, first, many, pack_times(times)))
            task, before, cell, first, many = r.task, r.before, r.cell, r.number, 1
            times = []
        if int(cell) in _RAN or before == Cell.RUNNING:
            times.append((r.start, r.seconds))
    if many > 0:
        steps.append(Move(task, before, cell, first, many, pack_times(times)))
    return steps


def blocked(job: Job, task: int, number: int, entity: str, found: Found) -> Result:
    """The end of a cell that a required input never came for."""
    error = reason("Blocked", why_blocked(job.plan.tasks[task], found.missing, job.wave.date))
    note = {"error": error, "inputs": found.notes}
    return Result(task, number, entity, Cell.BLOCKED, note=note, before=Cell.PENDING)


def why_blocked(task: TaskPlan, nowhere: Collection[str], date: Date) -> str:
    """Which required inputs were nowhere, and how far back they were looked for."""
    missing = [i for i in task.edges if i.name in nowhere]
    return "; ".join(
        f"no {i.name} at {date}" + (f", nor in the {durations.text(i.lookback)} before" if i.lookback else "") for i in missing
    )
