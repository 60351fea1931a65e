"""Writing a flow: the graph is read off the signatures, and a wrong flow is refused with file, task and reason."""

from collections.abc import Callable
from typing import Any

import pytest

from engine import Flow
from engine.errors import BadFlow
from engine.plan import Input


def _flow() -> Flow:
    flow = Flow("shop", every="1d", state="shops", keep="90d")

    @flow.task(timeout="60s")
    def visits(entity: str, date: str) -> int:
        return 1

    @flow.task
    def orders(entity: str) -> int:
        return 2

    return flow


def test_the_graph_is_read_off_the_signatures() -> None:
    # Given
    flow = _flow()

    # When
    @flow.task(
        timeout="2m", limit="90s", lookback={"visits": "3d"}, history={"rate": "7d"}, horizon="2d", config={"k": 1}, waits=True
    )
    def rate(visits: int, config: dict[str, Any], rate: dict[str, int], *, orders: int = 0) -> float:
        return visits / (orders or 1)

    flow.command("report", ["awk", "-f", "x.awk"], needs=["rate"], optional=["visits"], lookback="1d", codec="bytes")

    # Then
    assert flow.plan.names == ("visits", "orders", "rate", "report")
    task = flow.plan.tasks[2]
    assert task.inputs == (Input("visits", True, 3 * 86400.0), Input("rate", True, 0.0, 7 * 86400.0), Input("orders", False))
    assert (task.timeout, task.limit, task.horizon, task.waits) == (120.0, 90.0, 172800.0, True)
    assert task.reserved == ("config",)
    assert task.config == {"k": 1}
    report = flow.plan.tasks[3]
    assert report.inputs == (Input("rate", True, 86400.0), Input("visits", False, 86400.0))
    assert (report.kind, report.codec) == ("command", "bytes")
    assert not flow.plan.hourly
    assert flow.plan.active == 86400.0


def test_a_task_may_stand_above_its_inputs() -> None:
    flow = Flow("late")

    @flow.task
    def last(first: int) -> int:
        return first

    @flow.task
    def first() -> int:
        return 1

    assert flow.plan.names == ("first", "last")


def test_a_decorated_function_stays_what_it_is() -> None:
    flow = _flow()

    @flow.task(timeout="1s")
    def double(visits: int) -> int:
        return visits * 2

    assert double(4) == 8
    assert flow.functions["double"] is double


def _cycle(flow: Flow) -> None:
    @flow.task
    def a(c: int) -> None: ...

    @flow.task
    def b(a: int) -> None: ...

    @flow.task
    def c(b: int) -> None: ...


def _needs_itself(flow: Flow) -> None:
    @flow.task
    def a(a: int) -> None: ...


def _unknown_input(flow: Flow) -> None:
    @flow.task
    def a(visitors: int) -> None: ...


def _unknown_input_of_a_command(flow: Flow) -> None:
    flow.command("a", ["true"], needs=["visitors"])


def _duplicate(flow: Flow) -> None:
    @flow.task
    def visits() -> None: ...


def _duplicate_command(flow: Flow) -> None:
    flow.command("visits", ["true"])


def _bad(**options: Any) -> Callable[[Flow], None]:
    def write(flow: Flow) -> None:
        @flow.task(**options)
        def a(visits: int) -> None: ...

    return write


def _both_lookback_and_history(flow: Flow) -> None:
    @flow.task(lookback={"visits": "1d"}, history={"visits": "1d"})
    def a(visits: int) -> None: ...


def _star(flow: Flow) -> None:
    @flow.task
    def a(*visits: int) -> None: ...


def _keywords(flow: Flow) -> None:
    @flow.task
    def a(**visits: int) -> None: ...


def _positional_only(flow: Flow) -> None:
    @flow.task
    def a(visits: int, /) -> None: ...


def _reserved_name(flow: Flow) -> None:
    @flow.task
    def config() -> None: ...


def _no_name(flow: Flow) -> None:
    flow.task(lambda visits: None)


