"""What a person can do, in one registry. The bindings of screens and lists, the key line, the help and the command palette
are made from it, and read-only mode takes the dangerous ones out of all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from textual.binding import Binding

Scope = Literal["everywhere", "list", "pane", "waves", "wave", "entity"]
"""Where an action is at home: a screen, all of them, or whatever list or text has the focus."""

SCREENS: tuple[Scope, ...] = ("waves", "wave", "entity")
TITLES: dict[Scope, str] = {
    "everywhere": "everywhere",
    "list": "in lists",
    "pane": "in texts",
    "waves": "waves",
    "wave": "wave",
    "entity": "entity",
}


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    `id` is stable: key maps name it. `key` is what Textual binds, several with commas; `shown` what people read. `words`
    stand in the key line, `help` is the sentence of the help. `run` is the method without its `action_`; with none the
    widget that has the focus acts, and the registry only tells of it. `home` says where it is at hand. Dangerous is what
    changes something in Redis. `always`: a form that is open cannot take the key.
    """

    id: str
    key: str
    shown: str
    words: str
    help: str
    home: tuple[Scope, ...]
    run: str = ""
    dangerous: bool = False
    in_line: bool = True
    always: bool = False


ACTIONS: tuple[Action, ...] = (
    Action("open", "enter", "enter", "open", "Go into what the cursor is on.", ("waves", "wave", "entity")),
    Action(
        "wave.trigger",
        "T",
        "T",
        "trigger",
        "Start a wave; a form says what will happen before it does.",
        ("waves", "wave"),
        "trigger",
        dangerous=True,
    ),
    Action(
        "wave.cancel",
        "X",
        "X",
        "cancel",
        "Cancel the wave; a question names what that ends first.",
        ("waves", "wave"),
        "cancel_wave",
        dangerous=True,
    ),
    Action(
        "wave.failures",
        "f",
        "f",
        "failures",
        "Show only entities that failed or were blocked, or all again.",
        ("wave",),
        "failures",
    ),
    Action("entity.log", "l", "l", "log", "Show what the task printed, or its evidence again.", ("entity",), "log"),
    Action(
        "entity.script",
        "s",
        "s",
        "script",
        "Show the script that ran the entity, or the evidence again.",
        ("entity",),
        "script",
    ),
    Action(
        "filter",
        "slash",
        "/",
        "filter",
        "Filter: a regular expression, !not, and for entities status:failed task:NAME partition:P.",
        ("waves", "wave"),
        "filter",
    ),
    Action("focus", "tab", "tab", "next panel", "Go to the next panel.", ("wave", "entity")),
    Action(
        "back", "escape", "esc", "back", "Back to where you came from; first out of the filter.", ("wave", "entity"), "back"
    ),
    Action("filter.clear", "escape", "esc", "no filter", "Clear the filter.", ("waves",), "back", in_line=False),
    Action("help", "question_mark", "?", "help", "All keys, and what the glyphs mean.", ("everywhere",), "keys"),
    Action("palette", "ctrl+p", "ctrl-p", "palette", "Find an action by its name.", ("everywhere",), in_line=False),
    Action("theme", "ctrl+t", "ctrl-t", "theme", "Dark, light or high contrast.", ("everywhere",), "next_theme", in_line=False),
    Action(
        "quit",
        "q",
        "q",
        "quit",
        "Leave. What this command started (a Redis, the demo's workers) ends with it.",
        ("everywhere",),
        "quit",
        in_line=False,
    ),
    Action(
        "quit.now",
        "ctrl+q",
        "ctrl-q",
        "quit at once",
        "Leave, from a form as well.",
        ("everywhere",),
        "quit",
        in_line=False,
        always=True,
    ),
    Action("down", "down,j", "j ↓", "down", "One down.", ("list", "pane"), "move(1)", in_line=False),
    Action("up", "up,k", "k ↑", "up", "One up.", ("list", "pane"), "move(-1)", in_line=False),
    Action("page.down", "pagedown,ctrl+d", "ctrl-d", "page down", "A page down.", ("list", "pane"), "page(1)", in_line=False),
    Action("page.up", "pageup,ctrl+u", "ctrl-u", "page up", "A page up.", ("list", "pane"), "page(-1)", in_line=False),
    Action("top", "home,g", "g", "top", "To the first.", ("list", "pane"), "move(-1000000000)", in_line=False),
    Action("bottom", "end,G", "G", "bottom", "To the last.", ("list", "pane"), "move(1000000000)", in_line=False),
    Action("sideways", "", "h ← → l", "sideways", "Tasks, or the graph's rail, that do not fit.", ("wave",), in_line=False),
)


def available(scope: Scope, *, read_only: bool = False) -> list[Action]:
    """The actions at hand in a scope, those of everywhere last; in read-only mode without the dangerous ones."""
    here = [a for a in ACTIONS if scope in a.home]
    everywhere = [a for a in ACTIONS if "everywhere" in a.home and scope in SCREENS]
    return [a for a in (*here, *everywhere) if not (read_only and a.dangerous)]


def bindings(scope: Scope) -> list[Binding | tuple[str, str] | tuple[str, str, str]]:
    """The bindings of a scope's own actions."""
    return [
        Binding(a.key, a.run, a.words, show=False, id=f"{scope}.{a.id}", priority=a.always)
        for a in ACTIONS
        if scope in a.home and a.run
    ]


def forbidden(run: str, *, read_only: bool) -> bool:
    """Whether read-only mode takes the action `run` away."""
    return read_only and any(a.dangerous and a.run == run for a in ACTIONS)


def by_home(*, read_only: bool = False) -> Iterator[tuple[str, list[Action]]]:
    """The registry as the help shows it: titles with their actions, each action under the first place it is at home."""
    told: set[str] = set()
    for scope in (*SCREENS, "list", "pane", "everywhere"):
        found = [a for a in ACTIONS if scope in a.home and a.id not in told and not (read_only and a.dangerous)]
        told |= {a.id for a in found}
        if found:
            yield " and ".join(TITLES[s] for s in SCREENS if found[0].home == (s,)) or TITLES[scope], found
