"""Numbers as a line of bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from console.theme import PLAIN

SPARKS = "_.:-=+*#" if PLAIN else "▁▂▃▄▅▆▇█"


def spark(numbers: Sequence[float]) -> str:
    """Numbers in order, each a bar between the lowest and the highest of them."""
    if not numbers:
        return ""
    low, half = min(numbers), max(numbers) / 2 - min(numbers) / 2  # halves: the whole may be more than a float holds
    return "".join(SPARKS[round((y / 2 - low / 2) / half * (len(SPARKS) - 1)) if half else 0] for y in numbers)
