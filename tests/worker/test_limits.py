"""What a pipe cannot hold is refused, and the error names the task, the entity and the size; nothing fills a worker's memory or disk."""

import subprocess
import sys

import pytest
from rig import Rig

from worker.output import KEPT
from worker.talk import talk


def test_a_value_that_is_too_large_fails_its_cell(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def fits():
            return "x" * 998

        @flow.task
        def text(entity):
            return "x" * 2000

        @flow.task(codec="bytes")
        def blob(entity):
            return bytearray(1001)

        flow.command("command", ["head", "-c", "1001", "/dev/zero"], codec="bytes")
        flow.command("json", ["sh", "-c", "echo '['; head -c 1000 /dev/zero | tr '\\\\0' ' '; echo ']'"])
    """)
    wave = rig.launch(flow, "JFK LAX")

    rig.run(WAVEDECK_MAX_VALUE="1000")

    assert rig.row(wave, "JFK LAX") == "FXXXX"
    holds = "a pipe may hold 1,000 (WAVEDECK_MAX_VALUE)"
    printed = "the most that a pipe may hold (WAVEDECK_MAX_VALUE)"
    assert {task: rig.error(wave, task, "JFK LAX") for task in wave.tasks[1:]} == {
        "text": f"BadValue: text of JFK LAX: the value has 2,002 bytes; {holds}",
        "blob": f"BadValue: blob of JFK LAX: the value has 1,001 bytes; {holds}",
        "command": f"BadValue: command of JFK LAX: killed: head printed more than 1,000 bytes on stdout, {printed}",
        "json": f"BadValue: json of JFK LAX: killed: sh printed more than 1,000 bytes on stdout, {printed}",
    }
    assert all(rig.raw(task, "JFK LAX") is None for task in wave.tasks[1:])


def test_sixty_four_mebibytes_are_the_usual_limit(rig: Rig) -> None:
    flow = rig.flow("""
        flow.command("most", ["head", "-c", "67108864", "/dev/zero"], codec="bytes")
        flow.command("more", ["head", "-c", "67108865", "/dev/zero"], codec="bytes")
    """)
    wave = rig.launch(flow)

    rig.run()

    assert rig.row(wave) == "FX"
    assert rig.redis.strlen("main/most e 2013-07-01T14") == 64 << 20


NO_JSON = {
    "bytes_": ("b'bytes'", "bytes are not JSON: declare codec='bytes'"),
    "object_": ("object()", "the value is not JSON: a object is not JSON"),
    "mixed_set": ("{'a': {1, 'b'}}", "the value is not JSON: "),
    "tuple_as_key": ("{(1, 2): 3}", "the value is not JSON: Only dicts with str keys"),
    "surrogate": ("'lone \\ud800'", "the value is not JSON: 'utf-8' codec can't encode character"),
    "surrogate_as_key": ("{'\\udfff': 1}", "the value is not JSON: 'utf-8' codec can't encode character"),
    "long_number": ("10 ** 5000", "the value is not JSON: Exceeds the limit"),
    "deep": ("reduce(lambda v, _: [v], range(100_000), 1)", "the value is not JSON: maximum recursion depth"),
    "circle": ("(v := [], v.append(v))[0]", "the value is not JSON: maximum recursion depth"),
    "generator": ("(i for i in 'ab')", "the value is not JSON: a generator is not JSON"),
}


def test_a_value_that_is_no_json_fails_its_cell_and_says_why(rig: Rig) -> None:
    tasks = (f"@flow.task\ndef {name}(entity):\n    return {returned}\n" for name, (returned, _) in NO_JSON.items())
    wave = rig.launch(rig.flow("from functools import reduce\n" + "\n".join(tasks)), "shop 1")

    rig.run()

    assert rig.row(wave, "shop 1") == "X" * len(NO_JSON)
    for name, (_, why) in NO_JSON.items():
        assert rig.error(wave, name, "shop 1").startswith(f"BadValue: {name} of shop 1: {why}")
        assert rig.raw(name, "shop 1") is None
    assert "by it" not in rig.logs()  # no slot has died


def test_what_a_command_prints_must_be_json(rig: Rig) -> None:
    printed = ["NaN", "Infinity", "{'a': 1}", "1 2", "[1,]", "1e999", '"\\ud800"']
    for number, text in enumerate(printed):
        (rig.folder / f"out{number}").write_text(text)
    commands = (f'flow.command("odd{number}", ["cat", "out{number}"])' for number in range(len(printed)))
    wave = rig.launch(rig.flow("\n".join(commands)), "shop 1")

    rig.run()

    assert rig.row(wave, "shop 1") == "X" * len(printed)
    for number in range(len(printed)):
        why = f"BadValue: odd{number} of shop 1: cat printed no JSON on stdout (not JSON: "
        assert rig.error(wave, f"odd{number}", "shop 1").startswith(why)


def test_what_json_has_no_number_for_is_null_and_sets_are_sorted_lists(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def odd():
            return [float("nan"), float("-inf"), {3, 1, 2}, 2 ** 80]
    """)
    wave = rig.launch(flow)

    rig.run()

    assert rig.row(wave) == "F"
    assert rig.raw("odd") == b"[null,null,[1,2,3],1208925819614629174706176]"


