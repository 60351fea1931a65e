"""The lists of the screen of states: states, partitions of one, entities of one."""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterator, Mapping, Sequence

from rich.cells import cell_len
from textual.message import Message
from textual.strip import Strip

from console.reports.state import ABSENT, NOBODY, Roll, StateRow, WaveOver
from console.screens.rows import Piece, RowList
from console.theme import Palette, look
from console.views import iso
from console.widgets.text import clean, fit
from engine.status import Cell

ALL = ""
"""The row of all partitions."""
LOUD = frozenset({Cell.FAILED, Cell.BLOCKED})
SOON = 0.03
"""Seconds that rows must stand still before it is asked how their last waves went."""


def moment(at: str | None, width: int = 16) -> str:
    """A moment of the data's clock, in 16 cells or in 11: `2013-07-01 14:00`, `07-01 14:00`."""
    text = (at or "–").replace("T", " ")[:16]
    return text[5:] if width < 16 and len(text) == 16 else text


def widest(texts: Sequence[str], least: int, most: int) -> int:
    """Cells that the widest of these takes, within bounds; of very many only some are looked at."""
    step = max(len(texts) // 500, 1)
    return min(max([least, *(cell_len(clean(text[:100])) for text in texts[::step])]), most)


class StateList(RowList):
    """A row a state."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: tuple[StateRow, ...] = ()
        self._empty = "asking Redis …"

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> StateRow | None:
        """The state under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def update(self, rows: Sequence[StateRow], empty: str) -> None:
        """Shows `rows`; the cursor stays with its state."""
        before = self.chosen
        self.rows, self._empty = tuple(rows), empty
        names = [row.state for row in rows]
        if before is not None and before.state in names:
            self.cursor = names.index(before.state)
        self.changed()

    def key(self, number: int) -> Hashable:
        return self.rows[number].state

    def empty(self) -> str:
        return self._empty

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        name = widest([row.state for row in self.rows], 12, 40 if width >= 110 else 20)
        yield f"  {fit('STATE', name)}  {'ENTITIES':>9}  {'PARTITIONS':>10}  {fit('LAST SEEN', 16)}  FLOWS", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        row, name = self.rows[number], widest([row.state for row in self.rows], 12, 40 if width >= 110 else 20)
        yield self.lead(number), palette.lit
        yield fit(row.state, name), palette.lit if number == self.cursor else palette.text
        yield f"  {row.entities:>9,}  {row.partitions:>10,}", palette.text
        yield f"  {fit(moment(row.seen), 16)}  ", palette.muted
        yield fit(", ".join(row.flows) or "no published flow", max(width - name - 45, 0)), palette.muted


class PartitionList(RowList):
    """A row a partition, how many of it the filter leaves, and when the last of it was seen; the first row stands for all."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: tuple[tuple[str, int, str | None], ...] = ()

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> str:
        """The partition under the cursor, or `ALL`."""
        return self.rows[self.cursor][0] if self.cursor < len(self.rows) else ALL

    def update(self, rows: Sequence[tuple[str, int, str | None]], chosen: str) -> None:
        """Shows `rows` (partition, entities, last seen), with the cursor on `chosen` if it is there, else on all."""
        self.rows = tuple(rows)
        names = [name for name, _, _ in rows]
        self.cursor = names.index(chosen) if chosen in names else 0
        self.changed()

    def key(self, number: int) -> Hashable:
        return self.rows[number][0]

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        name, when = self._widths(width)
        yield f"  {fit('PARTITION', name)} {'ENTITIES':>8}", palette.muted
        if when:
            yield f"  {fit('LAST SEEN', when)}", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        (partition, entities, seen), (name, when) = self.rows[number], self._widths(width)
        here = number == self.cursor
        told = "all" if partition == ALL else "none" if partition == NOBODY else partition
        quiet = palette.muted if partition in (ALL, NOBODY) else palette.text
        yield self.lead(number), palette.lit
        yield fit(told, name), palette.lit if here else quiet
        yield f" {entities:>8,}", palette.text
        if when:
            yield f"  {moment(seen, when):<{when}}", palette.muted

    def _widths(self, width: int) -> tuple[int, int]:
        """Cells of the name, and of the moment (0: not shown)."""
        when = next((w for w in (16, 11, 0) if width - 2 - 9 - w - 2 >= 10), 0)
        return max(width - 2 - 9 - (when + 2 if when else 0), 4), when


class MemberList(RowList):
    """A row an entity: when it was last seen, and how its last waves went. Draws what is visible of however many there are."""

    class Seen(Message):
        """Other rows are visible than before, for a moment already."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.roll: Roll | None = None
        self.order: Sequence[int] = array("I")
        self.how: dict[str, bytes] = {}
        self.waves: tuple[WaveOver, ...] = ()
        self._empty, self._one, self._cells_of_name = "asking Redis …", False, 12
        self._told: tuple[object, ...] = ()

    @property
    def count(self) -> int:
        return len(self.order)

    @property
    def chosen(self) -> str | None:
        """The entity under the cursor."""
        return self.name_at(self.cursor) if self.cursor < len(self.order) else None

    def name_at(self, number: int) -> str:
        """The entity of a row."""
        assert self.roll is not None  # noqa: S101
        return self.roll.names[self.order[number]]

    def in_view(self) -> frozenset[str]:
        """The entities whose rows are visible."""
        top = self.scroll_offset.y
        return frozenset(map(self.name_at, range(top, min(top + max(self.size.height - 1, 0), len(self.order)))))

    def update(self, roll: Roll, order: Sequence[int], empty: str, *, one: bool) -> None:
        """Shows those of `roll` that `order` names; `one`: they all are of one partition. The cursor stays with its entity, once it
        has been moved."""
        before = self.chosen if self.cursor else None
        self.roll, self.order, self._empty, self._one = roll, order, empty, one
        self._cells_of_name = widest([roll.names[e] for e in order[:: max(len(order) // 500, 1)]], 12, 48)
        if before is not None:
            found = next((row for row, e in enumerate(order) if roll.names[e] == before), 0)
            self.cursor = found
        self._told = ()
        self.changed()

    def tell(self, how: Mapping[str, bytes], waves: tuple[WaveOver, ...]) -> None:
        """How the last waves went for some of them; what is known of others stays if the waves are the same."""
        same = [w.id for w in waves] == [w.id for w in self.waves]
        self.how = {**(self.how if same and len(self.how) < 5000 else {}), **how}
        self.waves, self._told = waves, self._told if same else ()
        self.refresh()

    def key(self, number: int) -> Hashable:
        return self.name_at(number)

    def empty(self) -> str:
        return self._empty

    def render_line(self, y: int) -> Strip:
        if y == 0:
            span = (self.scroll_offset.y, self.size.height, len(self.order))
            if span != self._told:
                self._told = span
                self.set_timer(SOON, lambda: self.post_message(self.Seen()))
        return super().render_line(y)

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        name, partition, when, waves, word = self._widths(width)
        yield f"  {fit('ENTITY', name)}", palette.muted
        if partition:
            yield f"  {fit('PARTITION', partition)}", palette.muted
        if when:
            yield f"  {fit('LAST SEEN', when)}", palette.muted
        if waves:
            yield f"  {fit('LAST WAVES', waves)}", palette.muted
        if word:
            yield f"  {fit('LAST', word)}", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        assert self.roll is not None  # noqa: S101
        at = self.order[number]
        entity, here = self.roll.names[at], number == self.cursor
        name, partition, when, waves, word = self._widths(width)
        yield self.lead(number), palette.lit
        yield fit(entity, name), palette.lit if here else palette.text
        if partition:
            told = self.roll.partitions[at]
            yield f"  {fit('' if told == NOBODY else told, partition)}", palette.muted
        if when:
            yield f"  {moment(iso(self.roll.seen[at] * 1000), when):<{when}}", palette.muted
        cells = self.how.get(entity)
        if cells is None:
            yield f"  {'…' if self.waves else ''}", palette.faint
            return
        if waves:
            yield "  " + " " * (waves - len(cells)), palette.text
            for cell in cells:
                yield ("·", palette.faint) if cell == ABSENT else (look(cell).glyph, palette.style(cell))
        if word:
            last = last_of(cells)
            told = look(last).word if last is not None else "in none"
            yield f"  {fit(told, word)}", palette.style(last) if last in LOUD else palette.muted

    def _widths(self, width: int) -> tuple[int, int, int, int, int]:
        """Cells of name, partition, moment, waves and word; 0: not shown. Who it is and how it went come first."""
        waves, word = (max(len(self.waves), 10), 9) if self.waves else (0, 0)
        left = width - 2 - (waves + 2 if waves else 0)
        word = word if left - word - 2 >= 12 else 0
        left -= word + 2 if word else 0
        when = next((w for w in (16, 11) if left - w - 2 >= min(self._cells_of_name, 24)), 0)
        left -= when + 2 if when else 0
        partition = 0 if self._one or left - 14 < self._cells_of_name else 12
        left -= partition + 2 if partition else 0
        return min(left, self._cells_of_name), partition, when, waves, word


def last_of(cells: bytes) -> int | None:
    """How the newest wave that it was in went; None when it was in none."""
    return next((cell for cell in reversed(cells) if cell != ABSENT), None)
