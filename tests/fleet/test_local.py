"""A local fleet has as many workers as it was told, and leaves none behind, however it ends."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import eventually, is_running

from engine.fleet.local import LocalFleet

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent death signal and WNOWAIT")

# Stand-ins for the worker: one that leaves when told, one that does not, each with a process of its own in its group.
OBEDIENT = ("bash", "-c", 'sleep 60 & echo "child $!"; trap "echo leaving; kill %1; exit 0" TERM; echo ready; wait', "worker")
STUBBORN = (
    "bash",
    "-c",
    'trap "echo no" TERM; sleep 60 & echo "child $!"; echo ready; while :; do wait; sleep 60; done',
    "worker",
)


@pytest.fixture
def fleets(tmp_path: Path) -> Iterator[list[LocalFleet]]:
    """Fleets to stop after the test."""
    made: list[LocalFleet] = []
    yield made
    for fleet in made:
        fleet.stop(0)


def a_fleet(fleets: list[LocalFleet], logs: Path, command: tuple[str, ...] = OBEDIENT, **options: object) -> LocalFleet:
    fleets.append(LocalFleet("redis://nowhere", version="main", log_dir=logs, command=command, **options))  # type: ignore[arg-type]
    return fleets[-1]


def await_ready(fleet: LocalFleet) -> list[int]:
    """Wait for every worker's trap to be set; the pids of their children."""
    logs = [worker.log for worker in fleet.workers()]
    eventually(lambda: all("ready" in log.read_text() for log in logs), what="workers ready")
    return [int(log.read_text().split()[1]) for log in logs]


def alive(fleet: LocalFleet) -> int:
    return sum(worker.alive for worker in fleet.workers())


def test_scale_starts_what_is_missing_and_lets_the_youngest_leave(fleets: list[LocalFleet], tmp_path: Path) -> None:
    # Given three workers
    fleet = a_fleet(fleets, tmp_path)
    fleet.scale(3)
    await_ready(fleet)
    assert [worker.alive for worker in fleet.workers()] == [True] * 3

    # When one is enough
    fleet.scale(1)

    # Then the two youngest leave in order
    assert [worker.leaving for worker in fleet.workers()] == [False, True, True]
    eventually(lambda: alive(fleet) == 1, what="two have left")
    assert [worker.returncode for worker in fleet.workers()] == [None, 0, 0]

    # And two more come when three are wanted again
    fleet.scale(3)
    assert [worker.alive for worker in fleet.workers()] == [True, False, False, True, True]
    assert [worker.number for worker in fleet.workers()] == [1, 2, 3, 4, 5]


def test_a_worker_that_leaves_does_not_count(fleets: list[LocalFleet], tmp_path: Path) -> None:
    # Given a worker that takes its time to leave
    fleet = a_fleet(fleets, tmp_path, STUBBORN)
    fleet.scale(1)
    await_ready(fleet)
    fleet.scale(0)

    # When one is wanted again
    fleet.scale(1)

    # Then a new one is started beside it
    assert [(worker.alive, worker.leaving) for worker in fleet.workers()] == [(True, True), (True, False)]


def test_a_worker_that_died_is_replaced_at_the_next_scale(fleets: list[LocalFleet], tmp_path: Path) -> None:
    fleet = a_fleet(fleets, tmp_path, ("bash", "-c", "exit 3", "worker"))
    fleet.scale(1)
    eventually(lambda: alive(fleet) == 0)
    assert fleet.workers()[0].returncode == 3

    fleet.scale(1)

    assert len(fleet.workers()) == 2


@linux_only
def test_what_a_dead_worker_started_is_killed(fleets: list[LocalFleet], tmp_path: Path) -> None:
    # Given a worker with a child in its group
    fleet = a_fleet(fleets, tmp_path)
    fleet.scale(1)
    [child] = await_ready(fleet)

    # When the worker alone is killed
    [worker] = fleet.workers()
    subprocess.run(["kill", "-KILL", str(worker.pid)], check=True)

    # Then its child is gone as soon as somebody looks
    eventually(lambda: alive(fleet) == 0, 20)
    eventually(lambda: not is_running(child), 20, what="the child's end")
    assert fleet.workers()[0].returncode == -signal.SIGKILL


