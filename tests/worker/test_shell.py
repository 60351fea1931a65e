"""The warm bash: many scripts through one process, each read exactly as it was written."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from servers import eventually, is_running

from engine.keys import encode_entity
from engine.plan import Input, Plan, TaskPlan
from engine.script import body, header, parse_block
from worker.shell import Shell, ShellDiedError

BODY = body(Plan("f", (TaskPlan("a"), TaskPlan("b", (Input("a"),), timeout=1.0, limit=2.0))))
BLOCK = "a\nb --after a --timeout 1s --limit 2s\n"
ECHO = 'flow() {\n  task "$WAVEDECK_KEY"\n}\n'


@pytest.fixture(scope="module")
def shell() -> Iterator[Shell]:
    shell = Shell()
    yield shell
    shell.close()


@pytest.fixture
def broken() -> Iterator[Shell]:
    """A shell for a test that ruins it."""
    shell = Shell()
    yield shell
    shell.close()


def test_each_header_gives_the_body_s_block(shell: Shell) -> None:
    blocks = shell.evaluate(BODY, [header(f"e{i}") for i in range(64)])

    assert blocks == [BLOCK] * 64
    assert [line.task for line in parse_block(blocks[0])] == ["a", "b"]
    assert shell.evaluate(BODY, []) == []


def test_a_body_may_differ_by_entity(shell: Shell) -> None:
    text = "flow() {\n  task a\n  [[ $WAVEDECK_KEY == big ]] && task b\n  true\n}\n"

    assert shell.evaluate(text, [header("small"), header("big")]) == ["a\n", "a\nb\n"]


@pytest.mark.parametrize(
    "raw", ["$(touch pwned)", "`touch pwned`", "a\"b'c", "x;touch pwned", "*", "~", "!1", "\\", "k" * 500, "字" * 500, "🚀"]
)
def test_a_hostile_entity_is_a_word(shell: Shell, raw: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = encode_entity(raw)

    assert shell.evaluate(ECHO, [header(key)]) == [key + "\n"]
    assert shell.evaluate(BODY, [header(key)]) == [BLOCK]
    assert not Path(f"/proc/{shell._process.pid}/cwd/pwned").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(
        st.text(min_size=1, max_size=30).filter(lambda t: "\0" not in t and t[-1] != ".").map(encode_entity),
        min_size=1,
        max_size=8,
    )
)
def test_any_entities_come_back_in_order(shell: Shell, keys: list[str]) -> None:
    assert shell.evaluate(ECHO, [header(key) for key in keys]) == [f"{key}\n" for key in keys]


def test_a_large_chunk_passes(shell: Shell) -> None:
    keys = [f"{i:04}" * 1000 for i in range(64)]

    assert shell.evaluate(ECHO, [header(key) for key in keys]) == [f"{key}\n" for key in keys]


def test_a_script_leaves_nothing_for_the_next(shell: Shell) -> None:
    shell.evaluate('flow() { task "${LEFT-none}"; }\nLEFT=\n', [header("e")])

    assert shell.evaluate(BODY, [header("e")]) == [BLOCK]


@pytest.mark.parametrize(
    "text", ["flow() { exit 3; }\n", "flow() { kill -9 $$; }\n", "flow() { task '.'; }\n", "flow() { OUT+='.'; }\n"]
)
def test_a_script_that_is_none_of_ours_is_an_error_and_no_wrong_block(broken: Shell, text: str) -> None:
    try:
        blocks = broken.evaluate(text, [header("e"), header("f")])
    except ShellDiedError:
        return
    assert blocks not in ([BLOCK, BLOCK], [])
    assert len(blocks) == 2


def test_a_shell_that_was_killed_says_so(broken: Shell) -> None:
    os.kill(broken._process.pid, signal.SIGKILL)
    eventually(lambda: not is_running(broken._process.pid))

    with pytest.raises(ShellDiedError, match="does not answer"):
        broken.evaluate(BODY, [header("e")])


def test_closing_ends_it() -> None:
    shell = Shell()
    shell.close()

    assert not is_running(shell._process.pid)
    shell.close()


def test_it_works_on_whatever_descriptors_it_is_given() -> None:
    """In a process that has no more than the three, as one that a supervisor starts, the first pipe is 3 and 4."""
    code = f"from worker.shell import Shell; print(Shell().evaluate({BODY!r}, ['WAVEDECK_KEY=e']))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert done.stdout == f"{[BLOCK]}\n", done.stderr
