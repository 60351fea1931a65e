"""The registry of all that a person can do, as data. What is made of it is in `actions.py`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from console.locator import VIEWS, View

Scope = Literal["everywhere", "list", "grid", "rail", "pane"] | View
"""Where an action is at home: a screen, all of them, or whatever list (`grid`: a wave's entities, `rail`: its graph) or text has the focus."""

SCREENS: tuple[Scope, ...] = VIEWS
TITLES: dict[Scope, str] = {"everywhere": "everywhere", "list": "in lists", "pane": "in texts"}

WAVES: tuple[Scope, ...] = ("waves", "wave", "failures", "changes", "entity")
FILTERED: tuple[Scope, ...] = tuple(screen for screen in SCREENS if screen != "profile")
BELOW: tuple[Scope, ...] = SCREENS[1:]
LISTS: tuple[Scope, ...] = ("list", "grid")
TEXTS: tuple[Scope, ...] = ("list", "grid", "rail", "pane")


@dataclass(frozen=True, slots=True)
class Action:
    """One thing to do.

    `id` is stable: key maps name it. `key` is what Textual binds, several with commas; `shown` what people read. `words`
    stand in the key line, `help` is the sentence of the help. `home` says where it is at hand. `run` is the method without
    its `action_`; with none the widget that has the focus acts, and the registry only tells of it. Dangerous is what
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


def _act(id: str, key: str, words: str, help: str, home: tuple[Scope, ...], run: str) -> Action:
    return Action(id, key, key, words, help, home, run, dangerous=True)


def _more(
    id: str, key: str, shown: str, words: str, help: str, home: tuple[Scope, ...], run: str = "", *, always: bool = False
) -> Action:
    return Action(id, key, shown, words, help, home, run, in_line=False, always=always)


_EVERYWHERE: tuple[Scope, ...] = ("everywhere",)

ACTIONS: tuple[Action, ...] = (
    Action("open", "enter", "enter", "open", "Go into what the cursor is on.", SCREENS),
    _act("wave.trigger", "T", "trigger", "Start a wave; a form says what will happen before it does.", ("waves", "wave"), "trigger"),
    _act("wave.cancel", "X", "cancel", "Cancel the wave; a question names what that ends.", ("waves", "wave"), "cancel_wave"),
    _act(
        "wave.rerun",
        "R",
        "re-run",
        "Run again, as a new wave, what is marked or filtered, or else what failed.",
        ("waves", "wave", "failures", "entity"),
        "rerun",
    ),
    Action("wave.failures", "F", "F", "families", "Failures by what they have in common.", ("waves", "wave"), "families"),
    Action("wave.red", "exclamation_mark", "!", "first red", "The earliest failure without a failed ancestor.", WAVES[:4], "first_red"),
    Action("wave.changes", "d", "d", "changes", "What is different from the wave before.", ("waves", "wave", "failures"), "changes"),
    Action("wave.bad", "f", "f", "failed", "Only entities that failed or were blocked, or all again.", ("wave",), "failures"),
    Action("wave.open", "u", "u", "unfinished", "Only entities that wait or run, or all again.", ("wave",), "unfinished"),
    Action("wave.map", "m", "m", "heat map", "A cell an entity for the whole wave, or a row an entity.", ("wave",), "heat"),
    Action("wave.graph", "g", "g", "graph", "Draw the flow in layers, or as a rail.", ("wave",), "drawing"),
    Action("wave.earlier", "comma", ",", "rewind", "The wave as it was a step earlier.", ("wave",), "rewind(-1)"),
    _more("wave.later", "full_stop", ".", "forward", "A step later; the last step is now.", ("wave",), "rewind(1)"),
    _more("wave.much.earlier", "less_than_sign", "<", "rewind far", "Ten minutes earlier, or ten steps.", ("wave",), "rewind(-10)"),
    _more("wave.much.later", "greater_than_sign", ">", "forward far", "Ten minutes later, or ten steps.", ("wave",), "rewind(10)"),
    Action("failures.blocked", "b", "b", "blocked", "Show what was blocked as well, apart, or hide it.", ("failures",), "blocked"),
    Action("entity.log", "l", "l", "log", "What the task printed, or its evidence again.", ("entity",), "log"),
    Action("entity.script", "s", "s", "script", "The script that ran the entity, or its evidence again.", ("entity",), "script"),
    Action(
        "entity.diff", "d", "d", "diff inputs", "Its inputs against the last good wave's, then a healthy neighbour's.", ("entity",), "diff"
    ),
    _more("entity.replay", "r", "r", "replay", "Run the task once more, here, with the inputs it had; nothing is written.", ("entity",), "replay"),
    Action("entity.pipe", "v", "v", "pipe", "The pipe that the task wrote, or that serves in its place; in the list of inputs the input.", ("entity",), "pipe"),
    _more("entity.next", "n", "n", "next match", "The next place that the search found.", ("entity",), "found(1)"),
    _more("entity.previous", "N", "N", "match before", "The place before that the search found.", ("entity",), "found(-1)"),
    Action("pipes.mode", "m", "m", "tree table raw plot", "Show the value another way: tree, table, raw, plot, beside another version's.", ("pipes",), "mode"),
    Action("pipes.versus", "v", "v", "versus", "Beside it the same pipe, or the same list, of another version; again: the next one.", ("pipes",), "versus"),
    Action("pipes.compare", "equals_sign", "=", "compare", "All pipes of this name against another version's: numbers, errors, run times.", ("pipes",), "compare"),
    Action("compare.truth", "t", "t", "truth", "Against the next pipe that says what really happened, or against none.", ("compare",), "truth"),
    Action("compare.dates", "a", "a", "all dates", "Over all dates that both versions have, or the newest alone.", ("compare",), "dates"),
    Action("compare.plot", "m", "m", "plot", "The next plot, where there is room for one only.", ("compare",), "plot"),
    Action("workers.dead", "z", "z", "dead", "Show workers that are gone as well, or fold them away.", ("workers", "fleet"), "dead"),
    _act("fleet.scale", "S", "scale", "Have more or fewer workers; a form says what that does before it does.", ("fleet",), "scale_fleet"),
    _act("fleet.stop", "X", "stop", "Have the worker under the cursor end, in order; a question says what it runs.", ("fleet",), "stop_worker"),
    _act("fleet.deploy", "D", "deploy", "Deploy an image; the plan is shown before anything is done.", ("fleet",), "deploy_fleet"),
    Action("fleet.page", "o", "o", "AWS console", "Open the service's or worker's page in the AWS console, or copy its address.", ("fleet",), "open_page"),
    _more("wave.coverage", "h", "h", "coverage", "Which coming hours its flow's forecasts serve, and for whom it gets dark.", ("waves", "wave"), "coverage"),
    Action("coverage.task", "t", "t", "next task", "The coverage of the flow's next task that forecasts.", ("coverage",), "next_task"),
    Action("filter", "slash", "/", "filter", "A regular expression, !not; for entities status:failed task:NAME partition:P.", FILTERED, "filter"),
    Action("sort", "O", "O", "sort", "Sort by the next column.", ("waves", "wave", "failures", "state", "workers"), "sort"),
    Action("wave.incident", "Y", "Y", "incident", "Copy an incident block in Markdown.", WAVES, "incident"),
    Action("wave.watch", "w", "w", "watch", "Ring and say so in the title when it changes.", WAVES, "watch"),
    Action("wave.profile", "t", "t", "times", "Where the wave's time went: tasks, slots, what more workers would have done.", ("waves", "wave"), "profile"),
    Action("wave.history", "H", "H", "history", "The flow's waves over months, from the ledger.", ("waves", "wave"), "flow_history"),
    Action("profile.mode", "m", "m", "numbers slots entities", "Show the times another way: in numbers, by slot, by entity.", ("profile",), "mode"),
    Action("focus", "tab", "tab", "next panel", "Go to the next panel.", ("wave", "entity", "pipes", "state", "fleet")),
    Action("back", "escape", "esc", "back", "Out of the filter, else to where this is in.", BELOW, "back"),
    _more("filter.clear", "escape", "esc", "no filter", "Clear the filter.", ("waves",), "back"),
    Action("help", "question_mark", "?", "help", "All keys, and what the glyphs mean.", _EVERYWHERE, "keys"),
    Action("command", "colon", ":", "go to", "Type a place: wave flights@main 2013-07-01T14 failures.", _EVERYWHERE, "command"),
    _more("go.waves", "1", "1", "waves", "All waves.", _EVERYWHERE, "go('waves')"),
    _more("go.pipes", "2", "2", "pipes", "The pipes, by version.", _EVERYWHERE, "go('pipes')"),
    _more("go.state", "3", "3", "state", "Who is active, by partition.", _EVERYWHERE, "go('state')"),
    _more("go.workers", "4", "4", "workers", "The workers.", _EVERYWHERE, "go('workers')"),
    _more("go.acts", "5", "5", "acts", "Who did what.", _EVERYWHERE, "go('acts')"),
    _more("go.fleet", "6", "6", "fleet", "Where workers run, how many there should be, and what is outstanding.", _EVERYWHERE, "go('fleet')"),
    _more("last", "minus", "-", "last view", "To the view before this one, and back.", _EVERYWHERE, "last"),
    _more("history.back", "left_square_bracket", "[", "back in time", "Through the views that were open.", _EVERYWHERE, "history(-1)"),
    _more("history.on", "right_square_bracket", "]", "forward", "Through the views that were open.", _EVERYWHERE, "history(1)"),
    _more("pause", "p", "p", "pause", "Stop the news to read, or let them go on.", _EVERYWHERE, "pause"),
    _more("refresh", "ctrl+r", "ctrl-r", "refresh", "Ask Redis now.", _EVERYWHERE, "refresh_now"),
    _more("copy", "c", "c", "copy", "Copy the row under the cursor (OSC 52).", _EVERYWHERE, "copy"),
    _more("copy.place", "C", "C", "copy place", "Copy the line that leads here.", _EVERYWHERE, "copy_place"),
    _more("save", "ctrl+s", "ctrl-s", "save", "Save the screen as SVG and text.", _EVERYWHERE, "save"),
    _more("palette", "ctrl+p", "ctrl-p", "palette", "Find an action by its name.", _EVERYWHERE),
    _more("theme", "ctrl+t", "ctrl-t", "theme", "Dark, light, high contrast, the terminal's own colours.", _EVERYWHERE, "next_theme"),
    _more("quit", "q", "q", "quit", "Leave. What this command started (a Redis, workers) ends with it.", _EVERYWHERE, "quit"),
    _more("quit.now", "ctrl+q", "ctrl-q", "quit at once", "Leave, from a form as well.", _EVERYWHERE, "quit", always=True),
    _more("down", "down,j", "j ↓", "down", "One down.", TEXTS, "move(1)"),
    _more("up", "up,k", "k ↑", "up", "One up.", TEXTS, "move(-1)"),
    _more("page.down", "pagedown,ctrl+d", "ctrl-d", "page down", "A page down.", TEXTS, "page(1)"),
    _more("page.up", "pageup,ctrl+u", "ctrl-u", "page up", "A page up.", TEXTS, "page(-1)"),
    _more("top", "home", "home", "top", "To the first.", TEXTS, "move(-1000000000)"),
    _more("top.vim", "g", "g", "top", "To the first; in a wave g is the graph.", ("list", "pane"), "move(-1000000000)"),
    _more("bottom", "end,G", "G", "bottom", "To the last.", TEXTS, "move(1000000000)"),
    _more("mark", "space", "space", "mark", "Mark the row, or take the mark away.", LISTS, "mark"),
    _more("mark.range", "V", "V", "mark to here", "Mark from the last mark to here.", LISTS, "mark_range"),
    _more("mark.none", "ctrl+backslash", "ctrl-\\", "no marks", "Take all marks away.", LISTS, "mark_none"),
    _more("sideways", "", "← →", "sideways", "Tasks, or the graph's rail, that do not fit.", ("wave",)),
)  # fmt: skip
