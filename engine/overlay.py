"""An overlay wave: a version runs what is different in it, and what is downstream of that; the rest it reads from its base.

The wave has the entities and the date of a wave of the base, and only those tasks that run: the base's pipes are read where
they lie, and nothing of it is written.
"""

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.errors import NotFound, Refused
from engine.keys import Date, check_version
from engine.launch import Launched, Staff, launch, nothing, sample
from engine.plain import quoted
from engine.plan import Plan, TaskPlan
from engine.status import WROTE
from engine.store.catalog import Catalog, resolve_config
from engine.store.connect import Client
from engine.store.pipes import Pipes
from engine.store.wave import Wave
from engine.store.waves import Waves

_APART = ("name", "where", "config", "code")


@dataclass(frozen=True)
class Read:
    """A task that is not run. `there` of `of` entities have its pipe by the board of the base's wave; None where no board says."""

    task: str
    there: int | None = None
    of: int | None = None


@dataclass(frozen=True)
class Overlay:
    """What an overlay wave will do, before it does. `runs`: task → why; `members`: (entity, partition) in key form, None for the
    state as it is now; `like`: the wave of the base whose entities they are, None for none; `sampled`: of how many."""

    version: str
    base: str
    date: Date
    plan: Plan
    runs: Mapping[str, str]
    reads: tuple[Read, ...]
    like: Wave | None
    members: Sequence[tuple[str, str]] | None
    share: float = 1.0
    sampled: int = 0

    @property
    def part(self) -> Plan:
        """The tasks that run."""
        return self.plan.only(self.runs)


def different(plan: Plan, config: Mapping[str, Any], base: Plan, base_config: Mapping[str, Any]) -> dict[str, str]:
    """The tasks of `plan` that are not what they are in `base`, and in words why. Configs: of all tasks, as a wave would have them.
    A task whose code is not known on both sides counts as different."""
    before = {t.name: t for t in base.tasks}
    found = {}
    for task in plan.tasks:
        was = before.get(task.name)
        if was is None:
            found[task.name] = "the base has it not"
        elif why := _why(task, config.get(task.name, {}), was, base_config.get(task.name, {})):
            found[task.name] = ", ".join(why)
    return found


def _why(task: TaskPlan, config: Mapping[str, Any], was: TaskPlan, was_config: Mapping[str, Any]) -> list[str]:
    now, then = (msgspec.to_builtins(t) for t in (task, was))
    why = [name for name in now if name not in _APART and now[name] != then[name]]
    if not (task.code and was.code):
        why.append("code that is not known on both sides")
    elif task.code != was.code:
        why.append("code")
    keys = sorted(k for k in {*config, *was_config} if config.get(k, ...) != was_config.get(k, ...))
    return [f"other {name}" for name in why] + ([f"other config ({', '.join(keys)})"] if keys else [])


def overlay(
    redis: Client,
    plan: Plan,
    *,
    version: str,
    base: str,
    date: Date | None = None,
    like: str = "",
    only: Sequence[str] = (),
    share: float = 1.0,
    partitions: Collection[str] = (),
    entities: Collection[str] = (),
    config: Mapping[str, Any] | None = None,
) -> Overlay:
    """What an overlay wave of `version` over `base` would do.

    Parameters:
        plan: the flow as the version has it.
        date: that of the base's wave; of the one given, or of its newest.
        like: the wave of the base whose entities it has; the largest of the date when not given, or the newest of all.
        only: run these and what is downstream of them, as if nothing else were different.
        share: of the entities, the same ones in every wave (`engine.launch.sample`).
        partitions, entities: only these, in key form.
        config: overrides for this wave.

    Raises:
        NotFound: the base has no such flow, wave, partition or entity, or the flow no such task.
        Refused: nothing is different, the base is the version itself, or nobody is left to run for.
        BadKey: a name cannot be a key, or the config names what does not exist.
    """
    if check_version(version) == check_version(base):
        raise Refused(f"version {version!r} cannot be its own base")
    catalog, waves = Catalog(redis), Waves(redis)
    model = _like(redis, plan, base, date, like)
    about = date or (model.date if model is not None else None)
    if about is None:
        raise NotFound(f"version {base!r} has no wave of {plan.flow!r} whose entities could be taken; name a --date")
    if unknown := [t for t in only if t not in plan.index]:
        raise NotFound(f"flow {plan.flow!r} has no task {quoted(unknown[0])}; there are: {', '.join(plan.names)}")
    base_plan, base_config = _as_it_ran(redis, plan, base, model)
    changed = dict.fromkeys(only, "chosen") or different(
        plan, resolve_config(plan, catalog.config(version, plan.flow), config or {}), base_plan, base_config
    )
    if not changed:
        raise Refused(
            f"no task of {plan.flow!r} is different in version {version!r} from {base!r}: nothing would run "
            "(--only TASK runs one all the same, --whole the whole flow)"
        )
    below = plan.downstream(changed)
    runs = {
        t.name: changed.get(t.name) or "takes " + ", ".join(i.name for i in t.inputs if i.name in below)
        for t in plan.tasks if t.name in below
    }  # fmt: skip
    if gone := [n for n in plan.only(runs).outside if n not in base_plan.index and n not in base_plan.outside]:
        raise NotFound(f"version {base!r} has no task {gone[0]!r} to read; --only {','.join([*only, *gone])} runs it")
    members = None if model is None else _members(waves.members(model), model, partitions, entities)
    drawn = members if members is None else sample(members, share)
    return Overlay(
        version, base, about, plan, runs,
        _reads(redis, plan, runs, model if model is not None and model.version == base else None), model, drawn, share, len(members or ()),
    )  # fmt: skip


