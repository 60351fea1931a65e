"""Pipes, comparisons, waves and boards as frames: which rows, which columns, of which types."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from redis import Redis

from engine import Date, Flow, frames
from engine.errors import NotFound
from engine.fleet.embedded import NoRedis
from engine.keys import PipeKey
from engine.launch import launch
from engine.payload import encode_json
from engine.status import Cell
from engine.store.catalog import Catalog
from engine.store.claims import Move, Moves, claim_command, holds_of, move_command, pack_time, read_claim, read_move, trip
from engine.store.pipes import Pipes, expiry
from engine.store.wave import Wave

START = Date("2013-07-01T22")
MOMENT, EXACT = "datetime64[s, UTC]", "datetime64[ms, UTC]"


def a_flow() -> Flow:
    flow = Flow("shops", every="1h", state="shops")

    @flow.task(horizon="3h")
    def forecast(entity: str) -> None: ...

    @flow.task()
    def score(forecast: Any) -> None: ...

    return flow


def write(redis: Redis, version: str, pipe: str, entity: str, date: str, value: Any) -> None:
    data = value if isinstance(value, bytes) else encode_json(value)
    Pipes(redis).put(PipeKey.make(version, pipe, entity, date), data, expiry(Date(date), 86400), "tests")


def types(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(kind) for name, kind in frame.dtypes.items()}


@pytest.mark.every_house
def test_pipes_are_a_row_each(redis: Redis) -> None:
    """Given pipes of two dates, JSON and bytes, then there is a row for each, in order of dates, with what it holds."""
    for hour in (0, 1):
        for n in range(3):
            write(redis, "main", "sales", f"shop {n}", START.shift(hour), {"n": n, "hour": hour})
    write(redis, "main", "sales", "z", START.shift(1), b"\x00\xff")
    frame = frames.pipes("main", "sales", START, START.shift(1), redis=redis)
    assert types(frame) == {"date": MOMENT, "entity": "string", "partition": "category", "bytes": "int64", "value": "object"}
    assert list(frame["entity"]) == ["shop 0", "shop 1", "shop 2"] * 2 + ["z"]
    assert list(frame["value"])[3:] == [{"n": 0, "hour": 1}, {"n": 1, "hour": 1}, {"n": 2, "hour": 1}, b"\x00\xff"]
    assert frame["date"][0] == pd.Timestamp("2013-07-01T22", tz="UTC")
    assert frame["bytes"][6] == 2
    assert len(frames.pipes("main", "sales", redis=redis)) == 4, "the newest date"
    assert (
        list(frames.pipes("main", "sales", "2013-07-01", "2013-07-01", entities=["shop 1"], redis=redis)["entity"])
        == ["shop 1"] * 2
    )


@pytest.mark.every_house
def test_many_pipes_come_in_batches(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "BATCH", 7)
    wave = launch(
        redis, a_flow().plan, version="main", date=START, trigger="t", by="tests", entities=[f"e{n}" for n in range(100)]
    ).wave
    ran(redis, wave, "forecast", range(100))
    for n in range(100):
        redis.set(f"main/forecast e{n} {START}", encode_json([n, n + 0.5]))
    frame = frames.points("main", "forecast", redis=redis)
    assert len(frame) == 200
    assert frame["value"].sum() == sum(2 * n + 0.5 for n in range(100))


def test_points_know_which_hour_they_are_about(redis: Redis) -> None:
    """Given a forecast's list, a mapping by date and a single number, then lists are the coming hours, and a number is about its own date."""
    Catalog(redis).publish("main", [a_flow().plan])
    write(redis, "main", "forecast", "a", START, [1.0, 2.0, None])
    write(redis, "main", "forecast", "b", START, {"hours": {"2013-07-02T00": 5, "2013-07-02T01": 6}, "n": 3, "name": "x"})
    write(redis, "main", "forecast", "c", START, 7)
    frame = frames.points("main", "forecast", redis=redis)
    assert types(frame) == {
        "date": MOMENT, "entity": "string", "partition": "category", "curve": "category", "at": MOMENT, "lead": "Int32", "value": "float64",
    }  # fmt: skip
    rows = [(r.entity, r.curve, r.at.strftime("%dT%H"), r.lead, r.value) for r in frame.itertuples()]
    assert rows == [
        ("a", "value", "01T22", 0, 1.0),
        ("a", "value", "01T23", 1, 2.0),
        ("b", "hours", "02T00", 2, 5.0),
        ("b", "hours", "02T01", 3, 6.0),
        ("b", "n", "01T22", 0, 3.0),
        ("c", "", "01T22", 0, 7.0),
    ]
    assert list(frames.points("main", "forecast", curve="n", redis=redis)["value"]) == [3.0]
    write(redis, "main", "shares", "a", START, [0.1, 0.9])
    shares = frames.points("main", "shares", redis=redis)
    assert shares["at"].isna().all()
    assert shares["lead"].isna().all()


