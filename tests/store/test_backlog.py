"""Units outstanding: what is pending and what is claimed, of open waves only."""

import json

import pytest
from boards import claim, complete, make
from click.testing import CliRunner
from redis import Redis

from console.cli import cli
from engine.store.backlog import Backlog, backlog, metric
from engine.store.catalog import Catalog
from engine.store.waves import Waves

pytestmark = pytest.mark.every_house


def test_what_is_claimed_is_outstanding_still(redis: "Redis") -> None:
    # Given two waves of a version and one of another
    first, second = make(redis, 10), make(redis, 4, trigger="manual:2")
    make(redis, 3, version="fix")

    # When some are claimed, some end, and a wave is cancelled
    claim(redis, first, 3)
    done = claim(redis, first, 2)
    complete(redis, first, done)
    claim(redis, second, 1)
    Waves(redis).cancel(second, "x", "y")

    # Then what is left is counted once, where it is
    assert backlog(redis, ["main", "fix", "none"]) == [
        Backlog("main", pending=5, running=4, waves=2),
        Backlog("fix", pending=3, running=0, waves=1),
        Backlog("none", 0, 0, 0),
    ]
    assert backlog(redis, ["main"])[0].outstanding == 9
    assert backlog(redis, []) == []


def test_nothing_is_outstanding_of_a_wave_that_has_ended(redis: "Redis") -> None:
    wave = make(redis, 2)
    complete(redis, wave, claim(redis, wave, 2))

    assert backlog(redis, ["main"]) == [Backlog("main", 0, 0, 0)]


def test_a_line_is_what_cloudwatch_reads(redis: "Redis") -> None:
    told = metric(Backlog("main", 5, 4, 2), 1.7e9)

    [block] = told["_aws"]["CloudWatchMetrics"]
    assert told["_aws"]["Timestamp"] == 1_700_000_000_000
    assert (block["Namespace"], block["Dimensions"]) == ("Wavedeck", [["Version"]])
    assert {m["Name"]: told[m["Name"]] for m in block["Metrics"]} == {
        "UnitsOutstanding": 9, "UnitsPending": 5, "UnitsRunning": 4,
    }  # fmt: skip
    assert all(dimension in told for dimensions in block["Dimensions"] for dimension in dimensions)


@pytest.mark.one_server
def test_the_command_prints_it(redis: "Redis", redis_url: str) -> None:
    make(redis, 10)
    Catalog(redis).touch("main")

    def run(*words: str) -> str:
        done = CliRunner().invoke(cli, ["--redis", redis_url, "backlog", *words])
        assert done.exit_code == 0, done.output
        return str(done.stdout)

    assert json.loads(run("--json")) == [{"version": "main", "pending": 10, "running": 0, "waves": 1, "outstanding": 10}]
    assert json.loads(run("--emf"))["UnitsOutstanding"] == 10
    assert run().split() == ["VERSION", "OUTSTANDING", "PENDING", "RUNNING", "WAVES", "main", "10", "10", "0", "1"]
