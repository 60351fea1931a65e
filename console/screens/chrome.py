"""What stands around the panels of a screen: where one is, how old it all is, what can be done. Nothing here is markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from console.keys import Action
from console.screens.words import clock
from console.theme import Palette
from console.widgets.paint import Drawn, palette_on, strip_of
from console.widgets.text import clean, fit
from engine.status import Status

Piece = tuple[str, Style]
CRUMB = " › "


class Line(Drawn, Widget):
    """One drawn line."""

    DEFAULT_CSS = "Line { height: 1; background: $surface; color: $foreground; }"

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - it has one line
        palette = palette_on(self)
        return strip_of(self.pieces(palette, self.size.width), self.size.width, palette.text)

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        """What stands on it, from the left, clean."""
        raise NotImplementedError


class Header(Line):
    """Where one is, what goes with it, and how old what is shown is; loud when the link is lost."""

    def __init__(self, crumbs: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._crumbs, self._facts = tuple(crumbs), tuple[str, ...]()
        self._at: float | None = None
        self._trouble, self._paused = "", False

    def tell(self, crumbs: Sequence[str], facts: Sequence[str] = ()) -> None:
        """Crumbs, the last one is here; facts, the first ones give way where there is no room."""
        if (tuple(crumbs), tuple(facts)) != (self._crumbs, self._facts):
            self._crumbs, self._facts = tuple(crumbs), tuple(facts)
            self.refresh()

    def fresh(self, at: float | None, trouble: str = "", *, paused: bool = False) -> None:
        """When what is shown was so (Unix time), and why nothing newer comes: trouble, or because somebody reads."""
        if (at and int(at), trouble, paused) != (self._at and int(self._at), self._trouble, self._paused):
            self._at, self._trouble, self._paused = at, trouble, paused
            self.refresh()

    @property
    def age_text(self) -> str:
        """`as of 14:06:31`, with what is wrong before it."""
        of = f"as of {clock(self._at)}" if self._at else "asking Redis"
        return " · ".join([*filter(None, [self._trouble, "paused" if self._paused else ""]), of])

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        age = f"{clean(self.age_text)} "
        facts = [clean(fact) for fact in self._facts]
        if getattr(self.app, "read_only", False) and "read-only" not in facts:
            facts.append("read-only")
        crumbs = [clean(crumb[:400]) for crumb in self._crumbs]
        room = width - 1 - cell_len(age) - 2
        while facts and cell_len(CRUMB.join(crumbs)) + sum(cell_len(f) + 3 for f in facts) > room:
            facts.pop(0)
        yield " ", palette.text
        left = room - sum(cell_len(f) + 3 for f in facts)
        path = _path(crumbs, left)
        yield path, palette.muted
        last = fit(crumbs[-1], min(cell_len(crumbs[-1]), max(left - cell_len(path), 1)))
        yield last, palette.lit
        told = "".join(f" · {f}" for f in facts)
        used = 1 + cell_len(path) + cell_len(last)
        yield told, palette.muted
        yield " " * max(width - used - cell_len(told) - cell_len(age), 1), palette.text
        yield age, palette.style(Status.FAILED) if self._trouble else palette.muted


def _path(crumbs: Sequence[str], room: int) -> str:
    """What stands before the last crumb: as many of the others as there is room for beside it, the nearest ones."""
    room -= min(cell_len(crumbs[-1]), 12)
    for first in range(len(crumbs) - 1):
        path = CRUMB.join([*(["…"] if first else []), *crumbs[first:-1]]) + CRUMB
        if cell_len(path) <= room:
            return path
    return ""


class Rule(Line):
    """A line between panels that says what stands below it."""

    DEFAULT_CSS = "Rule { background: $background; }"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._left, self._right, self._bad = "", "", False

    def tell(self, left: str, right: str = "", *, bad: bool = False) -> None:
        """What to say on the left, loud if `bad`, and on the right where there is room."""
        if (left, right, bad) != (self._left, self._right, self._bad):
            self._left, self._right, self._bad = left, right, bad
            self.refresh()

    @property
    def text(self) -> str:
        """What it says on the left."""
        return self._left

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        left = fit(self._left, min(cell_len(clean(self._left)), max(width - 6, 0)))
        right = clean(self._right)
        right = f" {right} ─" if right and cell_len(left) + cell_len(right) + 10 <= width else ""
        yield "─ " if left else "──", palette.faint
        yield left, palette.style(Status.FAILED) if self._bad else palette.text
        yield (" " if left else "─") + "─" * max(width - 3 - cell_len(left) - cell_len(right), 0), palette.faint
        yield right[:-1], palette.muted
        yield right[-1:], palette.faint


class KeyLine(Line):
    """The keys that work here, the most needed first; help is always among them."""

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = [a for a in actions if a.in_line]

    def tell(self, actions: Sequence[Action]) -> None:
        """Other keys are at hand now."""
        self._actions = [a for a in actions if a.in_line]
        self.refresh()

    @property
    def whole(self) -> int:
        """Cells that all of them need."""
        return sum(map(_wide, self._actions))

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        last = [a for a in self._actions if a.id in ("help", "command")]
        shown: list[Action] = []
        room = width - sum(_wide(a) for a in last)
        for action in (a for a in self._actions if a not in last):
            if room >= _wide(action):
                shown.append(action)
                room -= _wide(action)
        for action in (*shown, *last):
            yield f" {action.shown}", palette.lit
            yield f" {action.words} ", palette.muted


def _wide(action: Action) -> int:
    return cell_len(action.shown) + cell_len(action.words) + 3