def test_stop_asks_first_and_kills_the_group_of_who_does_not_listen(fleets: list[LocalFleet], tmp_path: Path) -> None:
    # Given one worker that listens, one that does not
    obedient, stubborn = a_fleet(fleets, tmp_path / "a"), a_fleet(fleets, tmp_path / "b", STUBBORN)
    for fleet in (obedient, stubborn):
        fleet.scale(1)
    await_ready(obedient)
    [child] = await_ready(stubborn)

    # When they are stopped, twice
    for fleet in (obedient, stubborn, obedient, stubborn):
        fleet.stop(timeout=0.5)

    # Then the one left in order, the other was killed with its child
    assert [worker.returncode for worker in obedient.workers()] == [0]
    assert "leaving" in obedient.workers()[0].log.read_text()
    assert [worker.returncode for worker in stubborn.workers()] == [-signal.SIGKILL]
    eventually(lambda: not is_running(child), what="the child's end")


def test_a_fleet_stops_with_its_block_and_says_how_things_are_meanwhile(tmp_path: Path) -> None:
    with LocalFleet("redis://nowhere", version="main", log_dir=tmp_path, command=STUBBORN) as fleet:
        fleet.scale(1)
        await_ready(fleet)
        stopping = threading.Thread(target=fleet.stop, args=(1,))
        stopping.start()
        assert alive(fleet) == 1  # the screen is not held up by the wait
        stopping.join()
        assert alive(fleet) == 0
        fleet.scale(1)
        last = fleet.workers()[-1]
        fleet.stop(0)
    assert not is_running(last.pid)


def test_a_worker_gets_its_options_and_environment(
    fleets: list[LocalFleet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAVEDECK_FLOWS", "of.this.process")
    show = ("bash", "-c", 'echo "$@"; echo "$WAVEDECK_REDIS_URL $WAVEDECK_FLOWS"', "worker")

    plain = a_fleet(fleets, tmp_path / "plain", show)
    rich = a_fleet(fleets, tmp_path / "rich", show, slots=3, flows="my.flows", until_idle=True)
    for fleet in (plain, rich):
        fleet.scale(1)
        eventually(lambda fleet=fleet: alive(fleet) == 0)  # type: ignore[misc]

    assert plain.workers()[0].log.read_text() == "--version main\nredis://nowhere of.this.process\n"
    assert rich.workers()[0].log.read_text() == "--version main --slots 3 --until-idle\nredis://nowhere my.flows\n"


def test_logs_are_in_the_data_directory(home: Path) -> None:
    with LocalFleet("redis://nowhere", version="main", command=OBEDIENT) as fleet:
        fleet.scale(1)
        assert fleet.workers()[0].log.parent == home / "logs"


def test_a_negative_fleet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="-1 workers"):
        LocalFleet("redis://nowhere", version="main", log_dir=tmp_path).scale(-1)


@linux_only
def test_workers_end_with_a_command_that_was_killed(tmp_path: Path) -> None:
    # Given a command with two workers that do not listen
    body = f"""
import sys, time
from pathlib import Path
from engine.fleet.local import LocalFleet
fleet = LocalFleet("redis://nowhere", version="main", log_dir=Path(sys.argv[1]), command={STUBBORN!r})
fleet.scale(2)
print(*[worker.pid for worker in fleet.workers()], flush=True)
time.sleep(60)
"""
    command = subprocess.Popen([sys.executable, "-c", body, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert command.stdout is not None
    pids = [int(pid) for pid in command.stdout.readline().split()]
    assert len(pids) == 2
    assert all(is_running(pid) for pid in pids)

    # When the command is killed
    command.kill()
    command.communicate()

    # Then both are gone
    try:
        eventually(lambda: not any(is_running(pid) for pid in pids), what="the workers' end")
    finally:
        for pid in pids:  # what a worker started is its own to end, and the stand-in does not
            os.killpg(pid, signal.SIGKILL)
