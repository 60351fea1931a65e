"""A value of JSON as a tree of lines that fold. What is folded is not looked into, so a large value costs what is seen of it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len

from console.reports.differences import path_text
from console.screens.rows import Piece, RowList
from console.theme import Palette
from console.widgets.text import clean, fit

Path = tuple[str | int | range, ...]
"""How one comes to a line; a range stands for a part of a long list or object."""
OPEN = 2
"""Levels that are open at first."""
WIDE = 100
"""Members that are shown one by one; more of them stand in parts of so many, or of so many parts."""
MOST = 20_000
"""Lines that are made of one value; what would come after is counted."""
LONGEST = 400
INDENT = 20
"""Levels that are indented; the others stand below them, with their depth."""


@dataclass(frozen=True, slots=True)
class Node:
    """A line. `label`: its key or place; `text`: its value, or what is folded in it; `folded`: None for what has no members."""

    path: Path
    depth: int
    label: str
    text: str
    kind: str
    folded: bool | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the members of a long list or object."""

    members: Sequence[tuple[str | int, Any]]
    span: range


def nodes(value: Any, turned: frozenset[Path] = frozenset(), most: int = MOST) -> list[Node]:
    """The lines of a value. `turned`: paths that are not as they are at first: open where they would be folded, or the other way."""
    found: list[Node] = []
    todo: list[Iterator[tuple[Path, str, Any]]] = [members(value, ()) or iter([((), "", value)])]
    while todo:
        item = next(todo[-1], None)
        if item is None:
            todo.pop()
            continue
        if len(found) >= most:
            found.append(Node((), 0, "", f"… more than {most:,} lines are open; m shows it raw", "more"))
            break
        path, label, inner = item
        below = members(inner, path)
        folded = None if below is None else _folded(path) is not (path in turned)
        found.append(Node(path, max(len(path) - 1, 0), label, text_of(inner, folded), _kind(inner), folded))
        if below is not None and not folded:
            todo.append(below)
    return found


def members(value: Any, path: Path) -> Iterator[tuple[Path, str, Any]] | None:
    """What is in a list or object: path, label and value of each; None for what has no members."""
    if isinstance(value, _Part):
        return _parts(value.members, path, value.span)
    if isinstance(value, Mapping) and value:
        return _parts([(str(k), v) for k, v in value.items()], path, range(len(value)))
    if isinstance(value, list) and value:
        return _parts(_Places(value), path, range(len(value)))
    return None


class _Places(Sequence[tuple[str | int, Any]]):
    """A list with its places."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, place: Any) -> Any:
        return place, self._items[place]


def _parts(found: Sequence[tuple[str | int, Any]], path: Path, span: range) -> Iterator[tuple[Path, str, Any]]:
    size = 1
    while len(span) > size * WIDE:
        size *= WIDE
    if size == 1:
        for i in span:
            step, value = found[i]
            yield (*path, step), f"[{step}]" if isinstance(step, int) else step, value
        return
    for low in range(span.start, span.stop, size):
        part = range(low, min(low + size, span.stop))
        yield (*path, part), f"[{part.start:,} … {part.stop - 1:,}]", _Part(found, part)


def _folded(path: Path) -> bool:
    if isinstance(path[-1] if path else 0, range):
        return any(isinstance(step, range) and step.start for step in path) or len(path) > OPEN + 1
    return sum(not isinstance(step, range) for step in path) >= OPEN


def text_of(value: Any, folded: bool | None) -> str:
    """A value on a line: a list or an object by how much is in it, when it is `folded`."""
    if isinstance(value, _Part):
        return f"… {len(value.span):,}" if folded else ""
    if isinstance(value, Mapping):
        return "{}" if not value else f"{{ {len(value):,} }}" if folded else ""
    if isinstance(value, list):
        return "[]" if not value else f"[ {len(value):,} ]" if folded else ""
    if isinstance(value, str):
        return f'"{value[:LONGEST]}{"…" if len(value) > LONGEST else ""}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return str(value)


def _kind(value: Any) -> str:
    if isinstance(value, Mapping | list | _Part):
        return "group"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return "number"
    return "text" if isinstance(value, str) else "word"


def place_text(path: Path) -> str:
    """A line's path as people write it: `rows[3].temp`."""
    return path_text(tuple(step for step in path if not isinstance(step, range)))


class JsonTree(RowList):
    """A value's lines; enter folds one, or unfolds it."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._value: Any = None
        self._turned: frozenset[Path] = frozenset()
        self.nodes: list[Node] = []

    @property
    def count(self) -> int:
        return len(self.nodes)

    @property
    def chosen(self) -> Node | None:
        """The line under the cursor."""
        return self.nodes[self.cursor] if self.nodes else None

    def key(self, number: int) -> Hashable:
        return self.nodes[number].path

    def put(self, value: Any) -> None:
        """Shows another value; the same one again stays as it was folded."""
        if value is not self._value or not self.nodes:
            self._value, self._turned, self.cursor = value, frozenset(), 0
            self._tell()

    def turn(self) -> bool:
        """Folds or unfolds the line under the cursor; whether it has members."""
        node = self.chosen
        if node is None or node.folded is None:
            return False
        self._turned ^= {node.path}
        self._tell()
        return True

    def _tell(self) -> None:
        self.nodes = nodes(self._value, self._turned)
        self.changed()

    def header(self, palette: Palette, width: int) -> Iterator[Piece]:
        node = self.chosen
        where = place_text(node.path) if node is not None and self.can_focus else ""
        yield fit(f"  VALUE  {where}", width), palette.muted

    def row(self, number: int, palette: Palette, width: int) -> Iterator[Piece]:
        node = self.nodes[number]
        yield self.lead(number) if self.can_focus else "  ", palette.lit
        mark = "  " if node.folded is None else "+ " if node.folded else "- "
        deep = f"{node.depth} " if node.depth > INDENT else ""
        indent = f"{'  ' * min(node.depth, INDENT if width >= 80 else 8)}{deep}{mark}"
        yield indent, palette.faint
        room = width - 2 - len(indent)
        label = fit(node.label, min(cell_len(clean(node.label[:200])), max(room // 2, 8))) if node.label else ""
        said = f"{label} " if label.startswith("[") else f"{label}: " if label else ""
        yield said, palette.muted
        style = {"number": palette.lit, "text": palette.text}.get(node.kind, palette.muted)
        yield fit(node.text, max(room - cell_len(said), 4)), style