def launch_overlay(
    redis: Client,
    what: Overlay,
    *,
    by: str,
    trigger: str = "",
    config: Mapping[str, Any] | None = None,
    deadline: float | None = None,
    origin: str = "",
    force: bool = False,
    staff: Staff | None = None,
    on_progress: Callable[[int], None] = nothing,
) -> Launched:
    """Starts it: `launch` says what can be wrong. `trigger`: a new manual one when not given."""
    part = what.part
    return launch(
        redis, part, version=what.version, date=what.date, trigger=trigger or f"manual:{secrets.token_hex(6)}", by=by, base=what.base,
        state=what.like.state if what.like else None, members=what.members, config=_for(part, config or {}), deadline=deadline,
        origin=origin, force=force, staff=staff, on_progress=on_progress, publish=what.plan, share=what.share,
    )  # fmt: skip


def wave_of(redis: Client, version: str, flow: str, tasks: Sequence[str], date: Date) -> Wave | None:
    """The wave of a version that was about a date: of several the one with the most tasks and entities, of those the newest."""
    pipes, waves = Pipes(redis), Waves(redis)
    ids = {wave for task in tasks for wave in pipes.waves(version, task, date)}
    found = [wave for name in ids if (wave := waves.find(name, version)) is not None and wave.flow == flow]
    return max(found, key=lambda w: (len(w.tasks), w.n, w.created), default=None)


def _like(redis: Client, plan: Plan, base: str, date: Date | None, like: str) -> Wave | None:
    if like:
        wave = Waves(redis).get(like)
        if wave.flow != plan.flow:
            raise NotFound(f"wave {wave.id} ({wave.locator}) is of another flow than {plan.flow!r}")
        return wave
    if date is not None:
        return wave_of(redis, base, plan.flow, plan.names, date)
    whole = [p.wave for p in Waves(redis).recent(50, version=base, flow=plan.flow)]
    return next((w for w in whole if not w.of), None)


def _as_it_ran(redis: Client, plan: Plan, base: str, like: Wave | None) -> tuple[Plan, Mapping[str, Any]]:
    """The base's plan and config: of the wave whose pipes are read, when that ran all of the flow; else as published."""
    if like is not None and like.version == base and not (ran := Waves(redis).plan(like)).outside:
        return ran, like.config
    published = Catalog(redis).plan(base, plan.flow)
    return published, resolve_config(published, Catalog(redis).config(base, plan.flow))


def _members(
    everyone: Sequence[tuple[str, str]], wave: Wave, partitions: Collection[str], entities: Collection[str]
) -> list[tuple[str, str]]:
    for what, wanted, there in (
        ("partition", partitions, {p for _, p in everyone}),
        ("entity", entities, {e for e, _ in everyone}),
    ):
        if unknown := [name for name in wanted if name not in there]:
            raise NotFound(f"wave {wave.id} ({wave.locator}) has no {what} {quoted(unknown[0])}")
    return [m for m in everyone if (not partitions or m[1] in partitions) and (not entities or m[0] in entities)]


def _reads(redis: Client, plan: Plan, runs: Collection[str], like: Wave | None) -> tuple[Read, ...]:
    counts = Waves(redis).progress(like).counts if like is not None else ()
    there = {
        task: sum(many for cell, many in by_cell.items() if cell in WROTE)
        for task, by_cell in zip(like.tasks if like else (), counts, strict=True)
    }
    read = plan.only(runs).outside
    return tuple(Read(n, there.get(n), like.n if like and n in there else None) for n in plan.names if n in read)


def _for(part: Plan, config: Mapping[str, Any]) -> dict[str, Any]:
    """Overrides, without those of tasks that do not run."""
    having = {key for t in part.tasks for key in t.config}
    return {
        name: value for name, value in config.items()
        if (name.rpartition(".")[0] in part.index if "." in name and name not in having else name in having)
    }  # fmt: skip
