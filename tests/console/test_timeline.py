"""The tasks of an entity against each other, at any width; and its inputs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from stage import HOSTILE

from console.entity_view import TaskRow
from console.reports.used import Serves, Used, short_date, short_moment
from console.reports.why import Reason
from console.screens.evidence import commands, traceback
from console.screens.input_list import InputList
from console.screens.text_pane import line
from console.screens.timeline import TaskList
from console.theme import DARK
from engine.status import Status


def a_row(task: str, status: str = "Finished", **more: Any) -> TaskRow:
    fields: dict[str, Any] = {
        "mark": "", "started": "2013-07-01T14:00:00.000+00:00", "start": 1.0, "waited": 0.5, "seconds": 2.0, "error": None,
        "inputs": [], "log": "", "pipe": "", "serves": None,
    }  # fmt: skip
    return TaskRow(task=task, status=status, **(fields | more))


def drawn(
    tasks: list[TaskRow], width: int, why: dict[str, Reason] | None = None, serves: dict[str, str] | None = None
) -> list[str]:
    listed = TaskList()
    listed._tasks, listed._why, listed._serves = tuple(tasks), why or {}, serves or {}
    return ["".join(text for text, _ in listed.row(n, DARK, width)) for n in range(len(tasks))]


BLOCKED = {"type": "Blocked", "message": "no weather at 2013-07-01T14, nor in the 3h before", "where": "", "traceback": ""}


@pytest.mark.parametrize("width", [56, 79, 110, 160, 240])
def test_no_row_is_wider_than_the_list(width: int) -> None:
    tasks = [
        a_row("sales", start=0.0, waited=0.0, seconds=0.01),
        a_row("a_task_with_a_name_that_is_far_too_long", "Failed", start=900.0, seconds=3600.0),
        a_row("東京-店", "Blocked", start=0.0, error=BLOCKED | {"message": HOSTILE[2]}),
        a_row("score", "Pending", start=0.0),
        a_row("late", "Running", start=4000.0, waited=10.0, seconds=5.0),
    ]
    serves = {"late": "T22 serves until 04:00", "東京-店": "T22 serves until 04:00"}
    for row in drawn(tasks, width, {"score": Reason("queued", "queued: \x1b[31m\n" * 50)}, serves):
        assert cell_len(row) <= width and not set(row) & set("\x1b\n\u202e"), row


@given(
    st.lists(st.tuples(st.floats(0.001, 1e4), st.floats(0, 1e3), st.floats(0, 1e4)), min_size=1, max_size=6),
    st.integers(60, 200),
)
def test_time_lines_stand_on_one_scale(times: list[tuple[float, float, float]], width: int) -> None:
    tasks = [a_row(f"t{n}", start=s, waited=min(w, s), seconds=d) for n, (s, w, d) in enumerate(times)]
    rows = drawn(tasks, width)
    for task, row in zip(tasks, rows, strict=True):
        assert cell_len(row) <= width and "█" in row
        for other, beside in zip(tasks, rows, strict=True):
            if task.start + task.seconds <= other.start:
                assert row.index("█") <= beside.index("█")


def test_what_serves_stands_beside_what_was_lost() -> None:
    tasks = [a_row("sales"), a_row("forecast", "Blocked", start=0.0, error=BLOCKED), a_row("other", "Failed")]
    serves = {"forecast": "T22 serves until 04:00", "other": "main's T21 serves until 03:00"}
    _, blocked, failed = drawn(tasks, 140, serves=serves)
    assert "blocked" in blocked and "↺ T22 serves until 04:00 · no weather at 2013-07-01T14" in blocked
    assert "failed" in failed and "✗✗" in failed and failed.rstrip().endswith("↺ main's T21 serves until 03:00")
    narrow = drawn(tasks, 60, serves=serves)
    assert "↺ T22 serves until 04:00" in narrow[1] and "no w" not in narrow[1]


def test_a_pending_task_says_why() -> None:
    tasks = [a_row("sales", "Pending", start=0.0), a_row("weather", mark="reused", start=0.0)]
    why = "waits for weather, runs 3 s already; its patience ends in 12 s"
    reason = Reason("waits", why, 12.0, ("weather",))
    rows = drawn(tasks, 140, {"sales": reason})
    assert drawn(tasks, 79, {"sales": reason})[0].rstrip().endswith("–  waits for weather")
    assert (
        drawn(tasks, 79, {"sales": Reason("queued", "queued: 9,822 entities before it in this wave")})[0]
        .rstrip()
        .endswith("–  queued")
    )
    assert why in rows[0] and "its pipe was there" in rows[1] and "reused" in rows[1]


def test_dates_and_moments_are_short_where_that_is_clear() -> None:
    assert short_date("2013-08-22T22", "2013-08-22T23") == "T22"
    assert short_date("2013-08-21T22", "2013-08-22T23") == "2013-08-21T22"
    assert short_date("2013-08-21", "2013-08-22") == "2013-08-21"
    assert short_moment("2013-08-23T04:00+00:00", "2013-08-22T22") == "04:00"
    assert short_moment("2013-08-25T04:00+00:00", "2013-08-22T22") == "2013-08-25 04:00"


INPUTS = [
    Used("departures", "fresh", "main/departures e 2013-08-22T23", "main", "2013-08-22T23", 0.0, 1234),
    Used("weather", "missing", missing=True, good="main/weather e 2013-08-22T21", good_age=7200.0),
    Used("calendar", "older", "main/calendar e 2013-08-22T20", "main", "2013-08-22T20", 10800.0, 300),
    Used("prices", "base", "main/prices e 2013-08-22T23", "main", "2013-08-22T23", 0.0, 12),
    Used("score", "history", version="fix", bytes=4000, count=23, of=24),
    Used("late", "missing", missing=True, timed_out=True),
    Used("sales", "awaited", "fix/sales e 2013-08-22T23", "fix", "2013-08-22T23"),
]


def test_inputs_say_whose_they_are_how_old_and_where_the_last_good_one_is() -> None:
    listed = InputList()
    listed._inputs, listed._version, listed._date = tuple(INPUTS), "fix", "2013-08-22T23"
    rows = [" ".join("".join(text for text, _ in listed.row(n, DARK, 110)).split()) for n in range(len(INPUTS))]
    assert rows == [
        "● departures fresh 1.2 kB main 2013-08-22T23",
        "◌ weather missing – last good: T21 of main (2h00 old)",
        "↺ calendar 3h00 old 300 B main 2013-08-22T20",
        "↺ prices base 12 B main 2013-08-22T23",
        "● score 23 of 24 4.0 kB fix before 2013-08-22T23",
        "◌ late missing – no earlier one either · not waited for any longer",
        "○ sales awaited – not there",
    ]
    for width in (40, 79, 110, 240):
        for n in range(len(INPUTS)):
            assert cell_len("".join(text for text, _ in listed.row(n, DARK, width))) <= max(width, 45)
    assert listed.copied(0) == "main/departures e 2013-08-22T23"
    assert [i.words for i in INPUTS[:4]] == ["departures", "weather missing", "calendar 3h00 old", "prices of main"]


TRACE = """Traceback (most recent call last):
  File "flows/collect.py", line 38, in weather
    rows = client.get(url).json()
           ^^^^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/httpx/_client.py", line 1041, in get
    return self.request("GET", url)
  [Previous line repeated 3 more times]
