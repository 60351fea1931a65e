"""Compiling: a flow, a version, a date and an entity become an executable bash script. Pure.

A script is a header (what is this entity's), a body (what all entities of the wave share: a line a task) and, to run
outside a worker, the runtime of `run.sh`. In a worker a warm bash evaluates header and body, and `task` hands the line to
the slot. Everything from outside (entity keys, versions, dates) is quoted; task names cannot need it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine import durations
from engine.errors import BadFlow
from engine.keys import Date, decode_entity
from engine.plan import Plan, TaskPlan

TIMEOUT, LIMIT = 600.0, 3600.0
"""What a line means that does not say how long its task waits, and may run (seconds)."""
RUNTIME = (Path(__file__).parent / "run.sh").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Line:
    """What a `task` line says: the task's name, what it waits for, for how long, and how long it may run (seconds)."""

    task: str
    after: tuple[str, ...] = ()
    timeout: float = TIMEOUT
    limit: float = LIMIT


def task_line(task: TaskPlan, outside: Collection[str] = ()) -> str:
    """The line of a task; it waits for no task that is `outside` the plan. What is usual is left out: bash takes a third longer for the
    words. Needs no quoting: names and durations are all it holds."""
    awaited = [i.name for i in task.edges if i.name not in outside]
    after = f" --after {','.join(awaited)}" if awaited else ""
    timeout = f" --timeout {durations.text(task.timeout)}" if task.timeout != TIMEOUT else ""
    limit = f" --limit {durations.text(task.limit)}" if task.limit != LIMIT else ""
    return f"task {task.name}{after}{timeout}{limit}"


@lru_cache(maxsize=256)
def body(plan: Plan) -> str:
    """The bash function that all entities of a wave share."""
    return "\n".join(["flow() {", *(f"  {task_line(t, plan.outside)}" for t in plan.tasks), "}"]) + "\n"


def header(entity: str) -> str:
    """The assignment that makes the body an entity's own. `entity` is in key form."""
    return f"WAVEDECK_KEY={_quote(entity)}"


def script(*, flow: str, version: str, base: str, date: Date, wave: str, entity: str, body: str, fixed: bool = False) -> str:
    """The whole executable script of an entity (in key form): `bash` runs it wherever `wavedeck` is installed and
    `WAVEDECK_REDIS_URL` leads to Redis. Unless `fixed`, `WAVEDECK_VERSION` and `WAVEDECK_BASE` in the environment replace its own."""
    title = " ".join(_comment(part) for part in (f"{flow}@{version}", date, decode_entity(entity), f"(wave {wave})"))
    own = {"WAVEDECK_FLOW": flow, "WAVEDECK_DATE": str(date), "WAVEDECK_WAVE": wave, "WAVEDECK_KEY": entity}
    versions = {"WAVEDECK_VERSION": version, "WAVEDECK_BASE": base}
    unless = "{0}={1}" if fixed else "[[ -v {0} ]] || {0}={1}"
    lines = [
        "#!/usr/bin/env bash",
        f"# {title}",
        "# shellcheck disable=SC2016,SC2089,SC2090 # keys from outside may look like code; quoted, they are data",
        *(f"{name}={_quote(value)}" for name, value in own.items()),
        *(unless.format(name, _quote(value)) for name, value in versions.items()),
        f"export {' '.join((*own, *versions))}",
        "",
        body,
        RUNTIME,
    ]
    return "\n".join(lines)


def _quote(text: str) -> str:
    """`text` as one word of bash, always in quotes: a bare word that is a command's name looks like a mistake."""
    return "'" + text.replace("'", "'\"'\"'") + "'"


def parse_block(block: str) -> tuple[Line, ...]:
    """The lines that a body printed, as a worker's `task` hands them over: one task a line, words between spaces.

    Raises:
        BadFlow: a line is none that `task_line` writes.
    """
    return tuple(parse_words(line.split(" ")) for line in block.splitlines())


def parse_words(words: list[str]) -> Line:
    """One line's words, without `task`.

    Raises:
        BadFlow: they are none that `task_line` writes.
    """
    options = dict(zip(words[1::2], words[2::2], strict=False))
    if not words or not words[0] or len(words) % 2 == 0 or not options.keys() <= {"--after", "--timeout", "--limit"}:
        raise BadFlow(f"the script's line {' '.join(words)!r} is no task")
    try:
        return Line(
            task=words[0],
            after=tuple(options["--after"].split(",")) if "--after" in options else (),
            timeout=durations.seconds(options["--timeout"]) if "--timeout" in options else TIMEOUT,
            limit=durations.seconds(options["--limit"]) if "--limit" in options else LIMIT,
        )
    except ValueError as e:
        raise BadFlow(f"the script's line {' '.join(words)!r}: {e}") from None


def _comment(text: str) -> str:
    """Text from outside that can stand in a comment: it cannot leave its line."""
    return "".join(c if c.isprintable() else "?" for c in text)
