"""Whether a worker is alive, by its beat; and what a worker does that is process 1 of a container."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rig import WAIT_FOR, Rig
from servers import RedisServer, eventually, is_running

from worker.health import PATIENCE, Pulse, problem


def health(path: Path | str) -> "subprocess.CompletedProcess[str]":
    """The command as a container runs it."""
    env = {**os.environ, "WAVEDECK_PULSE": str(path)}
    return subprocess.run([sys.executable, "-P", "-m", "worker.health"], env=env, capture_output=True, text=True, check=False)


def test_a_beat_is_looked_at_by_its_age(tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    Pulse(str(pulse))
    now = time.monotonic()
    assert problem(str(pulse), now) == ""
    assert problem(str(pulse), now + PATIENCE - 2) == ""
    assert "has not moved for 7" in problem(str(pulse), now + 75)
    assert "before this machine was started" in problem(str(pulse), now - 100)


@pytest.mark.parametrize("content", ["", "soon", None])
def test_a_beat_that_is_none_is_a_problem_in_a_sentence(tmp_path: Path, content: str | None) -> None:
    pulse = tmp_path / "pulse"
    if content is not None:
        pulse.write_text(content)
    found = problem(str(pulse), time.monotonic())
    assert found.startswith("no worker has begun here" if content is None else f"{pulse} cannot be read")


def test_where_no_file_is_named_nothing_is_written_and_health_says_so(tmp_path: Path) -> None:
    Pulse("").beat()
    Pulse(str(tmp_path / "no" / "folder")).beat()
    assert list(tmp_path.iterdir()) == []
    found = health("")
    assert (found.returncode, found.stdout) == (1, "WAVEDECK_PULSE says no file\n")


def test_a_worker_is_healthy_while_redis_is_away_and_not_when_it_hangs(rig: Rig, tmp_path: Path) -> None:
    pulse = tmp_path / "pulse"
    with RedisServer() as server:
        rig.flow("@flow.task\ndef a(entity):\n    return 1\n")
        worker = rig.start("--slots", "1", WAVEDECK_REDIS_URL=server.url, WAVEDECK_PULSE=str(pulse))
        eventually(lambda: "serves main" in rig.logs(), 20)
        server.kill()
        eventually(lambda: "redis is away" in rig.logs(), 20)
        # When Redis has been away for a while, the worker still beats
        told = pulse.read_text()
        eventually(lambda: pulse.read_text() != told, 20, what="a worker without Redis beats")
        assert health(pulse).returncode == 0
        # When its watcher stands still, its beat does not go on
        os.kill(worker.pid, signal.SIGSTOP)
        told = pulse.read_text()
        assert "has not moved" in problem(str(pulse), time.monotonic() + PATIENCE + 2)
        assert pulse.read_text() == told
        os.kill(worker.pid, signal.SIGCONT)
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait(30) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process adopt")
def test_what_the_commands_of_tasks_leave_behind_is_reaped(rig: Rig) -> None:
    # Given a task whose process leaves a daemon, in a session of its own, that ends after it
    flow = rig.flow(
        WAIT_FOR
        + """
@flow.task
def leaves(entity):
    import subprocess
    subprocess.run(["sh", "-c", "setsid sh -c 'echo $$ > orphan; until test -e go; do sleep 0.02; done' >/dev/null 2>&1 &"])
    wait_for("orphan")
    return 1
"""
    )
    wave = rig.launch(flow)
    worker = rig.start("--slots", "1")
    rig.ended(wave)
    orphan = int(eventually(lambda: (rig.folder / "orphan").read_text().strip()))
    assert is_running(orphan)

    # When the daemon ends
    rig.touch("go")

    # Then the worker, whose child it has become, lets no zombie of it stay
    eventually(lambda: not Path(f"/proc/{orphan}").exists(), 10, what="the orphan is gone, not a zombie")
    assert worker.poll() is None


def test_a_worker_that_is_told_to_stop_while_it_imports_its_flows_leaves_at_once(rig: Rig) -> None:
    (rig.folder / "slow_to_import.py").write_text(
        "import pathlib, time\n"
        "pathlib.Path('importing').touch()\n"
        "try:\n    time.sleep(300)\nexcept BaseException:\n    time.sleep(300)\n"
    )
    rig.module = "slow_to_import"
    worker = rig.start()
    rig.awaits("importing")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(20) == 0


def test_a_signal_that_comes_before_there_are_handlers_is_not_lost(rig: Rig) -> None:
    # Given a worker as `wavedeck worker` starts it: signals wait until it has its handlers
    rig.flow("@flow.task\ndef a(entity):\n    return 1\n")
    script = (
        "import os, signal, sys\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "os.execv(sys.executable, [sys.executable, '-P', '-m', 'worker'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], env=rig.environment(), cwd=rig.folder, timeout=30, check=False)
    assert done.returncode == 0


PID_1 = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child", "--mount-proc"]


def _can_be_1() -> bool:
    try:
        return subprocess.run([*PID_1, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not _can_be_1(), reason="this machine gives no process a namespace of its own")
def test_process_1_of_a_container_drains_on_sigterm_and_ends_with_0(rig: Rig) -> None:
    flow = rig.flow(
        WAIT_FOR
        + """
@flow.task
def gated(entity):
    Path("begun-" + str(os.getppid())).touch()
    wait_for("gate")
    return entity
"""
    )
    wave = rig.launch(flow)
    command = [*PID_1, sys.executable, "-c", "import sys; from console.cli import main; main()", "worker", "--slots", "1"]
    worker = subprocess.Popen(command, cwd=rig.folder, env={**rig.environment(), "PYTHONPATH": str(Path.cwd())}, text=True)
    try:
        rig.awaits("begun-1")
        [pid] = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
        os.kill(int(pid), signal.SIGTERM)
        rig.touch("gate")
        assert worker.wait(30) == 0
    finally:
        worker.kill()
        worker.wait(20)
    assert rig.pipe("gated") == "e"
    assert rig.row(wave) == "F"
