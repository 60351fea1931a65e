"""What the collectors bring in: the values of `departures` and `weather`, and which entities are active.

An entity is a route, "JFK-LAX", or one airline's flight on it, "B6-1234-JFK-LAX". A flight's lists are its own; the counts
that forecasts stand on are its route's, since one departure a day says little.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine import Date
from flows.flights.known import DAY, MONTH, Known, Past, clocks, origin_code
from flows.flights.records import MEASURES, ORIGINS, FlightsError, hour_text, minute_text, minutes

if TYPE_CHECKING:
    from flows.flights.records import Ints

HORIZON = 6
"""Hours that a wave looks ahead, its own included."""

RECENT = 3
"""Hours back in which departures and cancellations are listed."""


class UnknownEntity(FlightsError):
    """The entity is no route and no flight of 2013's New York departures."""


class NoObservation(FlightsError):
    """The weather network has no observation for that airport and hour. It is real: 165 of 26,280 are missing."""


@dataclass(frozen=True)
class Place:
    """An entity, found: its origin's and route's codes, and its flight's when it is one."""

    origin: int
    route: int
    flight: int | None
    route_key: str


def place(known: Known, entity: str) -> Place:
    """Where `entity` is in the records.

    Raises:
        UnknownEntity: it is not there.
    """
    flight = known.flight_codes.get(entity)
    route_key = entity if flight is None else "-".join(entity.split("-")[-2:])
    route = known.route_codes.get(route_key)
    if route is None:
        raise UnknownEntity(f"{entity!r} is no route (JFK-LAX) and no flight (B6-1234-JFK-LAX) from New York in 2013")
    return Place(origin_code(route_key), route, flight, route_key)


def departures(known: Known, entity: str, date: Date) -> dict[str, Any]:
    """What is known of an entity's departures at the start of `date`. Times are UTC to the minute, delays in minutes.

    - `left`: those that left in the last three hours; `waiting`: those scheduled in the last day that have not, with the
      minutes they have waited; `cancelled`: those of the last three hours' schedule;
    - `observed`: the mean delay of those that left, by the hour of their schedule;
    - `coming`: for each of six hours its `hour`, New York's `clock`, the `flights` scheduled, and `route` and `airport`: number and
      minutes of delay (within -30 and 240) of the last 28 days' departures at that clock;
    - `route` and `airport`: the counts of `known.Past.counts`;
    - `mean_delay`: the mean-delay baseline, of the route's departures in the 28 days before the last six hours (older than
      any forecast that is scored against it), or `null` when there were none.

    Raises:
        UnknownEntity: it is in no record.
    """
    at, now = place(known, entity), minutes(date.start)
    return {
        "date": str(date),
        "origin": ORIGINS[at.origin],
        "dest": at.route_key[4:],
        **(lists := _lists(known, at, now)),
        "observed": _observed(lists["left"]),
        "route": _counts(known.route, at.route, now),
        "airport": dict(_airport(known, at.origin, now)),
        "mean_delay": _mean_delay(known, at.route, now),
    }


def _observed(left: list[dict[str, Any]]) -> dict[str, float]:
    by_hour: dict[str, list[float]] = {}
    for flight in left:
        by_hour.setdefault(flight["scheduled"][:13], []).append(flight["delay"])
    return {hour: round(sum(delays) / len(delays), 1) for hour, delays in sorted(by_hour.items())}


