"""The demo flow: departures from New York's three airports in 2013, replayed by the hour as if they were live.

    departures ─┬─► delay_features ──► delay_forecast ··(6 h of history)··► forecast_error
    weather ────┘                                          departures ────────────┘
    departures ───► seasonal_baseline (awk)
    observed_delay: what really happened, for `wavedeck compare … --truth observed_delay`

Dates are UTC. A wave dated T knows what was known at the start of the hour T: who had left by then, who is waiting, the schedule,
and the weather observed in T. 165 observations are really missing (UTC: 2013-08-19T21 and 2013-11-04T15 at all airports,
2013-08-22T22 at EWR and JFK, 2013-08-23T00 and T01 at all, 2013-10-23T10 and T11 at EWR, …); there `weather` fails.
"""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine import Date, Flow, StateHandle
from flows.flights import collect, features, model, records, score
from flows.flights.known import current

demo_start = Date("2013-10-23T09")
"""The wave before weather goes missing at Newark. T10: it fails there, and features use the hour before. T11: it fails again,
nothing young enough is left, so features and forecast are Blocked, and earlier forecasts cover the hour. T12: recovery."""

WEATHER_LOOKBACK = "1h"
"""How old an observation may be. No gap of the demo's evening is longer than two hours, so with more than one nothing would ever be
Blocked there, and this flow is to show what that looks like."""

flow = Flow("flights", every="1h", state="routes", keep="30d", active="6h")


@flow.source
def routes(date: Date) -> Iterable[tuple[str, str]]:
    """Routes with a departure scheduled in the coming six hours (224 in all), by airport of origin."""
    return collect.active_routes(current(), date)


@flow.source
def flights(date: Date) -> Iterable[tuple[str, str]]:  # noqa: ARG001 all of them, whatever the date
    """All 12,075 (carrier, flight number, origin, destination) of the year, by airport of origin."""
    return collect.all_flights(current())


@flow.warm
def warm() -> None:
    """Loads the records and trains the demo's model before a worker forks. Where the package is not installed it does nothing: the
    tasks say so themselves."""
    if records.installed():
        current().warm()
        model.trained(model.cut_off(demo_start), model.Settings())


@flow.task(timeout="60s", limit="60s")
def departures(entity: str, date: Date, state: StateHandle) -> dict[str, Any]:
    """Who left, waits or was cancelled, who is to come, and the past in numbers: see `collect.departures`. Marks the entity as active
    while it has departures to come or waiting."""
    value = collect.departures(current(), entity, date)
    if value["waiting"] or any(hour["flights"] for hour in value["coming"]):
        state.seen(entity, value["origin"])
    return value


@flow.task(timeout="60s", limit="60s")
def weather(entity: str, date: Date) -> dict[str, Any]:
    """The observation of this hour at the airport of origin: see `collect.weather`. Fails where there is none."""
    return collect.weather(current(), entity, date)


@flow.task(timeout="60s", limit="60s")
def observed_delay(entity: str, date: Date) -> dict[str, Any]:
    """What really happened in the last six hours, to hold forecasts against: see `collect.observed_delay`."""
    return collect.observed_delay(current(), entity, date)


@flow.task(timeout="2m", limit="60s", lookback={"weather": WEATHER_LOOKBACK})
def delay_features(departures: dict[str, Any], weather: dict[str, Any]) -> dict[str, Any]:
    """What the model is told for each of the six hours, and how old the weather in it is: see `features.features`."""
    return features.features(departures, weather)


@flow.task(timeout="5m", limit="5m", horizon="6h", config=asdict(model.Settings()))
def delay_forecast(delay_features: dict[str, Any], date: Date, config: dict[str, Any]) -> dict[str, Any]:
    """Minutes of mean departure delay to expect in each of the six hours: see `model.forecast`. The config holds `model.Settings`."""
    return model.forecast(model.trained(model.cut_off(date), model.Settings.of(config)), delay_features)


flow.command(
    "seasonal_baseline",
    ["env", "LC_ALL=C", "awk", "-f", str(Path(__file__).with_name("seasonal_baseline.awk"))],
    needs=["departures"],
    timeout="2m",
    limit="60s",
    horizon="6h",
)


@flow.task(timeout="2m", limit="60s", history={"delay_forecast": "6h"})
def forecast_error(departures: dict[str, Any], delay_forecast: dict[str, Any], date: Date) -> dict[str, Any]:
    """What earlier waves' forecasts were worth in the last hour, beside the route's mean delay: see `score.score`."""
    return score.score(departures, delay_forecast, date)
