"""Workers' lines from CloudWatch: by worker, wave, entity and task, page by page, and on as they come."""

from pathlib import Path

import pytest
from ecs_rig import IMAGE, Time, a_house, ecs
from fake_ecs.server import FakeEcs
from servers import eventually

from engine.fleet.ecs.calls import Missing
from engine.fleet.ecs.house import EcsFleet
from engine.fleet.ecs.logs import pattern
from engine.fleet.house import About, Spec

__all__ = ["ecs"]

SAY = """#!/bin/sh
echo '{"time": "2026-01-02T03:00:00.500Z", "level": "INFO", "message": "starts", "wave": "w1", "entity": "s1", "task": "sales"}'
echo '{"time": "2026-01-02T03:00:01Z", "level": "ERROR", "message": "fails", "wave": "w1", "entity": "s2", "task": "sales"}'
echo '{"time": "2026-01-02T03:00:02Z", "level": "INFO", "message": "odd", "wave": "w1", "entity": "a%22b", "task": "sales"}'
echo 'Traceback (most recent call last):'
echo "I am $WAVEDECK_VERSION"
exec sleep 60
"""


def a_speaker(ecs: FakeEcs, folder: Path) -> str:
    """An image whose `wavedeck` says some lines and stays."""
    program = folder / "wavedeck"
    program.write_text(SAY)
    program.chmod(0o755)
    return ecs.push("registry/speaker", folder, PATH=f"{folder}:/usr/bin:/bin")


@pytest.fixture
def fleet(ecs: FakeEcs, tmp_path: Path) -> EcsFleet:
    """Two workers that have said all that they say."""
    fleet = a_house().fleet("main")
    fleet.deploy(Spec(a_speaker(ecs, tmp_path)))
    fleet.scale(2)
    eventually(lambda: len(list(fleet.logs())) == 10, 10)
    return fleet


def test_every_line_is_there_with_what_it_is_about(fleet: EcsFleet) -> None:
    [first, _] = fleet.workers()

    lines = list(fleet.logs(About(worker=first.name)))

    assert [(line.text, line.level, line.entity) for line in lines] == [
        ("starts", "INFO", "s1"),
        ("fails", "ERROR", "s2"),
        ("odd", "INFO", "a%22b"),
        ("Traceback (most recent call last):", "", ""),
        ("I am main", "", ""),
    ]
    assert {line.worker for line in lines} == {first.name}
    assert lines[0].at == 1767322800.5


@pytest.mark.parametrize(
    ("about", "texts"),
    [
        (About(entity="s1"), ["starts"]),
        (About(entity="a%22b"), ["odd"]),
        (About(wave="w1", task="sales"), ["starts", "fails", "odd"]),
        (About(wave="w2"), []),
        (About(worker="nobody"), []),
    ],
)
def test_only_what_is_asked_for_is_shown(fleet: EcsFleet, about: About, texts: list[str]) -> None:
    assert sorted(line.text for line in fleet.logs(about)) == sorted(texts * 2)


def test_a_follower_gets_each_line_once_and_goes_on(ecs: FakeEcs, fleet: EcsFleet) -> None:
    # Given a follower that has read all there is
    time = Time()
    following = a_house(time=time).fleet("main").logs(follow=True)
    read = [next(following).text for _ in range(10)]

    # When another worker speaks
    fleet.scale(3)
    eventually(lambda: len(list(fleet.logs())) == 15, 10)

    # Then its lines come, and none a second time
    read += [next(following).text for _ in range(5)]
    assert read.count("starts") == 3
    assert all(slept == 2.0 for slept in time.slept)


def test_cloudwatch_looks_for_what_it_can_quote() -> None:
    assert pattern(About()) == ""
    assert pattern(About(worker="x")) == ""
    assert pattern(About(wave="w1", entity="s1")) == '{ ($.wave = "w1") && ($.entity = "s1") }'
    assert pattern(About(wave="w1", entity='a"b')) == '{ ($.wave = "w1") }'  # the rest is left out here
    assert pattern(About(entity="東京")) == ""
    assert pattern(About(entity="a*")) == ""


def test_where_nothing_was_ever_deployed_there_are_no_lines(ecs: FakeEcs) -> None:
    with pytest.raises(Missing, match="log group does not exist"):
        list(a_house().fleet("main").logs())
    a_house().fleet("main").deploy(Spec(IMAGE))
    assert list(a_house().fleet("main").logs()) == []
