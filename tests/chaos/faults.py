"""Doing each fault to workers, to Redis, to what lies between them, and to waves."""

import contextlib
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from chaos.invariants import Cancel
from chaos.proxy import BLACK_HOLE, LOSE_REPLIES, OPEN, REFUSE, SLOW, Proxy
from chaos.schedule import LEASE, Fault
from chaos.witness import Witness
from rig import Rig
from servers import RedisServer, is_running

from engine.cancel import cancel
from engine.errors import Refused

MODES = {"refuse connections": REFUSE, "black hole": BLACK_HOLE, "lose replies": LOSE_REPLIES, "slow link": SLOW}
ENOUGH = 2
"""Workers that are able to work, below which one is hired at once, as a service does."""


@dataclass
class Crewman:
    """A worker: its process and name, which of its processes are stopped, whether it was told to end."""

    process: "subprocess.Popen[str]"
    name: str
    stopped: list[int] = field(default_factory=list)
    drains: bool = False

    @property
    def able(self) -> bool:
        return self.process.poll() is None and not self.stopped and not self.drains


@dataclass
class Faults:
    """Does faults, and knows what is at fault. `later` takes (seconds, what is to be done then)."""

    server: RedisServer
    proxy: Proxy
    rig: Rig
    witness: Witness
    later: Callable[[float, Callable[[], object]], None]
    crew: list[Crewman] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    def hire(self) -> None:
        """One more worker."""
        name = f"w{len(self.crew)}"
        options = ("--slots", "2", "--lease", str(LEASE), "--stop-timeout", "1.5", "--name", name)
        self.crew.append(Crewman(self.rig.start(*options), name))

    def do(self, fault: Fault) -> None:
        """What a line of the schedule says; done to somebody else, or left, when its target is no more."""
        if fault.kind in MODES:
            self.proxy.become(MODES[fault.kind])
            self.later(fault.seconds, partial(self._mend, fault.kind))
        elif fault.kind in ("restart Redis", "pause Redis", "flush scripts", "cut connections", "cancel"):
            getattr(self, "_" + fault.kind.lower().replace(" ", "_"))(fault)
        else:
            self._to_a_worker(fault)
        self.done[fault.kind] += 1

    def heal(self) -> None:
        """Nothing is at fault any more, and somebody is there to work."""
        self.proxy.become(OPEN)
        for man in self.crew:
            self._resume(man)
        if not any(man.able for man in self.crew):
            self.hire()

    # to workers

    def _to_a_worker(self, fault: Fault) -> None:
        able = [man for man in self.crew if man.able]
        if not able:
            self.hire()
            return
        man = able[fault.target % len(able)]
        verb, _, _ = fault.kind.partition(" ")
        getattr(self, "_" + verb)(man, fault)
        if sum(man.able for man in self.crew) < ENOUGH:
            self.hire()

    def _kill(self, man: Crewman, fault: Fault) -> None:
        if fault.kind != "kill slot":
            self.witness.time_recovery(fault.kind, man.name)
        for pid in self._processes(man, fault.kind.split()[1], fault.target):
            _signal(pid, signal.SIGKILL)
        if fault.kind != "kill slot":
            man.process.wait(20)

    def _stall(self, man: Crewman, fault: Fault) -> None:
        pids = self._processes(man, fault.kind.split()[1], fault.target)
        man.stopped = pids
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        self.later(fault.seconds, partial(self._resume, man))

    def _drain(self, man: Crewman, fault: Fault) -> None:
        man.drains = True
        _signal(man.process.pid, signal.SIGTERM)
        if fault.kind == "drain at once":
            self.later(0.1, partial(_signal, man.process.pid, signal.SIGTERM))

    def _resume(self, man: Crewman) -> None:
        for pid in set(man.stopped) & set(self.rig.in_session(man.process.pid)):
            _signal(pid, signal.SIGCONT)
        man.stopped = []

    def _processes(self, man: Crewman, which: str, target: int) -> list[int]:
        """All of a worker's processes, one of its slots, or its watcher alone."""
        if which == "watcher":
            return [man.process.pid]
        if which == "worker":
            return self.rig.in_session(man.process.pid)
        with contextlib.suppress(OSError):
            if slots := self.rig.slots_of(man.process):
                return [slots[target % len(slots)]]
        return []

    # to Redis and the network

    def _restart_redis(self, fault: Fault) -> None:
        self.server.kill()
        time.sleep(fault.seconds)
        self.server.start()
        self.witness.time_progress(fault.kind)

    def _pause_redis(self, fault: Fault) -> None:
        self.server.pause()
        time.sleep(fault.seconds)
        self.server.resume()
        self.witness.time_progress(fault.kind)

    def _flush_scripts(self, fault: Fault) -> None:
        self.witness.client.script_flush()
        self.witness.time_progress(fault.kind)

    def _cut_connections(self, fault: Fault) -> None:
        self.proxy.cut()
        self.witness.time_progress(fault.kind)

    def _mend(self, kind: str) -> None:
        self.proxy.become(OPEN)
        self.witness.time_progress(kind)

    # to waves

    def _cancel(self, fault: Fault) -> None:
        wave = self.witness.waves[fault.target % len(self.witness.waves)]
        with contextlib.suppress(Refused), self.server.client() as redis:
            cancel(redis, wave, by="chaos")
            self.witness.history.cancels[wave.id] = Cancel(wave.id, time.time())


def _signal(pid: int, number: signal.Signals) -> None:
    if is_running(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
