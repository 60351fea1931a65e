"""The profile and the ledger of waves that real workers ran."""

import json
import subprocess
import sys

import pytest
from rig import DATE, Rig
from servers import eventually

from console.reports.history import history
from console.reports.profile import Profile, profile_of, read
from engine import Date
from engine.ledger import write_missing
from engine.store.ledger import Ledger, name_of
from engine.store.wave import Wave

SLEEPS = """
    @flow.task(timeout='30s')
    def fetch(entity):
        time.sleep(0.03 if entity.endswith('0') else 0.01)

    @flow.task(timeout='30s')
    def score(fetch, entity):
        if entity == 'e7':
            raise ValueError(f'no data for {entity}')
        time.sleep(0.02)
        return 1
"""


def a_wave(rig: Rig, entities: int = 60, slots: int = 2, **more: str) -> Wave:
    flow = rig.flow(SLEEPS)
    wave = rig.launch(flow, *[f"e{i}" for i in range(entities)], **more)
    rig.run(slots=slots)
    rig.ended(wave)
    return wave


def what_if(found: Profile, times: float) -> float:
    return next(w.seconds for w in found.what_if if w.times == times)


def test_simulating_the_slots_there_were_gives_the_time_it_took(rig: Rig) -> None:
    # Given a wave of tasks that sleep, on two slots
    wave = a_wave(rig)
    # When it is profiled
    found = profile_of(read(rig.redis, wave.id), times=(2.0, 4.0))
    # Then the slots are known, and the simulation of them comes near what was
    assert (found.slots, found.workers) == (2, 1)
    assert found.ratio is not None
    assert 0.85 <= found.ratio <= 1.15
    # And every simulation lies between its bounds, and more workers are never worse
    for w in found.what_if:
        assert w.soonest <= w.seconds <= w.latest
    assert what_if(found, 1.0) > what_if(found, 2.0) > what_if(found, 4.0)
    # And all slot seconds are told of, once
    assert found.busy + sum(found.idle.values()) == pytest.approx(2 * found.seconds, rel=0.01)
    assert found.used > 0.5


def test_what_it_says_of_twice_the_slots_is_what_they_do(rig: Rig) -> None:
    # Given a wave on two slots, and the same entities at another date on four
    flow = rig.flow(SLEEPS)
    waves = []
    for hour, slots in ((14, 2), (15, 4)):
        waves.append(rig.launch(flow, *[f"e{i}" for i in range(80)], date=Date(f"2013-07-01T{hour}")))
        rig.run(slots=slots)
        rig.ended(waves[-1])
    two, four = (profile_of(read(rig.redis, wave.id)) for wave in waves)
    # Then the simulation of the first comes near the second, which the first itself is far from
    said = next(w for w in two.what_if if w.times == 2.0)
    assert (said.slots, four.slots) == (4, 4)
    assert 0.7 <= said.seconds / four.seconds <= 1.3
    assert two.seconds / four.seconds > 1.5


def test_the_commands_print_it_and_draw_pictures_that_need_nothing_else(rig: Rig) -> None:
    # Given a wave with an entity whose name would be markup
    flow = rig.flow(SLEEPS)
    wave = rig.launch(flow, "<script>alert(1)</script>", "\x1b[31mred", "a&b", *[f"e{i}" for i in range(9)])
    rig.run(slots=2)
    rig.ended(wave)

    def wavedeck(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "console.cli", *words],
            env={**rig.environment(), "WAVEDECK_HOME": str(rig.folder)}, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    # When it is profiled for a person, for a program, and as pictures
    told = wavedeck(
        "profile", "last", "--workers-times", "3", "--svg", str(rig.folder / "g.svg"), "--html", str(rig.folder / "g.html")
    )
    data = json.loads(wavedeck("profile", wave.id, "--json"))
    # Then both have the tasks, and nothing that a terminal obeys is among it
    assert "with 3 times the workers (6 slots)" in told
    assert "\x1b" not in told
    assert [task["task"] for task in data["tasks"]] == ["fetch", "score"]
    assert data["tasks"][1]["cells"] == 12
    assert data["tasks"][1]["run"]["p50"] >= 0.02
    # And the pictures are documents without a script or an address to load from
    from xml.etree import ElementTree

    svg = (rig.folder / "g.svg").read_text()
    ElementTree.fromstring(svg)  # noqa: S314 what we have just written
    for text in (svg, (rig.folder / "g.html").read_text()):
        assert "<script" not in text
        assert "&lt;script&gt;" in text
        assert "\x1b" not in text
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    # And the history of the flow is told
    past = json.loads(wavedeck("history", "shop", "--json"))
    assert [w["wave"] for w in past["waves"]] == [wave.id]
    assert "seconds" in wavedeck("history", "shop")


