"""The watcher: a worker's main process. It does no work itself, so nothing that a task does can starve it.

It forks the slots, renews their leases, kills a slot whose task is over its limit, whose wave was cancelled or whose entity others
hold by now, fails the cell that a slot died over, gives the rest of what it held back, starts a fresh one, and says that the worker is alive.
"""

import contextlib
import faulthandler
import functools
import gc
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from engine.flow import Flow
from engine.keys import PipeKey
from engine.payload import encode_json
from engine.status import Cell
from engine.store.catalog import Catalog
from engine.store.claims import Move, Moves, move_command, pack_time, release, renew, trip
from engine.store.connect import RedisAwayError, connect, find_anew
from engine.store.room import unless_full
from engine.store.wave import OVERDUE, Wave
from engine.store.waves import Waves, ring
from engine.store.workers import SlotState, Worker, Workers
from worker.code import code
from worker.failure import reason
from worker.guardian import Guardian
from worker.health import Pulse
from worker.identity import identity
from worker.journal import Journal, move
from worker.letting_go import LettingGo
from worker.memory import Pressure
from worker.output import Output
from worker.processes import adopt, die_with, kill_group, resident
from worker.protection import Protection
from worker.scribe import Scribe
from worker.shared import Board, HeldBatch, RunningCell
from worker.slot import Settings, Slot
from worker.task import ending

log = logging.getLogger("wavedeck.worker")
TICK = 0.05
BEAT = 2.0
COMMANDS_GRACE = 0.5
"""Seconds between SIGTERM and SIGKILL for the commands of a slot that is killed."""
NOBODY = (-1, 0.0)
"""A lane that is none: the slot was killed over no cell of its own."""


@dataclass(slots=True)
class Child:
    """A slot's process, as the watcher sees it."""

    pid: int
    board: Board
    output: Output
    born: float
    killed: dict[tuple[int, float], str] = field(default_factory=dict)
    """Why we killed it, by lane and since when that had run its cell; empty when it ended by itself."""
    end_at: float = 0.0
    """When it is killed, while its commands have heard that they are to end."""


@dataclass(slots=True)
class Burial:
    """What is left to do in Redis for a slot that is gone."""

    held: list[HeldBatch]
    guilty: list[tuple[RunningCell, dict[str, str], bytes]]
    at: float


