"""Before a version is deployed: the plan, as the dry run tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from textual.containers import Horizontal
from textual.widgets import Input

from console.dialogs.base import ActDialog
from console.dialogs.fleet import noted
from console.dialogs.trigger import Label
from console.feed import Answer
from console.screens.text_pane import Text, TextLine, Tone, line
from console.widgets.field import Field
from engine.status import Status

if TYPE_CHECKING:
    from engine.fleet.house import Deployment
    from engine.store.connect import Client

WORDS = {"+": "made", "~": "altered", "-": "removed", "=": "as they are", "!": "left behind"}
TONES: dict[str, Tone] = {"+": Status.FINISHED, "~": Status.RUNNING, "-": Status.FAILED, "!": "lit", "=": "muted"}


class DeployDialog(ActDialog[str]):
    """Asks for an image, shows what deploying it would do, and does it. Gives what was done in words, None when nothing was."""

    AUTO_FOCUS = "#image"
    yes, no = "Deploy", "No, leave it"

    def __init__(self, version: str, image: str) -> None:
        super().__init__()
        self._version, self._image, self._planned = version, image, ""
        self._asked = 0
        self.title_text = f"deploy {version}?"

    def fields(self) -> Iterable[Any]:
        with Horizontal(classes="field"):
            yield Label("image")
            yield Field(
                self._image, placeholder="registry/name@sha256:…, then enter", id="image", compact=True, select_on_focus=False
            )

    def on_mount(self) -> None:
        if self.deck.house_name == "local":
            self.refuse(
                "local workers run the code of this machine, there is nothing to deploy; for Amazon ECS set an [aws] table, or "
                f"`wavedeck deploy --version {self._version} --image NAME@sha256:…`"
            )
        elif self._image:
            self._plan()
        else:
            self.tell([line(Text("type an image by its digest; enter shows what deploying it would do", "muted"))], ready=False)

    def _typed_image(self) -> str:
        return self.query_one("#image", Input).value.strip()

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "image":
            event.stop()
            if self._planned and self._typed_image() != self._planned and not self.acting:
                self._planned, self._asked = "", self._asked + 1
                self.tell([line(Text("another image: enter shows what deploying it would do", "muted"))], ready=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "image":
            event.stop()
            if self._typed_image() == self._planned:
                self.query_one("#no").focus()
            elif not self.acting:
                self._plan()

    def _plan(self) -> None:
        image = self._planned = self._typed_image()
        deck, version = self.deck, self._version
        self._asked += 1
        self.tell([line(Text("asking AWS what that would do …", "muted"))], ready=False)

        def question(redis: Client) -> object:  # noqa: ARG001
            from console.house import spec_of

            return deck.house().fleet(version).deploy(spec_of(image), dry_run=True)

        self.ask(f"plan {self._asked}", question)

    def on_answer(self, message: Answer) -> None:
        if message.name == f"plan {self._asked}":
            self.tell(planned(message.value), ready=not message.value.unchanged)
        elif message.name == "deploy":
            self.dismiss(message.value)

    def expects(self, name: str) -> bool:
        return name in ("deploy", f"plan {self._asked}")

    def refuse(self, reason: str) -> None:
        self._planned = ""
        super().refuse(reason)

    def do(self) -> None:
        deck, version, image = self.deck, self._version, self._planned

        def deed(redis: Client) -> object:
            from console.house import spec_of

            done = deck.house().fleet(version).deploy(spec_of(image))
            return summary(done) + ("" if done.unchanged else noted(redis, "deploy", version, image))

        if image:
            self.act("deploy", deed)


def summary(done: Deployment) -> str:
    """What a deploy does, or would, in a line."""
    counts = {word: sum(change.sign == sign for change in done.changes) for sign, word in WORDS.items()}
    told = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    if done.unchanged:
        return f"{done.version}: nothing to do; {told}"
    return f"{done.version}: {'this would be done: ' if done.dry_run else ''}{told}"


def planned(done: Deployment) -> Iterator[TextLine]:
    """A plan, line by line: what differs first, then what is left as it is."""
    yield line(Text(summary(done), "lit"))
    for change in sorted(done.changes, key=lambda change: change.sign == "="):
        yield line(Text(f"{change.sign} ", TONES[change.sign]), f"{change.kind} ", Text(change.name, "lit"))
        for one in change.lines:
            yield line(Text(f"    {one}", "muted"))
