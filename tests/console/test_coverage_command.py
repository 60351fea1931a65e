"""`wavedeck coverage`: what it says to a person, to a program, and to a monitor."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from redis import Redis
from stage import Stage

from console.cli import cli
from console.reports.coverage import bar, is_loud, loudest, percent, pieces, row, sentence
from engine import Flow
from engine.coverage import Coverage, Written, cover
from engine.errors import NotFound
from engine.keys import Date
from engine.plan import Plan
from engine.status import Cell
from engine.store.catalog import Catalog
from engine.store.states import States

AT = Date("2013-07-01T14")


def a_plan() -> Plan:
    flow = Flow("shops", every="1h", state="shops")

    @flow.task
    def sales(entity: str) -> None: ...

    @flow.task(horizon="6h")
    def ahead(sales: object) -> None: ...

    @flow.task(horizon="2h")
    def near(sales: object) -> None: ...

    return flow.plan


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, ["coverage", "shops", *words], catch_exceptions=False)


@pytest.fixture
def filled(redis: Redis, home: Path) -> None:
    """Ten entities; three have their forecast of two hours ago, one has none, in `near` all are fresh."""
    names, lost = [f"shop {i}" for i in range(10)], range(6, 10)
    Catalog(redis).publish("main", [a_plan()])
    States(redis).seen("shops", [(name, "south" if i < 8 else "north") for i, name in enumerate(names)], AT.start.timestamp())
    for n, bad in ((2, [9]), (1, lost), (0, lost)):
        stage = Stage(redis, names, plan=a_plan(), date=str(AT.shift(-n)), trigger=f"schedule:{n}").claim()
        stage.run("sales")
        stage.run("near")
        stage.run("ahead", entities=[i for i in range(10) if i not in bad])
        stage.run("ahead", Cell.FAILED, bad, note={"error": {"type": "E", "message": "m"}})
        stage.end()


def test_a_person_reads_a_sentence_the_hours_and_who_goes_dark(filled: None) -> None:
    found = call("--task", "ahead", "--at", str(AT))

    assert found.exit_code == 0
    lines = found.output.splitlines()
    assert (
        lines[0]
        == "shops@main ahead: 60.0 % fresh · 30.0 % covered (oldest 2 h) · 10.0 % dark · dark begins 18:00 for 3 entities"
    )
    assert lines[1] == "10 entities active at 2013-07-01T14; the newest wave due is that of 2013-07-01T14"
    assert [line.split() for line in lines if line[:2].isdigit() and ":00" in line[:5]][4] == [
        "18:00",
        "█" * 18 + "×" * 12,
        "6",
        "0",
        "4",
    ]
    assert [line.split() for line in lines if line.startswith("shop ")] == [
        ["shop", "9", "north", "14:00", "nothing"],
        ["shop", "8", "north", "18:00", "2013-07-01T12", "2h00"],
        ["shop", "6", "south", "18:00", "2013-07-01T12", "2h00"],
        ["shop", "7", "south", "18:00", "2013-07-01T12", "2h00"],
    ]


def test_a_program_reads_all_of_it_the_worst_task_first(filled: None) -> None:
    told = json.loads(call("--at", str(AT), "--limit", "1", "--json").stdout)

    ahead, near = told["tasks"]
    assert (ahead["task"], near["task"], told["beyond"]) == ("ahead", "near", [])
    assert {k: ahead[k] for k in ("entities", "fresh", "covered", "dark", "oldest", "dark_from", "dark_entities", "due", "more")} == {
        "entities": 10, "fresh": 0.6, "covered": 0.3, "dark": 0.1, "oldest": 7200.0, "dark_from": "2013-07-01T18", "dark_entities": 3,
        "due": str(AT), "more": 3,
    }  # fmt: skip
    assert ahead["hours"][3] == {
        "hour": "2013-07-01T17", "fresh": 0.6, "covered": 0.3, "dark": 0.1, "older": {"7200": 3}, "dark_entities": 1,
    }  # fmt: skip
    assert ahead["partitions"] == [
        {"partition": "north", "entities": 2, "dark": 2, "first": "2013-07-01T14"},
        {"partition": "south", "entities": 8, "dark": 2, "first": "2013-07-01T18"},
    ]
    assert ahead["lost"] == [
        {"entity": "shop 9", "partition": "north", "dark_from": "2013-07-01T14", "served_by": "", "age": None, "awaited": False}
    ]
    assert (near["fresh"], len(near["hours"]), near["lost"]) == (1.0, 2, [])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ("--task ahead --fail-if-dark 10% --hours 4", 0, "shops@main ahead: 60.0 %"),
        ("--task ahead --fail-if-dark 9.9% --hours 4", 2, "ahead: 10.0 % dark at 14:00, more than 9.9 %"),
        ("--task ahead --fail-if-dark 10% --hours 5", 2, "ahead: 40.0 % dark at 18:00, more than 10 %"),
        ("--fail-if-dark 0% --task near", 0, "shops@main near: 100 % fresh · nobody dark until 16:00"),
        ("--fail-if-older 2h", 0, "shops@main ahead"),
        ("--fail-if-older 1h59m", 2, "ahead: served by what is 2 h older, more than 1h59m"),
        ("--fail-if-older 3h --task nope", 3, "could not look: flow 'shops' has no task 'nope'"),
        ("--fail-if-dark 5", 2, "Usage:"),
        ("--fail-if-dark 101%", 2, "Usage:"),
        ("--fail-if-older soon", 2, "Usage:"),
    ],
)
def test_a_monitor_reads_the_exit_status_and_the_first_line(filled: None, words: str, status: int, said: str) -> None:
    found = call("--at", str(AT), *words.split())

    assert (found.exit_code, found.output.startswith(said)) == (status, True), found.output


def test_by_the_clock_what_is_of_years_ago_serves_nothing(filled: None) -> None:
    found = call("--at", "now", "--fail-if-dark", "1%")

    assert found.exit_code == 2
    assert "100 % dark" in found.output.splitlines()[0]


def test_without_an_hour_the_replays_own_clock_counts(filled: None) -> None:
    told: Any = json.loads(call("--json").stdout)

    assert {task["at"] for task in told["tasks"]} == {str(AT)}


def test_an_hourly_flow_is_not_asked_about_a_day(filled: None) -> None:
    found = call("--at", "2013-07-01")

    assert (found.exit_code, "are about hours" in found.output) == (2, True)


def test_a_flow_that_forecasts_nothing_says_so(redis: Redis, home: Path) -> None:
    flow = Flow("shops")
    flow.command("one", ["true"])
    Catalog(redis).publish("main", [flow.plan])

    with pytest.raises(NotFound, match="none has a horizon"):
        call()


# words


def a_coverage(*written: tuple[int, int, int], n: int = 1000, awaited: int = 0) -> Coverage:
    """Of (age, reach, first so many entities)."""
    told = [Written(AT.shift(-age), reach, (1 << many) - 1) for age, reach, many in written]
    hours = cover(told, [AT.shift(i) for i in range(6)], (1 << n) - 1, AT)
    return Coverage("main", "f", "t", AT, AT, hours, [(f"e{i}", "p") for i in range(n)], awaited, tuple(told))


@pytest.mark.parametrize(
    ("c", "told", "short", "loud"),
    [
        (a_coverage((0, 6, 1000)), "100 % fresh · nobody dark until 20:00", "100 % fresh · until 20:00", False),
        (
            a_coverage((0, 6, 982), (3, 6, 997)),
            "98.2 % fresh · 1.5 % covered (oldest 3 h) · 0.3 % dark · dark begins 17:00 for 15 entities",
            "98.2 % fresh · 1.5 % older (3 h) · 0.3 % dark · 17:00: 15 dark",
            True,
        ),
        (
            a_coverage((0, 6, 998), awaited=0b11 << 998),
            "99.8 % fresh · 0.2 % dark yet",
            "99.8 % fresh · 0.2 % dark yet",
            False,
        ),
        (
            a_coverage((0, 6, 998), awaited=0b1 << 998),
            "99.8 % fresh · 0.2 % dark, 1 of them yet to run",
            "99.8 % fresh · 0.2 % dark",
            True,
        ),
        (a_coverage(), "0 % fresh · 100 % dark", "0 % fresh · 100 % dark", True),
    ],
)
def test_sentences(c: Coverage, told: str, short: str, loud: bool) -> None:
    assert (sentence(c), sentence(c, short=True), is_loud(c)) == (told, short, loud)


def test_the_worst_comes_first() -> None:
    good, soon, dark = a_coverage((0, 6, 1000)), a_coverage((0, 6, 900), (5, 6, 1000)), a_coverage((0, 6, 999))
    later = a_coverage((0, 6, 900), (2, 6, 1000))

    assert loudest([good, later, soon, dark]) == [dark, soon, later, good]


@given(st.integers(1, 50_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_is_none_or_all_only_when_it_is(told: tuple[int, int]) -> None:
    some, of = told
    assert (percent(some, of) == "0 %") == (some == 0)
    assert (percent(some, of) == "100 %") == (some == of)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6), st.integers(0, 50)), max_size=5), st.integers(0, 60))
def test_a_bar_is_full_and_shows_everything_that_counts(written: list[tuple[int, int, int]], width: int) -> None:
    c = a_coverage(*written, n=50)
    for hour in c.hours:
        told = pieces(hour, c.n, width)
        assert sum(cells for _, cells in told) == len(bar(hour, c.n, width)) == width
        if width >= 7:
            assert {age for age, _ in told} == {*hour.older, *([0] if hour.fresh else []), *([-1] if hour.dark else [])}
        assert not hour.dark or not width or told[-1][0] == -1
    assert row(c).entities == 50