def test_a_command_that_prints_without_end_fills_neither_memory_nor_disk(rig: Rig) -> None:
    """It is stopped as soon as it is over the limit; `yes` would go on for ever."""
    flow = rig.flow("""
        import resource

        flow.command("endless", ["yes", "x" * 1000], limit="50s")
        flow.command("loud", ["sh", "-c", "head -c 20000000 /dev/zero | tr '\\\\0' y >&2; echo end >&2; echo 1"])

        @flow.task
        def peak(endless=None):
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    """)
    wave = rig.launch(flow, "e0")

    rig.run(WAVEDECK_MAX_VALUE="4MB")

    assert rig.row(wave, "e0") == "XFO"
    why = "killed: yes printed more than 4,000,000 bytes on stdout, the most that a pipe may hold (WAVEDECK_MAX_VALUE)"
    assert rig.error(wave, "endless", "e0") == f"BadValue: endless of e0: {why}"
    assert rig.pipe("peak", "e0") < 400_000_000
    log = rig.log(wave, "loud", "e0")
    assert len(log) == KEPT
    assert log.endswith("yyyend\n")


def test_of_a_thread_s_command_the_last_of_its_log_is_kept() -> None:
    """What talks to the command reads its stderr as well, and keeps no more than asked for."""
    with subprocess.Popen(
        ["sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' y >&2; echo end >&2; cat"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        out, log = talk(process, b"x" * 1_000_000, seconds=60, most=1_000_000, kept=1000)

    assert (len(out), len(log), log[-7:]) == (1_000_000, 1000, b"yyyend\n")


def test_a_command_that_is_silent_for_too_long_is_not_waited_for() -> None:
    with subprocess.Popen(["sleep", "1000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            talk(process, b"", seconds=0.05, most=10, kept=10)
        process.kill()


def test_a_command_that_neither_reads_nor_closes_its_input_is_heard(rig: Rig) -> None:
    """More input than a pipe of the system holds, and output at the same time."""
    flow = rig.flow(f"""
        @flow.task
        def much():
            return "x" * 1_000_000

        flow.command("deaf", ["sh", "-c", "echo 1"], needs=["much"])
        flow.command("echo", [{sys.executable!r}, "-c", "import sys; sys.stdout.write(sys.stdin.read())"], needs=["much"])
    """)
    wave = rig.launch(flow)

    rig.run()

    assert rig.row(wave) == "FFF"
    assert rig.pipe("echo") == {"much": "x" * 1_000_000}


def test_a_line_without_end_is_cut(rig: Rig) -> None:
    flow = rig.flow("""
        @flow.task
        def loud():
            print("begin", "x" * 3_000_000, "end")
            return 1
    """)
    wave = rig.launch(flow)

    rig.run()

    log = rig.log(wave, "loud")
    assert len(log) == KEPT
    assert log.endswith("xxx end\n")


def test_a_worker_with_a_limit_that_is_none_does_not_start(rig: Rig) -> None:
    rig.flow("@flow.task\ndef a():\n    return 1\n")

    worker = rig.start(WAVEDECK_MAX_VALUE="much")

    assert worker.wait(30) == 1
    assert "wavedeck worker: WAVEDECK_MAX_VALUE 'much' is no size" in rig.logs()
