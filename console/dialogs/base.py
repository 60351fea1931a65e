"""What dialogs share: a title, text that says what will happen, and two buttons of which the harmless one comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Button, Input

from console.feed import Refusal
from console.screens.chrome import Line, Piece, Rule
from console.screens.text_pane import Text, TextLine, TextPane, line
from console.screens.words import amounts, many
from console.theme import Palette
from console.widgets.field import Field
from console.widgets.text import clean
from engine.status import Status

if TYPE_CHECKING:
    from console.app import WavedeckApp
    from engine.store.connect import Client
    from engine.store.need import Fit

Result = TypeVar("Result")

MANY = 1000
"""Entities above which an act wants the flow's name typed."""


class Confirm(Line):
    """What is to be typed."""

    DEFAULT_CSS = "Confirm { width: auto; min-width: 20; }"

    def __init__(self) -> None:
        super().__init__()
        self._text = ""

    def tell(self, text: str) -> None:
        """Says `text`."""
        self._text = clean(text)
        self.styles.width = len(self._text)
        self.refresh()

    def pieces(self, palette: Palette, width: int) -> Iterator[Piece]:
        yield self._text[:width], palette.lit


class Told(TextPane):
    """What will happen; says so when it has another height, which is some time after it has other lines."""

    class Sized(Message):
        """It has another size."""

    def on_resize(self, _event: events.Resize) -> None:
        self.post_message(self.Sized())


class ActDialog(ModalScreen[Result | None]):
    """A dialog before an act that changes something. Escape, `n` and the first button leave everything as it is; only the
    second button acts, once, and in read-only mode not even that."""

    CSS_PATH = "dialogs.tcss"
    AUTO_FOCUS = "#no"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "leave", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
        Binding("pagedown", "page(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
    ]

    title_text = ""
    _ready, _to_type, _acting = False, "", ""
    yes, no = "Yes", "No"

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Rule(id="title")
            yield from self.fields()
            yield Told(id="consequences").set_class(True, "consequences")
            with Horizontal(id="confirm", classes="field"):
                yield Confirm()
                yield Field(id="typed", compact=True, select_on_focus=False)
            with Horizontal(id="buttons"):
                yield Button(self.no, id="no", compact=True)
                yield Button(self.yes, id="yes", compact=True, disabled=True)

    def fields(self) -> Iterable[Any]:
        """What there is to fill in."""
        return ()

    def on_mount(self) -> None:
        self.query_one("#consequences").can_focus = False

    @property
    def acting(self) -> bool:
        """Whether the act is under way."""
        return bool(self._acting)

    @property
    def deck(self) -> WavedeckApp:
        """The app."""
        return cast("WavedeckApp", self.app)

    def ask(self, name: str, question: Callable[[Client], object]) -> None:
        """Asks Redis; the answer comes as a message."""
        self.deck.errand(self, name, question)

    def act(self, name: str, deed: Callable[[Client], object]) -> None:
        """Changes something. In read-only mode it does not."""
        if self.deck.read_only:
            self.refuse("read-only: nothing is changed")
            return
        self._acting = name
        self._look_at_typed()
        self.deck.errand(self, name, deed, write=True)

    def tell(self, lines: Iterable[TextLine], *, ready: bool, entities: int = 0, flow: str = "") -> None:
        """Says what will happen, and whether it can be done. Of more than `MANY` entities only when the flow's name is typed."""
        self.query_one("#consequences", TextPane).put(lines, top=True)
        self._ready, self._to_type = ready, flow if entities > MANY else ""
        asked = ready and bool(self._to_type)
        if asked != self.has_class("-typed"):
            self.query_one("#typed", Input).value = ""
        self.set_class(asked, "-typed")
        self.query_one(Confirm).tell(f"more than {MANY:,} entities: type {self._to_type} ")
        self._look_at_typed()
        self.call_after_refresh(self._tell_title)

    @on(Told.Sized)
    def _tell_title(self) -> None:
        pane = self.query_one("#consequences", TextPane)
        more = "pgdn: more · " if pane.virtual_size.height > pane.size.height else ""
        self.query_one("#title", Rule).tell(self.title_text, f"{more}esc leaves everything as it is")

    def action_page(self, pages: int) -> None:
        self.query_one("#consequences", TextPane).action_page(pages)

    def _look_at_typed(self) -> None:
        right = not self._to_type or self.query_one("#typed", Input).value.strip() == self._to_type
        self.query_one("#yes", Button).disabled = not (self._ready and right and not self._acting)

    @on(Input.Changed, "#typed")
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._look_at_typed()

    @on(Input.Submitted, "#typed")
    def _typed_out(self, event: Input.Submitted) -> None:
        event.stop()
        self.query_one("#no" if self.query_one("#yes", Button).disabled else "#yes").focus()

    def refuse(self, reason: str) -> None:
        """Says why it cannot be done."""
        self.tell([line(Text("✗ ", Status.FAILED), reason)], ready=False)

    def on_refusal(self, message: Refusal) -> None:
        if message.name == self._acting:
            self._acting = ""
        if self.expects(message.name):
            self.refuse(message.reason)

    def expects(self, name: str) -> bool:  # noqa: ARG002
        """Whether the answer to this question still matters."""
        return True

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            if not self._acting:
                self.do()
        else:
            self.action_leave()

    def do(self) -> None:
        """The act."""
        raise NotImplementedError

    def action_leave(self) -> None:
        if self._acting:
            self.deck.tell(f"{self.title_text.rstrip('?')}: asked for already, and not called back")
        self.dismiss(None)


def work(run: Mapping[str, int], reused: Mapping[str, int]) -> Iterator[TextLine]:
    """Cells that are reused and that run, and so the pipes that appear: task → how many."""
    if there := sum(reused.values()):
        told = Text(f"◉ {many(there, 'cell')}", Status.FINISHED)
        yield line(told, Text(" reused, for the pipes are there already: ", "muted"), amounts(reused))
    if new := sum(run.values()):
        told = Text(many(new, "cell"), "lit")
        yield line(
            told, Text(f" {'runs' if new == 1 else 'run'}; pipes that will appear if all goes well: ", "muted"), amounts(run)
        )
    else:
        yield line(Text("nothing would run: every pipe is there, and a pipe never changes", "lit"))


def workforce(workers: int, slots: int, version: str, expected: str) -> Iterator[TextLine]:
    """Who would do it, and how long that takes."""
    if workers:
        yield line(Text(many(workers, "worker"), "lit"), Text(f" of {version} alive, {many(slots, 'slot')}", "muted"))
    else:
        yield line(Text("✗ no worker", Status.FAILED), Text(f" of {version} is alive: it will wait for one", "muted"))
    told, _, basis = expected.partition(" (")
    yield line(Text("expected ", "muted"), Text(told, "lit"), Text(f" ({basis}" if basis else "", "muted"))


def memory(fit: Fit, force: str) -> Iterator[TextLine]:
    """What it needs in Redis, and whether that is there. `force`: the command that does it all the same."""
    if fit.refusal:
        yield line(Text("✗ ", Status.FAILED), f"{fit.refusal.replace('start it with --force', f'use `{force}`')}")
        return
    yield line(Text("memory ", "muted"), Text(fit.words, "lit"), Text(f" in Redis ({fit.details})", "muted"))
    if fit.warning:
        yield line(Text("✗ ", Status.FAILED), fit.warning)
