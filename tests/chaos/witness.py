"""Reads waves all the time, past the proxy, and tries out stale tokens: whatever is wrong at any moment is in `history.wrong`."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from chaos.invariants import Invariants, Snapshot
from redis import Redis
from redis.exceptions import NoScriptError, RedisError

from engine.status import LEGAL, Cell
from engine.store.claims import Move, Moves, move_command
from engine.store.scripts import MOVE, RELEASE, RENEW
from engine.store.wave import Wave, from_hash, read_counts

PAUSE = 0.004
_STRINGS, _HASHES = ("board", "times", "claims"), ("wave", "counts", "notes", "logs", "crew")


@dataclass
class Watched:
    """Something whose end is timed: `over` is asked of all waves' last snapshots; `since`: Unix seconds."""

    kind: str
    since: float
    over: Callable[["Witness"], bool]


@dataclass
class Witness:
    """A thread with a client of its own; `start` and `stop` it."""

    client: "Redis"
    random: Random
    history: Invariants = field(default_factory=Invariants)
    waves: list[Wave] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)
    timed: list[tuple[str, float]] = field(default_factory=list)
    """(kind, seconds) of what was watched and is over."""
    probes: int = 0
    crews: dict[str, dict[bytes, bytes]] = field(default_factory=dict)
    error: str = ""
    _stale: list[tuple[Wave, int, bytes]] = field(default_factory=list)
    _end: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and looks once more."""
        self._end.set()
        self._thread.join()
        self.look()

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                self.look()
                self._probe()
            except RedisError:
                self._end.wait(0.02)  # it is being restarted
            except Exception as e:
                self.error = f"the witness fell: {e!r}"
                raise
            self._end.wait(PAUSE)

    def look(self) -> None:
        """A snapshot of every wave."""
        for wave in list(self.waves):
            if snapshot := self._snapshot(wave):
                self._remember_stale(snapshot)
                self.history.see(snapshot)
            else:
                self.history.wrong.append(f"I3: wave {wave.id} is gone")
        for watched in [w for w in self.watched if w.over(self)]:
            self.watched.remove(watched)
            self.timed.append((watched.kind, time.time() - watched.since))

    def _snapshot(self, wave: Wave) -> Snapshot | None:
        asked = time.time()
        with self.client.pipeline(transaction=True) as trip:
            trip.hgetall(wave.key("wave"))
            trip.hgetall(wave.key("counts"))
            trip.get(wave.key("board"))
            trip.get(wave.key("claims"))
            trip.zrange(wave.key("leases"), 0, -1, withscores=True)
            trip.llen(wave.key("returned"))
            trip.hgetall(wave.key("crew"))
            trip.mget([f"{wave.version}/{task} e{e} {wave.date}" for task in wave.tasks for e in range(wave.n)])
            record, counts, board, claims, leases, returned, crew, values = trip.execute()
        if b"n" not in record:
            return None
        self.crews[wave.id] = crew
        pipes = {divmod(at, wave.n): value for at, value in enumerate(values) if value is not None}
        return Snapshot(
            wave=from_hash(wave.id, record),
            asked=asked,
            at=time.time(),
            board=board,
            counts=read_counts(counts, len(wave.tasks)),
            claims=claims,
            leases={int(entity): till for entity, till in leases},
            returned=returned,
            pipes=pipes,
        )

    # what is timed

    def holds(self, worker: str) -> int:
        """How many entities a worker holds, as the last snapshots have it."""
        held = 0
        for wave, last in self.history.last.items():
            number = int(self.crews[wave].get(worker.encode(), 0))
            held += sum(int.from_bytes(last.claims[e * 8 + 4 : e * 8 + 6], "little") == number for e in last.leases)
        return held

    def time_recovery(self, kind: str, worker: str) -> None:
        """From now until nothing is held by a worker that is gone, if it holds anything."""
        if self.holds(worker):
            self.watched.append(Watched(kind, time.time(), lambda w: not w.holds(worker)))

    def time_progress(self, kind: str) -> None:
        """From now until a cell moves, if there is one that can."""
        boards = {wave: last.board for wave, last in self.history.last.items()}
        if any(last.wave.left for last in self.history.last.values()):
            self.watched.append(
                Watched(kind, time.time(), lambda w: any(last.board != boards.get(i) for i, last in w.history.last.items()))
            )

    # stale tokens

    def _remember_stale(self, now: Snapshot) -> None:
        before = self.history.last.get(now.wave.id)
        if before is None or before.claims == now.claims:
            return
        for entity in range(now.wave.n):
            old, new = (s.claims[entity * 8 : entity * 8 + 8] for s in (before, now))
            if old != new and any(old):
                self._stale.append((now.wave, entity, old))

    def _probe(self) -> None:
        """Uses a claim record that was taken over for every act that there is; between two readings, in one transaction."""
        if not self._stale or self.probes > 500:
            return
        wave, entity, record = self.random.choice(self._stale[-40:])
        last = self.history.last[wave.id]
        steps = []
        for task in range(len(wave.tasks)):
            ways = [(a, b) for a, b in sorted(LEGAL) if a == last.cell(task, entity)] or [(Cell.PENDING, Cell.RUNNING)]
            steps.append(Move(task, *self.random.choice(ways), entity, 1, b"\xff" * 8))
        holds = [(entity, 1, record)]
        notes = [(0, entity, b'{"stale": true}')]
        commands = [
            move_command(wave, Moves(holds, steps, notes, notes, [(entity, 1)])),
            RENEW.command(map(wave.key, ("wave", "claims", "leases")), (3_600_000, 1, *holds[0])),
            RELEASE.command(
                map(wave.key, ("wave", "board", "counts", "claims", "leases", "returned")), (wave.expire, 1, *holds[0])
            ),
        ]
        with self.client.pipeline(transaction=True) as trip:
            self._dump(trip, wave)
            half = len(trip)
            for command in commands:
                trip.execute_command(*command)
            self._dump(trip, wave)
            replies: list[Any] = trip.execute(raise_on_error=False)
        if any(isinstance(r, NoScriptError) for r in replies):
            for script in (MOVE, RELEASE, RENEW):
                script.load(self.client)
            return
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        self.probes += 1
        with contextlib.suppress(IndexError):
            self.history.stale(f"{wave.date} e{entity} by {record.hex()}", replies[:half], replies[half + len(commands) :])

    @staticmethod
    def _dump(trip: Any, wave: Wave) -> None:
        for what in _STRINGS:
            trip.get(wave.key(what))
        for what in _HASHES:
            trip.hgetall(wave.key(what))
        trip.zrange(wave.key("leases"), 0, -1, withscores=True)
        trip.lrange(wave.key("returned"), 0, -1)
