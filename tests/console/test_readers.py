"""Who may only read sees every screen and has every reading command; what changes something is refused in a sentence."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result
from redis import Redis
from stage import Stage, a_bad_wave, a_plan, shows, until

from console.app import WavedeckApp
from console.cli import cli
from console.locator import parse
from engine.errors import Refused
from engine.keys import Date
from engine.store.acts import Acts
from engine.store.catalog import Catalog
from engine.store.states import States
from engine.store.waves import Waves
from engine.store.workers import SlotState, Worker, Workers

NAME = "shops@main 2013-07-01T14"


@pytest.fixture
def stage(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A wave before, a bad wave with values, a state, a worker."""
    monkeypatch.setenv("WAVEDECK_FLOWS", "no_such_module")
    before = Stage(redis, date="2013-07-01T13").claim()
    for task in ("sales", "weather", "features", "score"):
        before.run(task, at=0.1, took=0.1)
    before.end()
    States(redis).seen("shops", [("north", "N"), ("south", "S")], Date("2013-07-01T15").start.timestamp())
    Catalog(redis).publish("main", [a_plan()])
    Workers(redis).beat(Worker("w-07", "main", "host", 1, 0.0, 0.0, slots=[SlotState(1)]))
    stage = a_bad_wave(redis)
    redis.set("main/sales north 2013-07-01T14", b'{"n":1}')
    return stage


@pytest.fixture
def reader_url(redis: Redis, redis_url: str) -> Iterator[str]:
    """As a user who may read everything and nothing else: not even ping."""
    redis.acl_setuser("reader", enabled=True, reset=True, passwords=["+secret"], keys=["*"], categories=["+@read"])
    yield redis_url.replace("unix://", "unix://reader:secret@")
    redis.acl_deluser("reader")


PLACES = {
    ":waves": "07-01T14",
    f":wave {NAME}": "south",
    f":failures {NAME}": "NoObservation",
    f":changes {NAME}": "newly failed",
    f":entity {NAME} south": "NoObservation",
    ":pipes main": "weather",
    ":pipes main/sales 2013-07-01T14": "north",
    ":pipes main/sales 2013-07-01T14 north": "main/sales",
    ":state shops": "north",
    ":workers": "w-07",
    ":acts": "trigger",
}


async def test_every_screen_opens_for_a_user_that_may_only_read(stage: Stage, redis: Redis, reader_url: str) -> None:
    redis.acl_log_reset()
    async with WavedeckApp(reader_url).run_test(size=(120, 36)) as pilot:
        app = pilot.app
        assert isinstance(app, WavedeckApp)
        await until(pilot, lambda: app.read_only, "it has found out that it may not write")
        for place, wanted in PLACES.items():
            app.go(parse(place.removeprefix(":")))
            shown = await shows(pilot, wanted)
            assert "link lost" not in shown and "NoPermission" not in shown, (place, shown)
            assert "T trigger" not in shown and "X cancel" not in shown and "R re-run" not in shown, place
            assert "read-only" in shown, place
    tried = {entry["object"] for entry in redis.acl_log()}
    assert tried <= {"unlink", "multi", "exec", "info"}, "only whether it may write, a transaction, and how Redis is set up"


READING = [
    ["waves"],
    ["wave", "last"],
    ["failures", NAME],
    ["first-red", NAME],
    ["changes", NAME],
    ["incident", NAME],
    ["entity", NAME, "south"],
    ["why", NAME, "east"],
    ["diff", NAME, "south"],
    ["script", NAME, "north"],
    ["flows"],
    ["state", "shops"],
    ["workers"],
    ["acts"],
    ["pipes"],
    ["pipes", "main/sales", "2013-07-01T14"],
    ["pipe", "main/sales", "north", "2013-07-01T14"],
]


def call(*words: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, list(words), **options)


