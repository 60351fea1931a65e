"""Durations as people write them: `90s`, `2m`, `1h30m`, `7d`."""

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = 100 * 365.25 * 86400
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def seconds(text: str | float) -> float:
    """`text` in seconds. A number is taken as seconds already.

    Raises:
        ValueError: it is not a sum of numbers with units ms, s, m, h, d, or it is not positive, or over a hundred years.
    """
    if isinstance(text, int | float):
        total = float(text)
    else:
        parts = _PART.findall(text)
        if not parts or "".join(n + u for n, u in parts) != text.replace(" ", ""):
            raise ValueError(f"{text[:40]!r} is not a duration (write 90s, 2m, 1h30m or 7d)")
        total = sum(float(n) * _UNITS[u] for n, u in parts)
    if not 0 < total <= LONGEST:
        raise ValueError(f"{str(text)[:40]!r} is not a positive duration of a hundred years or less")
    return total


def text(value: float) -> str:
    """The shortest way to write `value` seconds that `seconds` reads back, to the millisecond and never less than one."""
    left = max(1, round(value * 1000))
    words = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count}{unit}")
    return "".join(words)
