"""Starting a wave from the command line or the console: which plan, which source, which date."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from console.by import whoami
from engine.errors import BadKey, BadValue, NotFound
from engine.flow import Flow, Source
from engine.keys import Date, encode_entity
from engine.launch import Launched, Staff, launch, nothing
from engine.load import load_flows
from engine.overlay import Overlay, launch_overlay, overlay
from engine.payload import decode_json
from engine.plain import quoted
from engine.plan import Plan
from engine.rerun import unfinished
from engine.store.catalog import Catalog
from engine.store.connect import Client
from engine.store.wave import Wave
from engine.store.waves import Waves
from engine.store.workers import Workers


def choose_plan(redis: Client, version: str, name: str) -> tuple[Plan, Flow | None]:
    """The plan to run a flow of a version by, and its code when this machine has it.

    What the version's living workers have published goes first: they will run it. Else the code that is here, else what was
    published last.

    Raises:
        NotFound: neither knows the flow; the text lists the flows there are.
    """
    catalog = Catalog(redis)
    published = catalog.flows(version).get(name)
    try:
        here = load_flows()
    except NotFound:
        if published is None:
            raise
        here = {}
    flow = here.get(name)
    if published is not None and (flow is None or Workers(redis).alive(version)):
        return published, flow
    if flow is not None:
        return flow.plan, flow
    known = sorted({*here, *catalog.flows(version)})
    raise NotFound(f"no flow {quoted(name)} in version {version!r}; there are: {', '.join(known) or 'none'}")


def parse_config(pairs: Sequence[str]) -> dict[str, Any]:
    """Overrides as people write them, `key=value` or `task.key=value`; a value that is JSON is that, any other is text.

    Raises:
        BadKey: a pair has no key.
    """
    config: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise BadKey(f"config {pair!r} is not key=value or task.key=value")
        try:
            config[name] = decode_json(value.encode("utf-8", "surrogateescape"))
        except (BadValue, UnicodeEncodeError):
            config[name] = value
    return config


def choose_rerun(
    redis: Client,
    wave: Wave,
    *,
    entities: Sequence[str] = (),
    tasks: Sequence[str] = (),
    family: str | None = None,
    failed: bool = False,
) -> list[int] | None:
    """The numbers of a wave's entities that are to run again: those named, of a family of failures, in which one of `tasks` did not
    finish, or that did not finish (`failed`), and all of that where several are given; None, for all that did not finish, when nothing
    says which.

    Raises:
        NotFound: no such entity, task or family.
    """
    from console.entity_view import number_of
    from console.reports.failures import members_of

    store = Waves(redis)
    if unknown := [t for t in tasks if t not in wave.tasks]:
        raise NotFound(f"wave {wave.id} has no task {unknown[0]!r}; there are: {', '.join(wave.tasks)}")
    chosen: list[set[int]] = []
    if entities:
        chosen.append({number_of(store, wave, raw) for raw in entities})
    if tasks:
        chosen.append(set(unfinished(store.board(wave), wave.n, [wave.tasks.index(t) for t in tasks])))
    if family is not None:
        chosen.append(set(members_of(redis, wave, family)))
    if failed and chosen:
        chosen.append(set(unfinished(store.board(wave), wave.n)))
    return sorted(set.intersection(*chosen)) if chosen else None


def source_of(flow: Flow | None, state: str) -> Source | None:
    """The function that refreshes a state, when the flow's code is here and has one."""
    return flow.sources.get(state) if flow is not None else None


def this_date(plan: Plan) -> Date:
    """The date that a wave started now is about."""
    return Date.of(datetime.now(UTC), hourly=plan.hourly)


def start_wave(
    redis: Client,
    name: str,
    *,
    version: str,
    date: str | None = None,
    base: str = "",
    state: str | None = None,
    partitions: Sequence[str] = (),
    entities: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    trigger: str | None = None,
    by: str | None = None,
    origin: str = "command",
    deadline: float | None = None,
    force: bool = False,
    staff: Staff | None = None,
    share: float = 1.0,
    on_progress: Callable[[int], None] = nothing,
) -> Launched:
    """Starts a wave of a flow, as `launch` does. `trigger`: a new manual one when not given.

    Raises:
        WavedeckError: as `choose_plan` and `launch` say.
    """
    plan, flow = choose_plan(redis, version, name)
    return launch(
        redis,
        plan,
        version=version,
        date=Date(date) if date else this_date(plan),
        base=base,
        state=state,
        source=source_of(flow, state or plan.state),
        partitions=partitions,
        entities=entities,
        config=config,
        trigger=trigger or f"manual:{secrets.token_hex(6)}",
        by=by or whoami(),
        origin=origin,
        deadline=deadline,
        force=force,
        staff=staff,
        share=share,
        on_progress=on_progress,
    )


def start_overlay(
    redis: Client,
    name: str,
    *,
    version: str,
    base: str,
    date: str | None = None,
    like: str = "",
    only: Sequence[str] = (),
    share: float = 1.0,
    partitions: Sequence[str] = (),
    entities: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    trigger: str = "",
    deadline: float | None = None,
    force: bool = False,
    staff: Staff | None = None,
    origin: str = "command",
    before: Callable[[Overlay], bool] = lambda _: True,
    on_progress: Callable[[int], None] = nothing,
) -> Launched | None:
    """Starts an overlay wave, as `engine.overlay` does. Names as users write them. `before`: told what it will do; None came of it
    when that says no.

    Raises:
        WavedeckError: as `choose_plan`, `overlay` and `launch` say.
    """
    plan, _ = choose_plan(redis, version, name)
    what = overlay(
        redis, plan, version=version, base=base, date=Date(date) if date else None, like=like, only=only, share=share,
        partitions=[encode_entity(p) for p in partitions], entities=[encode_entity(e) for e in entities], config=config,
    )  # fmt: skip
    if not before(what):
        return None
    return launch_overlay(
        redis, what, by=whoami(), trigger=trigger, config=config, deadline=deadline, origin=origin, force=force,
        staff=staff, on_progress=on_progress,
    )  # fmt: skip
