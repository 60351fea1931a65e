"""Tasks that break more than themselves: over their limit, crashed, gone. One cell fails, everything else goes on."""

import pytest
from rig import WAIT_FOR, Rig

from engine.store.waves import Waves

MATES = [f"e{i:02}" for i in range(12)]


def crashing(rig: Rig, how: str, slots: int = 1, options: str = "") -> str:
    """A wave in which the second task of e05 does `how`; the error of that cell. Everything else must be Finished."""
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
    if first == "e05":
        print("before it happens", flush=True)
        {how}
    return first

@flow.task
def third(second=None):
    return second
"""
    )
    wave = rig.launch(flow, *MATES)

    rig.run(slots=slots)

    rows = rig.rows(wave)
    assert rows.pop("e05") == "FXO", rig.logs()
    assert set(rows.values()) <= {"FFF", "FUF"}
    assert [rig.pipe("third", e) for e in MATES] == [None if e == "e05" else e for e in MATES]
    assert "before it happens\n" in rig.log(wave, "second", "e05")
    assert not rig.progress(wave).wave.running
    return rig.error(wave, "second", "e05")


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("ctypes.string_at(0)", "Crashed: its process was killed by SIGSEGV"),
        ("os._exit(3)", "Crashed: its process exited with status 3"),
        ("os._exit(0)", "Crashed: its process exited with status 0"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "Crashed: its process was killed by SIGKILL (out of memory?)"),
        ("os.abort()", "Crashed: its process was killed by SIGABRT"),
    ],
)
def test_a_crash_costs_the_cell_that_crashed(rig: Rig, how: str, why: str, slots: int) -> None:
    assert crashing(rig, how, slots) == why


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("sys.exit('enough')", "SystemExit: enough"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt: "),
        ("def f(): f()\n        f()", "RecursionError: "),
        ("bytearray(1 << 60)", "MemoryError: "),
        ("raise type('Odd', (Exception,), {'__str__': lambda self: 1 / 0})()", "Odd: "),
        ("raise ExceptionGroup('several', [ValueError(1), OSError(2)])", "ExceptionGroup: several (2 sub-exceptions)"),
        ("return object()", "BadValue: the value is not JSON: "),
        ("return '\\ud800'", "BadValue: the value is not JSON: "),
        ("os.close(1); os.close(2); raise ValueError('deaf')", "ValueError: deaf"),
    ],
)
def test_whatever_is_raised_fails_that_cell(rig: Rig, how: str, why: str) -> None:
    assert crashing(rig, how).startswith(why)


def test_a_crash_leaves_its_traceback_in_the_note(rig: Rig) -> None:
    crashing(rig, "ctypes.string_at(0)")

    wave = Waves(rig.redis).get("last")
    assert "Segmentation fault" in rig.note(wave, "second", "e05")["error"]["traceback"]
    assert "in second" in rig.log(wave, "second", "e05")


def test_a_task_over_its_limit_is_killed_with_what_it_had_printed(rig: Rig) -> None:
    error = crashing(rig, "time.sleep(1000)", options="limit='300ms'")

    assert error.startswith("LimitExceeded: ")
    assert "0.3 s" in error


def test_a_task_that_will_not_be_interrupted_is_killed_as_well(rig: Rig) -> None:
    """In C code, with signals ignored and the lock of the interpreter held."""
    how = "signal.signal(signal.SIGTERM, signal.SIG_IGN); ctypes.PyDLL(None).sleep(1000)"

    assert crashing(rig, how, slots=2, options="limit='300ms'").startswith("LimitExceeded: ")


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
