"""What is different in a wave from the one before it."""

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner
from redis import Redis
from stage import Stage, a_plan, error
from test_failures_report import a_wave

from console.cli import cli
from console.locator import parse
from console.reports.changes import SECTIONS, SETS, Change, Changes, changes, compare, read
from console.reports.failures import members_of
from console.sources.changes import ChangesSource
from engine import Flow
from engine.status import Cell
from engine.store.waves import Waves
from engine.store.workers import Worker, Workers


def told(found: Changes, section: str) -> list[tuple[str, str, str]]:
    return [(c.what, c.before, c.now) for c in found.lines if c.section == section]


def one(found: Changes, section: str) -> Change:
    [line] = [c for c in found.lines if c.section == section]
    return line


def again(redis: Redis, stage: Stage) -> Changes:
    return changes(redis, Waves(redis).get(stage.wave.id))


def test_a_wave_as_the_one_before(redis: Redis) -> None:
    a_wave(redis, 13, {1: "A"})
    last = a_wave(redis, 14, {1: "A"})

    found = again(redis, last)

    assert (found.before, found.why) == ("shops@main 2013-07-01T13", "last wave")
    assert told(found, "entities") == [("1 still failing", "failed", "failed")]
    assert [s for s in SECTIONS if s != "entities"] == found.same
    quiet = again(redis, a_wave(redis, 12, {})), again(redis, a_wave(redis, 15, {}))
    assert quiet[1].why == "last wave"
    assert a_quiet_pair(redis).lines == []


def a_quiet_pair(redis: Redis) -> Changes:
    a_wave(redis, 20, {})
    return again(redis, a_wave(redis, 21, {}))


def test_no_earlier_wave(redis: Redis) -> None:
    found = again(redis, a_wave(redis, 14, {1: "A"}))
    assert (found.before, found.lines, found.same) == ("", [], [])
    assert members_of(redis, a_wave(redis, 15, {}, version="other").wave, "newly-failed") == frozenset()


def test_entities_newly_failed_recovered_still_failing(redis: Redis) -> None:
    before = a_wave(redis, 13, {1: "A", 2: "A"})
    last = a_wave(redis, 14, {2: "A", 3: "A", 4: "A"})

    found = again(redis, last)

    assert told(found, "entities") == [
        ("2 newly failed", "2 failed", "3 failed"),
        ("1 still failing", "failed", "failed"),
        ("1 recovered", "not finished", "finished"),
    ]
    new, still, well = (c for c in found.lines if c.section == "entities")
    assert (new.which, new.loud, still.which, well.which, well.loud) == ("shop-3, shop-4", True, "shop-2", "shop-1", False)
    # the places: several as a filtered wave, one itself
    assert parse(new.place).filter == "family:newly-failed"
    assert members_of(redis, last.wave, "newly-failed") == {3, 4}
    assert (parse(well.place).view, parse(well.place).entity) == ("entity", "shop-1")
    assert {name: sorted(members_of(redis, last.wave, name)) for name in SETS} == {
        "newly-failed": [3, 4],
        "newly-blocked": [],
        "still-failing": [2],
        "recovered": [1],
        "newcomers": [],
    }
    assert found.before_id == before.wave.id


def test_what_was_bad_and_has_not_ended_yet_has_not_recovered(redis: Redis) -> None:
    a_wave(redis, 13, {1: "A"})
    stage = Stage(redis, [f"shop-{n}" for n in range(6)]).claim()
    stage.run("sales", at=0.1, took=0.1)

    found = again(redis, stage)

    assert found.running
    assert told(found, "entities") == []
    assert told(found, "families") == []  # it may still come


def test_newly_blocked_is_told_apart(redis: Redis) -> None:
    a_wave(redis, 13, {})
    stage = Stage(redis, [f"shop-{n}" for n in range(6)]).claim()
    stage.step("features", Cell.PENDING, Cell.BLOCKED, [1, 2], note=error("Blocked", "no weather"))
    assert told(again(redis, stage), "entities") == [("2 newly blocked", "0 blocked", "2 blocked")]