def url_of(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("WAVEDECK_REDIS_URL", url)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_every_reading_command_is_there_for_a_user_that_may_only_read(
    stage: Stage, reader_url: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url_of(monkeypatch, reader_url)
    done = call(*words, *(["--json"] if words[0] != "incident" else []))
    assert done.exception is None, done.output
    assert done.output


ACTS = [
    ["trigger", "shops", "--date", "2013-07-01T15"],
    ["init", "shops", "--date", "2013-07-01T15"],
    ["cancel", NAME],
    ["rerun", NAME],
]


@pytest.mark.parametrize("words", ACTS, ids=lambda words: str(words[0]))
@pytest.mark.parametrize("who", ["--read-only", "reader"])
def test_every_act_is_refused_in_a_sentence(
    stage: Stage, redis: Redis, redis_url: str, reader_url: str, words: list[str], who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url_of(monkeypatch, redis_url if who == "--read-only" else reader_url)
    before = len(Waves(redis).recent()), len(Acts(redis).recent())

    done = call(*(["--read-only"] if who == "--read-only" else []), *words)

    assert isinstance(done.exception, Refused)
    why = "this session changes nothing" if who == "--read-only" else "this Redis user may not write"
    assert str(done.exception) == f"read-only: {why}"
    assert (len(Waves(redis).recent()), len(Acts(redis).recent())) == before
    assert not Waves(redis).get(stage.wave.id).cancelled


# wavedeck rerun


def rerun(*words: str) -> dict[str, Any]:
    done = call("rerun", *words, "--json")
    assert done.exception is None, done.output
    found: dict[str, Any] = json.loads(done.output)
    return found


def entities(redis: Redis, wave: dict[str, Any]) -> list[str]:
    return [entity for entity, _ in Waves(redis).members(Waves(redis).get(wave["id"]))]


def test_rerun_takes_what_did_not_finish_or_what_it_is_told(
    stage: Stage, redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url_of(monkeypatch, redis_url)
    families = json.loads(call("failures", NAME, "--json").output)
    key = next(f["key"] for f in families if f["status"] == "Failed")

    of = stage.wave.id
    assert entities(redis, rerun(of)) == ["south"]
    assert entities(redis, rerun(of, "--failed")) == ["south"]
    assert entities(redis, rerun(of, "--task", "features")) == ["south"]
    assert entities(redis, rerun(of, "--family", key)) == ["south"]
    assert entities(redis, rerun(of, "--entity", "north", "--entity", "south")) == ["north", "south"]
    assert entities(redis, rerun(of, "--entity", "north", "--entity", "south", "--failed")) == ["south"]

    new = rerun(of)
    assert (new["of"], new["new"], new["version"], new["phase"]) == (of, True, "main", "queued")
    assert json.loads(call("wave", new["id"], "--json").output)["of"] == of
    assert [(a.verb, a.origin, a.wave) for a in Acts(redis).recent(1)] == [("rerun", "command", new["id"])]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--task", "sales"], "no entity that was chosen"),
        (["--task", "nothing"], "no task 'nothing'"),
        (["--entity", "nobody"], "nobody"),
        (["--family", "nothing"], "no family 'nothing'"),
        (["--entity", "north", "--failed"], "no entity that was chosen"),
        (["--version", "mian"], "mian"),
    ],
)
def test_rerun_says_what_is_wrong(
    stage: Stage, redis: Redis, redis_url: str, words: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url_of(monkeypatch, redis_url)
    before = len(Waves(redis).recent())
    done = call("rerun", stage.wave.id, *words)
    assert told in str(done.exception)
    assert len(Waves(redis).recent()) == before


def test_acts_say_from_where_they_came(redis: Redis, stage: Stage, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url_of(monkeypatch, redis_url)
    for words in (ACTS[0], ACTS[1], ["cancel", stage.wave.id]):
        assert call(*words).exception is None

    newest = [(a.verb, a.origin, a.by) for a in Acts(redis).recent(3)]
    assert [verb for verb, _, _ in newest] == ["cancel", "schedule", "trigger"]
    assert [origin for _, origin, _ in newest] == ["command", "schedule", "command"]
    assert "@" in newest[0][2] and newest[1][2] == "schedule" and "@" in newest[2][2]
