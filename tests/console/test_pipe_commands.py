"""`wavedeck pipes` and `wavedeck pipe`: what the screen shows, as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from redis import Redis
from stage import Stage, a_plan

from console.cli import cli
from engine.errors import BadKey, NotFound
from engine.store.catalog import Catalog

DATE = "2013-07-01T14"


def call(*words: str) -> Any:
    """The JSON that a call prints."""
    found = CliRunner().invoke(cli, [*words, "--json"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


@pytest.fixture
def filled(redis: Redis, home: Path) -> None:
    for version, value in (("fix-1", {"delay": 11.0, "n": 1}), ("main", {"delay": 12.5, "n": 1})):
        Catalog(redis).publish(version, [a_plan()])
        stage = Stage(redis, [f"shop {i}" for i in range(5)], version=version).claim()
        for i in range(5):
            redis.set(f"{version}/sales shop%20{i} {DATE}", json.dumps(value), ex=3600)
        stage.run("sales", at=0.1, took=0.1)
    redis.zincrby("wd:versions", 10, "main")


def test_each_level_tells_what_there_is_and_how_much(filled: None) -> None:
    top = call("pipes")
    assert (top["level"], top["items"], top["more"]) == ("versions", ["main", "fix-1"], False)
    assert top["facts"][0]["pipes"] == 4 and top["facts"][0]["active"]
    names = call("pipes", "main")
    assert names["items"] == ["features", "sales", "score", "weather"]
    assert {k: names["facts"][1][k] for k in ("name", "dates", "newest", "entities", "horizon")} == {
        "name": "sales", "dates": 1, "newest": DATE, "entities": 5, "horizon": 0.0,
    }  # fmt: skip
    dates = call("pipes", "main/sales")
    assert dates["items"] == [DATE] and dates["facts"][0]["entities"] == 5 and dates["facts"][0]["exact"]
    entities = call("pipes", "main/sales", DATE)
    assert entities["items"] == [f"shop {i}" for i in range(5)]
    assert entities["writers"] == [fact["writer"] for fact in entities["facts"]] == dates["facts"][0]["waves"] * 5


@pytest.mark.parametrize("words", [("pipes", "main/sales", DATE), ("pipes", "main"), ("pipes",)])
def test_pages_go_on_where_the_one_before_ended(filled: None, words: tuple[str, ...]) -> None:
    whole = call(*words)["items"]
    found, after = [], ""
    for _ in range(len(whole)):
        page = call(*words, "--limit", "1", *(["--after", after] if after else []))
        found += page["items"]
        after = page["after"]
        assert page["more"] == bool(after)
    assert found == whole and not after


@pytest.mark.parametrize("words", [("pipes", "main/sales", DATE), ("pipes", "main"), ("pipes", "main/sales")])
def test_a_page_that_never_was_is_refused(filled: None, words: tuple[str, ...]) -> None:
    told = CliRunner().invoke(cli, [*words, "--after", "nonsense"])
    assert isinstance(told.exception, BadKey) and "is not where a page" in str(told.exception)


def test_one_pipe_and_another_version_s(filled: None) -> None:
    found = call("pipe", "main/sales", "shop 2", DATE, "--versus", "fix-1")
    assert (found["value"], found["json"], found["bytes"]) == ({"delay": 12.5, "n": 1}, True, 23)
    assert found["writer"].startswith(f"wave {found['wave']} (w-07)") and found["worker"] == "w-07"
    assert found["equal"] is False and not found["more"] and found["theirs"]["value"]["delay"] == 11.0
    [difference] = found["differences"]
    assert (difference["path"], difference["before"], difference["now"]) == (["delay"], 12.5, 11.0)
    assert difference["relative"] == pytest.approx(-0.12)
    told = CliRunner().invoke(cli, ["pipe", "main/sales", "shop 2", DATE, "--versus", "fix-1"])
    assert "against fix-1: 1 difference\n" in told.stdout and "delay  12.5 → 11 (-12.0%)" in told.stdout


def test_equal_and_missing_are_said(filled: None, redis: Redis) -> None:
    redis.set(f"fix-1/sales shop%201 {DATE}", '{"n": 1, "delay": 12.50}')
    redis.delete(f"fix-1/sales shop%203 {DATE}")
    assert call("pipe", "main/sales", "shop 1", DATE, "--versus", "fix-1")["equal"] is True
    missing = call("pipe", "main/sales", "shop 3", DATE, "--versus", "fix-1")
    assert missing["theirs"] is None and missing["equal"] is None
    told = CliRunner().invoke(cli, ["pipe", "main/sales", "shop 3", DATE, "--versus", "fix-1"])
    assert "against fix-1: it has no such pipe" in told.stdout


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("pipe", "main/sales", "nobody", DATE), "no pipe"),
        (("pipe", "sales", "shop 1", DATE), "VERSION/NAME"),
        (("pipe", "main/sales", "shop 1", "yesterday"), "neither YYYY-MM-DD"),
        (("pipes", "main/nothing"), "no pipes at"),
        (("pipes", "nothing/sales"), "no pipes at"),
    ],
)
def test_what_is_not_there_is_an_error_in_a_sentence(filled: None, words: tuple[str, ...], why: str) -> None:
    told = CliRunner().invoke(cli, words)
    assert isinstance(told.exception, BadKey | NotFound) and why in str(told.exception)