def test_families_new_gone_grown(redis: Redis) -> None:
    a_wave(redis, 13, {0: "Grows", 1: "Gone"})
    last = a_wave(redis, 14, {0: "Grows", 2: "Grows", 3: "Grows", 4: "New"})

    found = again(redis, last)

    assert told(found, "families") == [("family grew", "1", "3"), ("new family", "0", "1"), ("family gone", "1", "0")]
    grew, new, gone = (c for c in found.lines if c.section == "families")
    assert (grew.loud, new.loud, gone.loud) == (True, True, False)
    key = parse(new.place).filter.removeprefix("family:")
    assert members_of(redis, last.wave, key) == {4}
    assert parse(gone.place).name == "shops@main 2013-07-01T13"
    assert "Gone: no weather for <key>" in gone.which


def test_who_joined_and_left(redis: Redis) -> None:
    a_wave(redis, 13, {}, names=6)
    last = a_wave(redis, 14, {}, names=8)
    line = one(again(redis, last), "members")
    assert (line.what, line.before, line.now, line.which) == ("2 joined", "6", "8", "shop-6, shop-7")
    assert members_of(redis, last.wave, "newcomers") == {6, 7}
    left = one(again(redis, a_wave(redis, 15, {}, names=7)), "members")
    assert (left.what, parse(left.place).view, parse(left.place).entity) == ("1 left", "entity", "shop-7")


def test_tasks_slower_and_faster_by_their_median_or_their_tail(redis: Redis) -> None:
    for hour, sales, weather, tail in ((13, 0.4, 1.2, 0.3), (14, 0.5, 0.4, 3.0)):
        stage = Stage(redis, [f"shop-{n}" for n in range(20)], date=f"2013-07-01T{hour}").claim()
        stage.run("sales", at=0.1, took=sales)
        stage.run("weather", at=0.1, took=weather)
        stage.run("features", entities=range(18), at=0.1, took=0.3)
        stage.run("features", entities=[18, 19], at=0.1, took=tail)
        stage.run("score", at=0.1, took=0.005 if hour == 13 else 0.015)  # three times as long as nearly nothing
        stage.end()

    found = again(redis, stage)

    assert told(found, "durations") == [
        ("weather 3.0× faster", "p50 1.2 s", "p50 0.4 s"),
        ("features 10.0× slower", "p95 0.3 s", "p95 3.0 s"),
    ]
    assert [c.loud for c in found.lines if c.section == "durations"] == [False, True]


def test_fallbacks(redis: Redis) -> None:
    a_wave(redis, 13, {})
    stage = Stage(redis, [f"shop-{n}" for n in range(6)]).claim()
    stage.run("sales", at=0.1, took=0.1)
    stage.run("features", Cell.FALLBACK, [0, 1], at=0.1, took=0.5)

    line = one(again(redis, stage), "fallbacks")

    assert (line.what, line.before, line.now, line.loud) == ("features on older inputs", "0", "2", True)
    assert parse(line.place).filter == "task:features status:covered"


def test_tasks_of_the_flow_and_config(redis: Redis) -> None:
    flow = Flow("shops", every="1h", state="shops", keep="30d")

    @flow.task(timeout="60s")
    def sales(entity: str) -> None: ...

    @flow.task(timeout="2m")
    def weather(entity: str) -> None: ...

    @flow.task(timeout="60s", lookback={"weather": "5h"})
    def features(sales: object, weather: object) -> None: ...

    @flow.task(timeout="60s")
    def report(features: object) -> None: ...

    old = read(redis, Stage(redis, date="2013-07-01T13").wave)
    new = read(redis, Stage(redis, plan=flow.plan, date="2013-07-01T14").wave)
    old = replace(old, wave=replace(old.wave, config={"sales": {"horizon": 24, "same": 1}}))
    new = replace(new, wave=replace(new.wave, config={"sales": {"horizon": 48, "same": 1, "more": "x"}}))

    found = compare(old, new)

    assert told(found, "plan") == [
        ("input weather of features", "required, up to 3h old", "required, up to 5h old"),
        ("task report is new", "–", "there"),
        ("task score is gone", "there", "–"),
        ("timeout of weather", "1m", "2m"),
    ]
    assert told(found, "config") == [("sales.horizon", "24", "48"), ("sales.more", "–", "x")]


