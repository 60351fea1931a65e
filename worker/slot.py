"""A slot: a process that serves itself. It claims a batch, evaluates the scripts in its warm bash, and takes it to its end."""

import contextlib
import functools
import gc
import itertools
import logging
import os
import queue
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from engine.errors import WavedeckError
from engine.flow import Flow
from engine.keys import version_key
from engine.plan import Plan
from engine.status import Cell
from engine.store.claims import Hold, release
from engine.store.connect import AWAY, BLOCK, connect, find_anew
from engine.store.exchange import ask
from engine.store.wave import Wave
from engine.store.waves import Waves, compiled_commands, read_compiled, ring
from worker.batch import Batch
from worker.failure import describe
from worker.inputs import Found
from worker.job import Job
from worker.journal import Journal
from worker.output import BRIEF, KEPT, Output
from worker.pipeline import Pipeline
from worker.results import Result
from worker.shared import LANES, Board, HeldBatch
from worker.shell import Shell
from worker.sizing import MOST, Sizing
from worker.solo import Solo

log = logging.getLogger("wavedeck.worker")
THREADS = 32
COLLECT = (20_000, 20, 100)
"""How seldom a slot looks for cycles among its objects: at Python's own thresholds that is a tenth of what it does."""


@dataclass(frozen=True)
class Settings:
    """How a worker runs. `lease` in seconds; `until_idle`: end when there is nothing left to do; `batch`: how many entities a slot
    claims at once, at most."""

    url: str
    version: str
    name: str
    slots: int
    lease: float
    until_idle: bool = False
    batch: int = MOST

    @property
    def renewal(self) -> float:
        """Seconds between renewals of leases."""
        return min(1.0, self.lease / 3)


class _DrainedError(Exception):
    """The slot was told to drain while it slept."""


@functools.lru_cache(maxsize=32)
def _plan(stored: bytes) -> Plan:
    """A plan as it is stored with each wave: a flow's next wave has the same."""
    return Plan.from_json(stored)


