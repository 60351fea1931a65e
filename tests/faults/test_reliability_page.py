"""The tables of docs/reliability.md are the generator's, and every test that they name is there."""

import re
import subprocess
import sys
from collections import Counter

import pytest
from chaos.promises import PROMISES
from chaos.report import BENCH_HEAD, HEAD, PAGE, PEERS, Run, between, row
from chaos.run import ROOT, Total
from chaos.schedule import FAULTS


def table(head: str) -> list[list[str]]:
    """The rows of the table of the page that begins with `head`."""
    page = PAGE.read_text("utf-8")
    assert page.count(head) == 1
    rows = page.partition(head + "\n")[2].partition("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in rows.splitlines()]


def test_the_table_of_faults_is_the_generator_s() -> None:
    rows = table(HEAD)

    assert [cells[:2] + cells[3:] for cells in rows] == [
        [p.fault, p.promised, "<br>".join(f"`{test.removeprefix('tests/')}`" for test in p.tests)] for p in PROMISES
    ]
    for promise, cells in zip(PROMISES, rows, strict=True):
        words = cells[2].split("<br>")
        assert re.fullmatch(r"(\d+) of \1 tests? passed", words[0])
        assert [word.partition(":")[0] for word in words[1:]] == list(promise.kinds)
        for word in words[1:]:
            assert re.fullmatch(
                r".*: [1-9]\d* times, all invariants held in (\d+) of \1 rounds(; work went on after [\d.]+ s, at most [\d.]+ s)?",
                word,
            )


def test_every_fault_of_chaos_has_its_row() -> None:
    assert Counter(kind for promise in PROMISES for kind in promise.kinds) == Counter(FAULTS.keys())


def test_the_table_beside_the_peers_has_ours_first() -> None:
    rows = table(BENCH_HEAD)

    assert all(cells[0].startswith("Wavedeck") for cells in rows[: -len(PEERS)])
    assert [cells[0] for cells in rows[-len(PEERS) :]] == [peer[0] for peer in PEERS]


def test_every_test_that_the_table_names_is_collected() -> None:
    tests = sorted({test for promise in PROMISES for test in promise.tests})
    files = sorted({test.partition("::")[0] for test in tests})

    told = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-n", "0", *files],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip

    assert set(tests) <= {line.partition("[")[0] for line in told.stdout.splitlines()}


def test_what_was_shown_is_told_in_numbers() -> None:
    # Given
    total = Total(1, rounds=3)
    total.faults.update({"kill worker": 4})
    total.with_fault.update({"kill worker": 3})
    total.held.update({"kill worker": 2})
    total.timed["kill worker"] = [1.0, 3.0, 1.5]
    promise = next(p for p in PROMISES if p.kinds == ("kill worker",))

    # When
    told = row(promise, total, dict.fromkeys(promise.tests, Run(1, 0)))

    # Then
    assert (
        "2 of 2 tests passed<br>kill worker: 4 times, all invariants held in 2 of 3 rounds; work went on after 1.5 s, at most 3.0 s"
        in told
    )


def test_a_page_without_its_marks_is_not_written() -> None:
    assert between("x", "a\n<!-- x: here -->\nold\n<!-- /x -->\nb", "new") == "a\n<!-- x: here -->\n\nnew\n\n<!-- /x -->\nb"
    with pytest.raises(AssertionError, match="no marks for y"):
        between("y", "a", "new")
