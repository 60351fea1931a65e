"""What a wave is: flows, pipes, states, and how they live in Redis. The names below are what people write flows with."""

from engine.errors import WavedeckError
from engine.flow import Flow, StateHandle
from engine.keys import Date

__all__ = ["Date", "Flow", "StateHandle", "WavedeckError"]