def test_workers_and_images(redis: Redis) -> None:
    def run(hour: int, worker: str, image: str) -> Stage:
        Workers(redis).beat(Worker(worker, "main", "host", 1, 1.0, 1.0, image=image))
        stage = Stage(redis, date=f"2013-07-01T{hour}").claim(worker)
        for task in stage.plan.names:
            stage.run(task, at=0.1, took=0.1)
        stage.end()
        return stage

    run(12, "w-1", "shops:1")
    assert told(again(redis, run(13, "w-1", "shops:1")), "workers") == []
    assert told(again(redis, run(14, "w-2", "shops:2")), "workers") == [("image", "shops:1", "shops:2"), ("workers", "1", "1")]


def test_against_the_base_version_and_a_re_run_against_its_own_wave(redis: Redis) -> None:
    from engine.launch import launch
    from engine.rerun import rerun

    base = a_wave(redis, 13, {1: "A"})
    fix = launch(
        redis, a_plan(), version="fix-1", date=base.wave.date, trigger="t", by="ana", base="main", entities=base.entities
    )
    found = changes(redis, fix.wave)
    assert (found.before, found.why) == ("shops@main 2013-07-01T13", "base version")

    a_wave(redis, 14, {})
    part = rerun(redis, base.wave, by="ana").wave
    found = changes(redis, part)
    assert (found.before_id, found.why) == (base.wave.id, "re-run of")
    assert told(found, "members") == []  # that it is a part is no news


def test_a_re_run_and_a_cancelled_wave_are_no_wave_before(redis: Redis) -> None:
    from engine.cancel import cancel
    from engine.rerun import rerun

    base = a_wave(redis, 12, {1: "A"})
    rerun(redis, base.wave, by="ana")
    cancel(redis, a_wave(redis, 13, {}, end=False).wave, by="ana")
    assert again(redis, a_wave(redis, 14, {})).before_id == base.wave.id


def test_the_source_reads_again_only_when_the_wave_moved(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    a_wave(redis, 13, {1: "A"})
    stage = Stage(redis, [f"shop-{n}" for n in range(6)]).claim()
    source = ChangesSource(stage.wave.id)
    first, _ = source.read(redis)
    assert first is not None
    monkeypatch.setattr("console.sources.changes.read", None)
    assert source.read(redis)[0] is None
    monkeypatch.undo()
    stage.run("sales", Cell.FAILED, [5], at=0.1, took=0.1, note=error())
    second, _ = source.read(redis)
    assert second is not None
    assert [c.what for c in second.lines if c.section == "entities"] == ["1 newly failed"]


def test_the_twin(redis: Redis, redis_url: str) -> None:
    run = CliRunner()
    a_wave(redis, 13, {})
    last = a_wave(redis, 14, {1: "A"})
    found = json.loads(run.invoke(cli, ["--redis", redis_url, "changes", "last", "--json"]).output)
    assert {"wave", "locator", "before", "before_id", "why", "lines", "same", "running"} == set(found)
    assert {"section", "what", "before", "now", "which", "loud", "place"} == set(found["lines"][0])
    assert found["wave"] == last.wave.id
    shown = run.invoke(cli, ["--redis", redis_url, "changes", "last"]).output
    assert "against shops@main 2013-07-01T13" in shown and "1 newly failed" in shown and "as before: " in shown
    shown = run.invoke(cli, ["--redis", redis_url, "changes", "shops@main 2013-07-01T13"]).output
    assert "there is no earlier wave" in shown
