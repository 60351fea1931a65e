"""One round of chaos: real workers behind the proxy, a schedule of faults, a witness, and what it all came to."""

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

from chaos.faults import Faults
from chaos.invariants import executions
from chaos.proxy import Proxy
from chaos.schedule import Schedule, Wave, draw
from chaos.subject import FLOW, SHELL, read_journal
from chaos.witness import Witness
from rig import Rig, rigs
from servers import RedisServer, eventually

from engine import Date, Flow
from engine.store.workers import Workers

PATIENCE = 40.0
"""Seconds that waves may take to end when nothing is at fault any more."""


@dataclass
class Outcome:
    """What a round came to: what was wrong, faults done, (kind, seconds) of what was recovered from, how often was looked and a
    stale token tried, cells, how many of them ran to their end, and executions of user code beyond a cell's first."""

    wrong: list[str]
    faults: Counter[str]
    timed: list[tuple[str, float]]
    reads: int
    probes: int
    cells: int
    ends: Counter[str]
    executed: int
    again: int
    seconds: float
    logs: str = ""


class Round:
    """Plays a schedule with workers of `rig`, which reach `server` through `proxy`."""

    def __init__(self, schedule: Schedule, server: RedisServer, proxy: Proxy, rig: Rig, seed: str) -> None:
        self.schedule, self.rig = schedule, rig
        self.witness = Witness(server.client(), Random(seed))
        self.faults = Faults(server, proxy, rig, self.witness, self._later)
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def play(self) -> Outcome:
        """All of it, to the end of every wave."""
        began = time.monotonic()
        (self.rig.folder / "shell.sh").write_text(SHELL)
        flow = self.rig.flow(FLOW)
        for _ in range(self.schedule.workers):
            self.faults.hire()
        self._await_crew()
        self.witness.start()
        for number, wave in enumerate(self.schedule.waves):
            self._later(wave.at, partial(self._launch, flow, number, wave))
        for fault in self.schedule.faults:
            self._later(fault.at, partial(self.faults.do, fault))
        while self._agenda:
            at, _, act = heapq.heappop(self._agenda)
            time.sleep(max(at - time.monotonic(), 0))
            act()
        self.faults.heal()
        late = self._await_end()
        self.witness.stop()
        return self._outcome(late, time.monotonic() - began)

    def _later(self, seconds: float, act: Callable[[], object]) -> None:
        heapq.heappush(self._agenda, (time.monotonic() + seconds, next(self._numbers), act))

    def _await_crew(self) -> None:
        workers = Workers(self.witness.client)
        eventually(
            lambda: sum(bool(w.slots) for w in workers.alive("main")) >= len(self.faults.crew),
            30,
            what=f"the workers are there; {self.rig.logs()}",
        )

    def _launch(self, flow: Flow, number: int, wave: Wave) -> None:
        launched = self.rig.launch(
            flow,
            *[f"e{e}" for e in range(wave.entities)],
            date=Date(f"2013-07-01T{number:02}"),
            trigger=f"manual:{number}",
            deadline=wave.deadline or None,
        )
        if wave.deadline:
            self.faults.done["deadline"] += 1
        self.witness.waves.append(launched)

    def _await_end(self) -> list[str]:
        """Waits until every wave has ended and whoever drains is gone."""

        def over() -> bool:
            last = self.witness.history.last
            ended = all(w.id in last and last[w.id].wave.ended for w in self.witness.waves)
            return bool(self.witness.error) or (
                ended and not any(man.drains and man.process.poll() is None for man in self.faults.crew)
            )

        try:
            eventually(over, PATIENCE)
        except AssertionError:
            slow = [man.name for man in self.faults.crew if man.drains and man.process.poll() is None]
            return [f"after {PATIENCE:g} s without faults not everything had ended; workers that still drain: {slow}"]
        return []

    def _outcome(self, late: list[str], seconds: float) -> Outcome:
        history = self.witness.history
        journal = read_journal(self.rig.folder / "journal")
        history.settle(journal)
        wrong = late + history.wrong + ([self.witness.error] if self.witness.error else [])
        ran = executions(journal)
        board = "".join(last.board.decode() for last in history.last.values())
        return Outcome(
            wrong=wrong,
            faults=self.faults.done,
            timed=self.witness.timed,
            reads=history.reads,
            probes=self.witness.probes,
            cells=len(board),
            ends=Counter(board),
            executed=len(ran),
            again=ran.total() - len(ran),
            seconds=seconds,
            logs=self.rig.logs(),
        )


def play(seed: int, number: int, server: RedisServer, folder: Path, kinds: dict[str, int] | None = None) -> Outcome:
    """Plays round `number` of `seed` in an empty folder, on a server that keeps an append-only file; the server is emptied."""
    folder.mkdir(parents=True, exist_ok=True)
    with server.client() as redis, Proxy(str(server.folder / "redis.sock")) as proxy:
        redis.flushall()
        with contextmanager(rigs)(redis, lambda _: proxy.url, folder) as rig:
            return Round(draw(seed, number, kinds), server, proxy, rig, f"{seed}:{number}").play()
