"""Acceptance: two versions of the flights' model over a week of 2013, 168 hourly waves each, through init and real workers; and `wavedeck
compare` says which forecasts better. What it says is worked out here once more, by pandas and scipy from the pipes themselves.
"""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from redis import Redis
from scipy import fft, stats
from servers import RedisServer

from engine import Date
from engine.launch import launch
from engine.status import Status
from engine.store.catalog import Catalog
from engine.store.waves import Waves
from flows.flights import flow

pytestmark = pytest.mark.timeout(600)

START, HOURS = Date("2013-10-21T01"), 168
ROUTES = ("JFK-LAX", "LGA-ORD", "EWR-ORD", "LGA-ATL", "EWR-BOS", "JFK-SFO")
CONFIG: dict[str, dict[str, Any]] = {"v1": {}, "v2": {"delay_forecast.median": 0.5}}
REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def week() -> Iterator[tuple[str, Redis]]:
    """A Redis in which both versions have run all hours of the week."""
    with RedisServer() as server, server.client() as redis:
        environment = {**os.environ, "WAVEDECK_REDIS_URL": server.url, "WAVEDECK_FLOWS": "flows.flights"}
        for version, config in CONFIG.items():
            Catalog(redis).set_config(version, "flights", config)
            command = [sys.executable, "-m", "worker", "--version", version, "--slots", "1"]
            with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, cwd=REPOSITORY) as worker:
                try:
                    for n in range(HOURS):
                        run_hour(redis, version, START.shift(n), worker)
                finally:
                    worker.terminate()
                    worker.wait(60)
        yield server.url, redis


def run_hour(redis: Redis, version: str, date: Date, worker: "subprocess.Popen[bytes]") -> None:
    """A wave, up to its end: the next one may look back to what it has written, as in production, where an hour lies between them."""
    wave = launch(
        redis, flow.plan, version=version, date=date, trigger=f"schedule:{date}", by="tests", entities=ROUTES, deadline=math.inf
    ).wave
    until = time.monotonic() + 120
    while not Waves(redis).get(wave.id).ended:
        assert worker.poll() is None and time.monotonic() < until, f"the wave of {date} does not end"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def told(week: tuple[str, Redis]) -> dict[str, Any]:
    """What `wavedeck compare --json` prints."""
    return json.loads(compare(week[0], "--json"))  # type: ignore[no-any-return]