def _lists(known: Known, at: Place, now: int) -> dict[str, Any]:
    r = known.records
    schedule, code = (known.by_route, at.route) if at.flight is None else (known.by_flight, at.flight)
    left, waiting, cancelled = [], [], []
    coming: list[list[str]] = [[] for _ in range(HORIZON)]
    for i in schedule.between(code, now - DAY, now + 60 * HORIZON):
        due, gone = int(r.scheduled[i]), int(r.left[i])
        name = r.flights[int(r.flight[i])].rsplit("-", 2)[0]
        flight = {"flight": name, "scheduled": minute_text(due)}
        if r.cancelled[i] and due < now:
            if due >= now - 60 * RECENT:
                cancelled.append(flight)
        elif gone < now and not r.cancelled[i]:
            if gone >= now - 60 * RECENT:
                left.append({**flight, "left": minute_text(gone), "delay": gone - due})
        elif due < now:
            waiting.append({**flight, "waited": now - due})
        if due >= now:
            coming[(due - now) // 60].append(name)
    return {"left": left, "waiting": waiting, "cancelled": cancelled, "coming": _coming(known, at, now, coming)}


def _coming(known: Known, at: Place, now: int, flights: list[list[str]]) -> list[dict[str, Any]]:
    import numpy as np

    first, wave = now // 60, np.array([now])
    shown = clocks(np.arange(first, first + HORIZON))
    route = known.route.at_clock(np.array([at.route]), wave, shown)
    airport = known.airport.at_clock(np.array([at.origin]), wave, shown)
    return [
        {
            "hour": hour_text(first + lead),
            "clock": int(shown[lead]),
            "flights": flights[lead],
            "route": {"flights": int(route[0][lead]), "minutes": int(route[1][lead])},
            "airport": {"flights": int(airport[0][lead]), "minutes": int(airport[1][lead])},
        }
        for lead in range(HORIZON)
    ]


def _counts(past: Past, group: int, now: int) -> dict[str, int]:
    import numpy as np

    counts: dict[str, Ints] = past.counts(np.array([group]), np.array([now]))
    return {name: int(count[0]) for name, count in counts.items()}


@lru_cache(maxsize=16)
def _airport(known: Known, origin: int, now: int) -> dict[str, int]:
    """An airport's counts are the same for all its entities of a wave."""
    return _counts(known.airport, origin, now)


def observed_delay(known: Known, entity: str, date: Date) -> dict[str, Any]:
    """What really happened in the six hours before `date`, as far as it is known at its start: under `hours` the mean delay, in minutes, of
    the entity's departures that were scheduled in each hour and have left, and how many these were under `flights`. The later
    the date, the more of the late ones are in it; what leaves over five hours late is in none.

    Raises:
        UnknownEntity: it is in no record.
    """
    at, now, r = place(known, entity), minutes(date.start), known.records
    schedule, code = (known.by_route, at.route) if at.flight is None else (known.by_flight, at.flight)
    delays: dict[str, list[int]] = {}
    for i in schedule.between(code, now - 60 * HORIZON, now):
        due, gone = int(r.scheduled[i]), int(r.left[i])
        if gone < now and not r.cancelled[i]:
            delays.setdefault(hour_text(due // 60), []).append(gone - due)
    return {
        "hours": {hour: round(sum(found) / len(found), 1) for hour, found in sorted(delays.items())},
        "flights": {hour: len(found) for hour, found in sorted(delays.items())},
    }


def _mean_delay(known: Known, route: int, now: int) -> float | None:
    import numpy as np

    end = np.array([now - 60 * HORIZON])
    flights, total = known.delays.between(np.array([route]), end - MONTH, end)
    return round(float(total[0] / flights[0]), 2) if flights[0] else None


def weather(known: Known, entity: str, date: Date) -> dict[str, Any]:
    """What the airport of origin observed in the hour `date`: the measures of `records.MEASURES`, `null` where none was made
    (no `gust_mph` is no gust), with `origin` and the `hour` it was observed.

    The package gives an observation's hour, not its minute; what carries the wave's hour is taken as known to it.

    Raises:
        NoObservation: there is none for that hour.
        UnknownEntity: the entity is in no record.
    """
    at, hour, r = place(known, entity), minutes(date.start) // 60, known.records
    origin = ORIGINS[at.origin]
    if not 0 <= hour < r.observed.shape[1] or not r.observed[at.origin, hour]:
        raise NoObservation(f"no weather for {origin} {date}")
    values = r.weather[at.origin, hour].tolist()
    measured = {name: None if math.isnan(value) else value for name, value in zip(MEASURES, values, strict=True)}
    return {"origin": origin, "hour": str(date), **measured}


def active_routes(known: Known, date: Date) -> Iterator[tuple[str, str]]:
    """Each route with a departure scheduled in the six hours from `date`, with its airport of origin, in order of name."""
    now, r = minutes(date.start), known.records
    first, last = r.scheduled.searchsorted([now, now + 60 * HORIZON])
    for route in sorted({r.routes[code] for code in set(r.route[first:last].tolist())}):
        yield route, route[:3]


def all_flights(known: Known) -> Iterator[tuple[str, str]]:
    """Each of the 12,075 flights of the year, with its airport of origin, in order of name."""
    for flight in known.records.flights:
        yield flight, flight.split("-")[-2]
