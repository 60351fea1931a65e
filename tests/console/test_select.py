"""Filter and sort against the plain way of doing it, entity by entity."""

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.theme import LOOKS
from console.widgets.select import BAD, ORDER, Query, QueryError, parse, select
from engine.status import Cell

TASKS = ["departures", "weather", "delay_features", "weather_raw"]


def board_of(*rows: str) -> bytes:
    """Rows are entities, letters their cells."""
    return "".join(row[task] for task in range(len(rows[0])) for row in rows).encode()


NAMES = ["B6-1-JFK-LAX", "AA-2-LGA-ORD", "AA-3-JFK-BOS", "日本-4", "[red]z", "two\nlines"]
BOARD = board_of("FFFP", "FXBP", "FFRP", "XFFP", "OFFP", "FFFF")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("status:failed", [1, 3]),
        ("status:FAIL", [1, 3]),
        ("!status:failed", [0, 2, 4, 5]),
        ("status:failed,running", [1, 2, 3]),
        ("status:failed status:blocked", [1]),
        ("status:blocked", [1]),
        ("status:covered", [4]),
        ("status:finished task:departures", [0, 1, 2, 4, 5]),
        ("!status:pending", [5]),
        ("status:failed task:weather", [1]),
        ("task:weather", [1]),
        ("task:delay", [1]),
        ("!task:weather", [1, 3]),
        ("!task:weather !task:departures !task:delay", []),
        ("jfk", [0, 2]),
        ("!jfk", [1, 3, 4, 5]),
        ("^aa.*bos$", [2]),
        ("aa jfk", [2]),
        (r"\[red\]", [4]),
        ("日本", [3]),
        ("status:failed aa", [1]),
        ("partition:east", [0, 2]),
        ("!partition:EAST", [1, 3, 4, 5]),
        ("status: task: !", [0, 1, 2, 3, 4, 5]),
        ("host:80", []),
    ],
)
def test_queries(query: str, found: list[int]) -> None:
    partitions = ["East", "west", "east", "", "", ""]
    assert list(select(BOARD, 6, TASKS, NAMES, query, partitions=partitions)) == found


def test_failures_come_first_and_then_by_number() -> None:
    assert list(select(BOARD, 6, TASKS, NAMES, sort="failures")) == [1, 3, 2, 0, 4, 5]
    assert list(select(BOARD, 6, TASKS, NAMES, "task:departures status:finished", sort="failures")) == [4, 0, 1, 2, 5]
    assert list(select(BOARD, 6, TASKS, NAMES, "aa", sort="failures")) == [1, 2]


def test_sorted_by_name() -> None:
    assert [NAMES[e] for e in select(BOARD, 6, TASKS, NAMES, sort="name")] == sorted(NAMES)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("status:zzz", "no status begins with 'zzz'; there are pending, running, finished, reused, covered, failed"),
        ("task:nope", "no task is called so; there are departures, weather"),
        ("a(b", "not a regular expression"),
    ],
)
def test_a_query_that_makes_no_sense_says_why(query: str, says: str) -> None:
    with pytest.raises(QueryError, match=re.escape(says)):
        select(BOARD, 6, TASKS, NAMES, query)


def test_no_entities_and_no_tasks() -> None:
    assert list(select(b"", 0, TASKS, [], "status:failed", sort="failures")) == []
    assert list(select(b"", 2, [], ["a", "b"], "!status:failed", sort="failures")) == [0, 1]


def test_a_board_of_the_wrong_size_is_refused() -> None:
    with pytest.raises(ValueError, match="23 cells"):
        select(BOARD[1:], 6, TASKS, NAMES)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["", "status:failed", "!status:pending,run", "task:b", "e1 status:f"]))
def test_it_is_what_looking_at_each_entity_gives(seed: int, query: str) -> None:
    chance = random.Random(seed)
    n, tasks = chance.randrange(40), ["a", "b", "c"]
    board = bytes(chance.choices(list(LOOKS), k=n * 3))
    names = [f"e{chance.randrange(100)}" for _ in range(n)]
    wanted = [e for e in range(n) if _matches(parse(query), [board[t * n + e] for t in range(3)], names[e])]
    columns = range(3) if "task" not in query else [1]
    wanted.sort(key=lambda e: min(ORDER.index(Cell(board[t * n + e])) for t in columns))
    assert list(select(board, n, tasks, names, query, sort="failures")) == wanted


def _matches(query: Query, cells: list[int], name: str) -> bool:
    looked_at = cells[1:2] if query.tasks else cells
    states = query.states or (((BAD, False),) if query.tasks else ())
    by_state = all(bool(wanted & set(looked_at)) is not inverse for wanted, inverse in states)
    return by_state and all(bool(pattern.search(name)) is not inverse for pattern, inverse in query.names)


def test_fifty_thousand_entities_are_a_matter_of_milliseconds() -> None:
    chance = random.Random(1)
    n, tasks = 50_000, [f"t{i}" for i in range(10)]
    board = bytes(chance.choices(list(LOOKS), k=n * 10))
    names = [f"AA-{e}-JFK-LAX" for e in range(n)]
    for query in ("status:failed task:t3", "jfk"):
        best = min(_seconds(board, n, tasks, names, query) for _ in range(3))
        assert best < 0.1


def _seconds(board: bytes, n: int, tasks: list[str], names: list[str], query: str) -> float:
    start = time.perf_counter()
    assert select(board, n, tasks, names, query, sort="failures")
    return time.perf_counter() - start
