"""A worker, the rule of waiting evaluated in plain Python, and a script outside a worker come to the same pipes and statuses."""

import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from houses import House
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rig import DATE, Rig, rigs

from engine import Date, script
from engine.keys import encode_entity
from engine.store.waves import Waves

ENTITIES = ("a", "b 2", "$(touch pwned)", "字")
DATES = (DATE.shift(-1), DATE)
LOOK = {None: 0, "1h": 1}
HELPERS = """
import zlib

def compute(name, fails, entity, date, inputs):
    seen = repr((name, entity, str(date), sorted(inputs.items())))
    if fails and zlib.crc32(repr((name, entity, str(date))).encode()) % fails == 0:
        raise ValueError(seen)
    return zlib.crc32(seen.encode())

"""


@dataclass(frozen=True)
class Node:
    """A task: its inputs as (task, optional, lookback), and in one of how many cases it fails (0: never)."""

    needs: tuple[tuple[int, bool, str | None], ...]
    fails: int


Graph = tuple[Node, ...]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """Any directed acyclic graph of up to seven tasks."""
    nodes: list[Node] = []
    for i in range(draw(st.integers(1, 7))):
        needs = draw(st.lists(st.integers(0, i - 1), unique=True, max_size=3)) if i else []
        inputs = tuple((n, draw(st.booleans()), draw(st.sampled_from([None, None, "1h"]))) for n in needs)
        nodes.append(Node(inputs, draw(st.sampled_from([0, 0, 2, 3]))))
    return tuple(nodes)


def source(graph: Graph, name: str) -> str:
    """The flow as a person would write it."""
    lines = [f"{name} = flow = Flow({name!r}, state='shops')"]
    for i, node in enumerate(graph):
        required = [f"{name}_{n}" for n, optional, _ in node.needs if not optional]
        optional = [f"{name}_{n}=None" for n, optional, _ in node.needs if optional]
        lookback = {f"{name}_{n}": look for n, _, look in node.needs if look}
        given = ", ".join(f"'{name}_{n}': {name}_{n}" for n, _, _ in node.needs)
        lines += [
            f"@flow.task(lookback={lookback})",
            f"def {name}_{i}({', '.join(['entity', 'date', *required, *optional])}):",
            f"    return compute('{name}_{i}', {node.fails}, entity, date, {{{given}}})",
        ]
    return "\n".join(lines) + "\n"


def compute(name: str, fails: int, entity: str, date: str, inputs: dict[str, Any]) -> int | None:
    """What a task computes; None when it fails."""
    seen = repr((name, entity, date, sorted(inputs.items())))
    if fails and zlib.crc32(repr((name, entity, date)).encode()) % fails == 0:
        return None
    return zlib.crc32(seen.encode())


def reference(graph: Graph, entity: str, name: str) -> dict[Date, tuple[str, list[int | None]]]:
    """The rule: when all inputs have ended, a task runs with what there is: this date's, else an earlier one's within its
    lookback, else nothing; without a required input it is blocked."""
    pipes: dict[tuple[int, Date], int | None] = {}
    rows: dict[Date, tuple[str, list[int | None]]] = {}
    for date in DATES:
        row = ""
        for i, node in enumerate(graph):
            inputs: dict[str, Any] = {}
            cell = "F"
            for need, optional, look in node.needs:
                ages = range(LOOK[look] + 1)
                found = next(((age, v) for age in ages if (v := pipes.get((need, date.shift(-age)))) is not None), None)
                if found is None and not optional:
                    cell = "B"
                elif (found is None or found[0]) and cell == "F":
                    cell = "O"
                inputs[f"{name}_{need}"] = found[1] if found else None
            value = None if cell == "B" else compute(f"{name}_{i}", node.fails, entity, str(date), inputs)
            pipes[i, date] = value
            row += "X" if cell != "B" and value is None else cell
        rows[date] = row, [pipes[i, date] for i in range(len(graph))]
    return rows


@pytest.fixture(scope="module")
def module_rig(redis_house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with redis_house.client() as redis:
        yield from rigs(redis, redis_house.url_for, tmp_path_factory.mktemp("differential"))


@settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(st.lists(graphs(), min_size=5, max_size=5))
def test_a_worker_and_the_rule_agree_on_any_graph(module_rig: Rig, some: list[Graph]) -> None:
    rig = module_rig
    rig.redis.flushall()
    rig.flow(HELPERS + "\n".join(source(graph, f"g{i}") for i, graph in enumerate(some)) + "\n")
    flows = [getattr(sys.modules[rig.module], f"g{i}") for i in range(len(some))]

    waves = {}
    for date in DATES:  # one after the other: what an earlier date gives must be there
        waves |= {(i, date): rig.launch(f, *ENTITIES, date=date) for i, f in enumerate(flows)}
        rig.run(slots=2)

    for i, graph in enumerate(some):
        names = flows[i].plan.names
        assert names == tuple(f"g{i}_{n}" for n in range(len(graph)))
        for entity in ENTITIES:
            for date, (row, values) in reference(graph, entity, f"g{i}").items():
                assert rig.row(waves[i, date], entity) == row, (source(graph, "flow"), entity, date)
                assert [rig.pipe(name, entity, date=date) for name in names] == values


MIXED: Graph = (
    Node((), 0),
    Node((), 1),  # always fails
    Node(((0, False, None), (1, True, None)), 0),
    Node(((1, False, None),), 0),
    Node(((2, False, None), (3, True, None)), 0),
)
WORDS = {"F": "Finished", "O": "Finished (fallback)", "X": "Failed", "B": "Blocked"}


def test_a_script_outside_a_worker_gives_the_same(rig: Rig) -> None:
    entity = "$(touch pwned) '字"
    flow = rig.flow(
        HELPERS + source(MIXED, "g0") + "flow.command('last', ['sh', '-c', 'cat'], needs=['g0_4'], optional=['g0_1'])\n"
    )
    wave = rig.launch(flow, entity, version="inside")
    rig.run("--version", "inside")
    text = script.script(
        flow=wave.flow, version=wave.version, base="", date=wave.date, wave=wave.id, entity=encode_entity(entity),
        body=Waves(rig.redis).body(wave),
    )  # fmt: skip
    (rig.folder / "s.sh").write_text(text)

    done = subprocess.run(
        ["bash", "s.sh"],
        cwd=rig.folder,
        env={
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "WAVEDECK_REDIS_URL": rig.url_for("outside", "inside"),
            "WAVEDECK_FLOWS": rig.module,
            "WAVEDECK_VERSION": "outside",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )

    assert done.returncode == 1, done.stderr  # one of its tasks fails
    ends = dict(re.findall(r"← (\w+) .* s (Finished \(fallback\)|Finished|Failed|Blocked)$", done.stderr, re.MULTILINE))
    assert ends == {task: WORDS[cell] for task, cell in zip(wave.tasks, rig.row(wave, entity), strict=True)}, done.stderr
    for task in wave.tasks:
        assert rig.raw(task, entity, version="outside") == rig.raw(task, entity, version="inside")
    assert not list(rig.folder.rglob("*pwned*"))
