"""Nothing of a worker outlives it, and what is cancelled has a moment to end by itself."""

import os
import signal
import sys
from pathlib import Path

from rig import WAIT_FOR, Rig
from servers import eventually, is_running

from engine.cancel import cancel

COMMAND = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (open("term", "w").close(), sys.exit(0)) if {polite} else None)
if os.fork() == 0:
    open("child", "w").write(str(os.getpid()))
else:
    open("leader", "w").write(str(os.getpid()))
time.sleep(60)
"""
FLOW = WAIT_FOR + "flow.command('long', [{python!r}, 'command.py'])\n"


def started(rig: Rig, *, polite: bool) -> list[int]:
    """A worker runs a command of two processes; their pids."""
    (rig.folder / "command.py").write_text(COMMAND.format(polite=polite))

    def pids() -> list[int]:
        files = [rig.folder / name for name in ("leader", "child")]
        return [int(f.read_text()) for f in files if f.exists() and f.read_text()]

    return eventually(lambda: found if len(found := pids()) == 2 else [], 30, what=f"the command runs; {rig.logs()}")


def gone(pids: list[int]) -> bool:
    return not any(map(is_running, pids))


def test_the_commands_of_a_killed_worker_end_with_it(rig: Rig) -> None:
    # Given
    rig.launch(rig.flow(FLOW.format(python=sys.executable)))
    worker = rig.start("--slots", "1")
    pids = started(rig, polite=False)

    # When
    os.kill(worker.pid, signal.SIGKILL)

    # Then
    eventually(lambda: gone(pids), 10, what="the command and its child are gone")
    eventually(lambda: not rig.in_session(worker.pid), 10, what="the worker's own processes are gone")


def test_the_commands_of_a_killed_slot_end_and_its_cell_fails(rig: Rig) -> None:
    # Given
    wave = rig.launch(rig.flow(FLOW.format(python=sys.executable)))
    worker = rig.start("--slots", "1")
    pids = started(rig, polite=False)

    # When
    os.kill(rig.slots_of(worker)[0], signal.SIGKILL)

    # Then
    eventually(lambda: gone(pids), 10, what="the command and its child are gone")
    rig.ended(wave)
    assert rig.row(wave) == "X"


def test_a_cancelled_command_hears_sigterm_first(rig: Rig) -> None:
    # Given
    wave = rig.launch(rig.flow(FLOW.format(python=sys.executable)))
    rig.start("--slots", "1")
    pids = started(rig, polite=True)

    # When
    cancel(rig.redis, wave, by="tests")

    # Then
    eventually(lambda: gone(pids), 10, what="the command and its child are gone")
    assert Path(rig.folder / "term").exists(), "it could have tidied up"
    rig.ended(wave)
    assert rig.row(wave) == "C"


def test_a_cancelled_command_that_does_not_listen_is_killed(rig: Rig) -> None:
    # Given
    wave = rig.launch(rig.flow(FLOW.format(python=sys.executable)))
    rig.start("--slots", "1")
    pids = started(rig, polite=False)

    # When
    cancel(rig.redis, wave, by="tests")

    # Then
    eventually(lambda: gone(pids), 10, what="the command and its child are gone")
    rig.ended(wave)
    assert rig.row(wave) == "C"