HTTPStatusError: 404

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "flows/collect.py", line 41, in weather
    raise NoObservation("[red]none")
NoObservation: [red]none
"""


def test_a_traceback_makes_the_users_frames_loud_and_the_libraries_quiet() -> None:
    tones = {"".join(p.text for p in one).strip(): one[0].tone for one in traceback(TRACE)}
    assert tones['File "flows/collect.py", line 41, in weather'] == "lit"
    assert tones["rows = client.get(url).json()"] == "text"
    assert tones['File "/venv/lib/python3.11/site-packages/httpx/_client.py", line 1041, in get'] == "faint"
    assert tones['return self.request("GET", url)'] == "faint" == tones["[Previous line repeated 3 more times]"]
    assert tones["NoObservation: [red]none"] == Status.FAILED == tones["HTTPStatusError: 404"]
    assert tones["Traceback (most recent call last):"] == "muted"
    assert tones["During handling of the above exception, another exception occurred:"] == "muted"
    assert "\n".join("".join(p.text for p in one) for one in traceback(TRACE)) == TRACE.rstrip("\n")
    assert list(traceback("segfault at 0\nbye")) == [line("segfault at 0"), line("bye")]


def test_the_commands_to_reproduce_quote_what_is_from_outside() -> None:
    from console.locator import Locator

    whole, alone = commands(Locator("entity", wave="w0123456789ab"), "it's $(touch pwned)", "weather")
    quoted = """'it'"'"'s%20$(touch%20pwned)'"""
    assert whole == f"wavedeck script w0123456789ab {quoted} > s.sh; bash s.sh"
    assert alone == f"wavedeck script --task weather w0123456789ab {quoted} > s.sh; bash s.sh"
    assert (
        commands(Locator("entity", wave="w0123456789ab"), "-rf", "t")[0]
        == "wavedeck script w0123456789ab -- '-rf' > s.sh; bash s.sh"
    )


def test_what_serves_in_words_names_another_version() -> None:
    from engine.keys import Date
    from engine.store.wave import Wave

    wave = Wave("w", "f", "fix", Date("2013-08-22T23"), "t", "by", ("a",), 1, 0, 0)
    serves = Serves("main/a e 2013-08-22T22", "main", "2013-08-22T22", "2013-08-23T04:00+00:00", 3600.0)
    assert serves.words(wave) == "main's T22 serves until 04:00"