def test_two_versions_side_by_side_with_the_truth(redis: Redis) -> None:
    """Given a pipe in both versions, in either alone, and what happened, told twice, then each point is a row with both, and with the last."""
    Catalog(redis).publish("main", [a_flow().plan])
    write(redis, "main", "forecast", "both", START, [10.0, 20.0])
    write(redis, "x", "forecast", "both", START, [11.0, 18.0, 30.0])
    write(redis, "main", "forecast", "a", START, [1.0, 1.0])
    write(redis, "x", "forecast", "b", START, [2.0, 2.0])
    write(redis, "main", "seen", "both", START.shift(1), {str(START): 9.0})
    write(redis, "main", "seen", "both", START.shift(2), {str(START): 12.0, str(START.shift(1)): 20.0})
    frame = frames.compare("main", "x", "forecast", truth="seen", redis=redis)
    assert types(frame) == {
        "date": MOMENT, "entity": "string", "partition": "category", "curve": "category", "at": MOMENT, "lead": "Int32", "a": "float64",
        "b": "float64", "difference": "float64", "there": "category", "truth": "float64", "error_a": "float64", "error_b": "float64",
    }  # fmt: skip
    frame = frame.set_index(["entity", "lead"]).sort_index()
    assert list(frame.loc["both", "difference"].dropna()) == [1.0, -2.0]
    assert list(frame.loc["both", "truth"].dropna()) == [12.0, 20.0]
    assert list(frame.loc["both", "error_b"].dropna()) == [-1.0, -2.0]
    assert frame.loc[("both", 2), "b"] == 30.0
    assert pd.isna(frame.loc[("both", 2), "a"])
    assert set(frame.loc["a", "there"]) == {"a"}
    assert frame.loc["b", "a"].isna().all()
    plain = frames.compare("main", "x", "forecast", redis=redis)
    assert list(plain.columns)[-1] == "there"


def ran(redis: Redis, wave: Wave, task: str, entities: range) -> None:
    """Moves the first cells of a task from Pending over Running to Finished, 1.5 s after the wave's start, for 0.25 s."""
    claimed = read_claim(wave, trip(redis, [claim_command(wave, wave.n, "w-1", lease=600)])[0])
    t, n = wave.tasks.index(task), len(entities)
    for before, after in ((Cell.PENDING, Cell.RUNNING), (Cell.RUNNING, Cell.FINISHED)):
        step = Move(t, before, after, 0, n, pack_time(1.5, 0.25) * n)
        moves = Moves(holds_of(claimed.ids, claimed.records), [step])
        assert not read_move(trip(redis, [move_command(wave, moves)])[0]).refused


def test_waves_and_the_cells_of_one(redis: Redis) -> None:
    wave = launch(redis, a_flow().plan, version="main", date=START, trigger="t", by="ana", entities=["a", "b c"]).wave
    ran(redis, wave, "forecast", range(1))
    table = frames.waves(redis=redis)
    assert types(table) == {
        **dict.fromkeys(("id", "flow", "version", "trigger", "by", "base", "state", "cancelled"), "string"), "date": MOMENT,
        **dict.fromkeys(("created", "started", "ended"), EXACT), "seconds": "float64",
        **dict.fromkeys(("entities", "tasks", "pending", "running", "finished", "failed", "blocked", "cancelled_cells"), "int64"),
    }  # fmt: skip
    row = table.iloc[0]
    assert (row["id"], row["by"], row["entities"], row["tasks"], row["finished"], row["pending"]) == (
        wave.id,
        "ana",
        2,
        2,
        1,
        3,
    )
    assert row["created"].timestamp() * 1000 == wave.created
    assert pd.isna(row["ended"])
    assert pd.isna(row["seconds"])
    cells = frames.board("last", redis=redis)
    assert types(cells) == {
        "entity": "string", "partition": "category", "task": "category", "status": "category", "mark": "category", "started": EXACT,
        "seconds": "float64",
    }  # fmt: skip
    assert list(cells["entity"]) == ["a", "b c"] * 2
    assert list(cells["task"]) == ["forecast"] * 2 + ["score"] * 2
    assert list(cells["status"]) == ["Finished", "Pending", "Pending", "Pending"]
    assert cells["seconds"][0] == pytest.approx(0.25)
    assert cells["started"][0].timestamp() * 1000 == wave.created + 1500
    assert cells["started"][1:].isna().all()


def test_what_is_not_there_is_said(redis: Redis, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="version 'main' has no pipe 'sales'"):
        frames.pipes("main", "sales", redis=redis)
    write(redis, "main", "sales", "a", START, 1)
    with pytest.raises(NotFound, match=f"it has {START} to {START}"):
        frames.points("main", "sales", "2014-01-01", "2014-01-02", redis=redis)
    with pytest.raises(NotFound, match="no wave"):
        frames.board("nothing", redis=redis)
    monkeypatch.setenv("WAVEDECK_HOME", str(tmp_path))
    with pytest.raises(NoRedis, match="give redis= a URL"):
        frames.waves()


@pytest.mark.one_server
def test_a_url_will_do_and_the_client_only_reads(redis: Redis, redis_url: str) -> None:
    write(redis, "main", "sales", "a", START, 1)
    assert len(frames.pipes("main", "sales", redis=redis_url)) == 1
    with pytest.raises(Exception, match="read-only"):
        frames._client(redis_url).set("x", 1)


def test_without_pandas_it_says_what_to_install() -> None:
    """Given no pandas, when the module is imported, then it is; when a function is called, then the error says what to do."""
    code = """
import sys
sys.modules["pandas"] = None
from engine.frames import NoPandas, pipes
try:
    pipes("main", "sales")
except NoPandas as e:
    print(e)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert done.stdout == "engine.frames needs pandas: pip install 'wavedeck[frames]'\n"
