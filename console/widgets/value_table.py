"""A value of JSON as a table, where it is one: columns with headings, numbers to the right, as many columns as fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.cells import cell_len
from textual.binding import Binding, BindingType

from console.screens.rows import Piece, RowList
from console.theme import Palette
from console.widgets.json_tree import text_of
from console.widgets.text import clean, fit

DEEP = 3
"""Objects in objects that are looked into for a table."""
LOOKED = 200
"""Rows by which columns are found and measured."""
WIDEST = 40


@dataclass(frozen=True, eq=False)
class Table:
    """Columns by name over rows. `where`: the member of the value that it is of, "" for all of it."""

    heads: tuple[str, ...]
    columns: tuple[Sequence[Any], ...]
    rows: int
    where: str = ""

    def cell(self, row: int, column: int) -> str:
        """A cell as text; "" for nothing."""
        value = self.columns[column][row]
        if value is None:
            return ""
        return value if isinstance(value, str) else text_of(value, True)

    def numeric(self, column: int) -> bool:
        """Whether a column holds numbers alone."""
        return all(v is None or (isinstance(v, int | float) and not isinstance(v, bool)) for v in self.columns[column][:LOOKED])


class _Field(Sequence[Any]):
    """A member of each of many objects, read when it is looked at."""

    def __init__(self, rows: Sequence[Mapping[str, Any]], name: str) -> None:
        self._rows, self._name = rows, name

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return [row.get(self._name) for row in self._rows[place]]
        return self._rows[place].get(self._name)


def rounded(text: str, cells: int) -> str:
    """A number that does not fit with as many of its digits as do; any other text as it is."""
    if len(text) <= cells or text.startswith('"'):
        return text
    try:
        number = float(text)
    except (ValueError, OverflowError):
        return text
    return next((short for digits in range(15, 0, -1) if len(short := f"{number:.{digits}g}") <= cells), text)


def table(value: Any, depth: int = 0, where: str = "") -> Table | None:
    """A value as a table: a list of objects, an object of lists of one length, an object of objects (their names are the first
    column), a list of lists of one length; else the largest one that is in an object. None when there is none."""
    if isinstance(value, list) and value:
        return _of_list(value, where)
    if not isinstance(value, Mapping) or not value or depth > DEEP:
        return None
    inside = list(value.values())
    if all(isinstance(v, list) and v and not isinstance(v[0], Mapping) for v in inside) and len({len(v) for v in inside}) == 1:
        return Table(tuple(map(str, value)), tuple(inside), len(inside[0]), where)
    if len(inside) > 1 and all(isinstance(v, Mapping) and v for v in inside) and _alike(inside):
        named = _of_list(inside, where)
        if named is not None:
            return Table(("", *named.heads), (list(map(str, value)), *named.columns), named.rows, where)
    found = [t for k, v in value.items() if (t := table(v, depth + 1, f"{where}.{k}" if where else str(k))) is not None]
    return max(found, key=lambda t: t.rows * len(t.heads), default=None)


def _of_list(rows: Sequence[Any], where: str) -> Table | None:
    if all(isinstance(row, Mapping) for row in rows):
        heads = tuple(dict.fromkeys(str(k) for row in rows[:LOOKED] for k in row))
        return Table(heads, tuple(_Field(rows, head) for head in heads), len(rows), where) if heads else None
    if all(isinstance(row, list) and row for row in rows) and len({len(row) for row in rows}) == 1 and len(rows) > 1:
        width = len(rows[0])
        return Table(tuple(map(str, range(width))), tuple([row[i] for row in rows] for i in range(width)), len(rows), where)
    return None


def _alike(objects: Sequence[Mapping[str, Any]]) -> bool:
    """Whether objects have more names in common than not."""
    names = set(objects[0])
    return all(len(names & set(o)) * 2 > len(names | set(o)) for o in objects[1:LOOKED])


class ValueTable(RowList):
    """A table; left and right go through columns that do not fit."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right", "column(1)", show=False),
        Binding("left", "column(-1)", show=False),
    ]

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.table = Table((), (), 0)
        self._widths: list[int] = []
        self._first = 0

    @property
    def count(self) -> int:
        return self.table.rows

    def put(self, told: Table) -> None:
        """Shows a table from its top."""
        self.table, self._first, self.cursor = told, 0, 0
        looked = [*range(0, told.rows, max(told.rows // LOOKED, 1)), *range(max(told.rows - 1, 0), told.rows)]
        self._widths = [
            min(max([_wide(head), *(_wide(told.cell(row, column)) for row in looked)]), WIDEST)
            for column, head in enumerate(told.heads)
        ]
        self.changed()

    @property
    def chosen(self) -> str:
        """The row under the cursor as text, its cells with tabs between them."""
        return "\t".join(self.table.cell(self.cursor, c) for c in range(len(self.table.heads))) if self.count else ""

    def action_column(self, columns: int) -> None:
        self._first = min(max(self._first + columns, 0), max(len(self.table.heads) - 1, 0))
        self.refresh()

    def _shown(self, width: int) -> list[int]:
        """The columns that fit; the first is always there."""
        room = width - 2 - 12
        shown: list[int] = []
        for column in dict.fromkeys([0, *range(self._first, len(self.table.heads))]):
            if shown and self._widths[column] + 2 > room:
                break
            shown.append(column)
            room -= self._widths[column] + 2
        return shown

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield "  ", palette.muted
        shown = self._shown(width)
        for column in shown:
            yield self._cell(self.table.heads[column], column) + "  ", palette.muted
        hidden = len(self.table.heads) - len(shown)
        yield (f"+{hidden} ← →" if hidden else ""), palette.lit

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        yield self.lead(number), palette.lit
        for column in self._shown(width):
            yield self._cell(self.table.cell(number, column), column) + "  ", palette.text

    def _cell(self, text: str, column: int) -> str:
        width = self._widths[column]
        if not self.table.numeric(column):
            return fit(text, width)
        return fit(rounded(text, width), width).rstrip().rjust(width)


def _wide(text: str) -> int:
    return cell_len(clean(text[:WIDEST]))
