"""What a worker says of itself: its task, its image, its memory; and why a process of it was killed."""

import signal
import time
from pathlib import Path

import pytest
from agents import ARN, agent
from redis import Redis
from rig import WAIT_FOR, Rig
from servers import eventually

from engine.store.workers import SILENT, SlotState, Worker, Workers
from worker.identity import Identity, identity
from worker.memory import Cgroup, Pressure


def group(folder: Path, **files: str) -> Cgroup:
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".", 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Cgroup(folder)


def test_outside_ecs_nothing_is_asked(tmp_path: Path) -> None:
    assert identity({}, cgroup=Cgroup(tmp_path)) == Identity()


def test_a_task_says_what_it_is_and_the_least_limit_counts(tmp_path: Path) -> None:
    with agent() as ecs:
        told = identity(ecs.environment, cgroup=group(tmp_path, memory_max="max"))

    assert (told.task, told.digest, told.zone, told.cpus) == (ARN, "sha256:11aa", "eu-west-1a", 1.0)
    assert told.limit == 2048 << 20


def test_an_endpoint_that_does_not_answer_costs_a_second_and_nothing_else(tmp_path: Path) -> None:
    with agent() as ecs:
        ecs.silent.set()
        began = time.monotonic()

        told = identity(ecs.environment, cgroup=group(tmp_path, memory_max=str(512 << 20)))

        assert time.monotonic() - began < 10
    assert told == Identity(limit=512 << 20)
    assert identity({"ECS_CONTAINER_METADATA_URI_V4": "ftp://nowhere"}, cgroup=Cgroup(tmp_path / "no")) == Identity()


@pytest.mark.parametrize(
    ("files", "limit", "killed"),
    [
        ({"memory_max": "536870912\n", "memory_events": "low 0\noom 3\noom_kill 2\n"}, 512 << 20, 2),
        ({"memory_max": "max\n"}, 0, 0),
        ({"memory__memory_limit_in_bytes": "536870912", "memory__memory_oom_control": "under_oom 0\noom_kill 4\n"}, 512 << 20, 4),
        ({"memory__memory_limit_in_bytes": "9223372036854771712"}, 0, 0),
        ({}, 0, 0),
    ],
)  # fmt: skip
def test_control_groups_of_both_versions_are_read(tmp_path: Path, files: dict[str, str], limit: int, killed: int) -> None:
    cgroup = group(tmp_path, **files)

    assert (cgroup.limit, cgroup.killed) == (limit, killed)


def test_a_kill_for_memory_is_told_from_others(tmp_path: Path) -> None:
    # Given a worker of 512 MiB
    cgroup = group(tmp_path, memory_max=str(512 << 20), memory_events="oom_kill 1")
    pressure = Pressure(cgroup.limit, cgroup)

    # Then while there is room nothing speaks for memory
    pressure.note(100 << 20)
    assert pressure.why_killed() == (False, "")

    # When it was nearly full it may have been that
    pressure.note(500 << 20)
    assert pressure.why_killed() == (False, "out of memory? 500 MiB of 512 MiB were in use")

    # And when the kernel has counted, it was
    group(tmp_path, memory_events="oom_kill 2")
    assert pressure.why_killed() == (True, "out of memory: the worker may use 512 MiB")
    assert pressure.why_killed()[0] is False  # that one is told


def test_its_record_says_it_and_a_dead_one_what_it_ran(rig: Rig) -> None:
    # Given a worker in a task, that runs something
    flow = rig.flow(WAIT_FOR + "@flow.task\ndef a(entity):\n    Path('began').touch()\n    wait_for('go')\n    return 1\n")
    wave = rig.launch(flow)
    with agent() as ecs:
        process = rig.start("--slots", "1", "--name", "w-1", **ecs.environment)
        rig.awaits("began")
        [worker] = eventually(
            lambda: [w for w in Workers(rig.redis).alive("main") if any(s.task for s in w.slots)],
            20,
            what="it says that it runs",
        )
        assert (worker.task, worker.digest, worker.zone) == (ARN, "sha256:11aa", "eu-west-1a")
        assert 0 < worker.limit <= 2048 << 20

        # When it is killed
        process.send_signal(signal.SIGKILL)
        process.wait(20)
    rig.redis.delete("wd:{main}:worker:w-1")  # as after `SILENT` seconds

    # Then it is known what it ran
    alive, [gone] = Workers(rig.redis).heard(["main"])
    assert SILENT and alive == []
    assert (gone.slots, [(s.wave, s.entity, s.task) for s in gone.ran]) == ([], [(wave.id, "e", "a")])
    assert gone.task == ARN


def test_one_that_left_in_order_is_gone_with_what_it_ran(redis: "Redis") -> None:
    worker = Worker("w", "main", "h", 1, 0.0, 0.0, slots=[SlotState(1, "w1", "e", "a", 1.0), SlotState(2)])
    Workers(redis).beat(worker)

    Workers(redis).leave(worker)

    [gone] = Workers(redis).heard(["main"])[1]
    assert gone.ran == [SlotState(1, "w1", "e", "a", 1.0)]
