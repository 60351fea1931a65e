"""How values are shown: as a tree, a table, side by side, raw, as curves. Pure, but for the curves beside a forecast."""

import json
from typing import Any

import pytest
from redis import Redis

from console.reports.differences import first
from console.reports.series import chart, chart_of, history, truths
from console.sources.pipe_levels import matcher, runs
from console.widgets.json_tree import MOST, Node, nodes, place_text
from console.widgets.raw import _wrapped, is_text
from console.widgets.sides import sides
from console.widgets.sparks import SPARKS, spark
from console.widgets.value_table import rounded, table
from engine import Flow
from engine.keys import Date, PipeKey
from engine.plan import Plan
from engine.store.catalog import Catalog

DATE = Date("2013-07-01T14")


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


# the tree


def lines(found: list[Node]) -> list[str]:
    return [f"{'  ' * n.depth}{n.label}{'' if n.folded is None else '+' if n.folded else '-'} {n.text}".rstrip() for n in found]


def test_a_tree_is_open_two_levels_deep() -> None:
    assert lines(nodes({"a": {"b": {"c": 1}, "d": []}, "e": "x", "f": None, "g": True, "h": 1.5})) == [
        "a-", "  b+ { 1 }", "  d []", 'e "x"', "f null", "g true", "h 1.5",
    ]  # fmt: skip
    assert lines(nodes(3)) == [" 3"] and lines(nodes({})) == [" {}"]


def test_folding_by_hand_turns_what_is_there() -> None:
    value = {"a": {"b": {"c": 1}}}
    assert lines(nodes(value, frozenset({("a", "b")}))) == ["a-", "  b-", "    c 1"]
    assert lines(nodes(value, frozenset({("a",)}))) == ["a+ { 1 }"]


def test_depth_is_no_recursion() -> None:
    value = nested(900)
    path: tuple[str, ...] = ()
    turned = set()
    for _ in range(899):
        path = (*path, "a")
        if len(path) >= 2:
            turned.add(path)
    assert [n.depth for n in nodes(value, frozenset(turned))] == list(range(900))


@pytest.mark.parametrize("size", [101, 5000, 100_000, 1_000_000])
def test_a_long_list_stands_in_parts_and_all_of_it_can_be_reached(size: int) -> None:
    value = {"rows": list(range(size))}
    found = nodes(value)
    assert len(found) < 500
    parts = [n for n in found if isinstance(n.path[-1], range) and len(n.path) == 2]
    assert [n.path[-1] for n in parts][-1].stop == size and parts[0].path[-1].start == 0
    last, turned = parts[-1], frozenset[Any]()
    while last.folded is not None:
        turned |= {last.path} if last.folded else frozenset()
        last = [n for n in nodes(value, turned) if n.path[: len(last.path)] == last.path][-1]
    assert last.text == str(size - 1) and place_text(last.path) == f"rows[{size - 1}]"


def test_a_wide_object_stands_in_parts_as_well() -> None:
    found = nodes({f"k{i}": i for i in range(250)})
    assert [n.label for n in found if n.kind == "group"] == ["[0 … 99]", "[100 … 199]", "[200 … 249]"]


def test_lines_have_an_end() -> None:
    value = [[i] for i in range(50)]
    assert nodes(value, most=20)[-1].kind == "more" and len(nodes(value, most=20)) == 21 and MOST > 10_000


def test_long_texts_are_cut() -> None:
    [node] = nodes({"a": "x" * 1_000_000})
    assert len(node.text) < 500 and node.text.endswith('…"')


# the table


@pytest.mark.parametrize(
    ("value", "heads", "rows", "where"),
    [
        ([{"a": 1}, {"b": 2}], ("a", "b"), 2, ""),
        ({"x": [1, 2], "y": [3, 4]}, ("x", "y"), 2, ""),
        ({"rows": [{"a": 1}], "n": 3}, ("a",), 1, "rows"),
        ({"h14": {"mean": 1, "n": 2}, "h15": {"mean": 3, "n": 4}}, ("", "mean", "n"), 2, ""),
        ([[1, 2], [3, 4], [5, 6]], ("0", "1"), 3, ""),
        ({"deep": {"er": {"rows": [{"a": 1}]}}}, ("a",), 1, "deep.er.rows"),
    ],
)
def test_what_is_a_table(value: Any, heads: tuple[str, ...], rows: int, where: str) -> None:
    found = table(value)
    assert found is not None and (found.heads, found.rows, found.where) == (heads, rows, where)


@pytest.mark.parametrize("value", [[1, 2], 3, {}, [], "x", None, [[1], [1, 2]], [{}], {"a": 1, "b": [1]}, nested(500)])
def test_what_is_no_table(value: Any) -> None:
    assert table(value) is None