def compare(url: str, *options: str) -> str:
    """The command's output."""
    command = [str(Path(sys.executable).with_name("wavedeck")), "compare", "v1", "v2", "delay_forecast"]
    command += ["--from", START, "--to", START.shift(HOURS - 1), "--truth", "observed_delay", *options]
    environment = {**os.environ, "WAVEDECK_REDIS_URL": url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def pairs(week: tuple[str, Redis]) -> pd.DataFrame:
    """Both versions' forecasts and the delay that was observed six hours later, a row each, by plain GETs."""
    _, redis = week
    rows = []
    for route in ROUTES:
        seen: dict[str, float] = {}
        for n in range(HOURS):
            stored = redis.get(f"v1/observed_delay {route} {START.shift(n)}")
            seen |= json.loads(stored)["hours"] if stored else {}  # a later wave knows more of the late ones
        for n in range(HOURS):
            date = START.shift(n)
            a, b = (redis.get(f"{version}/delay_forecast {route} {date}") for version in CONFIG)
            if a is None or b is None:
                assert a is b, "both versions have the same weather"
                continue
            first, second = json.loads(a)["hours"], json.loads(b)["hours"]
            rows += [(route, date, hour, first[hour], second[hour], seen[hour]) for hour in first if hour in seen]
    frame = pd.DataFrame(rows, columns=["route", "date", "hour", "v1", "v2", "truth"])
    for version in CONFIG:
        frame[f"e{version}"] = frame[version] - frame["truth"]
    frame["loss"] = frame["ev2"].abs() - frame["ev1"].abs()
    frame["lead"] = (
        pd.to_datetime(frame["hour"], format="%Y-%m-%dT%H") - pd.to_datetime(frame["date"], format="%Y-%m-%dT%H")
    ) / pd.Timedelta("1h")
    return frame


def test_all_waves_ran(week: tuple[str, Redis]) -> None:
    """Given 168 waves of each version, then all have ended, and what did not finish is the weather that was not observed, and what needs it."""
    for version in CONFIG:
        waves = Waves(week[1]).recent(400, version=version)
        assert len(waves) == HOURS
        assert all(progress.wave.ended for progress in waves)
        totals = {status: sum(progress.total[status] for progress in waves) for status in Status}
        assert sum(totals.values()) == HOURS * len(ROUTES) * len(flow.plan.tasks)
        assert totals[Status.FAILED] > 0
        assert totals[Status.FINISHED] == sum(totals.values()) - totals[Status.FAILED] - totals[Status.BLOCKED]


def test_errors_are_those_that_pandas_finds(told: dict[str, Any], pairs: pd.DataFrame) -> None:
    truth = told["truth"]
    assert truth["points"] == len(pairs) > 2500
    assert (truth["entities"], truth["hours"]) == (len(ROUTES), pairs["hour"].nunique())
    for side, version in (("a", "v1"), ("b", "v2")):
        errors = pairs[f"e{version}"]
        assert truth[side]["mae"] == pytest.approx(errors.abs().mean())
        assert truth[side]["rmse"] == pytest.approx(math.sqrt((errors**2).mean()))
        assert truth[side]["bias"] == pytest.approx(errors.mean())
        by_lead = errors.abs().groupby(pairs["lead"]).mean()
        assert [lead[side]["mae"] for lead in truth["by_lead"]] == pytest.approx(list(by_lead))
        by_date = errors.abs().groupby(pairs["date"]).mean()
        assert {day["what"]: day[side]["mae"] for day in truth["by_date"]} == pytest.approx(dict(by_date))
    gains = pairs.groupby("route")[["ev1", "ev2"]].agg(lambda errors: errors.abs().mean())
    named = {gain["entity"]: (gain["a"], gain["b"]) for gain in [*truth["won"], *truth["lost"]]}
    assert named == {route: pytest.approx((row["ev1"], row["ev2"])) for route, row in gains.iterrows()}


def test_differences_are_those_that_numpy_finds(told: dict[str, Any], week: tuple[str, Redis]) -> None:
    both = []
    for route in ROUTES:
        for n in range(HOURS):
            stored = [week[1].get(f"{version}/delay_forecast {route} {START.shift(n)}") for version in CONFIG]
            if all(stored):
                first, second = (json.loads(value)["hours"] for value in stored)  # type: ignore[arg-type]
                both += [(first[hour], second[hour]) for hour in first]
    a, b = np.array(both).T
    hours = next(n for n in told["numbers"] if n["curve"] == "hours")
    assert (hours["points"], hours["equal"]) == (len(both), int((a == b).sum()))
    assert told["both"] == len(both) // 6
    assert hours["difference"]["mean"] == pytest.approx((b - a).mean())
    for name, value in hours["difference"]["quantiles"].items():
        assert value == pytest.approx(np.quantile(b - a, int(name[1:]) / 100))
    assert hours["relative"]["quantiles"]["p50"] == pytest.approx(np.median((b - a)[a != 0] / abs(a[a != 0])))


def test_the_better_version_and_its_paired_tests(told: dict[str, Any], pairs: pd.DataFrame) -> None:
    """Given the losses, when the uncertainty of their mean is worked out from scipy's cosine transform of the hours, and scipy ranks pairs of route
    and hour, then both tests are what was printed."""
    by_hour, by_pair = told["truth"]["tests"]
    mean, degrees = pairs["loss"].mean(), by_hour["degrees"]
    hourly = pairs.groupby("hour")["loss"].agg(["sum", "count"])
    hourly.index = pd.to_datetime(hourly.index, format="%Y-%m-%dT%H")
    series = (hourly["sum"] - hourly["count"] * mean).asfreq("h", fill_value=0.0).to_numpy()
    assert degrees == int(0.4 * len(series) ** (2 / 3)) > 10
    swings = fft.dct(series, type=2, norm="ortho")[1 : degrees + 1]
    error = math.sqrt(len(series) * (swings**2).mean()) / len(pairs)
    p = 2 * stats.t.sf(abs(mean / error), degrees)
    reach = stats.t.ppf(0.975, degrees) * error
    assert (by_hour["difference"], by_hour["statistic"], by_hour["p"]) == pytest.approx((mean, mean / error, p))
    assert (by_hour["low"], by_hour["high"]) == pytest.approx((mean - reach, mean + reach))

    losses = pairs.groupby(["route", "hour"])["loss"].mean().round(9)
    expected = stats.wilcoxon(losses[losses != 0], method="asymptotic")
    assert (by_pair["n"], by_pair["statistic"]) == (len(losses), expected.statistic)
    assert by_pair["p"] == pytest.approx(expected.pvalue)
    assert (told["truth"]["nearer_a"], told["truth"]["nearer_b"]) == (int((losses > 0).sum()), int((losses < 0).sum()))

    assert p < 0.05
    assert mean < 0
    assert told["truth"]["better"] == "v2"


def test_what_is_printed_says_which_is_better(week: tuple[str, Redis], told: dict[str, Any]) -> None:
    text, report = compare(week[0]), compare(week[0], "--markdown")
    for printed in (text, report):
        assert "v2 forecasts better: mean absolute error" in printed
        assert "Diebold-Mariano, hour by hour" in printed
        assert f"{told['truth']['a']['mae']:.2f}" in printed
    assert report.startswith("# `delay_forecast`: `v1` and `v2`\n")
