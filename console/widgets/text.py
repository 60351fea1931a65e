"""Text from outside on one line of a terminal: made harmless, cut to cells, and numbers in few of them.

Entity keys, error messages and partitions are data that somebody else wrote. They may hold escape sequences, controls
that reorder the line, characters of no width, or five hundred of them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import combinations, count

from rich.cells import cell_len, set_cell_size

from engine.plain import spelled

ELLIPSIS = "…"
MAX_MARKS = 3  # combining marks on one letter: more than any script needs, fewer than climb into the next line
_SPELLED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}

# Printable, yet nothing is seen of them or terminals disagree about their width.
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u20e3")
_RANGES = ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF), (0x1F1E6, 0x1F1FF), (0x1F3FB, 0x1F3FF))


@lru_cache(maxsize=2048)
def clean(text: str) -> str:
    r"""`text` as one line that a terminal shows as it stands.

    Controls, line breaks, bidi and zero-width characters, lone surrogates, unassigned and private ones, and spaces other
    than the plain one are spelled out: `\n`, `\x1b`, `\u202e`. So are combining marks without a letter or beyond the third.
    Everything else, CJK and emoji included, is left as it is, but composed (NFC). Cleaning twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = MAX_MARKS
    for char in unicodedata.normalize("NFC", text):
        is_mark = unicodedata.category(char) in {"Mn", "Me", "Mc"}
        marks = marks + 1 if is_mark else 0
        safe = marks <= MAX_MARKS if is_mark else cell_len(char) > 0
        safe = safe and char.isprintable() and not _hides(char)
        shown.append(char if safe else _spell(char))
        if not safe and not is_mark:
            marks = MAX_MARKS
    return "".join(shown)


def dotted(text: str) -> str:
    """`text`, character for character, with a dot for each that `clean` spells out: for what is still being written."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() and cell_len(c) and not _hides(c) else "·" for c in text)


@lru_cache(maxsize=4096)
def fit(text: str, width: int) -> str:
    """`text` cleaned and exactly `width` cells wide: padded on the right, or cut with an ellipsis."""
    if width <= 0:
        return ""
    text = clean(text[: 8 * width])
    if cell_len(text) > width:
        text = set_cell_size(text, width - 1).rstrip() + ELLIPSIS
    return set_cell_size(text, width)


def short_count(number: int) -> str:
    """`number` in at most five cells: `999`, `1.2k`, `12.1k`, `868k`, `1.2M`. Cut, not rounded, so nothing looks complete early."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")):
        if number >= size:
            tenths = number * 10 // size
            return f"{tenths // 10}{unit}" if tenths >= 1000 else f"{tenths // 10}.{tenths % 10}{unit}"
    return str(number)


def short_seconds(value: float | None) -> str:
    """A duration in at most six cells: `12 ms`, `0.4 s`, `59.2 s`, `4:05`, `3h05`, and `–` for none."""
    if value is None:
        return "–"
    if value < 0.0995:
        return f"{value * 1000:.0f} ms"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, left = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes}:{left:02}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}" if hours < 100 else f"{hours // 24}d"


def short_names(tasks: Sequence[str], width: int = 3) -> tuple[str, ...]:
    """A header of at most `width` letters for each task, no two alike, the same for the same tasks.

    `delay_forecast` becomes `for` by its last word; whoever comes later to a taken one gets the next best.
    """
    taken: dict[str, None] = {}
    for task in tasks:
        taken[next(name for name in _abbreviations(clean(task), width) if name not in taken)] = None
    return tuple(taken)


def _abbreviations(task: str, width: int) -> Iterable[str]:
    words = [word for word in task.replace("-", "_").replace(".", "_").split("_") if word] or [task]
    yield words[-1][:width]
    yield words[0][:width]
    yield "".join(word[0] for word in words)[:width]
    letters = "".join(words)
    yield from (letters[0] + "".join(rest) for rest in combinations(letters[1:16], width - 1))
    yield from (str(number) for number in count(1))


def _hides(char: str) -> bool:
    return char in _INVISIBLE or any(low <= ord(char) <= high for low, high in _RANGES)


def _spell(char: str) -> str:
    return _SPELLED[char] if char in _SPELLED else spelled(char)