def test_cells_and_what_is_to_the_right() -> None:
    found = table([{"n": 1, "s": "x", "o": {"a": 1}, "b": True}, {"n": None, "s": None}])
    assert found is not None
    assert [found.cell(0, c) for c in range(4)] == ["1", "x", "{ 1 }", "true"]
    assert [found.cell(1, c) for c in range(4)] == ["", "", "", ""]
    assert [found.numeric(c) for c in range(4)] == [True, False, False, False]


# side by side


def side_lines(a: Any, b: Any, turned: frozenset[Any] = frozenset()) -> list[tuple[str, str, str, str, str]]:
    return [(s.state, s.label, s.left, s.right, s.note) for s in sides(a, b, first(a, b)[0], turned)]


def test_values_side_by_side_with_what_differs_marked() -> None:
    a = {"delay": 12.5, "same": 1, "gone": 1, "in": {"x": [1, 2]}}
    b = {"delay": 11.0, "same": 1, "new": {"y": 1}, "in": {"x": [1, 3]}}
    assert side_lines(a, b) == [
        ("changed", "delay", "12.5", "11.0", "-1.5 (-12.0%)"),
        ("equal", "same", "1", "1", ""),
        ("removed", "gone", "1", "", ""),
        ("inside", "in", "", "", ""),
        ("inside", "x", "", "", ""),
        ("equal", "[0]", "1", "1", ""),
        ("changed", "[1]", "2", "3", "+1 (+50.0%)"),
        ("added", "new", "", "{ 1 }", ""),
    ]
    assert side_lines(1, "x") == [("changed", "value", "1", '"x"', "")]
    assert side_lines(0, 5)[0][4] == "+5"


def test_what_is_equal_is_folded_away_until_it_is_asked_for() -> None:
    a = list(range(1000))
    b = [*range(500), -1, *range(501, 1000)]
    assert side_lines(a, b) == [
        ("changed", "[500]", "500", "-1", "-501 (-100.2%)"),
        ("equal", "", "… 999 more are equal", "", ""),
    ]
    assert len(side_lines(a, b, frozenset({("…",)}))) == 1000


@pytest.mark.parametrize(
    ("text", "cells", "shown"),
    [
        ("27.50578289111492", 8, "27.50578"),
        ("12", 5, "12"),
        ('"12.34567"', 4, '"12.34567"'),
        ("1e+300", 4, "1e+300"),
        ("[ 3 ]", 2, "[ 3 ]"),
    ],
)
def test_a_number_loses_digits_and_is_never_cut(text: str, cells: int, shown: str) -> None:
    assert rounded(text, cells) == shown


# raw


def test_what_is_text_and_what_is_shown_in_hexadecimal() -> None:
    assert is_text(b'{"a": 1}\n') and is_text("東京 🦀".encode()) and is_text(b"")
    assert not is_text(bytes(range(256))) and not is_text(b"\x00" * 50) and not is_text(b"\xff\xfe\xfd")
    assert is_text(("é" * 5000).encode())


def test_raw_text_is_wrapped_and_harmless() -> None:
    assert _wrapped(b"abcdef\n\ngh", 4) == ["abcd", "ef", "", "gh"]
    assert all("\x1b" not in line and len(line) <= 20 for line in _wrapped(b"\x1b[31m" * 100 + "\u202e".encode() * 50, 20))


# curves


@pytest.mark.parametrize(
    ("value", "curves", "dated"),
    [
        ([1, 2.5, 3], 1, False),
        ({"hours": {"2013-07-01T14": 1, "2013-07-01T15": 2.0}}, 1, True),
        ({"2013-07-01": 1, "2013-07-02": None}, 1, True),
        ({"a": [1, 2], "b": {"c": [3, 4]}}, 2, False),
        (
            [
                {"hour": "2013-07-01T14", "low": 1, "high": 2, "name": "x"},
                {"hour": "2013-07-01T15", "low": 2, "high": 4, "name": "y"},
            ],
            2,
            True,
        ),
        ({"a": "x", "b": [True, False], "c": [1]}, None, None),
        ("text", None, None),
        ([10**400, 1], None, None),
        ([None, None], None, None),
        (nested(500), None, None),
        ({str(i): [1, 2] for i in range(100)}, 4, False),
    ],
)
def test_what_can_be_plotted(value: Any, curves: int | None, dated: bool | None) -> None:
    found = chart(value)
    assert (found and len(found.curves)) == curves
    assert (found and found.dated) == dated


def forecasting() -> Plan:
    flow = Flow("shops", every="1h", state="shops", keep="30d")

    @flow.task(timeout="60s")
    def sales(entity: str) -> None: ...

    @flow.task(timeout="60s")
    def noise(entity: str) -> None: ...

    @flow.task(timeout="60s", horizon="4h")
    def forecast(sales: object, noise: object) -> None: ...

    @flow.task(timeout="60s", horizon="4h")
    def baseline(sales: object) -> None: ...

    @flow.task(timeout="60s", history={"forecast": "6h"})
    def score(sales: object, forecast: object) -> None: ...

    return flow.plan


