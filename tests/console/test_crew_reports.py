"""States, workers and acts as the headless commands print them, and the rules by which a worker counts as bad."""

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from redis import Redis
from stage import Stage, a_plan, error

from console.cli import cli
from console.reports.crew import holdings, workers
from console.reports.judge import Deeds, fails_more, judged, percent
from console.reports.state import Past, entities_with, worst_of
from engine.cancel import cancel
from engine.keys import Date
from engine.status import ENDED, Cell
from engine.store.catalog import Catalog
from engine.store.claims import claim_command, trip
from engine.store.states import States
from engine.store.workers import SILENT, SlotState, Worker, Workers

NOON = Date("2013-07-01T14").start.timestamp()
F, X, B, P, R, U = Cell.FINISHED, Cell.FAILED, Cell.BLOCKED, Cell.PENDING, Cell.RUNNING, Cell.REUSED


def run(*words: str) -> str:
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def a_wave(redis: Redis) -> Stage:
    Catalog(redis).publish("main", [a_plan()])
    States(redis).seen("shops", [("north", "land"), ("south", "city"), ("nobody", "city")], NOON)
    stage = Stage(redis, ["south", "north"]).claim("w-07")
    stage.run("sales", Cell.FAILED, [1], at=0.1, took=0.1, note=error())
    stage.run("sales", entities=[0], at=0.1, took=0.1)
    return stage


@pytest.mark.usefixtures("home")
def test_state_as_json_and_for_a_person(redis: Redis) -> None:
    stage = a_wave(redis)
    told = json.loads(run("state", "shops", "--json"))
    assert told["state"] == "shops" and told["total"] == 3
    assert told["partitions"] == {"city": 2, "land": 1}
    assert told["entities"][0] == ["nobody", "city", "2013-07-01T14:00:00.000+00:00"]
    assert told["partitions_seen"]["land"] == "2013-07-01T14:00:00.000+00:00"
    assert told["waves"] == [{"id": stage.wave.id, "locator": "shops@main 2013-07-01T14", "ended": False}]
    assert told["how"] == {"nobody": "-", "north": "X", "south": "P"}
    [row] = json.loads(run("state", "--json"))
    assert (row["state"], row["entities"], row["partitions"], row["flows"]) == ("shops", 3, 2, ["shops@main"])
    assert "✗" in run("state", "shops") and "shops@main" in run("state")


@pytest.mark.usefixtures("home")
def test_workers_as_json_and_for_a_person(redis: Redis, tmp_path: Path) -> None:
    stage = a_wave(redis)
    now = time.time()
    slots = [SlotState(1, stage.wave.id, "south", "sales", now), SlotState(2)]
    Workers(redis).beat(Worker("w-07", "main", "h1", 7, now - 60, now, slots, 1_000_000, 5, image="img:1"))
    Workers(redis).leave(Worker("w-08", "main", "h2", 8, now - 60, now))
    [row] = json.loads(run("workers", "--json"))
    assert (row["name"], row["version"], row["host"], row["pid"], row["image"]) == ("w-07", "main", "h1", 7, "img:1")
    assert (row["state"], row["memory"], row["served"], row["draining"]) == ("busy", 1_000_000, 5, False)
    assert row["slots"][0]["entity"] == "south" and row["slots"][0]["wave"] == stage.wave.id
    assert row["slots"][0]["name"] == "shops@main 2013-07-01T14" and row["slots"][1]["task"] is None
    assert row["started"].endswith("+00:00") and row["beat"].endswith("+00:00")
    assert row["verdict"] is None, "no entity of it has ended"
    assert [w["state"] for w in json.loads(run("workers", "--dead", "--json"))] == ["busy", "stopped"]
    assert "sales of south" in run("workers")
    assert json.loads(run("workers", "--version", "other", "--json")) == []


@pytest.mark.usefixtures("home")
def test_acts_as_json_and_for_a_person(redis: Redis) -> None:
    stage, other = Stage(redis), Stage(redis, version="fix-1")
    cancel(redis, stage.wave, by="bob@laptop", reason="wrong data", origin="command")
    told = json.loads(run("acts", "--json"))
    assert [act["verb"] for act in told] == ["cancel", "trigger", "trigger"]
    assert (told[0]["by"], told[0]["origin"], told[0]["wave"]) == ("bob@laptop", "command", stage.wave.id)
    assert told[0]["at"] >= told[1]["at"] >= told[2]["at"]
    assert [act["version"] for act in json.loads(run("acts", "--wave", other.wave.id, "--json"))] == ["fix-1"]
    assert len(json.loads(run("acts", "--limit", "1", "--json"))) == 1
    assert "cancelled" in run("acts") and "wrong data" in run("acts")


