"""What the model is told about a route and a coming hour. The same arithmetic serves one wave and the training's 100,000 rows:
it works on numbers and on arrays of them, so what is learned from is what is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine import Date
from flows.flights.known import Known, clocks
from flows.flights.records import MEASURES

if TYPE_CHECKING:
    from flows.flights.records import Floats, Ints

Number = Any
"""A number or an array of numbers; both know the arithmetic below."""

NOW = (
    "route_mean", "airport_mean", "airport_delay_1h", "airport_delay_3h", "route_delay_3h", "route_left_3h",
    "airport_waiting", "airport_waited", "airport_cancelled", "route_waiting", "route_waited", "route_cancelled",
)  # fmt: skip
HOUR = ("lead", "clock", "airport_hour_mean", "route_hour_mean")
WEATHER = ("wind_mph", "gust_mph", "rain_inches", "visibility_miles", "humidity_percent")
FEATURES = (*NOW, *HOUR, *WEATHER)
"""The model's columns, in this order. Means are minutes of delay, `waited` minutes, `lead` hours from wave to hour."""


def _mean(total: Number, count: Number, prior: Number, weight: int) -> Number:
    """A mean in which the prior counts as `weight` further observations: that of few stays near what is expected anyway."""
    return (total + weight * prior) / (count + weight)


def now_features(route: Mapping[str, Number], airport: Mapping[str, Number]) -> dict[str, Number]:
    """Features `NOW` from the counts (`known.Past.counts`) of a route and its airport of origin."""
    airport_mean = _mean(airport["minutes_28d"], airport["flights_28d"], 0, 10)
    recent = _mean(airport["minutes_3h"], airport["flights_3h"], airport_mean, 2)
    return {
        "route_mean": _mean(route["minutes_28d"], route["flights_28d"], airport_mean, 10),
        "airport_mean": airport_mean,
        "airport_delay_1h": _mean(airport["minutes_1h"], airport["flights_1h"], airport_mean, 2),
        "airport_delay_3h": recent,
        "route_delay_3h": _mean(route["minutes_3h"], route["flights_3h"], recent, 1),
        "route_left_3h": route["flights_3h"],
        "airport_waiting": airport["waiting"],
        "airport_waited": airport["waited_minutes"],
        "airport_cancelled": airport["cancelled_3h"],
        "route_waiting": route["waiting"],
        "route_waited": route["waited_minutes"],
        "route_cancelled": route["cancelled_3h"],
    }


def hour_features(
    now: Mapping[str, Number],
    lead: Number,
    clock: Number,
    route: tuple[Number, Number],
    airport: tuple[Number, Number],
) -> dict[str, Number]:
    """Features `HOUR` of a coming hour: `route` and `airport` are (flights, minutes) of the past at its clock."""
    airport_hour = _mean(airport[1], airport[0], now["airport_mean"], 10)
    expected = now["route_mean"] + airport_hour - now["airport_mean"]
    return {
        "lead": lead,
        "clock": clock,
        "airport_hour_mean": airport_hour,
        "route_hour_mean": _mean(route[1], route[0], expected, 10),
    }


def features(departures: Mapping[str, Any], weather: Mapping[str, Any]) -> dict[str, Any]:
    """What the model is told for each of a wave's six hours, from the collectors' values: `now` and `weather` for all of them,
    `hours` for each by its name. `weather_age` is how many hours older than the wave the observation is."""
    now = now_features(departures["route"], departures["airport"])
    hours = {}
    for lead, coming in enumerate(departures["coming"]):
        route, airport = ((coming[c]["flights"], coming[c]["minutes"]) for c in ("route", "airport"))
        hours[coming["hour"]] = _rounded(hour_features(now, lead, coming["clock"], route, airport))
    age = Date(departures["date"]).start - Date(weather["hour"]).start
    observed = {name: weather[name] for name in WEATHER}
    observed["gust_mph"] = observed["gust_mph"] or 0.0
    return {
        "now": _rounded(now),
        "weather": observed,
        "weather_hour": weather["hour"],
        "weather_age": int(age.total_seconds()) // 3600,
        "hours": hours,
    }


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in values.items()}


def matrix(value: Mapping[str, Any]) -> Floats:
    """The value of `features` as the model's rows, [hour, feature], in the order of its hours by name; NaN where `null`."""
    import numpy as np

    rows = []
    for hour in sorted(value["hours"]):
        row = {**value["now"], **value["hours"][hour], **value["weather"]}
        rows.append([row[name] for name in FEATURES])
    return np.array(rows, dtype=np.float64)


def table(known: Known, rows: Ints, leads: Ints) -> Floats:
    """The model's rows, [departure, feature], as the waves `leads` hours before each departure's scheduled hour knew them; weather
    is NaN where it was not observed in the wave's hour. `rows` are places in the records."""
    import numpy as np

    r = known.records
    route, origin, hour = r.route[rows], r.origin[rows], r.scheduled[rows] // 60
    wave = (hour - leads) * 60
    shown = clocks(hour)
    now = now_features(known.route.counts(route, wave), known.airport.counts(origin, wave))
    now |= hour_features(
        now, leads, shown, known.route.at_clock(route, wave, shown), known.airport.at_clock(origin, wave, shown)
    )
    at = np.clip(wave // 60, 0, r.weather.shape[1] - 1)
    for place, name in enumerate(MEASURES):
        now[name] = r.weather[origin, at, place]
    now["gust_mph"] = np.where(r.observed[origin, at], np.nan_to_num(now["gust_mph"]), np.nan)
    return np.column_stack([now[name] for name in FEATURES])