def test_what_really_happened_is_what_forecasts_are_scored_against() -> None:
    plan = forecasting()
    assert truths(plan, "forecast") == ["sales"] == truths(plan, "baseline")
    assert truths(plan, "sales") == []
    unscored = Plan("f", plan.tasks[:4])
    assert truths(unscored, "forecast") == ["sales", "noise"]


def test_a_forecast_lies_beside_older_ones_and_what_really_happened(redis: Redis) -> None:
    Catalog(redis).publish("main", [forecasting()])
    hours = {f"2013-07-01T{h}": float(h) for h in range(14, 18)}
    redis.set("main/forecast north 2013-07-01T13", json.dumps({"hours": {k: v - 1 for k, v in hours.items()}}))
    redis.set(
        "main/sales north 2013-07-01T15",
        json.dumps({"observed": {"2013-07-01T14": 99, "2013-07-01T15": 14.0, "2013-07-01T16": 7}}),
    )
    redis.set("main/sales north 2013-07-01T16", json.dumps({"observed": {"2013-07-01T14": 15.5}}))
    redis.set("main/noise north 2013-07-01T15", json.dumps({"2013-07-01T14": -5, "2013-07-01T15": -5}))
    redis.set("main/sales north 2013-07-01T17", json.dumps({"observed": {"2013-07-01T17": 1}, "pad": "x" * 300_000}))

    found = chart_of(redis, PipeKey("main", "forecast", "north", DATE), {"hours": hours})

    assert found is not None
    roles = {c.role: c for c in found.curves}
    assert dict(roles["earlier"].points)["2013-07-01T14"] == 13.0
    # later news of an hour replace earlier ones; nobody has observed what is yet to come; a huge value is not looked into
    assert dict(roles["observed"].points) == {"2013-07-01T14": 15.5, "2013-07-01T15": 14.0}
    assert [c.name for c in found.curves if c.role == "observed"] == ["sales observed"]


def test_a_task_that_is_called_observed_goes_before_what_forecasts_are_made_of(redis: Redis) -> None:
    # Given a flow with a task of that name, which nothing reads, and values of both
    flow = Flow("shops", every="1h", state="shops")

    @flow.task
    def sales(entity: str) -> None: ...

    @flow.task
    def observed_sales(entity: str) -> None: ...

    @flow.task(horizon="4h")
    def forecast(sales: object) -> None: ...

    @flow.task(history={"forecast": "6h"})
    def score(sales: object, forecast: object) -> None: ...

    Catalog(redis).publish("main", [flow.plan])
    redis.set("main/sales north 2013-07-01T15", json.dumps({"clock": {"2013-07-01T14": 5, "2013-07-01T15": 6}}))
    redis.set(
        "main/observed_sales north 2013-07-01T15",
        json.dumps({"till": {"2013-07-01T14": 99.5, "2013-07-01T15": 98.5}, "days": {"2013-07-01T14": 3, "2013-07-01T15": 3}}),
    )
    # When its forecast is plotted
    value = {"till": {f"2013-07-01T{h}": 1.0 for h in range(14, 18)}}
    found = chart_of(redis, PipeKey("main", "forecast", "north", DATE), value)
    # Then what was observed of the same lies beside it, and nothing else
    assert found is not None
    assert [(c.name, c.points) for c in found.curves if c.role == "observed"] == [
        ("observed_sales till", (("2013-07-01T14", 99.5), ("2013-07-01T15", 98.5)))
    ]


def test_a_number_has_a_history(redis: Redis) -> None:
    key = PipeKey("main", "score", "north", DATE)
    for back, value in ((0, "3.5"), (1, "2"), (2, '"x"'), (50, "9")):
        redis.set(f"main/score north {DATE.shift(-back)}", value)
    found = chart_of(redis, key, 3.5)
    assert found is not None and found.curves[0].points == (("2013-07-01T13", 2.0), ("2013-07-01T14", 3.5))
    redis.delete("main/score north 2013-07-01T13")
    assert history(redis, key) is None


def test_sparks() -> None:
    assert spark([1, 2, 3]) == SPARKS[0] + SPARKS[4] + SPARKS[7]
    assert spark([5, 5]) == SPARKS[0] * 2 and spark([]) == ""
    assert len(spark([-1e308, 1e308, 0])) == 3


# small things


def test_filters() -> None:
    assert [n for n in ("shop-1", "shop-2", "bar") if matcher("shop !2")(n)] == ["shop-1"]
    assert matcher("[")("a[b") and not matcher("[")("ab") and matcher("")("x") and matcher("SHOP")("shop") and matcher("!")("x")


def test_runs_of_numbers() -> None:
    assert runs([]) == [] and runs([1, 2, 3, 7, 9, 10]) == [(1, 4), (7, 8), (9, 11)]
