"""How good the forecasts were. Pure.

A departure is scored once, by the wave after the hour in which it left, against the newest forecast that earlier waves
made for its scheduled hour; so an hour whose forecast was blocked is scored with the wave before it. Delays of more than
about five hours have no forecast left in the history and are not scored (one in 300), nor are those of a route that has
no mean to compare with.

The first hours of a run see those first that left on time: the late ones are still waiting. `due` says how many there should be.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from engine import Date


def score(departures: Mapping[str, Any], forecasts: Mapping[str, Mapping[str, Any]], date: Date) -> dict[str, Any]:
    """What the forecasts of earlier waves were worth in the hour before `date`.

    Parameters:
        departures: the value of `departures` at `date`.
        forecasts: values of `delay_forecast` by the date of their wave.

    Returns:
        `flights`: departures that left in that hour and had a forecast; `due`: departures scheduled in that hour that had
        one, gone or still waiting; `forecast_abs_minutes` and `baseline_abs_minutes`: summed absolute errors of the newest forecast
        and of the route's mean delay over these `flights`; `by_lead`: the same three of all forecasts, not only the newest, by
        hours from wave to scheduled hour. Compare within a lead, not across: the history holds no old forecasts of flights
        that left late.
    """
    hour, mean = date.shift(-1), departures["mean_delay"]
    newest: list[tuple[float, float]] = []
    leads: dict[int, list[tuple[float, float]]] = {}
    for flight in departures["left"]:
        made = _leads(forecasts, flight["scheduled"][:13])
        if mean is None or not made or not f"{hour}:00" <= flight["left"] < f"{date}:00":
            continue
        errors = {lead: (abs(flight["delay"] - m), abs(flight["delay"] - mean)) for lead, m in made.items()}
        newest.append(errors[min(errors)])
        for lead, both in errors.items():
            leads.setdefault(lead, []).append(both)
    covered = mean is not None and bool(_leads(forecasts, hour))
    scheduled = sum(flight["scheduled"][:13] == hour for flight in [*departures["left"], *departures["waiting"]])
    return {
        "hour": str(hour),
        "due": scheduled if covered else 0,
        **_sums(newest),
        "by_lead": {str(lead): _sums(errors) for lead, errors in sorted(leads.items())},
    }


def _sums(errors: list[tuple[float, float]]) -> dict[str, Any]:
    return {
        "flights": len(errors),
        "forecast_abs_minutes": round(sum(forecast for forecast, _ in errors), 1),
        "baseline_abs_minutes": round(sum(baseline for _, baseline in errors), 1),
    }


def _leads(forecasts: Mapping[str, Mapping[str, Any]], hour: str) -> dict[int, float]:
    """The forecasts for `hour`, by how many hours before it their waves were."""
    start = Date(hour).start
    return {
        int((start - Date(wave).start).total_seconds()) // 3600: value["hours"][hour]
        for wave, value in forecasts.items()
        if hour in value["hours"]
    }


def demo_summary(values: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Mean absolute errors over values of `score`, in minutes a flight: `forecast_mae_minutes` and `baseline_mae_minutes` (`None`
    when nothing was scored), `flights_scored`, and `flights_waiting`: those that had a forecast and have not been scored yet.
    While many wait, both errors are those of the punctual ones."""
    flights, due, forecast, baseline = 0, 0, 0.0, 0.0
    for value in values:
        flights += value["flights"]
        due += value["due"]
        forecast += value["forecast_abs_minutes"]
        baseline += value["baseline_abs_minutes"]
    return {
        "forecast_mae_minutes": round(forecast / flights, 2) if flights else None,
        "baseline_mae_minutes": round(baseline / flights, 2) if flights else None,
        "flights_scored": flights,
        "flights_waiting": max(due - flights, 0),
    }
