"""Filters are regular expressions, and none of them can hold up the console."""

import re
import time

import pytest

from console import pattern as module
from console.pattern import BadPattern, Pattern, SlowPattern, has_words, pattern
from console.screens.text_pane import line, matches, pattern_of
from console.sources.pipe_levels import matcher
from console.widgets.select import QueryError, select
from engine.status import Cell

WORST = ["(a|aa)+$", "(.*a){20}$", "(a|a)*$", "(a?){60}a{60}$", "a*a*a*a*a*a*b", "(a|b|ab)*c", ".*.*.*.*.*x"]
LONG = "a" * 200 + "!"


@pytest.fixture(autouse=True)
def _a_small_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUDGET", 0.1)
    pattern.cache_clear()


@pytest.mark.parametrize("text", WORST)
def test_a_pattern_that_would_take_for_ever_is_given_up(text: str) -> None:
    names = [f"{LONG}{number}" for number in range(50_000)]
    began = time.monotonic()

    with pytest.raises(SlowPattern, match="takes over"):
        Pattern(text, re.IGNORECASE).mask(names)

    assert time.monotonic() - began < 20, "for ever is longer"


def test_one_that_took_too_long_is_not_tried_again() -> None:
    with pytest.raises(SlowPattern):
        pattern("(a|aa)+$").search(LONG)

    for _ in range(1000):
        with pytest.raises(SlowPattern):
            pattern("(a|aa)+$").search("a")


@pytest.mark.parametrize(
    "text",
    ["(", "[", "*a", "\\", "a{99999999999}", "(" * 3000 + ")" * 3000, "(a|" * 2000 + "b" + ")" * 2000, "(?P<x>a)(?P<x>b)"],
)
def test_what_is_no_regular_expression_is_said_to_be_none(text: str) -> None:
    with pytest.raises(BadPattern):
        pattern(text)


@pytest.mark.parametrize(
    "text", ["JFK", "^AA.*LAX$", "(AA|BB)+-", "J.K", "a{2}", "\\d+-(JFK|BOS)", "(?!AA)B", "", "x|", "\\bJFK\\b", "é"]
)
def test_it_finds_what_re_finds(text: str) -> None:
    names = ["AA-000001-JFK-LAX", "bb-2-jfk", "", "AABB-", "é" * 50, "aa" * 300, "東京-JFK\nB", "\udc80J\ud800K"]
    for flags in (0, re.IGNORECASE, re.IGNORECASE | re.MULTILINE):
        ours = pattern(text, flags)

        assert list(ours.mask(names)) == [bool(re.search(text, name, flags)) for name in names]
        assert [ours.search(name) for name in names] == [bool(re.search(text, name, flags)) for name in names]
        for name in names:
            assert ours.spans(name) == [found.span() for found in re.finditer(text, name, flags) if found[0]]


def test_many_names_with_a_pattern_of_many_choices_are_within_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUDGET", 20.0)
    names = [f"AA-{number:06}-JFK-LAX" for number in range(50_000)]

    assert sum(Pattern("(AA|BB)-0+1.*(LAX|SFO)$", 0).mask(names)) == sum(bool(re.search("-0+1", name)) for name in names)


def test_the_words_of_a_query() -> None:
    assert has_words("north 12", "nor 1[23]") and not has_words("north", "!nor") and has_words("north", "!sou")
    with pytest.raises(BadPattern):
        has_words("x", "(")


def test_a_filter_of_entities_says_so() -> None:
    with pytest.raises(QueryError, match="takes over"):
        select(bytes([Cell.PENDING]), 1, ["t"], (LONG,), "(a|aa)+$")


def test_a_search_in_a_text_finds_nothing_then() -> None:
    assert matches(line(LONG), pattern_of("(a|aa)+$")) == []
    assert matches(line("x (y"), pattern_of("(")) == [(2, 3)]


def test_a_filter_of_pipes_takes_it_for_text() -> None:
    assert matcher("(a|aa)+$")(LONG) is False
    assert matcher("(a|aa)+$")("x(a|aa)+$y") is True
