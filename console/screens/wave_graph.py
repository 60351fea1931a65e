"""A wave's news as its graph draws them, with what is remarkable of each task in a word and in a sign. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from console.reports.critical import critical_path, slowest
from console.theme import look
from console.views import Durations
from console.widgets.flow_graph import GraphSnapshot, TaskSnapshot
from engine.plan import Plan
from engine.status import STATUS_OF, Cell, Status

RED, SLOW, PATH = "!", "▲", "△"
"""The signs, the most telling first: a task has one of them."""
SIGNS = f"{RED} first red · {SLOW} slowest · {PATH} critical path"


@dataclass(frozen=True)
class Remarks:
    """What is told of tasks besides counts: the first red's task and its time, as people read it."""

    red_task: str = ""
    red_at: str = ""


def graph_of(
    plan: Plan, counts: Sequence[Mapping[int, int]], durations: Mapping[str, Durations], remarks: Remarks
) -> GraphSnapshot:
    """All tasks; `counts` are each one's cells by board byte."""
    p50 = {task: ran.p50 for task, ran in durations.items()}
    path, slow = critical_path(plan, p50), slowest(p50)
    if len(path) == len(plan.names) or len(plan.names) < 3:  # all of them: says nothing
        path = ()
    shown = {}
    for task, cells in zip(plan.names, counts, strict=True):
        by_status = dict.fromkeys(Status, 0)
        for cell, number in cells.items():
            by_status[STATUS_OF[cell]] += number
        ran = durations.get(task)
        told = [
            (RED, f"← first red {remarks.red_at}".rstrip(), task == remarks.red_task),
            (SLOW, "← slowest", task == slow),
            (PATH, "← critical path", task in path),
        ]
        signs = [sign for sign, _, here in told if here]
        words = [text for sign, text, here in told if here and (sign != PATH or len(signs) == 1)]
        words.insert(1 if words and words[0].startswith("← first") else 0, _covered(cells))
        note = "  ".join(filter(None, words))
        shown[task] = TaskSnapshot(
            by_status, ran.p50 if ran else None, ran.p95 if ran else None, note, signs[0] if signs else ""
        )
    return GraphSnapshot(shown)


def _covered(cells: Mapping[int, int]) -> str:
    marks = [(cells.get(cell, 0), look(cell)) for cell in (Cell.FALLBACK, Cell.REUSED)]
    return "  ".join(f"{seen.glyph} {number:,} {seen.word}" for number, seen in marks if number)


def related(plan: Plan, task: str) -> frozenset[int]:
    """The numbers of a task, of all that it depends on and of all that depend on it."""
    start = plan.index[task]
    found = {start}
    for links in (plan.needs, plan.dependants):
        todo = [start]
        while todo:
            new = [n for n in links[todo.pop()] if n not in found]
            found.update(new)
            todo += new
    return frozenset(found)
