"""Text from outside in Markdown: it stays where it is put, whatever is in it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from console.widgets.text import clean

LONGEST, MOST_LINES = 300, 40
"""Characters of a piece of code, and lines of a block: its last."""


def code(text: str, longest: int = LONGEST) -> str:
    """`text` as code on one line, which cannot end before it does; cut with an ellipsis."""
    shown = clean(text if len(text) <= longest else f"{text[:longest]}…")
    fence = "`"
    while fence in shown:
        fence += "`"
    pad = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) or not shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def block(text: str, kind: str = "") -> Iterator[str]:
    """Lines in a fence that none of them can close."""
    lines = [clean(line.expandtabs(4)) for line in text.rstrip("\n").split("\n")]
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    cut = ["…"] if len(lines) > MOST_LINES else []
    yield from (f"{fence}{kind}", *cut, *lines[-MOST_LINES:], fence)


def row(cells: Sequence[str]) -> str:
    """A row of a table; cells are Markdown, without lines of their own."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
