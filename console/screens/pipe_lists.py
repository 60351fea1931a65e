"""The lists of the pipes' screen: the rows of a level, of which only a window is here; and where a pipe comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual.message import Message

from console.locator import Locator
from console.reports.lineage import Link
from console.reports.pipes import Whole
from console.screens.rows import Piece, RowList
from console.sources.pipe_levels import Row, View
from console.theme import Palette
from console.widgets.text import clean, fit
from engine.keys import PipeKey, decode_entity
from engine.status import Status

AROUND = 60
"""Rows above and below the visible ones that are asked for with them."""
SHARE, SHORT, LONG = 0.5, 24, 24
"""Of the width, what a name gets where there is more to say of it than fits, and cells below which it is not cut for that; cells above
which another column may be cut."""


class ItemList(RowList):
    """A level. Rows that are not here yet are shown as dots, and asked for by `Wanted`."""

    class Wanted(Message):
        """Other rows are seen than are here."""

    def __init__(self, *, id: str | None = None, classes: str | None = None, focusable: bool = True) -> None:
        super().__init__(id=id, classes=classes)
        self.can_focus = focusable
        self.view = View("", ("",), (), 0, 0, 0, 0)
        self._empty = "asking Redis …"
        self._measured: tuple[object, int, list[int]] | None = None

    @property
    def count(self) -> int:
        return self.view.count

    def at(self, number: int) -> Row | None:
        """A row, if it is here."""
        place = number - self.view.first
        return self.view.rows[place] if 0 <= place < len(self.view.rows) else None

    @property
    def chosen(self) -> str:
        """The name of the row under the cursor; "" when it is not here."""
        row = self.at(self.cursor)
        return row.name if row else ""

    @property
    def window(self) -> tuple[int, int]:
        """The first of the rows to ask for, and how many."""
        top = max(min(self.scroll_offset.y, self.cursor) - AROUND, 0)
        return top, max(self.size.height, 24) + 2 * AROUND

    def wait(self) -> None:
        """Another level will come."""
        self.view, self._empty, self._measured = View("", ("",), (), 0, 0, 0, 0), "asking Redis …", None
        self.set_reactive(ItemList.cursor, 0)
        self.scroll_to(y=0, animate=False, immediate=True)
        self.changed()

    def update(self, view: View, empty: str, cursor: int = -1) -> None:
        """Shows a view; the cursor goes to the row `cursor`, else stays with its name if that is near."""
        name, before = self.chosen, self.view
        self.view, self._empty, self._measured = view, empty, None
        self.changed()
        if cursor >= 0:
            self.cursor = min(cursor, max(view.count - 1, 0))
        elif name and before.level == view.level and name != self.chosen:
            near = [view.first + i for i, row in enumerate(view.rows) if row.name == name]
            if near:
                self.cursor = near[0]

    def empty(self) -> str:
        return self._empty

    def lead(self, number: int) -> str:
        return super().lead(number) if self.can_focus or self.id == "above" else "  "

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        low, high = round(new_value), min(round(new_value) + self.size.height, self.count)
        if low < self.view.first or high > self.view.first + len(self.view.rows):
            self.post_message(self.Wanted())

    def _widths(self, width: int) -> list[int]:
        """Cells of each column, 0 for those that are empty or do not fit; the last ones give way first."""
        if self._measured is not None and self._measured[:2] == (self.view, width):
            return self._measured[2]
        heads, rows = self.view.heads, self.view.rows
        asked = [max([0, *(cell_len(clean(_cell(row, i)[:200])) for row in rows)]) for i in range(len(heads))]
        asked = [max(cells, cell_len(head.rstrip(">"))) if cells else 0 for cells, head in zip(asked, heads, strict=True)]
        room = width - 3
        others = sum(cells + 2 for cells in asked[1:] if cells)
        name = min(asked[0], max(int(room * SHARE), room - others, min(room, SHORT)))
        found, room = [name], room - name
        for asks in asked[1:]:
            cells = asks if asks + 2 <= room else room - 2 if asks > LONG and room > LONG // 2 else 0
            found.append(cells)
            room -= cells + 2 if cells else 0
        self._measured = (self.view, width, found)
        return found

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield "  ", palette.muted
        for head, cells in zip(self.view.heads, self._widths(width), strict=True):
            if cells:
                name = head.rstrip(">")
                yield (
                    (f"{fit(name, cells).rstrip():>{cells}}" if head.endswith(">") else fit(name, cells)) + "  ",
                    palette.muted,
                )

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        row = self.at(number)
        yield self.lead(number), palette.lit
        if row is None:
            yield "…", palette.faint
            return
        for i, (head, cells) in enumerate(zip(self.view.heads, self._widths(width), strict=True)):
            if not cells:
                continue
            text = fit(_cell(row, i), cells)
            text = text.rstrip().rjust(cells) if head.endswith(">") else text
            plain = palette.muted if i else palette.lit if number == self.cursor else palette.text
            mark = 2 if row.tone == "loud" and i == 1 else 0
            yield text[:mark], palette.style(Status.RUNNING)
            yield text[mark:] + "  ", palette.faint if row.tone == "faint" else palette.text if mark else plain


def _cell(row: Row, column: int) -> str:
    return row.name if column == 0 else row.cells[column - 1] if column <= len(row.cells) else ""


@dataclass(frozen=True)
class Origin:
    """A line of where a pipe comes from: what it is, whose, more words; `place`: where enter leads, None where it is nowhere."""

    what: str
    text: str
    note: str = ""
    place: Locator | None = None
    missing: bool = False


def origins(pipe: Whole, key: PipeKey, said: Sequence[tuple[str, str]] = ()) -> list[Origin]:
    """All that is known of a pipe beside its value. `said`: further lines, (what, text)."""
    entity = decode_entity(key.entity)
    found = [Origin("key", pipe.detail.key), *(Origin(what, text) for what, text in said)]
    if pipe.wave:
        place = Locator("entity", wave=pipe.wave, name=pipe.wave_name, entity=entity, task=key.pipe)
        found.append(Origin("written by", pipe.wave_name, pipe.wave, place))
        if pipe.worker:
            found.append(Origin("on", pipe.worker, "", Locator("workers", path=key.version, filter=pipe.worker)))
    else:
        found.append(Origin("written by", pipe.detail.writer or "nobody knows"))
    for what, links in (("made from", pipe.up), ("made of it", pipe.down)):
        found += [_origin(what if i == 0 else "", link) for i, link in enumerate(links)]
    return found


def _origin(what: str, link: Link) -> Origin:
    if not link.key:
        return Origin(what, link.pipe, link.note, None, missing=True)
    at = PipeKey.parse(link.key)
    place = Locator("pipes", path=f"{at.version}/{at.pipe}", date=str(at.date), entity=decode_entity(at.entity))
    gone = link.note or ("" if link.there else "not there any more")
    return Origin(what, link.pipe, f"{at.date}{f' · {gone}' if gone else ''}", place if link.there else None, not link.there)


class OriginList(RowList):
    """Where a pipe comes from, how large it is and how long it lives; enter opens what a line is about."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.rows: tuple[Origin, ...] = ()
        self._title = ""

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def chosen(self) -> Origin | None:
        """The line under the cursor."""
        return self.rows[self.cursor] if self.rows else None

    def put(self, title: str, rows: Sequence[Origin]) -> None:
        """Shows lines under a title."""
        told = tuple(rows)
        if told != self.rows:
            first = next((i for i, row in enumerate(told) if row.place is not None), 0)
            self.rows, self.cursor = told, first
        self._title = title
        self.changed()

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield f"  {fit(self._title, max(width - 2, 0))}", palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        line = self.rows[number]
        yield (self.lead(number) if self.has_focus else "  "), palette.lit
        yield f"{line.what:<11}", palette.muted
        room = max(width - 14, 1)
        text = fit(line.text, min(cell_len(clean(line.text)), room))
        style = (
            palette.style(Status.BLOCKED)
            if line.missing
            else palette.text
            if line.place or line.what == "key"
            else palette.muted
        )
        yield text, style
        note = fit(line.note, max(room - cell_len(text) - 2, 0))
        yield f"  {note}", palette.muted
