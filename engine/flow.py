"""How people write flows: tasks by decorator, inputs are parameters.

flow = Flow("flights", every="1h", state="routes")

@flow.task(timeout="60s")
def weather(entity, date): ...

@flow.task(timeout="2m", lookback={"weather": "3h"})
def delay_features(departures, weather): ...
"""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar, overload

from engine import durations, fingerprint
from engine.errors import BadFlow, BadKey, BadValue
from engine.keys import Date, check_name, is_text
from engine.payload import Codec, decode_json, encode_json
from engine.plan import Input, Plan, TaskPlan

RESERVED = ("entity", "date", "config", "state")
"""Parameters that are no pipes."""

HERE = "{here}/"
"""How a plan names the folder of the flow's file, so that it is the same plan on every machine."""

Function = TypeVar("Function", bound=Callable[..., Any])
Source = Callable[[Date], Iterable[tuple[str, str]]]


class StateHandle(Protocol):
    """What a task's parameter `state` is."""

    def seen(self, entity: str, partition: str) -> None:
        """Marks `entity` as active at the wave's date."""


class Flow:
    """A graph of tasks joined by pipes.

    Parameters:
        name: letters, digits, `_`, `.`, `-`.
        every: the interval of its waves. Under a day, dates are hours; else days.
        state: the state it runs over; the flow's name when not given.
        keep: how long pipes live, counted from their date.
        active: how long after an entity was last seen it belongs to the state; `every` when not given.
        deadline: how long after its start a wave is overdue: nothing of it starts any more; `every` when not given.

    Raises:
        BadFlow: a name or duration is wrong.
    """

    def __init__(
        self,
        name: str,
        *,
        every: str = "1h",
        state: str | None = None,
        keep: str = "30d",
        active: str | None = None,
        deadline: str | None = None,
    ) -> None:
        self.where = _caller()
        try:
            self.name = check_name(name, "flow")
            self.state = check_name(state or name, "state")
        except BadKey as e:
            raise BadFlow(f"{self.where}: {e}") from None
        self.every = self._duration("every", every)
        self.keep = self._duration("keep", keep)
        self.active = self._duration("active", active or every)
        self.deadline = self._duration("deadline", deadline or every)
        self.functions: dict[str, Callable[..., Any]] = {}
        self.sources: dict[str, Source] = {}
        self.warmers: list[Callable[[], Any]] = []
        self._tasks: dict[str, TaskPlan] = {}
        self._folders: dict[str, Path] = {}

    def _duration(self, option: str, value: str | float, where: str = "", task: str = "") -> float:
        try:
            return durations.seconds(value)
        except ValueError as e:
            raise BadFlow(self._says(where or self.where, task, f"{option}: {e}")) from None

    def _says(self, where: str, task: str, reason: str) -> str:
        return f"{where}: task {task!r} of flow {self.name!r}: {reason}" if task else f"{where}: {reason}"

    @overload
    def task(self, function: Function) -> Function: ...

    @overload
    def task(
        self,
        *,
        timeout: str = ...,
        limit: str = ...,
        lookback: Mapping[str, str] | str | None = ...,
        history: Mapping[str, str] | None = ...,
        horizon: str | None = ...,
        config: Mapping[str, Any] | None = ...,
        codec: Codec = ...,
        waits: bool = ...,
    ) -> Callable[[Function], Function]: ...

    def task(
        self,
        function: Callable[..., Any] | None = None,
        *,
        timeout: str = "10m",
        limit: str = "1h",
        lookback: Mapping[str, str] | str | None = None,
        history: Mapping[str, str] | None = None,
        horizon: str | None = None,
        config: Mapping[str, Any] | None = None,
        codec: Codec = "json",
        waits: bool = False,
    ) -> Any:
        """Makes a function a task. Its parameters name its input pipes; `entity`, `date`, `config`, `state` are reserved; one
        with a default is an optional input.

        Parameters:
            timeout: how long it waits for its inputs; then it runs with what there is.
            limit: how long it may run; then it is killed and `Failed`.
            lookback: how old an input may be when this date's is missing, for each input or for all.
            history: parameters that receive `{date: value}` of a pipe at the earlier dates this far back. No edges.
            horizon: how far its forecast reaches.
            config: defaults of what the parameter `config` holds.
            codec: `json`, or `bytes` for a function that returns bytes.
            waits: it mostly waits (HTTP): several run at once in threads of one slot.

        Raises:
            BadFlow: an option is wrong, or the name is taken; the text names file, task and reason.
        """

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            code = inspect.unwrap(function).__code__
            where = f"{_short(code.co_filename)}:{code.co_firstlineno}"
            name = function.__name__
            required: dict[str, bool] = {}
            for p in inspect.signature(function).parameters.values():
                if p.kind not in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                    raise BadFlow(self._says(where, name, f"parameter {p} is no input: name each one"))
                required[p.name] = p.default is p.empty
            reserved = tuple(r for r in RESERVED if r in required)
            inputs = {n: r for n, r in required.items() if n not in RESERVED}
            self._add(
                where, name, inputs, timeout, limit, lookback, history, horizon, config, codec,
                reserved=reserved, waits=waits,
            )  # fmt: skip
            self.functions[name] = function
            return function

        return add(function) if function is not None else add

    def command(
        self,
        name: str,
        command: Sequence[str],
        *,
        needs: Sequence[str] = (),
        optional: Sequence[str] = (),
        timeout: str = "10m",
        limit: str = "1h",
        lookback: Mapping[str, str] | str | None = None,
        history: Mapping[str, str] | None = None,
        horizon: str | None = None,
        config: Mapping[str, Any] | None = None,
        codec: Codec = "json",
    ) -> None:
        """A task in any language: an argument list, run without a shell.

        It gets one JSON object of its inputs on stdin and `WAVEDECK_ENTITY`, `WAVEDECK_DATE`, `WAVEDECK_VERSION`,
        `WAVEDECK_FLOW`, `WAVEDECK_TASK`, `WAVEDECK_CONFIG` (JSON) in its environment; its stdout is its value (JSON, or any bytes with
        `codec="bytes"`), its stderr its log; a non-zero exit is a failure. A file beside the flow's is named by its absolute
        path; every machine finds it where its own copy of the flow lies. Options as in `task`.

        Raises:
            BadFlow: an option is wrong, or the name is taken; the text names file, task and reason.
        """
        where = _caller()
        if isinstance(command, str) or not command or not all(isinstance(c, str) and c for c in command):
            raise BadFlow(self._says(where, name, "the command must be a list of words"))
        if wrong := [c for c in command if "\0" in c or not is_text(c)]:
            raise BadFlow(self._says(where, name, f"{wrong[0][:40]!r} is no word of a command: no process could be given it"))
        folder = _caller_file().parent
        command = [_portable(word, folder) for word in command]
        self._folders[name] = folder
        inputs = {**dict.fromkeys((*needs, *(history or ())), True), **dict.fromkeys(optional, False)}
        self._add(
            where, name, inputs, timeout, limit, lookback, history, horizon, config, codec, command=tuple(command),
        )  # fmt: skip

    def _add(
        self,
        where: str,
        name: str,
        inputs: Mapping[str, bool],
        timeout: str,
        limit: str,
        lookback: Mapping[str, str] | str | None,
        history: Mapping[str, str] | None,
        horizon: str | None,
        config: Mapping[str, Any] | None,
        codec: Codec,
        *,
        command: tuple[str, ...] = (),
        reserved: tuple[str, ...] = (),
        waits: bool = False,
    ) -> None:
        try:
            check_name(name, "task")
        except BadKey as e:
            raise BadFlow(self._says(where, str(name), str(e))) from None
        if name in self._tasks:
            raise BadFlow(self._says(where, name, f"the name is taken by the task at {self._tasks[name].where}"))
        if name in RESERVED:
            raise BadFlow(self._says(where, name, "the name is reserved"))
        if codec not in ("json", "bytes"):
            raise BadFlow(self._says(where, name, f"codec {codec!r} is neither 'json' nor 'bytes'"))
        try:  # as a wave will have it, which keeps its config as JSON
            config = decode_json(encode_json(dict(config or {})))
        except BadValue as e:
            raise BadFlow(self._says(where, name, f"config: {e}")) from None
        past = dict(history or {})
        old = dict.fromkeys(set(inputs) - set(past), lookback) if isinstance(lookback, str) else dict(lookback or {})
        for option, names in (("lookback", old), ("history", past)):
            for unknown in set(names) - set(inputs):
                raise BadFlow(self._says(where, name, f"{option} names {unknown!r}, which is no parameter of it"))
        for both in set(old) & set(past):
            raise BadFlow(self._says(where, name, f"{both!r} has both lookback and history"))

        def span(option: str, value: str | None) -> float:
            return self._duration(option, value, where, name) if value is not None else 0.0

        self._tasks[name] = TaskPlan(
            name=name,
            inputs=tuple(
                Input(n, required, span(f"lookback of {n}", old.get(n)), span(f"history of {n}", past.get(n)))
                for n, required in inputs.items()
            ),
            timeout=span("timeout", timeout),
            limit=span("limit", limit),
            horizon=span("horizon", horizon),
            config=dict(config),
            command=command,
            reserved=reserved,
            codec=codec,
            waits=waits,
            where=where,
        )

    def argv(self, task: TaskPlan) -> list[str]:
        """What to run for a task that is a command, on this machine."""
        folder = self._folders.get(task.name)
        return [word.replace(HERE, f"{folder}/", 1) if folder and word.startswith(HERE) else word for word in task.command]

    def _code(self, task: TaskPlan) -> str:
        if function := self.functions.get(task.name):
            return fingerprint.of_function(function)
        folder = self._folders[task.name]
        return fingerprint.of_files(folder / word.removeprefix(HERE) for word in task.command if word.startswith(HERE))

    def source(self, function: Source) -> Source:
        """Makes a function the source of the state of its name: init calls it with the wave's date and marks every
        (entity, partition) that it yields as seen, before it takes the snapshot."""
        self.sources[check_name(function.__name__, "state")] = function
        return function

    def warm(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """Makes a function one that a worker calls once before it forks its slots: load data, import what is slow."""
        self.warmers.append(function)
        return function

    @cached_property
    def plan(self) -> Plan:
        """The flow as data, checked.

        Raises:
            BadFlow: no tasks, an unknown input, or a cycle; the text names file, task and reason.
        """
        import networkx as nx

        if not self._tasks:
            raise BadFlow(f"{self.where}: flow {self.name!r} has no tasks")
        graph = nx.DiGraph()
        graph.add_nodes_from(self._tasks)
        for task in self._tasks.values():
            for i in task.inputs:
                if i.name not in self._tasks:
                    raise BadFlow(self._says(task.where, task.name, f"input {i.name!r} is no task of this flow, nor reserved"))
                if not i.history:
                    graph.add_edge(i.name, task.name)
        order = {name: n for n, name in enumerate(self._tasks)}
        try:
            names = list(nx.lexicographical_topological_sort(graph, key=order.__getitem__))
        except nx.NetworkXUnfeasible:
            loop = [edge[0] for edge in nx.find_cycle(graph)]
            path = " → ".join([*loop, loop[0]])
            raise BadFlow(self._says(self._tasks[loop[0]].where, loop[0], f"it needs itself: {path}")) from None
        return Plan(
            flow=self.name,
            tasks=tuple(replace(self._tasks[n], code=self._code(self._tasks[n])) for n in names),
            every=self.every,
            state=self.state,
            keep=self.keep,
            active=self.active,
            deadline=self.deadline,
            sources=tuple(self.sources),
        )


def _short(path: str) -> str:
    """A file as people name it: relative to where they are, when it lies below."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def _portable(word: str, folder: Path) -> str:
    path = Path(word)
    return f"{HERE}{path.relative_to(folder)}" if path.is_absolute() and path.is_relative_to(folder) else word


def _caller() -> str:
    """File and line of the code outside this module that is being run."""
    frame = _frame()
    return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else "?"


def _caller_file() -> Path:
    frame = _frame()
    return Path(frame.f_code.co_filename).absolute() if frame is not None else Path.cwd() / "?"


def _frame() -> FrameType | None:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame
