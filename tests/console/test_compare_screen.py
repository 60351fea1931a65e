"""The comparison on the screen and as a command: reached from the pipes, the same figures in both, harmless whatever entities are called."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from piped import place
from redis import Redis
from side_by_side import LAST, START, two_versions, write
from stage import shows

from console.app import WavedeckApp
from console.cli import cli
from console.locator import parse
from console.reports.compare import Paths, number, percent, signed
from console.screens.compare import Tables
from console.sources.compare import CompareSource
from engine.errors import NotFound

SIZES = [(80, 24), (120, 36), (200, 50)]
SPAN = f"{START}..{LAST}"


def run(*words: str) -> str:
    """What the command prints."""
    found = CliRunner().invoke(cli, ["compare", "main", "try/x", "forecast", *words], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


@pytest.fixture
def told(redis: Redis, home: Path) -> dict[str, Any]:
    """What `wavedeck compare --json` says of all hours."""
    two_versions(redis)
    found: dict[str, Any] = json.loads(run("--from", START, "--to", LAST, "--truth", "observed_sales", "--json"))
    return found


# --- the screen


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_from_the_pipes_to_which_version_is_better(
    redis: Redis, redis_url: str, size: tuple[int, int], told: dict[str, Any]
) -> None:
    """Given a pipe in two versions, when `=` is pressed on it, then both are compared over all hours, against the pipe that says what happened;
    and the figures are those of the command."""
    async with WavedeckApp(redis_url, locator="pipes main/forecast").run_test(size=size) as pilot:
        await shows(pilot, "48 dates")
        await pilot.press("equals_sign")
        mae = f"{told['truth']['a']['mae']:.4g}"
        await shows(pilot, "try/x forecasts better", mae, "mean absolute error by hours ahead", "48 dates", timeout=30)
        assert place(pilot) == f"compare main/forecast {SPAN} vs try/x truth observed_sales"
        await pilot.press("t")
        await shows(pilot, "238 of 238 are different", "differences by quantile", timeout=30)
        assert place(pilot) == f"compare main/forecast {SPAN} vs try/x"
        await pilot.press("a")
        await shows(pilot, f"{LAST} ", "only in main", timeout=30)
        await pilot.press("escape")
        await shows(pilot, "48 dates")
        assert place(pilot) == "pipes main/forecast"


async def test_enter_shows_an_entity_in_both_versions(redis: Redis, redis_url: str, told: dict[str, Any]) -> None:
    async with WavedeckApp(redis_url, locator=f"compare main/forecast {SPAN} vs try/x").run_test(size=(120, 40)) as pilot:
        await shows(pilot, "Furthest apart", timeout=30)
        tables = pilot.app.screen.query_one(Tables)
        worst = told["worst"][0]
        tables.cursor = next(
            n for n, row in enumerate(tables.rows) if tables.blocks[row.block].title == "Furthest apart" and row.place == 0
        )
        await pilot.press("enter")
        await shows(pilot, "versus try/x", worst["date"])
        at = parse(place(pilot))
        assert (at.view, at.entity, at.date, at.other) == ("pipes", worst["entity"], worst["date"], "try/x")


async def test_a_filter_finds_rows(redis: Redis, redis_url: str, told: dict[str, Any]) -> None:
    async with WavedeckApp(redis_url, locator=f"compare main/forecast {SPAN} vs try/x /touch").run_test(
        size=(120, 36)
    ) as pilot:
        await shows(pilot, "$(touch pwned)", timeout=30)
        tables = pilot.app.screen.query_one(Tables)
        assert tables.rows and all("touch" in row.text for row in tables.rows)


async def test_what_cannot_be_compared_is_said(redis: Redis, redis_url: str) -> None:
    two_versions(redis)
    async with WavedeckApp(redis_url, locator="compare main/nothing vs try/x").run_test(size=(80, 24)) as pilot:
        await shows(pilot, "version 'main' has no pipe 'nothing'", timeout=30)
        pilot.app.go(parse(f"compare main/forecast {LAST} vs try/x truth observed_sales"))  # type: ignore[attr-defined]
        await shows(pilot, "says nothing of the", "only in main", timeout=30)


def test_more_that_is_written_is_compared(redis: Redis) -> None:
    """Given a comparison that is through, when nothing has changed, then there are no news; when another pipe is written, then there are."""
    two_versions(redis, hours=3)
    source = CompareSource(parse("compare main/forecast vs try/x"))
    news, _ = source.read(redis)
    assert news is not None and news.report is not None
    assert (news.report.found.both, news.report.found.only_a, news.report.found.only_b) == (3, 1, 1)
    assert source.read(redis)[0] is None
    write(redis, "try/x", "forecast", "south", START.shift(2), 1)
    news, _ = source.read(redis)
    assert news is not None and news.report is not None
    assert news.report.found.only_a == 0


# --- the command


def test_json_markdown_and_text_say_the_same(told: dict[str, Any]) -> None:
    options = ("--from", START, "--to", LAST, "--truth", "main/observed_sales")
    text, report = run(*options), run(*options, "--markdown")
    truth = told["truth"]
    assert truth["better"] == "try/x"
    for printed in (text, report):
        assert f"{truth['b']['mae']:.2f}" in printed
        assert "Diebold-Mariano, hour by hour" in printed
        assert "\x1b" not in printed
    assert truth["words"] in text
    assert told["paths"][0]["path"] == "hours[*]"
    assert (told["paths"][0]["changed"], told["paths"][0]["pipes"]) == (
        sum(n["points"] - n["equal"] for n in told["numbers"]),
        238,
    )
    assert [p["path"] for p in told["paths"]] == ["hours[*]", "model"]


def test_the_report_is_markdown_whatever_entities_are_called(told: dict[str, Any]) -> None:
    """Given an entity called like a command, and one with an escape sequence, then they are code in the report, and each row has the cells of
    its headings."""
    report = run("--from", START, "--to", LAST, "--truth", "observed_sales", "--markdown")
    assert report.startswith("# `forecast`: `main` and `try/x`\n\n**try/x forecasts better: ")
    assert "| `$(touch pwned)` |" in report
    assert "| `\\x1b[31mred` |" in report
    rows = [line.replace("\\|", "") for line in report.splitlines() if line.startswith("|")]
    for before, line in itertools.pairwise(rows):
        if not line.startswith("| ---") and not before.startswith("| ---") and before.count("|") != line.count("|"):
            assert rows[rows.index(line) + 1].startswith(("| ---", "|  ---")), (
                f"{line} is no heading and has other cells than {before}"
            )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--truth", "nothing"), "no pipe 'nothing' of main or try/x"),
        (("--date", str(LAST), "--truth", "observed_sales"), "says nothing of the hours that forecast forecasts"),
        (("--from", "2014-01-01"), "no pipe 'forecast' from 2014-01-01"),
    ],
)
def test_what_is_wrong_is_one_sentence(redis: Redis, home: Path, options: tuple[str, ...], says: str) -> None:
    two_versions(redis)
    with pytest.raises(NotFound, match=says):
        run(*options)


@pytest.mark.parametrize("options", [("--date", "2013-07-01T00", "--from", "2013-07-01"), ("--json", "--markdown")])
def test_options_that_exclude_each_other(options: tuple[str, ...], home: Path) -> None:
    assert CliRunner().invoke(cli, ["compare", "a", "b", "c", *options]).exit_code == 2


# --- paths


def test_paths_are_added_up_over_dates_and_places() -> None:
    """Given values that differ in a list, a mapping by date, and by keys, then each kind of place is one row."""
    paths = Paths()
    paths.add("e1", START, {"by": {"2013-07-01": 1, "2013-07-02": 2}, "rows": [{"x": 1}, {"x": 2}], "gone": 1},
              {"by": {"2013-07-01": 2, "2013-07-02": 4}, "rows": [{"x": 1}, {"x": 5}], "new": None})  # fmt: skip
    paths.add("e2", START, {"by": {"2013-07-01": 1}}, {"by": {"2013-07-01": 2}})
    rows = {row.path: row for row in paths.rows()}
    assert list(rows) == ["by[*]", "gone", "new", "rows[*].x"]
    assert (rows["by[*]"].pipes, rows["by[*]"].changed, rows["by[*]"].mean) == (2, 3, pytest.approx(4 / 3))
    assert (rows["by[*]"].entity, rows["by[*]"].before, rows["by[*]"].now) == ("e1", "1", "2")
    assert (rows["rows[*].x"].changed, rows["gone"].removed, rows["new"].added) == (1, 1, 1)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (0, "0"),
        (12.345, "12.35"),
        (0.04, "0.04"),
        (0.0123, "0.012"),
        (1234.5, "1,234"),
        (-3, "-3.00"),
        (1e12, "1e+12"),
        (1e-9, "1e-09"),
    ],
)
def test_numbers_are_short(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_signs_are_told() -> None:
    assert (signed(1.5), signed(-1.5), signed(0), percent(-0.02), percent(0.5)) == ("+1.50", "−1.50", "±0", "−2.0 %", "+50.0 %")
