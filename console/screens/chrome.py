"""What stands around the panels of a screen: where one is, how old it all is, what can be done. Nothing here is markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rich.cells import cell_len
from rich.style import Style
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from console.actions import Action
from console.screens.words import clock
from console.theme import Palette
from console.widgets.legend import Legend
from console.widgets.paint import palette_on, strip_of
from console.widgets.text import clean, fit
from engine.status import Status

Piece = tuple[str, Style]
CRUMB = " › "


class Line(Widget):
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
        self._trouble = ""

    def tell(self, crumbs: Sequence[str], facts: Sequence[str] = ()) -> None:
        """Crumbs, the last one is here; facts, the first ones give way where there is no room."""
        if (tuple(crumbs), tuple(facts)) != (self._crumbs, self._facts):
            self._crumbs, self._facts = tuple(crumbs), tuple(facts)
            self.refresh()

    def fresh(self, at: float | None, trouble: str = "") -> None:
        """When what is shown was so (Unix time), and why nothing newer comes."""
        if (at and int(at), trouble) != (self._at and int(self._at), self._trouble):
            self._at, self._trouble = at, trouble
            self.refresh()

    @property
    def age_text(self) -> str:
        """`as of 14:06:31`, with what is wrong before it."""
        of = f"as of {clock(self._at)}" if self._at else "asking Redis"
        return f"{self._trouble} · {of}" if self._trouble else of

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        age = f"{clean(self.age_text)} "
        facts = [clean(fact) for fact in self._facts]
        crumbs = [clean(crumb[:400]) for crumb in self._crumbs]
        room = width - 1 - cell_len(age) - 2
        while facts and cell_len(CRUMB.join(crumbs)) + sum(cell_len(f) + 3 for f in facts) > room:
            facts.pop(0)
        yield " ", palette.text
        left = room - sum(cell_len(f) + 3 for f in facts)
        path = CRUMB.join(crumbs[:-1]) + CRUMB if len(crumbs) > 1 else ""
        if cell_len(path) + min(cell_len(crumbs[-1]), 12) > left:
            path = ""
        yield path, palette.muted
        last = fit(crumbs[-1], min(cell_len(crumbs[-1]), max(left - cell_len(path), 1)))
        yield last, palette.lit
        told = "".join(f" · {f}" for f in facts)
        used = 1 + cell_len(path) + cell_len(last)
        yield told, palette.muted
        yield " " * max(width - used - cell_len(told) - cell_len(age), 1), palette.text
        yield age, palette.style(Status.FAILED) if self._trouble else palette.muted


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
        yield "─ ", palette.faint
        yield left, palette.style(Status.FAILED) if self._bad else palette.text
        yield " " + "─" * max(width - 3 - cell_len(left) - cell_len(right), 0), palette.faint
        yield right[:-1], palette.muted
        yield right[-1:], palette.faint


class KeyLine(Line):
    """The keys that work here, the most needed first; help is always among them."""

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = [a for a in actions if a.in_line]

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        last = [a for a in self._actions if a.id == "help"]
        shown: list[Action] = []
        room = width - sum(_wide(a) for a in last)
        for action in (a for a in self._actions if a.id != "help"):
            if room >= _wide(action):
                shown.append(action)
                room -= _wide(action)
        for action in (*shown, *last):
            yield f" {action.shown}", palette.lit
            yield f" {action.words} ", palette.muted


def _wide(action: Action) -> int:
    return cell_len(action.shown) + cell_len(action.words) + 3


class Foot(Horizontal):
    """Legend and keys: on one line where both fit, else on two."""

    DEFAULT_CSS = """
    Foot {
        dock: bottom; height: 2; layout: vertical; background: $surface;
        Legend { background: $surface; width: 1fr; }
        KeyLine { width: 1fr; }
    }
    """

    def __init__(self, actions: Sequence[Action]) -> None:
        super().__init__()
        self._actions = actions

    def compose(self) -> ComposeResult:
        yield Legend()
        yield KeyLine(self._actions)


class FilterInput(Input):
    """The field; escape empties it and gives the focus back."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Clear", show=False)]

    def action_leave(self) -> None:
        self.post_message(FilterBar.Left(keep=False))


class FilterBar(Horizontal):
    """One line to write a filter in; it is there while there is one."""

    DEFAULT_CSS = """
    FilterBar {
        height: 1; display: none; background: $panel;
        &.-on { display: block; }
        FilterMark { width: 3; background: $panel; }
        FilterInput { width: 1fr; background: $panel; border: none; padding: 0; height: 1; }
    }
    """

    @dataclass
    class Changed(Message):
        """The text is another one."""

        text: str

    @dataclass
    class Left(Message):
        """The person is done with it: the text stays if `keep`."""

        keep: bool

    def __init__(self, hint: str) -> None:
        super().__init__()
        self._hint = hint

    def compose(self) -> ComposeResult:
        yield FilterMark()
        yield FilterInput(placeholder=self._hint, compact=True, select_on_focus=False)

    @property
    def text(self) -> str:
        """The filter."""
        return self.query_one(FilterInput).value

    def open(self, text: str | None = None) -> None:
        """Shows it, with `text` if given, and puts the focus in."""
        self.add_class("-on")
        if text is not None:
            self.query_one(FilterInput).value = text
        self.query_one(FilterInput).focus()

    def put(self, text: str) -> None:
        """Sets the filter, and shows the bar while there is one."""
        self.set_class(bool(text), "-on")
        self.query_one(FilterInput).value = text

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.post_message(self.Left(keep=True))


class FilterMark(Line):
    """The slash before the filter."""

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield " / "[:width], palette.lit
