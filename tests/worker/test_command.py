"""Tasks in any language: inputs on stdin, the value on stdout, the log on stderr, the status says whether it worked."""

import sys
from pathlib import Path

import pytest
from rig import DATE, Rig
from servers import eventually, is_running

FIRST = """
@flow.task
def first(entity):
    return {"n": len(entity), "name": entity}

"""


def test_a_command_gets_its_inputs_on_stdin_and_its_context_in_the_environment(rig: Rig) -> None:
    (rig.folder / "report.py").write_text(
        "import json, os, sys\n"
        "given = json.load(sys.stdin)\n"
        "print('thinking', file=sys.stderr)\n"
        "json.dump([given, {k: v for k, v in os.environ.items() if k.startswith('WAVEDECK_')}], sys.stdout)\n"
    )
    flow = rig.flow(
        FIRST
        + f"""
@flow.task
def bad():
    raise ValueError

flow.command("report", [{sys.executable!r}, "report.py"], needs=["first"], optional=["bad"], history={{"report": "1h"}},
             config={{"k": [1]}})
"""
    )
    wave = rig.launch(flow, "字 🚀", version="feature/x")

    rig.run("--version", "feature/x")

    given, environment = rig.pipe("report", "字 🚀", version="feature/x")
    assert given == {"first": {"n": 3, "name": "字 🚀"}, "report": {}}
    assert environment == environment | {
        "WAVEDECK_ENTITY": "字 🚀",
        "WAVEDECK_KEY": "字%20🚀",
        "WAVEDECK_DATE": DATE,
        "WAVEDECK_VERSION": "feature/x",
        "WAVEDECK_FLOW": "shop",
        "WAVEDECK_TASK": "report",
        "WAVEDECK_WAVE": wave.id,
        "WAVEDECK_CONFIG": '{"k":[1]}',
    }
    assert rig.log(wave, "report", "字 🚀") == "thinking\n"


def test_its_stdout_is_its_value(rig: Rig) -> None:
    commands: dict[str, tuple[list[str], object]] = {
        "awk": (["awk", "{ n = length($0) } END { print n }"], 33),
        "shell": (["sh", "-c", "cat >/dev/null; echo '[1, 2.50, \"ä\"]'"], [1, 2.5, "ä"]),
        "deaf": (["sh", "-c", "echo '{}'"], {}),  # does not read its stdin
        "null": (["sh", "-c", "echo null"], None),
    }
    flow = rig.flow(FIRST + "".join(f"flow.command({n!r}, {c!r}, needs=['first'])\n" for n, (c, _) in commands.items()))
    wave = rig.launch(flow, "shop-1")

    rig.run()

    assert rig.row(wave, "shop-1") == "FFFFF"
    assert {name: rig.pipe(name, "shop-1") for name in commands} == {name: value for name, (_, value) in commands.items()}


def test_a_command_that_breaks_fails_its_cell_and_says_why(rig: Rig) -> None:
    commands = {
        "status": ("echo why >&2; exit 3", "CommandFailed: sh exited with status 3", "why\n"),
        "value": ("echo '{}'; exit 1", "CommandFailed: sh exited with status 1", ""),
        "signal": ("kill -SEGV $$", "CommandFailed: sh was killed by SIGSEGV", ""),
        "text": ("echo no json", "BadValue: text of e: sh printed no JSON on stdout", ""),
        "bytes": ("printf '\\377'", "BadValue: bytes of e: sh printed no JSON on stdout", ""),
        "nothing": ("true", "BadValue: nothing of e: sh printed no JSON on stdout", ""),
    }
    lines = [f"flow.command({name!r}, ['sh', '-c', {text!r}], needs=['first'])\n" for name, (text, _, _) in commands.items()]
    wave = rig.launch(rig.flow(FIRST + "".join(lines)))

    rig.run()

    assert rig.row(wave) == "FXXXXXX"
    for name, (_, why, log) in commands.items():
        assert rig.error(wave, name).startswith(why)
        assert rig.log(wave, name) == log


def test_a_command_that_does_not_exist_fails_its_cell(rig: Rig) -> None:
    flow = rig.flow(FIRST + "flow.command('made', ['no-such-program'], needs=['first'])\n")
    wave = rig.launch(flow)

    rig.run()

    assert rig.row(wave) == "FX"
    assert rig.error(wave, "made").startswith("FileNotFoundError: ")
    assert "no-such-program" in rig.error(wave, "made")


def test_bytes_are_written_as_they_are_and_large_values_pass(rig: Rig) -> None:
    flow = rig.flow("""
        flow.command("image", ["head", "-c", "3000000", "/dev/zero"], codec="bytes")

        @flow.task(codec="bytes")
        def copy(image):
            return bytes(image) + b"!"

        flow.command("size", ["sh", "-c", "wc -c"], needs=["copy"])
    """)
    wave = rig.launch(flow)

    rig.run()

    assert rig.row(wave) == "FFF"
    assert rig.raw("copy") == bytes(3_000_000) + b"!"
    assert rig.pipe("size") > 3_000_000


@pytest.mark.parametrize("stubborn", [False, True])
def test_a_command_over_its_limit_is_killed_with_all_its_children(rig: Rig, stubborn: bool) -> None:
    (rig.folder / "tree.sh").write_text(
        ("trap '' TERM\n" if stubborn else "")
        + "echo begun >&2\n"
        + "for i in 1 2; do sh -c 'echo $$ >> pids; sleep 1000; sleep 1000' & done\n"
        + "echo $$ >> pids\nwhile :; do wait; done\n"
    )
    flow = rig.flow("""
        flow.command("tree", ["sh", "tree.sh"], limit="400ms")

        @flow.task
        def after(tree=None):
            return 1
    """)
    wave = rig.launch(flow)

    rig.run(slots=1)

    assert rig.row(wave) == "XO"
    assert rig.error(wave, "tree").startswith("LimitExceeded: ")
    assert rig.log(wave, "tree") == "begun\n"
    pids = [int(pid) for pid in Path(rig.folder / "pids").read_text().split()]
    assert len(pids) == 3
    eventually(lambda: not any(map(is_running, pids)), what="the whole tree is gone")


def test_a_child_that_a_command_leaves_behind_goes_with_it(rig: Rig) -> None:
    flow = rig.flow("""
        flow.command("careless", ["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $! > pid; echo 1"])
    """)
    wave = rig.launch(flow)

    rig.run()

    assert rig.row(wave) == "F"
    pid = int((rig.folder / "pid").read_text())
    eventually(lambda: not is_running(pid), what="what it left behind is gone")
