"""Overlay waves and back-fills on real workers: what runs, on whom, and that nothing of the base is touched."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rig import DATE, Rig

from engine.keys import Date, encode_entity
from engine.launch import sample
from engine.overlay import Overlay, launch_overlay, overlay
from engine.plan import Plan
from engine.store.wave import Wave
from engine.store.waves import Waves

FLOW = """
    import json as _json

    def say(task, entity):
        with open("runs", "a") as f:
            f.write(f"{os.environ['WHO']} {task} {entity}\\n")

    @flow.source
    def shops(date):
        with open("runs", "a") as f:
            f.write("source\\n")
        return [(f"e{n}", "north" if n % 2 else "south") for n in range(20)]

    @flow.task
    def weather(entity, date):
        say("weather", entity)
        return {"at": date, "of": entity}

    @flow.task(codec="bytes")
    def picture(entity):
        say("picture", entity)
        return entity.encode()

    FACTOR = 1

    def helper(weather, picture):
        return [weather["of"], picture.decode(), FACTOR]

    @flow.task
    def model(weather, picture, entity):
        say("model", entity)
        return helper(weather, picture)

    @flow.task
    def score(model, entity):
        say("score", entity)
        return len(model)
"""
ENTITIES = [f"e {n}" for n in range(20)]


class Two:
    """A rig with a flow in two versions: `main` ran, `fix` has another helper of its model."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.base = rig.flow(FLOW).plan
        self._module = rig.module
        self.fix = rig.flow(FLOW.replace("FACTOR = 1", "FACTOR = 2")).plan
        self._fixed = rig.module
        rig.module = self._module

    def main(self, *entities: str, date: Date = DATE) -> Wave:
        wave = self.rig.launch(self.base, *(entities or ENTITIES), date=date)
        self.rig.run(WHO="main")
        return wave

    def work(self) -> None:
        """A worker of `fix`, until it is idle."""
        self.rig.module = self._fixed
        self.rig.run("--version", "fix", WHO="fix")
        self.rig.module = self._module

    def over(self, **more: Any) -> tuple[Overlay, Wave]:
        what = overlay(self.rig.redis, self.fix, version="fix", base="main", **more)
        wave = launch_overlay(self.rig.redis, what, by="tests").wave
        self.work()
        return what, wave

    def environment(self) -> dict[str, str]:
        return {**self.rig.environment(), "WAVEDECK_FLOWS": self._fixed}

    def wavedeck(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("wavedeck")), *words]
        return subprocess.run(
            command, cwd=self.rig.folder, env=self.environment(), capture_output=True, text=True, timeout=120, check=False
        )


@pytest.fixture
def two(rig: Rig) -> Two:
    return Two(rig)


def dump(rig: Rig, prefix: bytes) -> dict[bytes, bytes | None]:
    return {key: rig.redis.dump(key) for key in rig.redis.scan_iter() if key.startswith(prefix)}


def test_an_overlay_wave_runs_what_changed_and_what_is_downstream_and_reads_the_rest(two: Two) -> None:
    base = two.main()
    before = dump(two.rig, b"main/")
    ran = len(two.rig.runs())

    what, wave = two.over()

    assert what.runs == {"model": "other code", "score": "takes model"}
    assert [(r.task, r.there, r.of) for r in what.reads] == [("weather", 20, 20), ("picture", 20, 20)]
    assert (wave.tasks, wave.date, wave.n, wave.base, wave.state) == (("model", "score"), base.date, 20, "main", base.state)
    assert Waves(two.rig.redis).members(wave) == Waves(two.rig.redis).members(base)
    assert set(two.rig.rows(wave).values()) == {"FF"}
    assert {line.split()[1] for line in two.rig.runs()[ran:]} == {"model", "score"}, "no collector, and no source"
    assert two.rig.pipe("model", "e 7", version="fix") == ["e 7", "e 7", 2]
    assert two.rig.pipe("model", "e 7") == ["e 7", "e 7", 1]
    assert two.rig.raw("weather", "e 7", version="fix") is None
    assert dump(two.rig, b"main/") == before, "nothing of the base is written"
    assert [i["key"] for i in two.rig.note(wave, "model", "e 7")["inputs"]] == [
        f"main/{name} e%207 {DATE}" for name in ("weather", "picture")
    ]


def test_what_is_read_is_the_base_s_even_where_the_version_has_its_own(two: Two) -> None:
    two.main("a")
    two.rig.redis.set(f"fix/weather a {DATE}", json.dumps({"of": "not this"}))

    two.over()

    assert two.rig.pipe("model", "a", version="fix") == ["a", "a", 2]


