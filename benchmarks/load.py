"""A wave of any size made by the engine's own scripts, and a process that moves its cells: `python -m benchmarks.load URL WAVE`."""

from __future__ import annotations

import argparse
import random
import sys
import time

from engine import Flow
from engine.cancel import cancel
from engine.keys import Date
from engine.launch import launch
from engine.payload import encode_json
from engine.plan import Plan
from engine.status import Cell
from engine.store.claims import Move, Moves, claim_command, move_command, pack_time, read_claim, read_move, trip
from engine.store.connect import Client, connect
from engine.store.wave import Wave
from engine.store.waves import Waves

BATCH = 50
DAY = 86400.0
NOTE = encode_json(
    {"error": {"type": "NoObservation", "message": "no weather for JFK", "where": "collect.py:41", "traceback": ""}}
)


def a_plan(tasks: int) -> Plan:
    """A flow of so many tasks: each waits for the one two before it."""
    flow = Flow("bench", every="1h", state="bench", keep="30d")
    names = [
        f"{word}_{number}"
        for number, word in zip(range(tasks), ("load", "clean", "join", "train", "score") * tasks, strict=False)
    ]
    for number, name in enumerate(names):
        flow.command(name, ["true"], needs=names[number - 2 : number - 1] if number >= 2 else [])
    return flow.plan


def build(redis: Client, entities: int, tasks: int = 10, date: str = "2013-07-01T14") -> Wave:
    """A wave, all its entities claimed by one worker for a day, so that `Mover` may move any cell."""
    names = [f"AA-{n:06}-JFK-LAX" for n in range(entities)]
    plan = a_plan(tasks)
    launched = launch(redis, plan, version="main", date=Date(date), trigger="manual:bench", by="bench@desk", entities=names)
    wave = launched.wave
    for at in range(0, entities, 5000):
        reply = trip(redis, [claim_command(wave, min(5000, entities - at), "w-07", lease=DAY)])[0]
        assert len(read_claim(wave, reply).ids) == min(5000, entities - at)  # type: ignore[union-attr]
    return wave


def ended(redis: Client, entities: int) -> None:
    """A wave that was cancelled before anybody had claimed any of it."""
    names = [f"AA-{n:06}-JFK-LAX" for n in range(entities)]
    launched = launch(
        redis, a_plan(10), version="main", date=Date("2013-07-01T14"), trigger="manual:ended", by="bench@desk", entities=names
    )
    cancel(redis, launched.wave, by="bench@desk")


class Mover:
    """Legal steps of single cells anywhere in a wave, `BATCH` a call of the engine's move script.

    Parameters:
        again: share of running cells that go back to Pending, so that a small wave has enough to do.
        fail: share of ended cells that failed.
    """

    def __init__(self, redis: Client, wave: Wave, seed: int = 1, again: float = 0.2, fail: float = 0.01) -> None:
        self._redis, self._wave, self._chance = redis, wave, random.Random(seed)
        self._again, self._fail = again, fail
        self._board = bytearray(Waves(redis).board(wave))
        self._claims: bytes = redis.get(wave.key("claims"))
        self.steps = 0

    def batch(self) -> None:
        """Makes `BATCH` steps."""
        wave, steps, notes, holds, at = self._wave, [], [], {}, time.time() - self._wave.created / 1000
        while len(steps) < BATCH:
            cell = self._chance.randrange(wave.cells)
            task, entity = divmod(cell, wave.n)
            before = self._board[cell]
            if entity in holds or before not in (Cell.PENDING, Cell.RUNNING):
                continue
            after = self._next(before)
            took = self._chance.lognormvariate(-1, 0.5)
            times = pack_time(at, 0.0) if after == Cell.RUNNING else pack_time(max(at - took, 0.0), took)
            steps.append(Move(task, Cell(before), after, entity, 1, times))
            holds[entity] = self._claims[entity * 8 : entity * 8 + 8]
            if after == Cell.FAILED:
                notes.append((task, entity, NOTE))
            self._board[cell] = after
        moves = Moves([(e, 1, record) for e, record in holds.items()], steps, notes)
        moved = read_move(trip(self._redis, [move_command(wave, moves)])[0])
        assert not moved.refused, moved
        self.steps += BATCH

    def _next(self, cell: int) -> Cell:
        if cell == Cell.PENDING:
            return Cell.RUNNING
        chance = self._chance.random()
        if chance < self._again:
            return Cell.PENDING
        return Cell.FAILED if chance > 1 - self._fail else Cell.FINISHED

    def run(self, rate: float, seconds: float) -> None:
        """`rate` steps a second for so long; falls behind rather than catching up in a burst."""
        began = time.monotonic()
        due = began
        while time.monotonic() - began < seconds:
            self.batch()
            due = max(due + BATCH / rate, time.monotonic() - 0.05)
            time.sleep(max(due - time.monotonic(), 0))


def main() -> None:
    """Moves until it is ended, and says first that it does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("wave")
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--again", type=float, default=0.2)
    given = parser.parse_args()
    redis = connect(given.url)
    mover = Mover(redis, Waves(redis).get(given.wave), given.seed, given.again)
    mover.batch()
    print("moving", flush=True)
    try:
        mover.run(given.rate, given.seconds)
    finally:
        print(mover.steps, flush=True)


if __name__ == "__main__":
    sys.exit(main())
