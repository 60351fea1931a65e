"""The forecast: boosted trees (scikit-learn's histogram gradient boosting) for the mean delay of the flights of a coming hour.

Trained every week on what was known at the Monday before the wave, so the cut-off depends on the wave's date alone and
any process makes the same model: no random split, a fixed seed, one thread. It minimises squared error, so it
estimates a mean, as the mean-delay baseline does. A median has a lower absolute error, for a different question: most flights leave on
time, and some very late. `median` in the config mixes one in; version v2 of `compare_versions.ipynb` does, and the comparison says what that
gains and what it costs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from engine import Date
from flows.flights.collect import HORIZON
from flows.flights.features import FEATURES, matrix, table
from flows.flights.known import EARLIEST, LATEST, Known, current
from flows.flights.records import FlightsError, hour_text, minutes

if TYPE_CHECKING:
    from flows.flights.records import Floats, Ints

FEWEST = 5000
"""Departures to learn from. With fewer (the first days of January) the forecast is the route's mean."""


class BadSetting(FlightsError):
    """A value in the config of `delay_forecast` cannot be used."""


@dataclass(frozen=True)
class Settings:
    """How the model is trained: number of trees, leaves of each, learning rate, days of the past to learn from, and the share of the
    forecast that is a second model's, of the median (0 to 1; at 0 there is none)."""

    trees: int = 60
    leaves: int = 15
    rate: float = 0.1
    days: int = 120
    median: float = 0.0

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Settings:
        """The settings in a task's config; defaults where it says nothing.

        Raises:
            BadSetting: a value is no positive number, or not one that the model can take.
        """
        values = {**asdict(cls()), **config}
        try:
            whole = (int(values["trees"]), int(values["leaves"]), float(values["rate"]), int(values["days"]))
            found = cls(*whole, float(values["median"]))
        except (TypeError, ValueError, OverflowError) as e:
            raise BadSetting(f"trees, leaves, rate, days and median must be numbers: {e}") from None
        if min(found.trees, found.days) < 1 or found.leaves < 2 or not 0 < found.rate <= 1:
            raise BadSetting(f"trees and days must be 1 or more, leaves 2 or more, rate over 0 and at most 1: {found}")
        if not 0 <= found.median <= 1:
            raise BadSetting(f"median is the share of a second model, 0 to 1: {found}")
        return found


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model, or none where there was too little to learn from."""

    trained_until: str
    trained_on: int
    settings: Settings
    trees: Any
    median: Any = None

    @property
    def name(self) -> str:
        """What made the forecast, for people."""
        size = f"{self.settings.trees} trees of {self.settings.leaves} leaves"
        size += f", {self.settings.median:.0%} of it the median's" if self.median is not None else ""
        return "the route's mean of 28 days" if self.trees is None else f"gradient boosting, {size}"

    def predict(self, rows: Floats) -> list[float]:
        """Minutes of mean delay for each row of `FEATURES`, to a tenth."""
        values = rows[:, FEATURES.index("route_mean")] if self.trees is None else self.trees.predict(rows)
        if self.median is not None:
            values = (1 - self.settings.median) * values + self.settings.median * self.median.predict(rows)
        return [round(float(value), 1) + 0.0 for value in values]


def cut_off(date: Date) -> int:
    """The hour until which a wave's model is trained: the Monday 00 UTC that is strictly before `date`."""
    before = date.start - timedelta(hours=1)
    monday = (before - timedelta(days=before.weekday())).replace(hour=0)
    return minutes(monday) // 60


def train(known: Known, until: int, settings: Settings) -> Model:
    """A model of the departures that had left by the hour `until`, each as seen from one of the six waves that forecast its hour.

    The last day is left out: of its departures the late ones would be missing, and the rest look better than the day was.
    """
    import numpy as np

    r, end = known.records, until * 60
    used = ~r.cancelled & (r.left < end) & (r.scheduled < end - 24 * 60)
    used &= r.scheduled >= end - settings.days * 24 * 60
    rows: Ints = np.flatnonzero(used)
    trees = median = None
    if len(rows) >= FEWEST:
        learned, delay = table(known, rows, rows % HORIZON), r.delay[rows].clip(EARLIEST, LATEST)
        trees = _fit(learned, delay, settings, "squared_error")
        median = _fit(learned, delay, settings, "absolute_error") if settings.median else None
    return Model(hour_text(until), len(rows), settings, trees, median)


def _fit(rows: Floats, delay: Ints, settings: Settings, loss: str) -> Any:
    from sklearn.ensemble import HistGradientBoostingRegressor

    _one_thread()
    trees = HistGradientBoostingRegressor(
        loss=loss,
        max_iter=settings.trees,
        max_leaf_nodes=settings.leaves,
        learning_rate=settings.rate,
        min_samples_leaf=200,
        early_stopping=False,
        random_state=0,
    )
    return trees.fit(rows, delay)


@cache
def _one_thread() -> None:
    """Keeps OpenMP to one thread in this process, for good: a process that forks after it ran threads leaves the child a lock
    that nobody holds, and a worker has a slot for each CPU already."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1, user_api="openmp")


@lru_cache(maxsize=8)
def trained(until: int, settings: Settings) -> Model:
    """The model of the installed data, trained once in a process (about a second, and scikit-learn's import)."""
    return train(current(), until, settings)


def forecast(model: Model, value: Mapping[str, Any]) -> dict[str, Any]:
    """The value of `delay_forecast` from that of `delay_features`: under `hours` the minutes of mean departure delay to expect of
    the flights scheduled in each hour, and what that stands on."""
    hours = dict(zip(sorted(value["hours"]), model.predict(matrix(value)), strict=True))
    return {
        "model": model.name,
        "trained_until": model.trained_until,
        "trained_on": model.trained_on,
        "weather_age": value["weather_age"],
        "hours": hours,
    }
