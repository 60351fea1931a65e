"""Workers that are taken for dead and are not, and values that were written when nobody could say so any more."""

import os
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest
from chaos.proxy import OPEN, Proxy
from rig import DATE, WAIT_FOR, Rig, rigs
from servers import RedisServer, eventually, is_running

from engine.cancel import cancel
from engine.store.wave import Wave

ENTITIES = [f"e{i:03}" for i in range(300)]
FLOW = (
    WAIT_FOR
    + """
@flow.task
def a(entity):
    say(f"start {entity} {os.getpid()}")
    if os.environ.get("SLEEPER") and Path("gate").exists():
        Path("begun").write_text(entity)
        while Path("gate").exists():
            time.sleep(0.005)
    if os.environ.get("HEIR") and Path("begun").read_text() == entity:
        while Path("gate-of-heir").exists():
            time.sleep(0.005)
    if Path("slow").exists():
        Path("begun").touch()
        time.sleep(0.03)
    say(f"end {entity} {os.getpid()}")
    return [entity, os.getpid()]
"""
)


def started(rig: Rig, pid: int) -> list[str]:
    """The entities that a slot has started, in order."""
    return [line.split()[1] for line in rig.runs() if line.startswith("start") and line.split()[2] == str(pid)]


def under_way(rig: Rig, mark: str, wave: Wave) -> None:
    """The slot has taken up a batch of many, and is in the first cell of it that sees the file `mark`."""
    eventually(lambda: len(rig.runs()) > 200, 30, what=f"batches have grown; {rig.logs()}")
    rig.touch(mark)
    rig.awaits("begun")
    assert rig.redis.zcard(wave.key("leases")) > 3


def served_by_another(rig: Rig, wave: Wave) -> dict[str, bytes | None]:
    """Another worker has ended the wave; the pipes' values."""
    rig.run("--lease", "60")
    assert set("".join(rig.rows(wave).values())) <= set("FU")
    return {entity: rig.raw("a", entity) for entity in ENTITIES}


def test_what_a_woken_worker_runs_is_ended_when_others_hold_it(rig: Rig) -> None:
    # Given a worker stopped past its lease in a cell that never ends, and another that has served everything
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)
    sleeper = rig.start("--slots", "1", "--lease", "1", SLEEPER="1")
    under_way(rig, "gate", wave)
    [slot] = rig.slots_of(sleeper)
    ran = started(rig, slot)
    os.killpg(sleeper.pid, signal.SIGSTOP)
    values = served_by_another(rig, wave)

    # When it wakes
    os.killpg(sleeper.pid, signal.SIGCONT)

    # Then its watcher ends the cell, and it has started and written nothing more
    eventually(lambda: not is_running(slot), 20, what=f"the slot is ended; {rig.logs()}")
    assert started(rig, slot) == ran
    assert {entity: rig.raw("a", entity) for entity in ENTITIES} == values
    sleeper.send_signal(signal.SIGTERM)
    assert sleeper.wait(30) == 0
    assert "others hold" in rig.logs()


def test_a_slot_whose_watcher_is_stopped_starts_and_writes_nothing_that_others_hold(rig: Rig, tmp_path: Path) -> None:
    # Given a slot that runs, whose leases nobody renews, and another worker that has served the rest and is in the same cell now
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)
    sleeper = rig.start("--slots", "1", "--lease", "1", SLEEPER="1")
    under_way(rig, "gate", wave)
    [slot] = rig.slots_of(sleeper)
    ran = started(rig, slot)
    os.kill(sleeper.pid, signal.SIGSTOP)
    rig.touch("gate-of-heir")
    heir = rig.start("--slots", "2", "--lease", "60", "--until-idle", HEIR="1")
    eventually(lambda: rig.progress(wave).wave.left == 1, 30, what=f"all but one is served; {rig.logs()}")

    # When its cell ends
    (tmp_path / "gate").unlink()
    eventually(lambda: rig.redis.info("clients")["blocked_clients"] >= 2, 20, what="the slot has nothing left to do")

    # Then its value is dropped, and of its batch it has started nothing more
    assert f"end {ran[-1]} {slot}" in rig.runs()
    assert started(rig, slot) == ran
    assert rig.raw("a", ran[-1]) is None
    (tmp_path / "gate-of-heir").unlink()
    assert heir.wait(30) == 0
    assert rig.pipe("a", ran[-1])[1] != slot
    assert set("".join(rig.rows(wave).values())) == {"F"}
    os.kill(sleeper.pid, signal.SIGCONT)
    sleeper.send_signal(signal.SIGTERM)
    assert sleeper.wait(30) == 0


