from collections import Counter
from importlib import import_module

import pytest

from console.actions import available, bindings, by_home, forbidden
from console.app import WavedeckApp
from console.keys import ACTIONS, SCREENS
from console.screens.help import help_lines
from console.screens.places import SCREENS as PLACES
from console.screens.rows import RowList
from console.screens.text_pane import TextPane
from console.widgets.flow_graph import FlowGraph
from console.widgets.matrix import EntityMatrix

HOMES: dict[str, type] = {
    "everywhere": WavedeckApp,
    "list": RowList,
    "grid": EntityMatrix,
    "rail": FlowGraph,
    "pane": TextPane,
} | {view: getattr(import_module(f"console.screens.{path.split('.')[0]}"), path.split(".")[1]) for view, path in PLACES.items()}


def test_every_action_has_a_method_where_it_is_at_home() -> None:
    for action in ACTIONS:
        for home in action.home if action.run else ():
            run = action.run.partition("(")[0]
            cls = WavedeckApp if run.startswith("app.") else HOMES[home]
            method = f"action_{run.removeprefix('app.')}"
            assert hasattr(cls, method), f"{action.id}: {cls.__name__} has no {method}"


def test_ids_are_unique_and_no_key_means_two_things_on_one_screen() -> None:
    assert max(Counter(a.id for a in ACTIONS).values()) == 1
    for screen in SCREENS:
        keys = Counter(key for a in available(screen) for key in a.key.split(","))
        assert max(keys.values()) == 1, keys


def test_what_changes_something_is_a_capital_and_nothing_that_scrolls() -> None:
    for action in ACTIONS:
        if action.dangerous:
            assert len(action.key) == 1 and action.key.isupper()


def test_bindings_come_from_the_registry() -> None:
    for home, cls in HOMES.items():
        wanted = {(b.key, b.action) for b in bindings(home)}
        assert wanted <= {(b.key, b.action) for b in cls.BINDINGS}


def test_lists_of_all_widgets_move_by_the_same_keys() -> None:
    moves = {key: a.run.partition("(")[0] for a in ACTIONS if "list" in a.home for key in a.key.split(",")}
    for cls in (FlowGraph, EntityMatrix):
        bound = {key: b.action.partition("(")[0] for b in cls.BINDINGS for key in b.key.split(",")}
        for key in ("j", "k", "G", "home", "up", "down"):
            assert bound[key] == moves[key]


@pytest.mark.parametrize("read_only", [False, True])
def test_help_lists_every_action_and_greys_those_that_read_only_mode_refuses(read_only: bool) -> None:
    lines = list(help_lines("wave", read_only))
    text = "\n".join("".join(part.text for part in line) for line in lines)
    listed = [a for _, actions in by_home() for a in actions]
    assert {a.id for a in listed} == {a.id for a in ACTIONS}
    for action in listed:
        [told] = [
            line for line in lines if line and line[-1].text.endswith(action.help) and line[0].text.strip() == action.shown
        ]
        assert {part.tone for part in told} == ({"muted"} if read_only and action.dangerous else {"lit", "text", "muted"})
    assert ("read-only" in text) is read_only


def test_read_only_takes_dangerous_actions_out_of_everything() -> None:
    dangerous = [a for a in ACTIONS if a.dangerous]
    assert dangerous
    for action in dangerous:
        assert forbidden(action.run, read_only=True)
        assert not forbidden(action.run, read_only=False)
        for screen in action.home:
            assert action in available(screen)
            assert action not in available(screen, read_only=True)