def test_what_the_base_has_not_blocks_its_own_entity_alone(two: Two) -> None:
    two.main("a", "b")
    two.rig.redis.delete(f"main/weather a {DATE}")

    _, wave = two.over()

    assert (two.rig.row(wave, "a"), two.rig.row(wave, "b")) == ("BB", "FF")
    assert two.rig.error(wave, "model", "a") == f"Blocked: no weather at {DATE}"


def test_only_takes_a_task_as_the_one_that_is_different(two: Two) -> None:
    two.main("a")

    what, wave = two.over(only=["score"])

    assert (what.runs, wave.tasks) == ({"score": "chosen"}, ("score",))
    assert two.rig.pipe("score", "a", version="fix") == 3
    assert two.rig.raw("model", "a", version="fix") is None


def test_running_a_part_again_keeps_to_the_part(two: Two) -> None:
    from engine.rerun import rerun

    two.main("a", "b")
    _, wave = two.over()

    again = rerun(two.rig.redis, wave, by="tests", entities=[0]).wave
    two.work()

    assert (again.tasks, again.base) == (("model", "score"), "main")
    assert two.rig.row(again, "a") == "UU"


def test_its_script_runs_it_as_well(two: Two, tmp_path: Path) -> None:
    two.main("a")
    what = overlay(two.rig.redis, two.fix, version="fix", base="main")
    wave = launch_overlay(two.rig.redis, what, by="tests").wave

    script = two.wavedeck("script", wave.id, "a")
    done = subprocess.run(
        ["bash", "-s"], input=script.stdout, cwd=two.rig.folder, env={**two.environment(), "WHO": "script"}, text=True, capture_output=True, check=False
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert two.rig.pipe("score", "a", version="fix") == 3
    assert {line.split()[1] for line in two.rig.runs() if line.startswith("script")} == {"model", "score"}


def test_a_plan_says_what_would_run_and_starts_nothing(two: Two) -> None:
    base = two.main("a", "b")
    before = dump(two.rig, b"")

    told = two.wavedeck("trigger", "shop", "--version", "fix", "--base", "main", "--plan")
    as_json = json.loads(two.wavedeck("trigger", "shop", "--version", "fix", "--base", "main", "--plan", "--json").stdout)

    assert told.stdout.splitlines() == [
        f"shop@fix {DATE} over main: 2 entities of wave {base.id} ({base.locator})",
        "  runs   model    other code",
        "  runs   score    takes model",
        "  reads  weather  main's, 2 of 2 are there",
        "  reads  picture  main's, 2 of 2 are there",
    ], told.stderr
    assert as_json["runs"][0] == {"task": "model", "why": "other code"}
    assert (as_json["entities"], as_json["like"]) == (2, base.id)
    assert dump(two.rig, b"") == before


def test_a_command_starts_it_and_says_so_first(two: Two) -> None:
    base = two.main("a", "b")

    said = two.wavedeck("trigger", "shop", "--version", "fix", "--base", "main", "--like", base.id, "--entity", "b")
    two.work()

    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[1] == "  runs   model    other code"
    [wave] = [p.wave for p in Waves(two.rig.redis).recent(version="fix")]
    assert two.rig.rows(wave) == {"b": "FF"}


def test_nothing_different_is_refused_with_what_else_there_is(two: Two) -> None:
    two.main("a")
    two.rig.redis.flushall()
    two.main("a")

    same = subprocess.run(
        [str(Path(sys.executable).with_name("wavedeck")), "trigger", "shop", "--version", "same", "--base", "main"],
        cwd=two.rig.folder, env=two.rig.environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    assert same.returncode == 1
    assert "no task of 'shop' is different in version 'same' from 'main'" in same.stderr
    assert "--whole" in same.stderr


def test_wrong_use_is_refused(two: Two) -> None:
    two.main("a")
    for words, status, said in (
        (["--only", "model"], 2, "they go with --base"),
        (["--base", "main", "--state", "x"], 2, "--state goes with --whole"),
        (["--base", "main", "--only", "modle"], 1, "no task 'modle'; there are: weather, picture, model, score"),
        (["--base", "fix"], 1, "cannot be its own base"),
        (["--base", "none"], 1, "has no wave of 'shop'"),
        (["--base", "main", "--sample", "0%"], 2, "is no share"),
        (["--base", "main", "--entity", "zz"], 1, "has no entity 'zz'"),
    ):
        done = two.wavedeck("trigger", "shop", "--version", "fix", *words)
        assert (done.returncode, said in done.stderr) == (status, True), (words, done.stderr)
    assert Waves(two.rig.redis).recent(version="fix") == []


# samples


def test_a_sample_is_the_same_entities_in_each_wave_and_a_larger_one_has_them_all() -> None:
    members = [(encode_entity(f"e {n}"), "-") for n in range(20_000)]

    few, more = sample(members, 0.05), sample(list(reversed(members)), 0.1)

    assert set(few) < set(more)
    assert 800 < len(few) < 1200
    assert 1800 < len(more) < 2200
    assert sample(members, 1.0) == members
    assert sample(members[::2], 0.05) == [m for m in few if m in set(members[::2])], "whoever else is there"


def test_a_sampled_overlay_has_a_share_of_the_base_s_entities(two: Two) -> None:
    two.main()

    what, wave = two.over(share=0.5)

    drawn = [
        encode_entity(e)
        for e in ENTITIES
        if (encode_entity(e), "-") in sample([(encode_entity(e), "-") for e in ENTITIES], 0.5)
    ]
    assert list(two.rig.rows(wave)) == drawn
    assert what.sampled == 20
    assert 0 < len(drawn) < 20


# back-fills


def test_a_back_fill_runs_each_date_over_the_entities_that_the_base_had_then(two: Two) -> None:
    for n in range(3):
        two.main("a", f"only {n}", date=DATE.shift(n))
    words = ("backfill", "shop", "--version", "fix", "--base", "main", "--from", DATE, "--to", DATE.shift(2), "--json")
    worker = two_worker(two)

    first = json.loads(two.wavedeck(*words).stdout)
    again = json.loads(two.wavedeck(*words).stdout)

    assert (first["dates"], first["ended"], first["complete"]) == (3, 3, True)
    assert first["counts"] == {"Finished": 12}
    assert [(w["date"], w["new"], w["entities"]) for w in first["waves"]] == [(DATE.shift(n), True, 2) for n in range(3)]
    assert [(w["id"], w["new"]) for w in again["waves"]] == [(w["id"], False) for w in first["waves"]], "the same waves"
    assert len(Waves(two.rig.redis).recent(version="fix")) == 3
    assert worker.poll() is None


def two_worker(two: Two) -> "subprocess.Popen[str]":
    two.rig.module = two._fixed
    worker = two.rig.start("--version", "fix", "--slots", "1", WHO="fix")
    two.rig.module = two._module
    return worker


def test_no_more_than_so_many_waves_are_open_and_what_was_stopped_goes_on(two: Two) -> None:
    for n in range(4):
        two.main("a", date=DATE.shift(n))
    words = [
        "backfill",
        "shop",
        "--version",
        "fix",
        "--base",
        "main",
        "--from",
        DATE,
        "--to",
        DATE.shift(3),
        "--concurrency",
        "2",
    ]
    command = [str(Path(sys.executable).with_name("wavedeck")), *words]
    process = subprocess.Popen(
        command, cwd=two.rig.folder, env=two.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    waves = Waves(two.rig.redis)
    from servers import eventually

    eventually(lambda: len(waves.recent(version="fix")) == 2, 30, what="two waves are open")
    process.terminate()  # as ctrl-c, which may be ignored where tests run in the background
    said, _ = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "0 of 4 waves have ended" in said
    assert "what runs goes on; the same call goes on with the rest" in said
    assert len(waves.recent(version="fix")) == 2, "nobody served them, so no third one was started"
    two_worker(two)
    done = two.wavedeck(*words)
    assert "4 of 4 waves have ended: 8 finished" in done.stdout, (done.stdout, done.stderr)


def test_a_date_that_the_base_has_not_is_run_over_the_state_and_says_so(two: Two) -> None:
    two.main("a")
    plan: Plan = two.fix

    what = overlay(two.rig.redis, plan, version="fix", base="main", date=DATE.shift(5))

    assert (what.like, what.members) == (None, None)


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2013-07-01", "2013-07-02", "are about hours"),
        ("2013-07-02T00", "2013-07-01T00", "is no time"),
        ("2010-07-02T00", "2013-07-01T00", "10,000 at most"),
        ("today", "2013-07-01T00", "date 'today'"),
    ],
)
def test_dates_that_are_none_are_refused(two: Two, first: str, last: str, said: str) -> None:
    done = two.wavedeck("backfill", "shop", "--version", "fix", "--from", first, "--to", last)

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_a_back_fill_yields_to_the_schedule_and_to_people(two: Two) -> None:
    filled = two.rig.launch(two.base, "a", trigger="backfill")
    scheduled = two.rig.launch(two.base, "a", trigger="schedule:1")
    by_hand = two.rig.launch(two.base, "a", trigger="manual:1")

    queue = [w.decode() for w in two.rig.redis.zrange("wd:{main}:queue", 0, -1)]

    assert queue == [by_hand.id, scheduled.id, filled.id]
