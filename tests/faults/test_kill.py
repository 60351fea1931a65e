"""Workers and Redis that die, or stop, in the middle of a wave: it ends all the same, and nothing is written twice."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import boards
from redis.exceptions import RedisError
from rig import DATE, WAIT_FOR, Rig
from servers import RedisServer, eventually

from engine.errors import NotFound
from engine.status import ENDED
from engine.store.wave import Wave
from engine.store.waves import Waves

ENTITIES = [f"e{i:03}" for i in range(300)]
TASKS = ("a", "b", "c")
FLOW = (
    WAIT_FOR
    + """
import random

@flow.task
def a(entity):
    say("a " + entity)
    time.sleep(0.002)
    return entity

@flow.task
def b(a):
    say("b " + a)
    time.sleep(0.002)
    return [a, len(a)]

@flow.task
def c(b):
    say("c " + b[0])
    return b
"""
)


@dataclass
class Witness:
    """Reads a wave all the time: its counters sum up at every read, no pipe ever changes, no ended cell either."""

    rig: Rig
    wave: Wave
    reads: int = 0
    wrong: list[str] = field(default_factory=list)
    _pipes: dict[str, bytes] = field(default_factory=dict)
    _board: bytes = b""
    _stop: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self._stop.is_set() and not self.wrong:
            with contextlib.suppress(RedisError):
                self.look()
            time.sleep(0.002)

    def look(self) -> None:
        waves = Waves(self.rig.redis)
        try:
            progress = waves.progress(self.wave)
        except NotFound as e:
            self.wrong.append(str(e))
            return
        sums = [sum(counts.values()) for counts in progress.counts]
        if sums != [self.wave.n] * len(TASKS):
            self.wrong.append(f"the counters sum to {sums}")
        board = waves.board(self.wave)
        changed = [i for i, (old, new) in enumerate(zip(self._board, board, strict=False)) if old in ENDED and old != new]
        if changed:
            self.wrong.append(f"cells {changed[:5]} had ended and changed")
        self._board = board
        keys = [f"main/{task} {entity} {DATE}" for task in TASKS for entity in ENTITIES]
        for key, value in zip(keys, self.rig.redis.mget(keys), strict=True):
            if self._pipes.setdefault(key, value or b"") not in (b"", value):
                self.wrong.append(f"{key} was {self._pipes[key]!r} and is {value!r}")
            if value:
                self._pipes[key] = value
        self.reads += 1


@contextlib.contextmanager
def witness(rig: Rig, wave: Wave) -> Iterator[Witness]:
    """Watches as long as the block takes, and then fails if anything was wrong at any moment."""
    seen = Witness(rig, wave)
    thread = threading.Thread(target=seen.watch)
    thread.start()
    try:
        yield seen
    finally:
        seen._stop.set()
        thread.join()
    seen.look()
    assert seen.wrong == []
    assert seen.reads > 3


def all_is_there(rig: Rig, wave: Wave) -> None:
    """Every entity is done, every pipe has its value, every cell is finished."""
    progress = rig.progress(wave)
    assert (progress.wave.left, progress.wave.running) == (0, False)
    assert set("".join(rig.rows(wave).values())) <= set("FU"), rig.logs()
    for entity in ENTITIES:
        assert rig.pipe("c", entity) == [entity, len(entity)]
    assert {line.split()[1] for line in rig.runs()} == set(ENTITIES)


def in_mid_wave(rig: Rig) -> None:
    eventually(lambda: len(rig.runs()) > 150, 30, what=f"the wave is under way; {rig.logs()}")


def test_a_worker_that_is_killed_in_mid_wave_costs_nothing(rig: Rig) -> None:
    # Given
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)
    workers = [rig.start("--slots", "1", "--lease", "2", "--until-idle", "--name", name) for name in ("victim", "heir")]

    # When
    with witness(rig, wave):
        in_mid_wave(rig)
        workers[0].kill()

        # Then the other takes over what it held
        assert workers[1].wait(60) == 0
    all_is_there(rig, wave)
    again = len(rig.runs()) - len(set(rig.runs()))
    assert again <= 64 * len(TASKS)  # no more than what the victim had under way


def test_both_workers_killed_again_and_again_and_the_wave_still_ends(rig: Rig) -> None:
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)

    with witness(rig, wave):
        for _ in range(2):
            at = len(rig.runs())
            workers = [rig.start("--slots", "1", "--lease", "1") for _ in range(2)]
            eventually(lambda at=at: len(rig.runs()) > at + 100, 30, what="it goes on")  # type: ignore[misc]
            for worker in workers:
                worker.kill()
        rig.run("--lease", "1", slots=2)

    progress = rig.progress(wave)
    assert (progress.wave.left, progress.wave.running) == (0, False)
    for entity, row in rig.rows(wave).items():
        assert rig.pipe("c", entity) == ([entity, len(entity)] if row[2] in "FU" else None)


def test_a_worker_that_was_stopped_past_its_lease_changes_nothing_when_it_wakes(rig: Rig) -> None:
    # Given a worker with all its slots that is stopped in a task
    flow = rig.flow(
        WAIT_FOR
        + """