def test_when_cancel_has_returned_nothing_starts_though_no_watcher_hears_of_it(rig: Rig) -> None:
    # Given a slot in a batch of many, whose watcher is stopped
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)
    worker = rig.start("--slots", "1", "--lease", "30")
    under_way(rig, "slow", wave)
    [slot] = rig.slots_of(worker)
    os.kill(worker.pid, signal.SIGSTOP)

    # When
    cancel(rig.redis, wave, by="tests")
    ran = started(rig, slot)

    # Then
    rig.ended(wave)
    os.kill(worker.pid, signal.SIGCONT)
    assert started(rig, slot) == ran
    assert len(ran) < len(ENTITIES)


TWO = (
    WAIT_FOR
    + """
@flow.task
def a(entity):
    say("a")
    Path("begun-" + os.environ["WHO"]).touch()
    wait_for("gate-" + os.environ["WHO"])
    return "by " + os.environ["WHO"]

@flow.task
def b(a):
    return "b " + a
"""
)


@pytest.mark.parametrize(("taken_over", "row"), [(True, "UF"), (False, "XF")])
def test_a_value_that_an_earlier_holder_wrote_late_is_kept(rig: Rig, taken_over: bool, row: str) -> None:
    """A pause between question and write is all that is left to a worker taken for dead. Where nobody held the cell before, a value
    that is there is somebody else's, and that is an error."""
    # Given a cell that runs, for the second time or for the first
    wave = rig.launch(rig.flow(TWO))
    if taken_over:
        dead = rig.start("--slots", "1", "--lease", "1", WHO="dead")
        rig.awaits("begun-dead")
        os.killpg(dead.pid, signal.SIGKILL)
    rig.start("--slots", "1", "--lease", "1", WHO="heir")
    rig.awaits("begun-heir")

    # When a value appears meanwhile
    rig.redis.set(f"main/a e {DATE}", b'"by dead"', nx=True)
    rig.touch("gate-heir")

    # Then it stays, dependants read it, and the cell says what it is
    rig.ended(wave)
    assert (rig.row(wave), rig.pipe("a"), rig.pipe("b")) == (row, "by dead", "b by dead")
    assert rig.runs() == ["a"] * (1 + taken_over)


def test_a_value_that_arrives_before_the_cell_s_turn_is_not_computed_again(rig: Rig) -> None:
    # Given an entity that was taken over, in the first of two tasks that were both declared to run
    flow = TWO.replace("def b(a):", "def b(entity):").replace('    return "b " + a\n', '    say("b")\n    return 1\n')
    wave = rig.launch(rig.flow(flow))
    dead = rig.start("--slots", "1", "--lease", "1", WHO="dead")
    rig.awaits("begun-dead")
    os.killpg(dead.pid, signal.SIGKILL)
    rig.start("--slots", "1", "--lease", "1", WHO="heir")
    rig.awaits("begun-heir")
    assert rig.row(wave) == "RR"

    # When what its earlier holder had sent for the second is there at last
    rig.redis.set(f"main/b e {DATE}", b'"late"', nx=True)
    rig.touch("gate-heir")

    # Then
    rig.ended(wave)
    assert (rig.row(wave), rig.pipe("b"), rig.runs()) == ("FU", "late", ["a", "a"])


def test_a_pipe_whose_writer_died_before_it_could_say_so_is_finished_without_a_second_run(
    server: RedisServer, tmp_path: Path
) -> None:
    # Given a worker whose value arrives, and whose word that it is there does not
    with server.client() as redis, Proxy(str(server.folder / "redis.sock")) as proxy:
        redis.flushall()
        with contextmanager(rigs)(redis, lambda _: proxy.url, tmp_path) as rig:
            wave = rig.launch(rig.flow(TWO))
            victim = rig.start("--slots", "1", "--lease", "1", WHO="dead")
            rig.awaits("begun-dead")
            proxy.hold_back(b"EVALSHA", after=b"\r\nSET\r\n")
            rig.touch("gate-dead")
            assert proxy.withheld.wait(30), rig.logs()
            eventually(lambda: rig.pipe("a") == "by dead", 10, what="the value is there")
            assert rig.row(wave) == "RP"

            # When it dies, and another takes over
            os.killpg(victim.pid, signal.SIGKILL)
            proxy.become(OPEN)
            rig.run("--lease", "1", WHO="heir")

            # Then
            assert rig.row(wave) == "UF"
            assert (rig.runs(), rig.pipe("b")) == (["a"], "b by dead")
