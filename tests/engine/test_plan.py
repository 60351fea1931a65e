"""A flow as data: JSON both ways, a fingerprint of what it does, and what is read off its graph."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadFlow
from engine.plan import Input, Plan, TaskPlan


def diamond() -> Plan:
    """a → b, c → d, and d reads its own past."""
    return Plan(
        flow="diamond",
        state="shops",
        tasks=(
            TaskPlan("a", where="flows/x.py:3", config={"k": [1, {"deep": None}]}),
            TaskPlan("b", (Input("a", lookback=3600.0),), timeout=60.0),
            TaskPlan("c", (Input("a", required=False),), command=("awk", "-f", "c.awk"), codec="bytes"),
            TaskPlan("d", (Input("b"), Input("c"), Input("d", history=7200.0)), reserved=("config",), waits=True),
        ),
    )


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Any directed acyclic graph of up to eight tasks."""
    count = draw(st.integers(1, 8))
    tasks = []
    for i in range(count):
        needs = draw(st.lists(st.integers(0, i - 1), unique=True, max_size=3)) if i else []
        inputs = tuple(Input(f"t{n}", draw(st.booleans()), draw(st.sampled_from([0.0, 3600.0]))) for n in needs)
        tasks.append(TaskPlan(f"t{i}", inputs, timeout=draw(st.floats(0.1, 1e6))))
    return Plan("any", tuple(tasks))


def test_json_reads_back() -> None:
    assert Plan.from_json(diamond().to_json()) == diamond()


@given(plans())
def test_any_plan_reads_back_with_the_same_fingerprint(plan: Plan) -> None:
    again = Plan.from_json(plan.to_json())

    assert again == plan
    assert again.sha == plan.sha


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"flow": 3, "tasks": []}', b"nope"])
def test_what_is_no_plan_is_refused(data: bytes) -> None:
    with pytest.raises(BadFlow, match="cannot be read"):
        Plan.from_json(data)


def test_the_fingerprint_does_not_depend_on_where_the_code_lies() -> None:
    plan = diamond()
    moved = replace(plan, tasks=tuple(replace(t, where=f"/elsewhere/y.py:{i}") for i, t in enumerate(plan.tasks)))

    assert moved.sha == plan.sha


@pytest.mark.parametrize(
    "change",
    [{"timeout": 61.0}, {"limit": 1.0}, {"command": ("sh",)}, {"inputs": ()}, {"config": {"k": 2}}, {"codec": "bytes"}],
)
def test_the_fingerprint_depends_on_what_a_task_does(change: dict[str, object]) -> None:
    plan = diamond()
    changed = replace(plan, tasks=(plan.tasks[0], replace(plan.tasks[1], **change), *plan.tasks[2:]))  # type: ignore[arg-type]

    assert changed.sha != plan.sha


def test_the_graph_is_read_off_the_inputs_and_history_is_no_edge() -> None:
    plan = diamond()

    assert plan.names == ("a", "b", "c", "d")
    assert plan.needs == ((), (0,), (0,), (1, 2))
    assert plan.dependants == ((1, 2), (3,), (3,), ())
    assert plan.rounds == ((0,), (1, 2), (3,))
    assert plan.edges == (("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))
    assert [t.kind for t in plan.tasks] == ["python", "python", "command", "python"]


@given(plans())
def test_rounds_hold_every_task_once_and_after_what_it_needs(plan: Plan) -> None:
    flat = [task for one_round in plan.rounds for task in one_round]
    level = {task: i for i, one_round in enumerate(plan.rounds) for task in one_round}

    assert sorted(flat) == list(range(len(plan.tasks)))
    assert all(one_round for one_round in plan.rounds)
    for task, needs in enumerate(plan.needs):
        assert level[task] == 1 + max((level[n] for n in needs), default=-1)


@given(plans())
def test_dependants_are_needs_turned_round(plan: Plan) -> None:
    pairs = {(need, task) for task, needs in enumerate(plan.needs) for need in needs}

    assert pairs == {(task, d) for task, dependants in enumerate(plan.dependants) for d in dependants}
    assert len(plan.edges) == len(pairs)


@pytest.mark.parametrize(("every", "hourly"), [(3600.0, True), (86399.0, True), (86400.0, False), (7 * 86400.0, False)])
def test_waves_are_about_hours_below_a_day(every: float, hourly: bool) -> None:
    assert replace(diamond(), every=every).hourly is hourly
