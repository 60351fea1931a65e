"""A slot's batches of one wave, one after the other, and what goes on meanwhile.

While a batch computes, Redis takes the results of the one before and gives the next but one, and bash evaluates the scripts of the
next. That is for tasks that are brief, by what they took last: where they are not, a slot holds one batch, for others may be idle.
"""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.keys import version_key
from engine.store.claims import Claimed, Closed, claim_command, read_claim, trip
from engine.store.exchange import on_one_server
from engine.store.wave import OVERDUE
from worker.batch import Batch
from worker.holding import UNTOLD, held_of
from worker.job import Job, Schedule
from worker.shared import HeldBatch
from worker.shell import ShellDiedError

if TYPE_CHECKING:
    from worker.slot import Slot

AHEAD = 0.015
"""Seconds that a batch may take, by what its tasks took last, if others are to be claimed before it has ended. A few of it are less than
`engine.store.claims.FRESH`, so what was claimed ahead can begin without asking."""
DEPTH = 3
"""How many batches a slot holds beyond the one that computes, at most: one that is evaluated, one that waits, one that ends."""


@dataclass(frozen=True, slots=True)
class _Ask:
    """A claim that was sent: how many entities, the tasks that it begins, and when (monotonic)."""

    many: int
    begun: tuple[int, ...]
    at: float


@dataclass(frozen=True, slots=True)
class _Taken:
    """A claim that gave something, and how the watcher is told of it."""

    claimed: Claimed
    held: HeldBatch


