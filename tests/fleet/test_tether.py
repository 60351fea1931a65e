"""A tethered process does not outlive who started it, and starts from a passing thread all the same."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from servers import eventually, is_running

from engine.fleet.tether import spawn

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a parent death signal")


@linux_only
def test_a_child_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    # Given a command that tethered a child
    body = (
        "import sys, time; from pathlib import Path; from engine.fleet.tether import spawn\n"
        "print(spawn(['sleep', '60'], log=Path(sys.argv[1])).pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", body, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert is_running(child)

    # When the command is killed
    parent.kill()
    parent.communicate()

    # Then the child is gone
    eventually(lambda: not is_running(child), what="the child's end")


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    # Given a child that was tethered by a thread
    log = tmp_path / "log"
    started: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        started.append(spawn(["bash", "-c", "echo tethered; exec sleep 60"], log=log))
        eventually(lambda: "tethered" in log.read_text())

    thread = threading.Thread(target=start)
    thread.start()

    # When the thread ends, which is when Linux sends the signal to what it has started
    thread.join()

    # Then the child runs until it is told to end
    with pytest.raises(subprocess.TimeoutExpired):
        started[0].wait(0.3)
    started[0].terminate()
    assert started[0].wait(10) == -signal.SIGTERM


def test_a_child_leads_its_group_and_its_log_is_private(tmp_path: Path) -> None:
    # When a child writes a file and its number
    log = tmp_path / "log"
    child = spawn(
        ["bash", "-c", f"echo $$; echo oops >&2; touch '{tmp_path}/made'; read -r || echo no input"], log=log, umask=0o027
    )

    # Then the log has both streams, the number is the one that was returned, and stdin is empty
    assert child.wait(10) == 0
    assert log.read_text().split("\n") == [str(child.pid), "oops", "no input", ""]
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o640
    assert log.stat().st_mode & 0o077 == 0


def test_a_command_that_is_not_there_says_so_in_the_log(tmp_path: Path) -> None:
    child = spawn(["no-such-command"], log=tmp_path / "log")

    assert child.wait(10) == 127
    assert (tmp_path / "log").read_text() == "cannot start no-such-command: No such file or directory\n"


def test_a_child_of_a_parent_that_is_gone_already_never_runs(tmp_path: Path) -> None:
    # Given the launcher told of a parent that is not its own
    from engine.fleet import tether

    program = [sys.executable, "-I", "-S", tether.__file__, "9", str(os.getpid() + 1), "touch", str(tmp_path / "ran")]

    # Then it ends without becoming the command
    assert subprocess.run(program, check=False, timeout=20).returncode == 127
    assert not (tmp_path / "ran").exists()