@flow.task
def a(entity):
    say("a " + entity)
    if Path("gate").exists() and not Path("begun").exists():
        Path("begun").touch()
        while Path("gate").exists():
            time.sleep(0.005)
        time.sleep(0.1)
        return entity + " by the sleeper"
    return entity

@flow.task
def b(a):
    return [a, len(a)]

@flow.task
def c(b):
    return b
"""
    )
    rig.touch("gate")
    wave = rig.launch(flow, *ENTITIES)
    with witness(rig, wave):
        sleeper = rig.start("--slots", "1", "--lease", "1", "--name", "sleeper")
        rig.awaits("begun")
        os.killpg(sleeper.pid, signal.SIGSTOP)

        # When another has served everything meanwhile, and it wakes
        rig.run("--lease", "60", slots=1)
        all_is_there(rig, wave)
        before = Waves(rig.redis).board(wave), Waves(rig.redis).times(wave), rig.progress(wave)
        (rig.folder / "gate").unlink()
        os.killpg(sleeper.pid, signal.SIGCONT)
        sleeper.send_signal(signal.SIGTERM)

        # Then
        assert sleeper.wait(30) == 0
    assert (Waves(rig.redis).board(wave), Waves(rig.redis).times(wave), rig.progress(wave)) == before
    all_is_there(rig, wave)


def test_a_redis_that_dies_in_mid_wave_and_comes_back_costs_nothing(rig: Rig, server: RedisServer) -> None:
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)
    workers = [rig.start("--slots", "1", "--lease", "2", "--until-idle") for _ in range(2)]

    with witness(rig, wave):
        in_mid_wave(rig)
        server.restart()
        for worker in workers:
            assert worker.wait(60) == 0, rig.logs()
    all_is_there(rig, wave)


def test_a_slot_that_is_killed_costs_its_cell_and_its_mates_nothing(rig: Rig) -> None:
    """The kernel kills a slot when memory runs out; its worker lives."""
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)

    with witness(rig, wave):
        worker = rig.start("--slots", "1", "--lease", "2", "--until-idle")
        in_mid_wave(rig)
        [slot] = rig.slots_of(worker)
        os.kill(slot, signal.SIGKILL)
        assert worker.wait(60) == 0
    rows = "".join(rig.rows(wave).values())
    assert rows.count("X") <= 1
    assert rig.progress(wave).wave.left == 0
    assert set(rows) <= set("FUXB")


def test_a_slot_that_is_killed_over_a_cell_whose_pipe_is_there_fails_nothing(rig: Rig) -> None:
    """What an earlier holder, taken for dead, had sent may come late."""
    # Given
    wave = rig.launch(rig.flow(WAIT_FOR + "@flow.task\ndef a(entity):\n    Path('begun').touch()\n    wait_for('never')\n"))
    worker = rig.start("--slots", "1", "--until-idle")
    rig.awaits("begun")
    rig.redis.set(f"main/a e {DATE}", b'"late"')

    # When
    os.kill(rig.slots_of(worker)[0], signal.SIGKILL)

    # Then
    assert worker.wait(30) == 0, rig.logs()
    assert rig.row(wave) == "U"
    assert rig.pipe("a") == "late"


def test_a_cell_that_ran_when_two_workers_died_is_not_run_again(rig: Rig) -> None:
    # Given two entities over which two workers died; what one of them had written is there
    flow = rig.flow(
        WAIT_FOR + "@flow.task\ndef a(entity):\n    say(entity)\n    return 1\n\n@flow.task\ndef b(a):\n    return a\n"
    )
    wave = rig.launch(flow, "lost", "wrote")
    for worker in ("dead-1", "dead-2"):
        for _ in range(2):
            claimed = boards.claim(rig.redis, wave, 1, worker)
            boards.step(rig.redis, wave, claimed, 0, boards.P, boards.R)
        boards.lapse(rig.redis, wave, 0, 1)
    rig.redis.set(f"main/a wrote {DATE}", b"7")

    # When
    rig.run()

    # Then
    assert rig.rows(wave) == {"lost": "XB", "wrote": "UF"}
    assert rig.error(wave, "a", "lost") == "WorkerDied: 2 workers died or fell silent while they ran it"
    assert rig.pipe("b", "wrote") == 7
    assert rig.runs() == []