class Pipeline:
    """Serves a wave in a slot. `share` may be called from another thread."""

    def __init__(self, slot: "Slot", job: Job) -> None:
        self._slot, self._job = slot, job
        self._lock = threading.Lock()
        self._ahead: tuple[_Taken, ...] = ()
        self._upcoming: _Taken | None = None
        """The claim that is taken up next."""
        self._posted: _Taken | None = None
        """The claim whose scripts bash evaluates."""
        self._asks: deque[_Ask] = deque()
        self._leaving: Batch | None = None
        self._collect: Callable[[], tuple[int, list[Any]]] | None = None
        self._unfinished: list[Batch] = []
        self._open = True
        """Whether there may be more to claim, and no other wave goes before this one."""

    def serve(self) -> bool:
        """Until there is nothing left to claim, another wave goes first, or the slot drains. Whether there was anything."""
        with self._lock:
            [reply] = trip(self._slot.redis, [self._claim()])
            self._take_in(reply)
            taken = self._next()
        if taken is None:
            return False
        if taken.claimed.queued:
            self._slot.pass_on(self._job.wave)
        while taken is not None and not self._slot.draining:
            taken = self._serve(taken)
        with self._lock:
            self._end_last()
            self._give_back(self._ahead if taken is None else (taken, *self._ahead))
            self._upcoming = None
        self._finish()
        return True

    def held(self) -> list[HeldBatch]:
        """What is held beside the batch that computes."""
        upcoming = self._upcoming
        claims = self._ahead if upcoming is None else (upcoming, *self._ahead)
        batches = (self._leaving, *self._unfinished)
        return [c.held for c in claims] + [held for b in batches if b is not None and (held := b.held)]

    def share(self) -> None:
        """Gives back what is not begun: what computes takes long, and other slots may be idle."""
        with self._lock:
            self._end_last()
            self._give_back(self._ahead)

    def _serve(self, taken: _Taken) -> _Taken | None:
        """One batch. Returns what the next one is of."""
        slot, claimed = self._slot, taken.claimed
        began = time.monotonic()
        slot.board.mark(began, slot.served)
        batch = Batch(slot, self._job, claimed, self._schedule(taken), taken.held)
        slot.take_up(batch)
        self._upcoming = None
        try:
            batch.run()
            spent = time.monotonic() - began
            slots = claimed.workers * slot.settings.slots
            slot.sizing.note(len(claimed.ids), spent, claimed.queued, slots, wanted=claimed.wanted)
            with self._lock:
                self._end_last()
                commands = self._commands(claimed.queued)
                self._leaving, self._collect = batch, batch.end(commands)
                if not self._ahead or slot.draining:
                    self._end_last()
                upcoming = self._next()
        finally:
            slot.put_down()
        self._finish()
        slot.served += len(claimed.ids)
        slot.board.mark(0.0, slot.served)
        slot.output.trim()
        return upcoming

    def _finish(self) -> None:
        """The other pass of batches that need one. In the slot's main thread, since it runs tasks."""
        while self._unfinished:
            batch = self._unfinished[0]
            self._slot.take_up(batch)
            try:
                left = batch.once_more()
            finally:
                self._slot.put_down()
            self._unfinished.pop(0)
            if left == 0:
                self._slot.wave_ended(self._job)

    # claims

    def _commands(self, queued: int) -> list[tuple[Any, ...]]:
        """What goes with the end of a batch: which wave is first now, and claims."""
        many = DEPTH - len(self._ahead) if self._brief(AHEAD) and on_one_server(self._slot.writes) else 1 - len(self._ahead)
        many = min(many, 1 + queued // self._slot.sizing.size)
        if not self._open or self._slot.draining or many < 1:
            return []
        head = ("ZRANGE", version_key(self._job.wave.version, "queue"), 0, 0)
        return [head, *[self._claim() for _ in range(many)]]

    def _brief(self, most: float) -> bool:
        return sum(self._job.paces) * self._slot.sizing.size <= most

    def _claim(self) -> tuple[Any, ...]:
        # What is brief is told with its end: beginning it with the claim would be a step more for nothing.
        job, size = self._job, self._slot.sizing.size
        begun = () if self._brief(UNTOLD) and on_one_server(self._slot.writes) else job.first
        self._asks.append(_Ask(size, begun, time.monotonic()))
        lease = self._slot.settings.lease
        return claim_command(job.wave, size, self._slot.name, lease, begun, self._slot.redis_time(lease / 2))

    def _take_in(self, reply: Any) -> None:
        slot, wave, ask = self._slot, self._job.wave, self._asks.popleft()
        if isinstance(reply, Exception):
            raise reply
        claimed = read_claim(wave, reply, ask.begun, ask.at, ask.many)
        slot.say_full(isinstance(claimed, Closed) and claimed.reason == "full")
        if isinstance(claimed, Closed):
            self._open = False
            if claimed.reason == "overdue":
                slot.waves.cancel(wave, OVERDUE, "deadline")
            elif claimed.reason != "full" and not claimed.left:
                slot.wave_ended(self._job)
            return
        slot.clock = (claimed.now, claimed.mono)
        if claimed.ids:
            self._ahead = (*self._ahead, _Taken(claimed, held_of(self._job, claimed)))
        else:
            self._open = False

    def _next(self) -> _Taken | None:
        if not self._ahead:
            return None
        self._slot.publish_holds()  # at once: what dies from here on has given back what it held
        self._upcoming, self._ahead = self._ahead[0], self._ahead[1:]
        return self._upcoming

    def _end_last(self) -> None:
        """Waits for what came of the batch that ended last, and of the claims that went with it."""
        batch, collect = self._leaving, self._collect
        if batch is None or collect is None:
            return
        self._collect = None
        try:
            left, replies = collect()
        finally:
            self._leaving = None
        if batch.unfinished:
            self._unfinished.append(batch)
        if left == 0:
            self._slot.wave_ended(self._job)
            self._asks.clear()
            self._open = False
            return
        if not replies:
            self._asks.clear()
        else:
            head, *claims = replies
            for reply in claims:
                self._take_in(reply)
            if head and head[0] != self._job.wave.id.encode():  # another wave goes before this one by now
                self._open = False
                self._give_back(self._ahead[1:])

    def _give_back(self, claims: tuple[_Taken, ...]) -> None:
        self._ahead = self._ahead[: -len(claims) or None]
        for taken in claims:
            self._slot.give_back(self._job, taken.held.holds)
        if claims:
            self._slot.publish_holds()

    # scripts

    def _schedule(self, taken: _Taken) -> Schedule:
        """What the scripts of a claim say. Bash goes on with those of the claim after it."""
        slot, job, posted = self._slot, self._job, self._posted
        try:
            if posted is not taken:
                job.post(slot.shell, taken.claimed.entities)
            schedule = job.collect(slot.shell)
        except ShellDiedError:
            slot.new_shell()
            job.post(slot.shell, taken.claimed.entities)
            schedule = job.collect(slot.shell)
        with self._lock:
            self._posted = self._ahead[0] if self._ahead else None
        if self._posted is not None:
            try:
                job.post(slot.shell, self._posted.claimed.entities)
            except ShellDiedError:
                self._posted = None
                slot.new_shell()
        return schedule
