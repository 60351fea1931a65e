"""Two values side by side, path by path: what differs is marked, numbers say by how much. What is equal is folded away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rich.cells import cell_len

from console.reports.differences import Difference
from console.screens.rows import Piece, RowList
from console.theme import PLAIN, Palette
from console.widgets.json_tree import text_of
from console.widgets.text import clean, fit
from console.widgets.value_table import rounded
from engine.status import Status

Steps = tuple[str | int, ...]
State = Literal["equal", "changed", "removed", "added", "inside"]
FEW = 12
"""Equal members beside different ones that are shown all the same; more of them are counted."""
MOST = 5000
GLYPH: dict[str, str] = {
    "equal": " ",
    "changed": "!" if PLAIN else "≠",
    "removed": "-" if PLAIN else "−",
    "added": "+",
    "inside": " ",
}


@dataclass(frozen=True, slots=True)
class Side:
    """A line: what both values have at a path. `state`: equal, changed, removed (only the first has it), added (only the second),
    inside (they differ somewhere below); `folded`: None for what cannot be folded."""

    path: Steps
    depth: int
    label: str
    left: str
    right: str
    state: State
    note: str = ""
    folded: bool | None = None


def sides(a: Any, b: Any, found: Sequence[Difference], turned: frozenset[Steps] = frozenset(), most: int = MOST) -> list[Side]:
    """The lines of two values of which `found` are the differences. `turned`: paths that are folded, or unfolded, by hand."""
    inside = {d.path[:n] for d in found for n in range(len(d.path))}
    at = {d.path: d for d in found}
    lines: list[Side] = []
    todo: list[tuple[Steps, str, Any, Any]] = [((), "", a, b)]
    while todo and len(lines) < most:
        path, label, one, other = todo.pop()
        known = at.get(path)
        if label == "…":
            lines.append(Side(path, len(path), "", f"… {one:,} more are equal", "", "equal", "", True))
        elif known is not None:
            lines.append(_difference(path, label, known))
        elif path in inside:
            folded = path in turned
            if path:
                lines.append(
                    Side(path, len(path) - 1, label, text_of(one, folded), text_of(other, folded), "inside", "", folded)
                )
            if not folded:
                todo += reversed(list(_members(path, one, other, at, inside, turned)))
        else:
            lines.append(Side(path, max(len(path) - 1, 0), label or "value", text_of(one, True), text_of(other, True), "equal"))
    if todo:
        lines.append(Side((), 0, "", f"… more than {most:,} lines", "", "equal"))
    return lines


def _difference(path: Steps, label: str, known: Difference) -> Side:
    left = "" if known.what == "added" else text_of(known.before, True)
    right = "" if known.what == "removed" else text_of(known.now, True)
    return Side(path, max(len(path) - 1, 0), label or "value", left, right, known.what, note_of(known))


def note_of(known: Difference) -> str:
    """By how much a number differs, and by how much of what it was: `-1.5 (-12.0%)`."""
    try:
        numbers = [float(x) for x in (known.before, known.now) if isinstance(x, int | float) and not isinstance(x, bool)]
    except OverflowError:
        return ""
    if len(numbers) != 2:
        return ""
    share = f" ({known.relative:+.1%})" if known.relative is not None and abs(known.relative) < 1000 else ""
    return f"{numbers[1] - numbers[0]:+.6g}{share}"


def _members(
    path: Steps, one: Any, other: Any, at: Mapping[Steps, Difference], inside: set[Steps], turned: frozenset[Steps]
) -> Iterator[tuple[Steps, str, Any, Any]]:
    """The members of two lists or objects: all that differ, and what is equal if it is not too much or asked for."""
    if isinstance(one, Mapping):
        names: list[str | int] = list(dict.fromkeys([*one, *other]))
        pairs = [((*path, n), str(n), one.get(n), other.get(n)) for n in names]
    else:
        longest = range(max(len(one), len(other)))
        pairs = [
            ((*path, i), f"[{i}]", one[i] if i < len(one) else None, other[i] if i < len(other) else None) for i in longest
        ]
    equal = [p for p in pairs if p[0] not in at and p[0] not in inside]
    more: Steps = (*path, "…")
    if len(equal) <= FEW or more in turned:
        yield from pairs
        return
    kept = {p[0] for p in equal}
    yield from (p for p in pairs if p[0] not in kept)
    yield more, "…", len(equal), None


class Sides(RowList):
    """Two values side by side; enter folds and unfolds."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._pair: tuple[Any, Any, Sequence[Difference]] = (None, None, ())
        self._names = ("", "")
        self._turned: frozenset[Steps] = frozenset()
        self.lines: list[Side] = []

    @property
    def count(self) -> int:
        return len(self.lines)

    @property
    def chosen(self) -> Side | None:
        """The line under the cursor."""
        return self.lines[self.cursor] if self.lines else None

    def put(self, names: tuple[str, str], a: Any, b: Any, found: Sequence[Difference]) -> None:
        """Shows two values under their versions' names; the cursor goes to the first difference."""
        if self.lines and self._pair[0] is a and self._pair[1] is b:
            return
        self._names, self._pair, self._turned = names, (a, b, found), frozenset()
        self.lines = sides(*self._pair)
        self.cursor = next((i for i, line in enumerate(self.lines) if line.state not in ("equal", "inside")), 0)
        self.changed()

    def turn(self) -> None:
        """Folds or unfolds the line under the cursor."""
        line = self.chosen
        if line is not None and line.folded is not None:
            self._turned ^= {line.path}
            self.lines = sides(*self._pair, self._turned)
            self.changed()

    def _widths(self, width: int) -> tuple[int, int, int]:
        """Cells of a path, of each value, and of the note."""
        note = min(max([0, *(len(line.note) for line in self.lines[:500])]), 24)
        room = width - 4 - note - (2 if note else 0)
        label = min(
            max([8, *(2 * line.depth + cell_len(clean(line.label[:60])) + 2 for line in self.lines[:500])]), room * 2 // 5
        )
        return label, (room - label - 2) // 2, note

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        label, value, note = self._widths(width)
        yield f"    {fit('PATH', label)}{fit(self._names[0], value)}  {fit(self._names[1], value)}", palette.muted
        yield (f"  {'DIFFERENCE':>{note}}" if note >= 10 else ""), palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        line, (label, value, note) = self.lines[number], self._widths(width)
        loud = palette.style(Status.RUNNING) if line.state in ("changed", "removed", "added") else palette.muted
        quiet = palette.text if line.state in ("changed", "removed", "added") else palette.muted
        yield self.lead(number), palette.lit
        yield f"{GLYPH[line.state]} ", loud
        mark = "  " if line.folded is None else "+ " if line.folded else "- "
        indent = "  " * min(line.depth, 6)
        yield fit(f"{indent}{mark if line.folded is not None else ''}{clean(line.label[:200])}", label - 1) + " ", palette.muted
        if not line.label:
            yield fit(line.left, value * 2 + 2), palette.muted
            return
        missing = {"removed": ("", "– not there"), "added": ("– not there", "")}.get(line.state, ("", ""))
        yield fit(missing[0] or rounded(line.left, value), value) + "  ", palette.faint if missing[0] else quiet
        yield (
            fit(missing[1] or rounded(line.right, value), value),
            palette.faint if missing[1] else loud if line.state != "inside" else quiet,
        )
        yield (f"  {line.note:>{note}}" if note else ""), palette.lit