class Watcher:
    """A worker. `run` returns its exit status."""

    def __init__(
        self,
        settings: Settings,
        flows: Mapping[str, Flow],
        *,
        stop_timeout: float = 110.0,
        journal: Journal | None = None,
        pulse: Pulse | None = None,
    ) -> None:
        self.settings, self.flows, self.stop_timeout = settings, flows, stop_timeout
        self._journal, self._pulse = journal, pulse or Pulse("")
        self.redis = connect(settings.url, timeout=5, retries=1)
        self.waves = Waves(self.redis)
        self._children: dict[int, Child] = {}
        self._boards = [Board() for _ in range(settings.slots)]
        self._guardian: Guardian | None = None
        self._burials: list[Burial] = []
        self._stop_at = 0.0
        self._signals = 0
        self._started = time.time()
        self._served = 0
        self._known: dict[tuple[str, str], Wave] = {}
        self._away = False
        self._published = False
        self._identity = identity()
        self._pressure = Pressure(self._identity.limit)
        self._letting_go = LettingGo(self.redis, settings.version)
        self._code = code()
        self._scribe = Scribe(self.redis, settings.url, settings.version, settings.name, self._leave)

    def run(self) -> int:
        """Serves until SIGTERM or, with `until_idle`, until there is nothing left. 0 when all went as it should."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)
        adopt()
        self._try(self._publish)
        for flow in self.flows.values():
            for warm in flow.warmers:
                warm()
        gc.collect()
        gc.freeze()  # what is loaded now is there for good: slots neither look through it again nor copy its pages for that
        self._guardian = Guardian(self._boards)
        for _ in range(0 if self._signals else self.settings.slots):
            self._spawn()
        log.info("worker %s serves %s with %d slots", self.settings.name, self.settings.version, self.settings.slots)
        beats = {self._beat: BEAT, self._renew: self.settings.renewal}
        due = dict.fromkeys(beats, 0.0)
        longest = max((task.limit for flow in self.flows.values() for task in flow.plan.tasks), default=0.0)
        protection = Protection(os.environ, longest=longest + self.stop_timeout)
        while self._children or self._burials:
            now = time.monotonic()
            self._reap(now)
            self._scribe.reap()
            self._limits(now)
            self._stopping(now)
            self._execute(now)
            busy = any(child.board.holds for child in self._children.values())
            protection.tend(busy, now)
            self._try(functools.partial(self._letting_go.tend, busy or bool(self._stop_at), now))
            for act, every in beats.items():
                if now >= due[act]:
                    due[act] = now + every
                    self._pulse.beat()
                    self._try(act, tells=act == self._beat)
            while self._burials and self._try(self._bury):
                pass
            if self._burials and self._stop_at and now > self._stop_at + 5:
                break
            time.sleep(TICK)
        self._try(self._scribe.finish)
        self._try(lambda: Workers(self.redis).leave(self._worker()))
        self._guardian.close()
        return 0

    def _on_signal(self, *_: Any) -> None:
        self._signals += 1

    def _try(self, act: Callable[[], None], *, tells: bool = False) -> bool:
        """`act`, unless Redis is away; then it is said once, and the caller comes again. `tells`: it asks Redis in any case, so that
        it is back when it goes well."""
        try:
            act()
        except RedisError as e:
            if not self._away:
                log.warning("redis is away: %s", e)
            find_anew(self.redis, e)
            self._away = True
            return False
        if self._away and tells:
            log.info("redis is back")
            self._away, self._published = False, False  # it may have come back empty
        return True

    # slots

    def _spawn(self) -> None:
        board, output = self._free_board(), Output()
        parent = os.getpid()
        sys.stdout.flush()
        sys.stderr.flush()
        masked = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                told = _listen(masked)
                die_with(parent)
                self._leave()
                status = _serve(self.settings, self.flows, board, output, told, self._journal)
            finally:
                os._exit(status)
        signal.pthread_sigmask(signal.SIG_SETMASK, masked)
        self._children[pid] = Child(pid, board, output, time.monotonic())

    def _leave(self) -> None:
        """What a forked process does first."""
        if self._guardian is not None:
            self._guardian.leave()

    def _free_board(self) -> Board:
        used = [child.board for child in self._children.values()]
        board = next(board for board in self._boards if board not in used)
        board.clear()
        return board

    def _reap(self, now: float) -> None:
        for pid in list(self._children):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                continue
            child = self._children.pop(pid)
            code = os.waitstatus_to_exitcode(status)
            for group in child.board.groups():
                kill_group(group)
            self._served += child.board.served
            died = self._mourn(child, code, now)
            expected = code == 0 and not died and self.settings.until_idle
            if not self._stop_at and not expected:
                if now - child.born < 1.0 and not child.board.running():
                    time.sleep(0.5)
                self._spawn()
        self._reap_orphans()

    def _reap_orphans(self) -> None:
        """What a task's processes have left behind is our child (`adopt`), and stays a zombie until somebody asks for it."""
        ours = {*self._children, self._scribe.pid, self._letting_go.pid, self._guardian.pid if self._guardian else 0}
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if ended.si_pid in ours:
                    break  # whoever started it asks for it
                os.waitpid(ended.si_pid, 0)

    def _mourn(self, child: Child, code: int, now: float) -> bool:
        """Notes what a slot that is gone has left. Whether it left anything."""
        running, held = child.board.running(), child.board.held()
        if not held:
            return False
        guilty = []
        if child.killed:
            for cell in running:
                if why := child.killed.get((cell.lane, cell.since)):
                    guilty.append((cell, reason(*why.split(": ", 1)), child.output.read(cell.log)))
        elif running:
            cell = min(running, key=lambda c: (c.lane != 0, -c.since))
            tail = child.output.read(cell.log)
            sure, why = self._pressure.why_killed() if code == -signal.SIGKILL else (False, "")
            ended = f"was killed by SIGKILL ({why})" if why else ending(code)
            kind = "OutOfMemory" if sure else "Crashed"
            guilty.append((cell, reason(kind, f"its process {ended}", trace=tail.decode("utf-8", "replace")), tail))
        log.warning("slot %d %s; %d cells failed by it", child.pid, ending(code), len(guilty), extra={"wave": held[0].wave})
        self._burials.append(Burial(held, guilty, now))
        return True

    def _bury(self) -> None:
        """Fails what the first of the dead died over, and gives the rest of what it held back."""
        burial = self._burials[0]
        for held in burial.held:
            wave = self._wave(held)
            if wave is None:
                continue
            for cell, error, printed in burial.guilty:
                if cell.job == held.job and any(first <= cell.entity < first + many for first, many, _ in held.holds):
                    self._fail(wave, held, cell, error, printed, burial.at)
            if release(self.redis, wave, held.holds):
                ring(self.redis, wave.version, 64)
        self._burials.pop(0)

    def _fail(self, wave: Wave, held: HeldBatch, cell: RunningCell, error: dict[str, str], printed: bytes, at: float) -> None:
        time_ = pack_time(cell.since - held.epoch, at - cell.since)
        told = Move(cell.task, Cell.PENDING, Cell.RUNNING, cell.entity, 1)  # the start of a cell that was thought brief
        if self._written(wave, cell):  # by an earlier holder that was taken for dead
            moves = Moves(held.holds, [told, Move(cell.task, Cell.RUNNING, Cell.REUSED, cell.entity, 1)])
        else:
            moves = Moves(
                held.holds,
                [told, Move(cell.task, Cell.RUNNING, Cell.FAILED, cell.entity, 1, time_)],
                notes=[(cell.task, cell.entity, encode_json({"error": error, "worker": self.settings.name}))],
                logs=[(cell.task, cell.entity, printed)] if printed else [],
            )
        [reply] = trip(self.redis, [move_command(wave, moves)])
        if isinstance(reply, RedisError) and "GONE" not in str(reply):
            raise reply
        if self._journal and moves.notes:
            for entity, _ in self.waves.members(wave, cell.entity, cell.entity):
                self._journal.cell(wave.id, wave.tasks[cell.task], entity, printed, error)

    def _written(self, wave: Wave, cell: RunningCell) -> bool:
        """Whether the cell's pipe is there all the same."""
        members = self.waves.members(wave, cell.entity, cell.entity)
        keys = [PipeKey(wave.version, wave.tasks[cell.task], entity, wave.date) for entity, _ in members]
        return any(self.redis.exists(str(key)) for key in keys)

    def _wave(self, held: HeldBatch) -> Wave | None:
        key = (held.version, held.wave)
        if key not in self._known:
            wave = self.waves.find(held.wave, held.version)
            if wave is None:
                return None
            self._known = {**dict(list(self._known.items())[-50:]), key: wave}
        return self._known[key]

    # what it watches

    def _limits(self, now: float) -> None:
        for child in self._children.values():
            over = [c for c in child.board.running() if now - c.since > c.limit]
            if over and not child.killed:
                child.killed = {
                    (c.lane, c.since): f"LimitExceeded: killed: it ran over its limit of {c.limit:g} s" for c in over
                }
                self._kill(child)

    def _renew(self) -> None:
        for child in self._children.values():
            for held in child.board.held():
                wave = self._wave(held)
                if wave is None:
                    continue
                told = renew(self.redis, wave, held.holds, self.settings.lease)
                running = [c for c in child.board.running() if c.job == held.job]
                lost = [c for c in running if c.entity in told.lost]
                if lost:
                    told_of = {"wave": wave.id}
                    log.warning(
                        "slot %d runs %d cells that others hold by now: it is ended", child.pid, len(lost), extra=told_of
                    )
                ended = told.cancelled not in ("", OVERDUE)  # what runs of an overdue wave may end
                if (lost or (ended and running)) and not child.killed:
                    child.killed = {NOBODY: "LeaseLost: others hold it" if lost else "Cancelled: the wave was cancelled"}
                    self._kill(child)

    def _kill(self, child: Child) -> None:
        """Tells its commands to end, and ends it, with what is left of them, a little later. Until then it stands still: it would
        take their end for a failure of theirs."""
        groups = child.board.groups()
        if groups:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGSTOP)
        for group in groups:
            kill_group(group, signal.SIGTERM)
        child.end_at = time.monotonic() + (COMMANDS_GRACE if groups else 0.0)

    def _execute(self, now: float) -> None:
        for child in self._children.values():
            if child.end_at and now >= child.end_at:
                for group in child.board.groups():
                    kill_group(group)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)

    def _stopping(self, now: float) -> None:
        if self._signals and not self._stop_at:
            self._stop_at = now + self.stop_timeout
            log.info("worker %s drains", self.settings.name)
            for child in self._children.values():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGTERM)
        if self._stop_at and (self._signals > 1 or now > self._stop_at):
            for child in self._children.values():
                if not child.killed:
                    child.killed = {
                        (c.lane, c.since): "WorkerStopped: the worker was stopped while it ran" for c in child.board.running()
                    }
                    child.killed = child.killed or {NOBODY: "WorkerStopped: the worker was stopped"}
                    self._kill(child)

    def _beat(self) -> None:
        worker = self._worker()
        Workers(self.redis).beat(worker)
        for name in self.waves.end_overdue(self.settings.version):
            log.warning("wave %s is overdue: nothing of it starts any more", name, extra={"wave": name})
        with unless_full():
            if not self._published:
                self._publish()
            Catalog(self.redis).touch(self.settings.version)
        self._scribe.look()

    def _publish(self) -> None:
        """Tells which flows this worker has, now or, when Redis is full, as soon as there is room."""
        with unless_full():
            Catalog(self.redis).publish(self.settings.version, [flow.plan for flow in self.flows.values()])
            self._published = True

    def _worker(self) -> Worker:
        now, monotonic = time.time(), time.monotonic()
        slots = []
        for child in self._children.values():
            cells, held = child.board.running(), {h.job: h for h in child.board.held()}
            if cells and (batch := held.get(cells[0].job)) and (wave := self._wave(batch)):
                cell = cells[0]
                members = self.waves.members(wave, cell.entity, cell.entity)
                entity = members[0][0] if members else None
                since = now - (monotonic - cell.since)
                slots.append(SlotState(child.pid, wave.id, entity, wave.tasks[cell.task], since))
            else:
                slots.append(SlotState(child.pid))
        memory = sum(map(resident, [os.getpid(), *self._children]))
        self._pressure.note(memory)
        return Worker(
            name=self.settings.name,
            version=self.settings.version,
            host=socket.gethostname(),
            pid=os.getpid(),
            started=self._started,
            beat=now,
            slots=slots,
            memory=memory,
            served=self._served + sum(c.board.served for c in self._children.values()),
            draining=bool(self._stop_at),
            image=os.environ.get("WAVEDECK_IMAGE", "")[:500].encode("utf-8", "replace").decode() or self._identity.image,
            flows=sorted(self.flows),
            task=self._identity.task,
            digest=self._identity.digest,
            zone=self._identity.zone,
            cpus=self._identity.cpus,
            limit=self._identity.limit,
            size=self.settings.slots,
            code=self._code,
        )


def _listen(masked: set[int | signal.Signals]) -> list[int]:
    """From its first moment a slot hears that it is to stop: the list has something in it then."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, masked)
    return told


def _serve(
    settings: Settings,
    flows: Mapping[str, Flow],
    board: Board,
    output: Output,
    told: Sequence[int],
    journal: Journal | None,
) -> int:
    """A slot's process, from the fork to its end."""
    journal = move(output.capture(), journal)
    faulthandler.enable(file=2, all_threads=False)
    try:
        Slot(settings, flows, board, output, journal).serve(told)
    except RedisAwayError as e:  # a cluster is looked for when its client is made
        log.warning("slot %d: redis is away: %s", os.getpid(), e)
        return 1
    except Exception:
        log.exception("slot %d", os.getpid())
        return 1
    return 0