def _string_command(flow: Flow) -> None:
    flow.command("a", "awk -f x.awk")


def _empty_command(flow: Flow) -> None:
    flow.command("a", [])


def _command_of_other_things(flow: Flow) -> None:
    flow.command("a", ["awk", 3])  # type: ignore[list-item]


def _bad_command_name(flow: Flow) -> None:
    flow.command("a; rm -rf /", ["true"])


WRONG: list[tuple[Callable[[Flow], None], str, str]] = [
    (_cycle, "'c'|'a'|'b'", "needs itself: (a → b → c → a|b → c → a → b|c → a → b → c)"),
    (_needs_itself, "'a'", "needs itself: a → a"),
    (_unknown_input, "'a'", "input 'visitors' is no task"),
    (_unknown_input_of_a_command, "'a'", "input 'visitors' is no task"),
    (_duplicate, "'visits'", r"taken by the task at .*test_flow\.py:\d+"),
    (_duplicate_command, "'visits'", r"taken by the task at .*test_flow\.py:\d+"),
    (_bad(timeout="soon"), "'a'", "timeout: 'soon' is not a duration"),
    (_bad(limit="0s"), "'a'", "limit: '0s' is not a positive duration"),
    (_bad(horizon="-1h"), "'a'", "horizon: '-1h'"),
    (_bad(lookback={"visits": "old"}), "'a'", "lookback of visits: 'old'"),
    (_bad(lookback="old"), "'a'", "lookback of visits: 'old'"),
    (_bad(history={"visits": "?"}), "'a'", r"history of visits: '\?'"),
    (_bad(lookback={"orders": "1d"}), "'a'", "lookback names 'orders'"),
    (_bad(history={"orders": "1d"}), "'a'", "history names 'orders'"),
    (_bad(codec="pickle"), "'a'", "codec 'pickle'"),
    (_both_lookback_and_history, "'a'", "'visits' has both"),
    (_star, "'a'", r"parameter \*visits"),
    (_keywords, "'a'", r"parameter \*\*visits"),
    (_positional_only, "'a'", "parameter visits"),
    (_reserved_name, "'config'", "reserved"),
    (_no_name, "'<lambda>'", "letters, digits"),
    (_string_command, "'a'", "list of words"),
    (_empty_command, "'a'", "list of words"),
    (_command_of_other_things, "'a'", "list of words"),
    (_bad_command_name, "'a; rm -rf /'", "letters, digits"),
]


@pytest.mark.parametrize(("write", "task", "why"), WRONG, ids=[w[0].__name__.strip("_") for w in WRONG])
def test_a_wrong_flow_is_refused_with_file_task_and_reason(write: Callable[[Flow], None], task: str, why: str) -> None:
    flow = _flow()

    with pytest.raises(BadFlow, match=rf"test_flow\.py:\d+: task ({task}) of flow 'shop': .*{why}"):
        write(flow)
        _ = flow.plan


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"name": "my shop"}, "flow 'my shop' must be letters"),
        ({"name": ""}, "flow '' must be"),
        ({"name": "x", "state": "a b"}, "state 'a b' must be"),
        ({"name": "x", "every": "hourly"}, "every: 'hourly' is not a duration"),
        ({"name": "x", "keep": "0d"}, "keep: '0d'"),
        ({"name": "x", "active": "?"}, "active: "),
    ],
)
def test_a_wrong_head_of_a_flow_is_refused_with_file_and_reason(options: dict[str, Any], why: str) -> None:
    with pytest.raises(BadFlow, match=rf"test_flow\.py:\d+: .*{why}"):
        Flow(**options)


def test_a_flow_without_tasks_is_refused() -> None:
    with pytest.raises(BadFlow, match=r"test_flow\.py:\d+: flow 'empty' has no tasks"):
        _ = Flow("empty").plan


def test_what_a_refused_task_leaves_behind_is_nothing() -> None:
    flow = _flow()

    with pytest.raises(BadFlow):
        _bad(timeout="soon")(flow)

    assert flow.plan.names == ("visits", "orders")
