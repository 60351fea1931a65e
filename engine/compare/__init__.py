"""Two versions of a pipe held against each other, and against what really happened."""

from engine.compare.comparison import Comparison
from engine.compare.figures import Asked, Compared

__all__ = ["Asked", "Compared", "Comparison"]