def test_a_worker_writes_the_record_of_a_wave_once(rig: Rig) -> None:
    # Given a wave with a failure, run by a worker that knows its image and code
    flow = rig.flow(SLEEPS)
    wave = rig.launch(flow, *[f"e{i}" for i in range(12)])
    rig.run(WAVEDECK_IMAGE="repo@sha256:abc", WAVEDECK_CODE="3f2a9c1", WAVEDECK_PRICE_VCPU_HOUR="0.04")
    rig.ended(wave)
    # When the ledger is read
    [entry] = Ledger(rig.redis, "main").recent("shop", 10)
    # Then it says what ran, with what, on whom, and what it cost
    assert (entry.wave, entry.entities, entry.date, entry.by) == (wave.id, 12, str(DATE), "tests")
    assert entry.counts == {"fetch": {"F": 12}, "score": {"F": 11, "X": 1}}
    assert entry.failures == [("score", "ValueError", "no data for <key>", 1)]
    assert (entry.images, entry.code) == (["repo@sha256:abc"], ["3f2a9c1"])
    assert (entry.workers, entry.slots, entry.plan) == (1, 1, flow.plan.sha)
    assert entry.durations["score"][0] >= 0.02
    assert entry.cost.vcpu >= entry.cost.busy > 12 * 0.03 * 0.9
    assert entry.cost.price == pytest.approx(entry.cost.vcpu * 0.04 / 3600, rel=1e-3, abs=1e-6)
    assert 0 < rig.redis.ttl(f"wd:{{main}}:ledger:{name_of(wave)}") <= 180 * 86400
    # And it is some two kilobytes at most, and nobody writes it again
    assert rig.redis.strlen(f"wd:{{main}}:ledger:{name_of(wave)}") < 2000
    assert write_missing(rig.redis, "main", "me") == 0


def test_a_worker_that_goes_on_writes_it_too_and_its_slots_go_on(rig: Rig) -> None:
    flow = rig.flow(SLEEPS)
    process = rig.start("--slots", "1")
    wave = rig.launch(flow, "a", "b")
    rig.ended(wave)
    eventually(lambda: Ledger(rig.redis, "main").recent("shop", 10), 20, what="the record is there")
    again = rig.launch(flow, "c", trigger="manual:2")
    rig.ended(again)
    eventually(lambda: len(Ledger(rig.redis, "main").recent("shop", 10)) == 2, 20, what="the second record is there")
    assert process.poll() is None


def test_whoever_reads_writes_what_was_missed_while_the_wave_is_there(rig: Rig) -> None:
    # Given a wave whose record was lost with its scribe
    wave = a_wave(rig, 6, 1)
    rig.redis.delete(f"wd:{{main}}:ledger:{name_of(wave)}")
    # When the history is read, it is there again, and stays when the wave is gone
    found = history(rig.redis, "shop", "main")
    assert [(w.wave, w.there) for w in found.waves] == [(wave.id, True)]
    rig.redis.delete(*[wave.key(what) for what in ("wave", "board", "times", "members", "counts")])
    found = history(rig.redis, "shop", "main")
    assert [(w.wave, w.there, w.failed) for w in found.waves] == [(wave.id, False, 0)]
