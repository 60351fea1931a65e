"""Where inputs come from: this version and date, else the base version, else earlier dates within lookback."""

from typing import Any

import pytest

from engine.keys import Date
from engine.plan import Input, TaskPlan
from worker.inputs import Found, Sources

DATE = Date("2013-07-01T14")


class Store(dict[str, bytes]):
    """Pipes by key; remembers what was asked for."""

    def __init__(self, *keys: str) -> None:
        super().__init__({key: key.encode() for key in keys})
        self.asked: list[list[str]] = []

    def read(self, keys: list[str]) -> list[bytes | None]:
        self.asked.append(keys)
        return [self.get(key) for key in keys]


def find(*inputs: Input, store: Store, base: str = "", at_hand: dict[str, bytes] | None = None, date: Date = DATE) -> Found:
    [found] = Sources(TaskPlan("t", inputs), "main", base, date).find([("e", at_hand or {})], store.read)
    return found


def test_this_date_s_value_is_used_and_nothing_is_told() -> None:
    found = find(Input("a", lookback=7200), store=Store("main/a e 2013-07-01T14", "main/a e 2013-07-01T13"))

    assert found == Found({"a": b"main/a e 2013-07-01T14"})


def test_what_is_at_hand_is_not_read() -> None:
    store = Store()

    assert find(Input("a", lookback=7200), store=store, at_hand={"a": b"1"}) == Found({"a": b"1"})
    assert store.asked == []


@pytest.mark.parametrize(
    ("there", "used", "age"),
    [
        (["main/a e 2013-07-01T14", "base/a e 2013-07-01T14", "main/a e 2013-07-01T13"], "main/a e 2013-07-01T14", 0.0),
        (["base/a e 2013-07-01T14", "main/a e 2013-07-01T13"], "base/a e 2013-07-01T14", 0.0),
        (["base/a e 2013-07-01T13", "main/a e 2013-07-01T13"], "main/a e 2013-07-01T13", 3600.0),
        (["base/a e 2013-07-01T13", "main/a e 2013-07-01T12"], "base/a e 2013-07-01T13", 3600.0),
        (["main/a e 2013-07-01T12", "main/a e 2013-07-01T15"], "main/a e 2013-07-01T12", 7200.0),
        (["main/a e 2013-07-01T11", "main/a f 2013-07-01T14", "main/b e 2013-07-01T14"], None, 0.0),
    ],
)
def test_the_newest_counts_and_of_one_date_the_version_s_own(there: list[str], used: str | None, age: float) -> None:
    found = find(Input("a", lookback=7200), store=Store(*there), base="base")

    if used is None:
        assert found == Found({}, [{"name": "a", "missing": True}], missing=["a"])
        return
    own = used == "main/a e 2013-07-01T14"
    notes = [] if own else [{"name": "a", "key": used, "age": age}]
    assert found == Found({"a": used.encode()}, notes, fallback=age > 0)


def test_without_lookback_older_ones_do_not_count() -> None:
    assert find(Input("a"), store=Store("main/a e 2013-07-01T13")).missing == ["a"]


def test_an_optional_input_that_is_nowhere_is_left_out_and_told() -> None:
    found = find(Input("a", required=False), Input("b"), store=Store("main/b e 2013-07-01T14"))

    assert found == Found({"b": b"main/b e 2013-07-01T14"}, [{"name": "a", "missing": True}], fallback=True)


def test_every_missing_required_input_is_named() -> None:
    assert find(Input("a"), Input("b"), Input("c", required=False), store=Store()).missing == ["a", "b"]


def test_a_history_is_the_earlier_dates_there_are_and_never_missing() -> None:
    store = Store(
        "main/a e 2013-07-01T13",
        "base/a e 2013-07-01T12",
        "main/a e 2013-07-01T12",
        "main/a e 2013-07-01T14",
        "base/a e 2013-07-01T11",
    )

    found = find(Input("a", history=3 * 3600), store=store, base="base")

    assert found == Found(
        {
            "a": {
                "2013-07-01T13": b"main/a e 2013-07-01T13",
                "2013-07-01T12": b"main/a e 2013-07-01T12",
                "2013-07-01T11": b"base/a e 2013-07-01T11",
            }
        }
    )
    assert find(Input("a", history=3600), store=Store()) == Found({"a": {}})


def test_days_go_back_by_days() -> None:
    found = find(Input("a", lookback=2 * 86400), store=Store("main/a e 2013-06-29"), date=Date("2013-07-01"))

    assert found.notes == [{"name": "a", "key": "main/a e 2013-06-29", "age": 2 * 86400.0}]


def test_many_entities_are_one_read_and_are_not_mixed_up() -> None:
    inputs = (Input("a", lookback=3600), Input("h", history=7200), Input("b", required=False))
    store = Store("main/a x 2013-07-01T14", "main/a y 2013-07-01T13", "main/h y 2013-07-01T12", "main/b z 2013-07-01T14")
    wanted: list[tuple[str, dict[str, bytes]]] = [("x", {}), ("y", {"b": b"here"}), ("z", {"a": b"here"}), ("none", {})]

    found = Sources(TaskPlan("t", inputs), "main", "", DATE).find(wanted, store.read)

    values: list[dict[str, Any]] = [f.values for f in found]
    assert values == [
        {"a": b"main/a x 2013-07-01T14", "h": {}},
        {"a": b"main/a y 2013-07-01T13", "h": {"2013-07-01T12": b"main/h y 2013-07-01T12"}, "b": b"here"},
        {"a": b"here", "h": {}, "b": b"main/b z 2013-07-01T14"},
        {"h": {}},
    ]
    assert [f.missing for f in found] == [[], [], [], ["a"]]
    assert len(store.asked) == 1