def test_a_worker_that_left_is_told_from_one_that_fell_silent(redis: Redis) -> None:
    store, now = Workers(redis), time.time()
    for name in ("left", "silent", "alive"):
        store.beat(Worker(name, "main", "h", 1, now, now - 5, [SlotState(1)], image="i"))
    store.leave(Worker("left", "main", "h", 1, now, now, image="i"))
    redis.delete("wd:{main}:worker:silent")
    assert 0 < redis.ttl("wd:{main}:worker:alive") <= SILENT
    alive, gone = store.heard(["main", "none"])
    assert [w.name for w in alive] == ["alive"]
    assert [(w.name, bool(w.stopped), w.image, w.slots) for w in gone] == [("left", True, "i", []), ("silent", False, "i", [])]
    # When it comes back it is alive again
    store.beat(Worker("left", "main", "h", 2, now, now))
    assert [w.name for w in store.alive("main")] == ["alive", "left"]


def test_a_state_is_stamped_by_who_joins_and_who_is_seen(redis: Redis) -> None:
    states = States(redis)
    stamps = {states.stamp("shops")}
    for who, at in ((("a", "p"), NOON), (("b", "p"), NOON), (("a", "p"), NOON + 1), (("b", "p"), NOON + 1), (("a", "q"), NOON)):
        states.seen("shops", [who], at)
        stamps.add(states.stamp("shops"))
    assert len(stamps) == 6
    assert states.stamp("shops") in stamps
    [extent] = states.extents()
    assert (extent.state, extent.partitions, extent.entities, extent.seen) == ("shops", 2, 3, NOON + 1)


def test_of_a_wave_that_has_ended_nothing_is_read_twice(redis: Redis) -> None:
    stage = a_wave(redis)
    past = Past("shops")
    assert past.look(redis) and past.learn(redis) and not past.look(redis) and past.live
    assert past.how(redis, ["south"]) == {"south": bytes([P])} and past.trouble(redis) == {"north": 11}
    stage.run("weather", at=0.1, took=0.1)
    for task in ("features", "score"):
        stage.step(task, P, B)
    stage.end()
    assert past.look(redis) and not past.live
    assert past.how(redis, ["north", "south", "nobody"]) == {"north": bytes([X]), "south": bytes([B]), "nobody": bytes([0])}
    redis.delete(stage.wave.key("board"), stage.wave.key("members"))
    assert past.how(redis, ["north"]) == {"north": bytes([X])}
    assert past.trouble(redis) == {}, "what is gone is nobody's trouble"


def test_entities_are_picked_by_their_cells() -> None:
    board = bytes([F, X, P, U, F, B, F, F])
    assert entities_with(board, 4, {X}) == [1]
    assert entities_with(board, 4, {F}) == [0, 2, 3]
    assert entities_with(board, 4, ENDED, all_of_them=True) == [0, 1, 3]
    assert entities_with(b"", 0, {X}) == []
    assert (worst_of([F, B, X]), worst_of([F, R, P]), worst_of([U, F]), worst_of([])) == (X, R, F, 0)


@pytest.mark.parametrize(
    ("mine", "others", "odd"),
    [
        ((50, 19), (100, 2), True),
        ((50, 50), (50, 0), True),
        ((50, 2), (100, 0), False),
        ((4, 4), (100, 0), False),
        ((50, 30), (100, 40), False),
        ((1000, 30), (1000, 10), False),
        ((50, 5), (50, 4), False),
        ((50, 50), (0, 0), False),
    ],
)
def test_failing_more_than_the_others_means_more_than_chance_and_enough_to_matter(
    mine: tuple[int, int], others: tuple[int, int], odd: bool
) -> None:
    assert fails_more(*mine, *others) is odd


def test_paces_are_compared_within_a_wave() -> None:
    def served(**took: float) -> Deeds:
        return Deeds(dict.fromkeys(took, 10), {}, {}, {name: [t] * 10 for name, t in took.items()}, True)

    found = judged([served(a=0.1, b=0.1, c=0.1), served(c=5.0, d=5.0, e=1.0)])
    assert {name for name, verdict in found.items() if verdict.slow} == set(), "the second flow is slow, not its workers"
    found = judged([served(a=0.1, b=0.1, c=0.5)])
    assert [name for name, verdict in found.items() if verdict.loud] == ["c"]
    assert found["c"].words == found["c"].short + " than the others" == "5.0× slower than the others"
    assert not judged([served(a=0.0001, b=0.0004)])["b"].slow, "that is noise"


def test_percents() -> None:
    assert [percent(share) for share in (0.0, 0.004, 0.38, 1.0)] == ["0%", "0.4%", "38%", "100%"]


def test_who_was_never_heard_of_is_known_by_what_it_claimed(redis: Redis) -> None:
    stage = Stage(redis, [f"e{n}" for n in range(6)])
    for worker, want in (("w-1", 2), ("w-2", 3)):
        trip(redis, [claim_command(stage.wave, want, worker, lease=600)])
    assert {name: held.entities for name, held in holdings(redis, [stage.wave]).items()} == {"w-1": 2, "w-2": 3}
    now = time.time()
    Workers(redis).beat(Worker("w-1", "main", "h", 1, now, now))
    assert [(w.name, w.state, w.held, w.beat is None) for w in workers(redis)] == [
        ("w-1", "idle", 0, False),
        ("w-2", "dead", 3, True),
    ]
