"""What is made of the registry of actions: the bindings of screens and lists, the key line, the help and the command palette.
Read-only mode takes the dangerous ones out of all of them at once, but for the help, which shows them grey, and their keys, which say
that they are refused. A person's key map changes all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from textual.binding import Binding

from console.keys import ACTIONS, SCREENS, TITLES, Action, Scope

KeyMap = Mapping[str, str]
"""Action id → the keys that a person wants for it, as Textual names them, several with commas."""

_SHOWN = {
    "escape": "esc",
    "slash": "/",
    "colon": ":",
    "comma": ",",
    "full_stop": ".",
    "minus": "-",
    "question_mark": "?",
    "equals_sign": "=",
}


def available(scope: Scope, *, read_only: bool = False, keymap: KeyMap | None = None) -> list[Action]:
    """The actions at hand in a scope, those of everywhere last; in read-only mode without the dangerous ones."""
    here = [a for a in ACTIONS if scope in a.home]
    everywhere = [a for a in ACTIONS if "everywhere" in a.home and scope in SCREENS]
    return [_mapped(a, keymap) for a in (*here, *everywhere) if not (read_only and a.dangerous)]


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


def refused(scope: Scope, key: str, keymap: KeyMap | None = None) -> Action | None:
    """The action of a key that read-only mode takes away."""
    return next((a for a in available(scope, keymap=keymap) if a.dangerous and key in a.key.split(",")), None)


def by_home(first: Scope = "waves", *, keymap: KeyMap | None = None) -> Iterator[tuple[str, list[Action]]]:
    """The registry as the help shows it: titles with their actions, each action once, those of the screen `first` before all others."""
    told: set[str] = set()
    near: tuple[Scope, ...] = (first, "everywhere", "list", "pane")
    for scope in (*near, *(s for s in SCREENS if s != first)):
        found = [a for a in ACTIONS if scope in a.home and a.id not in told]
        told |= {a.id for a in found}
        if found:
            yield TITLES.get(scope, scope), [_mapped(a, keymap) for a in found]


def textual_keymap(keymap: KeyMap) -> dict[str, str]:
    """A person's key map as `App.set_keymap` takes it.

    Raises:
        ValueError: it names an action that there is not, gives a dangerous one a key that scrolls in other programs, or gives
            two actions of one screen the same key.
    """
    by_id = {a.id: a for a in ACTIONS}
    for name, keys in keymap.items():
        if name not in by_id or not by_id[name].run:
            raise ValueError(f"keys: there is no action {name!r} to give a key to; the help lists them")
        if by_id[name].dangerous and {"ctrl+d", "ctrl+u", "ctrl+k"} & set(keys.split(",")):
            raise ValueError(f"keys: {name} changes things and may not be on a key that scrolls elsewhere ({keys})")
    for scope in SCREENS:
        taken: dict[str, str] = {}
        for action in available(scope, keymap=keymap):
            for key in filter(None, action.key.split(",")):
                if key in taken:
                    raise ValueError(f"keys: {key!r} is {taken[key]} and {action.id} in {scope}")
                taken[key] = action.id
    return {f"{home}.{a.id}": keymap[a.id] for a in ACTIONS if a.id in keymap for home in a.home}


def _mapped(action: Action, keymap: KeyMap | None) -> Action:
    keys = (keymap or {}).get(action.id)
    if keys is None:
        return action
    first = keys.split(",")[0]
    return replace(action, key=keys, shown=_SHOWN.get(first, first.replace("ctrl+", "ctrl-")))
