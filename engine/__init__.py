"""What a wave is: flows, pipes, states, and how they live in Redis. The names below are what people write flows with, and what
services read forecasts with."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.errors import WavedeckError
    from engine.flow import Flow, StateHandle
    from engine.keys import Date
    from engine.serving import Forecast, forecast, forecasts

__all__ = ["Date", "Flow", "Forecast", "StateHandle", "WavedeckError", "forecast", "forecasts"]

_HOMES = {
    "Date": "engine.keys",
    "Flow": "engine.flow",
    "Forecast": "engine.serving",
    "StateHandle": "engine.flow",
    "WavedeckError": "engine.errors",
    "forecast": "engine.serving",
    "forecasts": "engine.serving",
}


def __getattr__(name: str) -> Any:  # the console shows its first frame without ever importing a flow
    if name not in _HOMES:
        raise AttributeError(f"module 'engine' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
