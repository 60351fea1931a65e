"""What dialogs share: a title, text that says what will happen, and two buttons of which the harmless one comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button

from console.feed import Refusal
from console.screens.chrome import Rule
from console.screens.text_pane import Text, TextLine, TextPane, line
from engine.status import Status

if TYPE_CHECKING:
    from console.app import WavedeckApp
    from engine.store.connect import Client

Result = TypeVar("Result")


class ActDialog(ModalScreen[Result | None]):
    """A dialog before an act that changes something. Escape, `n` and the first button leave everything as it is; only the
    second button acts, and in read-only mode not even that."""

    CSS_PATH = "dialogs.tcss"
    AUTO_FOCUS = "#no"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    title_text = ""
    yes, no = "Yes", "No"

    def compose(self) -> ComposeResult:
        with Vertical(id="dialog"):
            yield Rule(id="title")
            yield from self.fields()
            yield TextPane(id="consequences").set_class(True, "consequences")
            with Horizontal(id="buttons"):
                yield Button(self.no, id="no", compact=True)
                yield Button(self.yes, id="yes", compact=True, disabled=True)

    def fields(self) -> Iterable[Any]:
        """What there is to fill in."""
        return ()

    def on_mount(self) -> None:
        self.query_one("#title", Rule).tell(self.title_text, "esc leaves everything as it is")
        self.query_one("#consequences").can_focus = False

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
        self.query_one("#yes", Button).disabled = True
        self.deck.errand(self, name, deed, write=True)

    def tell(self, lines: Iterable[TextLine], *, ready: bool) -> None:
        """Says what will happen, and whether it can be done."""
        self.query_one("#consequences", TextPane).put(lines, top=True)
        self.query_one("#yes", Button).disabled = not ready

    def refuse(self, reason: str) -> None:
        """Says why it cannot be done."""
        self.tell([line(Text("✗ ", Status.FAILED), reason)], ready=False)

    def on_refusal(self, message: Refusal) -> None:
        if self.expects(message.name):
            self.refuse(message.reason)

    def expects(self, name: str) -> bool:  # noqa: ARG002
        """Whether the answer to this question still matters."""
        return True

    def on_button_pressed(self, event: Button.Pressed) -> None:
        event.stop()
        if event.button.id == "yes":
            self.do()
        else:
            self.action_leave()

    def do(self) -> None:
        """The act."""
        raise NotImplementedError

    def action_leave(self) -> None:
        self.dismiss(None)