class Slot:
    """The slot's process, after the fork."""

    def __init__(
        self, settings: Settings, flows: Mapping[str, Flow], board: Board, output: Output, journal: Journal | None = None
    ) -> None:
        self.settings, self.flows, self.board, self.output, self.journal = settings, flows, board, output, journal
        self.name = settings.name
        self.draining = False
        self.redis = connect(settings.url)
        self.writes = connect(settings.url, retries=0)
        """For outboxes: a value that was not taken is not sent again before it is known that it still may be."""
        self.waves = Waves(self.redis)
        self.shell = Shell()
        self.sizing = Sizing(most=settings.batch)
        self.lanes: queue.LifoQueue[int] = queue.LifoQueue()
        for lane in range(LANES - 1, 0, -1):
            self.lanes.put(lane)
        self._groups = [functools.partial(board.group, lane) for lane in range(LANES)]
        self._jobs: dict[str, Job] = {}
        self._paces: dict[tuple[str, tuple[str, ...]], list[float]] = {}
        self._numbers = itertools.count(1)
        self._not_ours: set[str] = set()
        self._pool: ThreadPoolExecutor | None = None
        self._batch: Batch | None = None
        self._pipeline: Pipeline | None = None
        self._solos: list[Solo] = []
        self._lock = threading.Lock()
        self._busy = threading.Event()
        self.clock = (0, 0.0)
        """Redis' clock, Unix ms, and this process's (monotonic) at that moment."""
        self.served = 0
        """Entities that it has ended."""
        self._idling = False
        self._woken = ""
        """The token of the bell that woke it: the id of a wave, or any word."""
        self._full = False

    # what a batch needs of its slot

    def give_up(self) -> bool:
        """Whether to stop waiting for a Redis that is away."""
        return self.draining

    def pool(self) -> ThreadPoolExecutor:
        """Threads for tasks that wait."""
        self._pool = self._pool or ThreadPoolExecutor(THREADS, thread_name_prefix="task")
        return self._pool

    def run_cell(
        self,
        job: Job,
        task: int,
        number: int,
        entity: str,
        found: Found,
        lane: int,
        began: float,
        limit: float,
        printed: bytearray | None,
    ) -> Result:
        """Runs one cell and says what became of it. `limit` is the watcher's to enforce, by ending this process.

        Parameters:
            lane: 0 for the main thread, whose log is cut out of the slot's output; others bring their own buffer in `printed`.
            began: now (monotonic).
        """
        runner = job.tasks[task]
        self.board.enter(lane, job.number, task, number, began, limit + runner.grace, self.output.end)
        try:
            value = runner.run(entity, found.values, self._groups[lane])
        except BaseException as e:  # whatever user code raises is that cell's failure
            result = self.failed(task, number, entity, e, found.notes, began, main=printed is None)
        else:
            seconds = time.monotonic() - began
            cell = Cell.FALLBACK if found.fallback else Cell.FINISHED
            ran_with = {"inputs": found.notes} if found.notes else None
            result = Result(task, number, entity, cell, value, ran_with, b"", 0.0, seconds)
        finally:
            self.board.leave(lane)
        if printed is None:
            result.log = self.output.cut(brief=result.seconds < BRIEF and task not in job.loud)
        else:
            result.log = bytes(printed[-KEPT:])
        self.note_down(job, result)
        return result

    def failed(
        self, task: int, number: int, entity: str, error: BaseException, notes: Sequence[Any], began: float, *, main: bool
    ) -> Result:
        """A cell that raised. `notes`: of its inputs; `main`: whether it ran in the main thread, whose streams it may have closed."""
        seconds = time.monotonic() - began
        if main:
            self.output.mend()
        note = {"error": describe(error), "inputs": notes, "worker": self.name}
        return Result(task, number, entity, Cell.FAILED, note=note, seconds=seconds)

    def note_down(self, job: Job, result: Result) -> None:
        """What a cell printed, and why it failed, for the worker's own log."""
        if self.journal is not None and (result.log or result.cell == Cell.FAILED):
            error = result.note["error"] if result.note and result.cell == Cell.FAILED else None
            self.journal.cell(job.wave.id, job.plan.names[result.task], result.entity, result.log, error)

    def give_back(self, job: Job, holds: Sequence[Hold]) -> None:
        """Entities that others may serve."""
        try:
            if release(self.redis, job.wave, holds):
                ring(self.redis, job.wave.version, len(holds))
        except RedisError as e:
            log.warning("could not give entities back, their leases will run out: %s", e)

    def add_solo(self, solo: Solo) -> None:
        """An entity goes on beside the batches."""
        with self._lock:
            self._solos.append(solo)

    def drop_solo(self, solo: Solo) -> None:
        """It has ended."""
        with self._lock:
            self._solos.remove(solo)
        self.publish_holds()

    def wave_ended(self, job: Job) -> None:
        """Nothing of a wave is left to serve."""
        self.waves.dequeue(job.wave.version, job.wave.id)

    def redis_time(self, ahead: float) -> int:
        """Redis' clock in `ahead` seconds, Unix ms, by what it said last; 0 when it has said nothing."""
        now, mono = self.clock
        return now and now + int((time.monotonic() - mono + ahead) * 1000)

    def take_up(self, batch: Batch) -> None:
        """It computes from now on."""
        self._batch = batch
        self._busy.set()

    def put_down(self) -> None:
        """Nothing computes."""
        self._batch = None

    def share_ahead(self) -> None:
        """What is claimed and not begun goes to other slots."""
        if self._pipeline is not None:
            self._pipeline.share()

    def new_shell(self) -> None:
        """Another bash, since the one that was has died."""
        self.shell.close()
        self.shell = Shell()

    def publish_holds(self) -> None:
        """Tells the watcher what is held now."""
        with self._lock:
            # What comes first becomes the batch: in this order it is seen as the one or the other.
            batches = self._pipeline.held() if self._pipeline is not None else []
            batch = self._batch
            if batch is not None and (held := batch.held):
                batches.append(held)
            batches += [
                HeldBatch(s.job.number, s.job.wave.id, s.job.wave.version, [(s.number, 1, s.record)], s.epoch)
                for s in self._solos
            ]
            self.board.hold(batches)

    # serving

    def serve(self, told: Sequence[int] = ()) -> None:
        """Until it is told to drain, or, with `until_idle`, until there is nothing left. `told`: it was told so already."""
        signal.signal(signal.SIGTERM, self._drain)
        self.draining = self.draining or bool(told)
        gc.set_threshold(*COLLECT)
        threading.Thread(target=self._monitor, name="monitor", daemon=True).start()
        while not self.draining:
            try:
                if not self._round() and self._idle():
                    break
            except _DrainedError:
                break
            except AWAY as e:
                log.warning("redis is away: %s", e)
                find_anew(self.redis, e)
                self._wait_for_redis()
        for solo in list(self._solos):
            solo.join()
        self.shell.close()

    def _wait_for_redis(self) -> None:
        """Until Redis answers again, and then for as long as its holders may need."""
        while not self.draining:
            time.sleep(0.2)
            with contextlib.suppress(*AWAY):
                self.redis.exists(version_key(self.settings.version, "queue"))
                break
        self._wait_for_holders()

    def _wait_for_holders(self) -> None:
        """For as long as holders may need to renew leases that ran out while Redis was away: what they computed would be lost to whoever
        claims first."""
        until = time.monotonic() + 2 * self.settings.renewal
        while not self.draining and time.monotonic() < until:
            time.sleep(0.05)

    def _drain(self, *_: object) -> None:
        self.draining = True
        if self._idling:
            raise _DrainedError

    def _round(self) -> bool:
        """Serves the most urgent wave that has something to claim. Whether there was one."""
        asked = time.monotonic()
        version, told = self.settings.version, self._woken
        if told in self._jobs:
            told = ""
        # The wave of which the bell has told is read in the same trip: on an idle system there is no other.
        commands = [("ZRANGE", version_key(version, "queue"), 0, 31), *(compiled_commands(told, version) if told else ())]
        queued, *found = ask(self.redis, commands)
        if time.monotonic() - asked > self.settings.renewal:  # it hung, though nothing broke
            self._wait_for_holders()
            return True
        self._forget(queued)
        for name in queued:
            job = self._job(name.decode(), found if name.decode() == told else ())
            if job is None or self.draining:
                continue
            self.sizing.restart(job.wave.flow)
            self._pipeline = pipeline = Pipeline(self, job)
            try:
                if pipeline.serve():
                    return True
            finally:
                self._pipeline = None
                self.publish_holds()
        return False

    def pass_on(self, wave: Wave) -> None:
        """Who was woken and has left something to claim wakes another: a wave comes with tokens for some slots only."""
        if self._woken:
            self._woken = ""
            with contextlib.suppress(*AWAY):
                ring(self.redis, wave.version, 1)

    def say_full(self, full: bool) -> None:
        """Logs it when Redis has become full, and when there is room again."""
        if full != self._full:
            log.warning(
                "redis is full (maxmemory): nothing is taken up until there is room" if full else "there is room in redis again"
            )
        self._full = full

    def _job(self, name: str, replies: Sequence[Any]) -> Job | None:
        if name in self._jobs:
            return self._jobs[name]
        version = self.settings.version
        found = read_compiled(name, replies) if replies else self.waves.compiled(name, version)
        if found is None:
            self.waves.dequeue(version, name)
            return None
        wave, plan, body = found
        if wave.flow not in self.flows:
            if name not in self._not_ours:
                log.warning(
                    "wave %s is left to others: this worker has not the flow %r (WAVEDECK_FLOWS)",
                    name,
                    wave.flow,
                    extra={"wave": name},
                )
            self._not_ours.add(name)
            return None
        try:
            read = _plan(plan)
            paces = self._paces.setdefault((read.flow, read.names), [float("inf")] * len(read.names))
            job = Job(wave, read, body.decode(), self.flows, next(self._numbers), paces)
        except WavedeckError as e:
            log.error("wave %s cannot be served: %s", name, e, extra={"wave": name})  # noqa: TRY400
            return None
        self._jobs[name] = job
        return job

    def _forget(self, queued: Sequence[bytes]) -> None:
        served = {name.decode() for name in queued}
        busy = {solo.job.wave.id for solo in self._solos}
        for name in [n for n in self._jobs if n not in served and n not in busy]:
            del self._jobs[name]
        self._not_ours &= served

    def _idle(self) -> bool:
        """Sleeps until the bell rings or a lease may have run out. Whether the slot is to end."""
        key = version_key(self.settings.version, "queue")
        ours = self.redis.zcard(key) - len(self._not_ours)
        if self.settings.until_idle and not self._solos and ours <= 0:
            return True
        wait = 1.0 if ours > 0 else BLOCK
        self._idling = True
        try:
            if not self.draining:
                [rung] = ask(self.redis, [("BLPOP", version_key(self.settings.version, "bell"), wait)])
                self._woken = rung[1].decode() if rung else ""
        finally:
            self._idling = False
        return False

    # the monitor

    def _monitor(self) -> None:
        while True:
            batch = self._batch
            if batch is None:
                self._busy.clear()
                if self._batch is None:
                    self._busy.wait()
                continue
            try:
                self.output.bound()
                pause = batch.tend()
            except Exception:
                log.exception("slot %d: its monitor", os.getpid())
                pause = 1.0
            time.sleep(pause)
