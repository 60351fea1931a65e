"""What is known of a task of an entity, as lines: its end, its traceback, its log, the difference of its inputs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from console.entity_view import TaskRow
from console.locator import Locator
from console.reports.alike import Alike
from console.reports.inputs import InputDiff, InputsDiff
from console.reports.replay import WORDS, Replay, lines
from console.reports.told import VERDICTS, against, side
from console.screens.text_pane import Text, TextLine, Tone, line, plain
from console.screens.timeline import state_of
from console.screens.words import many
from console.theme import look
from console.widgets.text import short_seconds
from engine.keys import encode_entity
from engine.status import Status

Shown = Literal["log", "script", "last success", "neighbour", "replay"]
"""What a pane shows beside the evidence."""
_FRAME = re.compile(r'^( *(?:\| )?)  File "(?P<file>[^"]*)", line (?P<line>\d+)(?:, in (?P<name>.*))?$')
_LIBRARY = re.compile(r"(?:site|dist)-packages[/\\]|^<frozen|[/\\]lib(?:64)?[/\\]python3|^<string>")
_BETWEEN = ("Traceback (most recent call last)", "During handling of", "The above exception was")


def traceback(text: str) -> Iterator[TextLine]:
    """A Python traceback: the frames of the user's code are what is read first, those of libraries are quiet, what was raised is loud.
    What is no traceback stays as it is."""
    lines = text.rstrip("\n").split("\n")
    if not any(_FRAME.match(one) for one in lines):
        yield from plain("\n".join(lines))
        return
    inside: bool | None = None  # in a frame of a library; None: in none
    for one in lines:
        frame = _FRAME.match(one)
        if frame:
            inside = bool(_LIBRARY.search(frame["file"]))
            tone: Tone = "faint" if inside else "lit"
            yield from plain(one, tone)
        elif inside is not None and one.startswith("  "):
            yield from plain(one, "faint" if inside or set(one.strip()) <= set("^~") else "text")
        elif not one.strip() or one.strip().startswith(_BETWEEN):
            inside = None
            yield from plain(one, "muted")
        else:
            inside = None
            yield from plain(one, Status.FAILED)


def evidence(task: TaskRow, why: str, again: Sequence[str], near: str = "", value: str = "") -> Iterator[TextLine]:
    """What is known of a task of an entity.

    Parameters:
        why: what it waits for, of one that is pending.
        again: the commands that run the entity, and the task alone, again here.
        near: a healthy neighbour, as users write it.
        value: the beginning of what it wrote.
    """
    state, tone = state_of(task), Status(task.status)
    loud: Tone = tone if tone in (Status.FAILED, Status.BLOCKED) else "lit"
    yield line(Text(f"{look(state).glyph} {look(state).word}", loud), *_when(task))
    if why:
        yield line(Text("why: ", "muted"), Text(why, "lit"))
    if error := task.error:
        yield line(Text(error["type"], tone), Text(": "), Text(error["message"], "lit"))
        if error["where"]:
            yield line(Text("at ", "muted"), error["where"])
    if task.serves:
        until = task.serves.until[:16].replace("T", " ")
        yield line(Text("meanwhile ", "muted"), Text(task.serves.key, "lit"), Text(f" serves until {until} UTC", "muted"))
    for used in task.inputs:
        if used.state in ("older", "base"):
            yield line(
                Text("ran with ", "muted"), used.key, Text(f", {short_seconds(used.age)} old" if used.age else "", "muted")
            )
    if task.pipe:
        yield line(Text("wrote ", "muted"), task.pipe)
    if task.error and task.error["traceback"]:
        yield line()
        yield from traceback(task.error["traceback"])
    yield line()
    if near:
        yield line(Text("healthy neighbour: ", "muted"), near)
    for label, command in zip(("again: ", "alone: "), again, strict=False):
        yield line(Text(label, "muted"), Text(command))
    if value:
        yield line()
        yield line(Text("what it wrote", "muted"))
        yield from plain(value)


def sides(task: TaskRow, *, has_log: bool) -> list[Shown]:
    """What there is to show beside the evidence of a task, the most telling first."""
    if task.status == Status.RUNNING:
        return ["log", "script"]
    found: list[Shown] = ["log"] if has_log else []
    return [*found, "last success", "script"] if task.status in (Status.FAILED, Status.BLOCKED) else [*found, "script"]


def title(shown: Shown) -> str:
    """What a pane shows, in its rule."""
    if shown in ("log", "script", "replay"):
        return shown
    return "inputs against the last success" if shown == "last success" else "inputs against a neighbour"


def commands(place: Locator, entity: str, task: str) -> tuple[str, str]:
    """What runs an entity again on this machine, and what runs one of its tasks alone (what it takes is read from the pipes)."""
    key = "'" + encode_entity(entity).replace("'", "'\"'\"'") + "'"
    key = f"-- {key}" if entity.startswith("-") else key
    return (
        f"wavedeck script {place.of} {key} > s.sh; bash s.sh",
        f"wavedeck script --task {task} {place.of} {key} > s.sh; bash s.sh",
    )


def _when(task: TaskRow) -> Iterator[Text]:
    if task.started and task.status == Status.RUNNING:
        yield Text(f" for {short_seconds(task.seconds)}", "muted")
    elif task.started and task.seconds:
        yield Text(f" after {short_seconds(task.seconds)}", "muted")
    if task.started:
        yield Text(f", began {task.started[11:19]} UTC", "muted")
        if task.waited >= 0.001:
            yield Text(f" after a wait of {short_seconds(task.waited)}", "muted")


def log(text: str, task: TaskRow, *, known: bool) -> Iterator[TextLine]:
    """What a task printed; `known`: whether it has been asked for."""
    if not known:
        yield line(Text("asking Redis …", "muted"))
    elif text:
        yield from plain(text.rstrip("\n"))
    else:
        yield line(Text("it printed nothing" if task.started else "nothing ran, nothing was printed", "muted"))


_GOOD = ("identical", "equal", "works now")
_BAD = ("different", "other failure", "fails now")


def replayed(found: Replay | str | None) -> Iterator[TextLine]:
    """What came of a replay; None while it runs, or a sentence that says why nothing came of it."""
    if found is None:
        yield line(Text("runs here, with the inputs that it had …", "muted"))
    elif isinstance(found, str):
        yield line(Text("not replayed: ", Status.FAILED), Text(found, "lit"))
    else:
        tone: Tone = Status.FINISHED if found.verdict in _GOOD else Status.FAILED if found.verdict in _BAD else "lit"
        yield line(Text(WORDS[found.verdict], tone))
        _, _, *rest = lines(found)
        yield from traceback("\n".join(rest))


def difference(found: InputsDiff | None) -> Iterator[TextLine]:
    """The inputs of a task against those of another cell; None while they are read."""
    if found is None:
        yield line(Text("comparing …", "muted"))
        return
    yield line(Text(against(found), "lit" if not found.why else "muted"))
    if found.why:
        return
    if not found.inputs:
        yield line(Text("it takes no pipes, and its config is the same", "muted"))
    for i in found.inputs:
        yield line()
        yield from _input(i)


def _input(i: InputDiff) -> Iterator[TextLine]:
    tone: Tone = "muted" if i.verdict in ("same", "nowhere") else Status.FAILED if i.verdict == "only there" else "lit"
    sizes = f"  {side(i.before)} → {side(i.now)}" if i.before.there or i.now.there else ""
    yield line(Text(i.name, "lit"), Text(f"  {VERDICTS[i.verdict]}", tone), Text(sizes, "muted"))
    for at, sign in ((i.before, "−"), (i.now, "+")):
        if at.there and i.verdict != "same":
            yield line(Text(f"  {sign} {at.key}", "muted"), Text(f"  {at.sha}" if not i.differences else "", "muted"))
    if not i.differences:
        return
    width = min(max(len(d.where or "the value") for d in i.differences), 32)
    for d in i.differences:
        where, _, values = d.words.partition("  ")
        yield line(Text(f"  {where:<{width}}  ", "text"), Text(values, "lit"))
    if i.more:
        yield line(Text(f"  … and more than {len(i.differences)} others", "muted"))


def alike(found: Alike | None) -> str:
    """`853 others like it · first at 14:05:19 UTC · new since T22`."""
    if found is None:
        return ""
    others = f"{many(found.others, 'other', 'others')} like it" if found.others else "no other like it"
    first = f"first at {found.first[11:19]} UTC" if found.first else ""
    return " · ".join(filter(None, [others, first, found.news]))
