"""Running a part of a wave again, as a new wave."""

import secrets
from collections.abc import Callable, Collection, Sequence
from typing import Any

from engine.errors import NotFound, Refused
from engine.keys import check_version
from engine.launch import Launched, Staff, launch, nothing
from engine.plan import Plan
from engine.status import Cell
from engine.store.catalog import Catalog
from engine.store.connect import Client, must_write
from engine.store.wave import Wave
from engine.store.waves import Waves

BAD = frozenset({Cell.FAILED, Cell.BLOCKED, Cell.CANCELLED})


def unfinished(board: bytes, n: int, tasks: Collection[int] | None = None) -> list[int]:
    """The numbers of the entities that have a cell (of `tasks`, when given) which failed, was blocked or was cancelled."""
    width = len(board) // n if n else 0
    columns = [board[t * n : (t + 1) * n] for t in (range(width) if tasks is None else sorted(tasks))]
    table = bytes(byte in BAD for byte in range(256))
    total = 0
    for column in columns:
        total |= int.from_bytes(column.translate(table), "little")
    return [number for number, bad in enumerate(total.to_bytes(n, "little")) if bad]


def rerun(
    redis: Client,
    wave: Wave,
    *,
    by: str,
    entities: Sequence[int] | None = None,
    version: str = "",
    plan: Plan | None = None,
    origin: str = "",
    force: bool = False,
    staff: Staff | None = None,
    on_progress: Callable[[int], None] = nothing,
) -> Launched:
    """Starts a wave over entities of an earlier one: the same flow, date, state, partitions and config. What had finished is reused,
    the rest runs. It goes before those of the schedule.

    Parameters:
        entities: their numbers in `wave`; all that did not finish when not given.
        version: the code that runs; the wave's own when not given. Another version computes all of it, and reads from the wave's what
            it has not.
        plan: the flow as that version has it; what it has published, when not given.
        origin: from where it is started, for the log of acts.
        force: also when Redis seems to have no room for it.
        staff: as `launch` takes it.

    Raises:
        Refused: nothing is left to run again, Redis has no room for it, or this user may not write.
        NotFound: the version has not published the flow, or the wave has no such entity.
        BadKey: no version has such a name, or the wave's config names what the flow no longer has.
    """
    must_write(redis)
    store = Waves(redis)
    version = check_version(version or wave.version)
    numbers = unfinished(store.board(wave), wave.n) if entities is None else sorted(set(entities))
    if not numbers:
        what = "nothing of" if entities is None else "no entity that was chosen in"
        raise Refused(f"{what} wave {wave.id} ({wave.locator}) failed, was blocked or was cancelled")
    if not 0 <= numbers[0] <= numbers[-1] < wave.n:
        raise NotFound(f"wave {wave.id} has entities 0 to {wave.n - 1}, and not {numbers[0]} to {numbers[-1]}")
    everyone, before = store.members(wave), store.plan(wave)
    plan = plan or plan_of(redis, wave, version)
    part = plan.only(before.names) if before.outside and version == wave.version else plan
    return launch(
        redis,
        part,
        publish=plan,
        version=version,
        date=wave.date,
        trigger=f"manual:rerun:{wave.id}:{secrets.token_hex(6)}",
        by=by,
        base=wave.base if version == wave.version else wave.version,
        state=wave.state,
        config=overrides(wave, before, part, whole=version == wave.version),
        members=[everyone[number] for number in numbers],
        of=wave.id,
        origin=origin,
        force=force,
        staff=staff,
        on_progress=on_progress,
    )


def plan_of(redis: Client, wave: Wave, version: str) -> Plan:
    """The flow as `version` has it now; of the wave's own version at least as the wave ran it.

    Raises:
        NotFound: the version has not published it.
    """
    flows = Catalog(redis).flows(version)
    if wave.flow in flows:
        return flows[wave.flow]
    if version == wave.version:
        return Waves(redis).plan(wave)
    raise NotFound(f"version {version!r} has published no flow {wave.flow!r}; there are: {', '.join(flows) or 'none'}")


def overrides(wave: Wave, before: Plan, after: Plan, *, whole: bool) -> dict[str, Any]:
    """The wave's config as overrides: `whole`, as far as the flow still has it; else only what was not the flow's own, so that another
    version keeps its defaults."""
    own, new = ({task.name: task.config for task in plan.tasks} for plan in (before, after))
    return {
        f"{task}.{key}": value
        for task, values in wave.config.items()
        for key, value in values.items()
        if (whole and key in new.get(task, {})) or key not in own.get(task, {}) or own[task][key] != value
    }
