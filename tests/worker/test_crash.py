"""Tasks that break more than themselves: over their limit, crashed, gone. One cell fails, everything else goes on."""

import pytest
from rig import WAIT_FOR, Rig

from engine.store.waves import Waves

MATES = [f"e{i:02}" for i in range(30)]


def crashing(rig: Rig, *how: str, slots: int = 1, options: str = "") -> list[str]:
    """A wave in which the second task of every third entity does one of `how`; those cells' errors. Everything else must be Finished."""
    acts = {MATES[3 * i + 2]: act for i, act in enumerate(how)}
    branches = "".join(f"    if first == {entity!r}:\n        {act}\n" for entity, act in acts.items())
    flow = rig.flow(
        WAIT_FOR
        + f"""
import signal, ctypes

@flow.task
def first(entity):
    say("first " + entity)
    return entity

@flow.task({options})
def second(first):
    print("before it happens", flush=True)
{branches}
    return first

@flow.task
def third(second=None):
    return second
"""
    )
    wave = rig.launch(flow, *MATES)

    rig.run(slots=slots)

    rows = rig.rows(wave)
    assert {e: row for e, row in rows.items() if row not in ("FFF", "FUF")} == dict.fromkeys(acts, "FXO"), rig.logs()
    assert [rig.pipe("third", e) for e in MATES] == [None if e in acts else e for e in MATES]
    assert all(rig.log(wave, "second", e).startswith("before it happens\n") for e in acts)
    assert not rig.progress(wave).wave.running
    return [rig.error(wave, "second", e) for e in acts]


CRASHES = {
    "ctypes.string_at(0)": "Crashed: its process was killed by SIGSEGV",
    "os._exit(3)": "Crashed: its process exited with status 3",
    "os._exit(0)": "Crashed: its process exited with status 0",
    "os.kill(os.getpid(), signal.SIGKILL)": "Crashed: its process was killed by SIGKILL (out of memory?)",
    "os.abort()": "Crashed: its process was killed by SIGABRT",
}


@pytest.mark.parametrize("slots", [1, 2])
def test_a_crash_costs_the_cell_that_crashed(rig: Rig, slots: int) -> None:
    assert crashing(rig, *CRASHES, slots=slots) == list(CRASHES.values())


RAISED = {
    "sys.exit('enough')": "SystemExit: enough",
    "raise KeyboardInterrupt": "KeyboardInterrupt: ",
    "second(first)": "RecursionError: ",
    "bytearray(1 << 60)": "MemoryError: ",
    "raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()": "Odd: ",
    "raise ExceptionGroup('several', [ValueError(1), OSError(2)])": "ExceptionGroup: several (2 sub-exceptions)",
    "return object()": "BadValue: second of e",
    "return '\\ud800'": "BadValue: second of e",
}


def test_whatever_is_raised_fails_that_cell(rig: Rig) -> None:
    errors = crashing(rig, *RAISED)

    assert [e for e, start in zip(errors, RAISED.values(), strict=True) if not e.startswith(start)] == []


def test_a_task_that_closes_its_streams_spoils_them_for_nobody_else(rig: Rig) -> None:
    how = ["os.close(1); os.close(2); raise ValueError('deaf')", "sys.stdout.close(); raise ValueError('shut')"]

    assert crashing(rig, *how) == ["ValueError: deaf", "ValueError: shut"]


def test_a_crash_leaves_its_traceback_in_the_note(rig: Rig) -> None:
    crashing(rig, "ctypes.string_at(0)")

    wave = Waves(rig.redis).get("last")
    assert "Segmentation fault" in rig.note(wave, "second", "e02")["error"]["traceback"]
    assert "in second" in rig.log(wave, "second", "e02")


def test_a_task_over_its_limit_is_killed_with_what_it_had_printed(rig: Rig) -> None:
    [error] = crashing(rig, "time.sleep(1000)", options="limit='300ms'")

    assert error.startswith("LimitExceeded: ")
    assert "0.3 s" in error


def test_a_task_that_will_not_be_interrupted_is_killed_as_well(rig: Rig) -> None:
    """In C code, with signals ignored and the lock of the interpreter held."""
    how = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ctypes.PyDLL(None).sleep(1000)"

    [error] = crashing(rig, how, slots=2, options="limit='300ms'")
    assert error.startswith("LimitExceeded: ")


def test_finished_mates_of_a_slow_task_are_not_run_again_when_it_is_killed(rig: Rig) -> None:
    flow = rig.flow(
        WAIT_FOR
        + """
@flow.task(limit="1500ms")
def only(entity):
    say(entity)
    if entity == "slow":
        time.sleep(1000)
    return entity
"""
    )
    wave = rig.launch(flow, "a", "b", "c", "slow", "d", "e")

    rig.run()

    assert rig.rows(wave) == dict.fromkeys("abcde", "F") | {"slow": "X"}
    assert sorted(rig.runs()) == ["a", "b", "c", "d", "e", "slow"]


def test_tasks_that_wait_run_at_once_and_each_has_its_own_log(rig: Rig) -> None:
    """All of them meet at a barrier: in series not one would pass."""
    names = [f"wait_{i}" for i in range(8)]
    tasks = "".join(f"@flow.task(waits=True)\ndef {name}():\n    return meet({name!r})\n\n" for name in names)
    flow = rig.flow(f"""
import threading
barrier = threading.Barrier(8)

def meet(name):
    print("before", name)
    barrier.wait(timeout=30)
    print("after", name)
    return name

{tasks}
""")
    wave = rig.launch(flow)

    rig.run()

    assert rig.row(wave) == "FFFFFFFF"
    assert [rig.log(wave, name) for name in names] == [f"before {name}\nafter {name}\n" for name in names]


@pytest.mark.parametrize("waits", [True, False])
def test_a_log_keeps_its_last_64_kib(rig: Rig, waits: bool) -> None:
    flow = rig.flow(f"""
        @flow.task(waits={waits})
        def loud():
            for i in range(20_000):
                print("line", i)
            sys.stderr.write("the end é🚀\\n")

        @flow.task(waits={waits})
        def loud_too():
            print("x" * 200_000)

        @flow.task
        def quiet():
            return 1
    """)
    wave = rig.launch(flow)

    rig.run()

    log = rig.log(wave, "loud")
    assert log.endswith("line 19999\nthe end é🚀\n")
    assert 60_000 < len(log.encode()) <= 65_536
    assert 60_000 < len(rig.log(wave, "loud_too")) <= 65_536
    assert rig.log(wave, "quiet") == ""


def test_what_libraries_print_and_log_is_in_the_cell_s_log(rig: Rig) -> None:
    flow = rig.flow("""
        import logging, subprocess

        @flow.task
        def talks():
            os.write(1, b"straight\\n")
            sys.stdout.buffer.write(b"bytes\\n")
            sys.stdout.flush()
            subprocess.run(["echo", "child"])
            logging.getLogger("my.library").warning("careful")
            return sys.stdout.isatty()
    """)
    wave = rig.launch(flow)

    rig.run()

    log = rig.log(wave, "talks")
    assert rig.row(wave) == "F", rig.error(wave, "talks")
    assert log.startswith("straight\nbytes\nchild\n")
    assert "careful" in log
