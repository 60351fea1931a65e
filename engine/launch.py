"""Init: takes the latest state and a flow, compiles every entity, and queues the wave."""

import contextlib
import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

from redis.exceptions import ExecAbortError, ResponseError

from engine import longest, script
from engine.errors import NotFound, Refused
from engine.flow import Source
from engine.keys import Date, check_text, check_version, encode_entity, version_key
from engine.plain import quoted
from engine.plan import Plan
from engine.store.acts import Act, Acts
from engine.store.catalog import Catalog, resolve_config
from engine.store.connect import Client, clock, must_write
from engine.store.need import Fit, fit
from engine.store.pipes import Pipes, expiry
from engine.store.room import is_full, room, sized
from engine.store.states import States
from engine.store.wave import Wave, new_wave
from engine.store.waves import Waves


@dataclass(frozen=True)
class Launched:
    """The wave; whether this call made it; seconds it took."""

    wave: Wave
    created: bool
    seconds: float
    need: Callable[[], Fit]

    @cached_property
    def fit(self) -> Fit:
        """What the wave needs in Redis. Without a `maxmemory` nothing could be refused, and it is found out when it is first asked for:
        most never ask, and the sample takes as long as all the rest."""
        return self.need()


Staff = Callable[[Wave, Plan], Wave]


def nothing(_: int) -> None:
    """A progress callback that does nothing."""


def launch(
    redis: Client,
    plan: Plan,
    *,
    version: str,
    date: Date,
    trigger: str,
    by: str,
    base: str = "",
    state: str | None = None,
    source: Source | None = None,
    partitions: Sequence[str] = (),
    entities: Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    deadline: float | None = None,
    members: Sequence[tuple[str, str]] | None = None,
    of: str = "",
    origin: str = "",
    force: bool = False,
    staff: Staff | None = None,
    publish: Plan | None = None,
    share: float = 1.0,
    on_progress: Callable[[int], None] = nothing,
) -> Launched:
    """Starts a wave. The same (flow, version, date, trigger) again gives the wave there is.

    A crash in between leaves nothing that runs; calling again makes the wave.

    Parameters:
        trigger: why it runs: `schedule:2013-07-01T14:00Z`, or `manual:` and something unique. Schedules yield to manual ones.
        base: the version whose pipes are read where this one has none.
        state: which state to run over; the flow's own when not given.
        source: called first; what it yields is marked as seen at `date`.
        partitions: only these, as users write them. Empty: all.
        entities: only these, as users write them, whether the state holds them or not. Empty: all of the state.
        config: overrides for this wave: `{"task.key": value}` or `{"key": value}`.
        deadline: seconds from now after which nothing of it starts; the flow's when not given, `math.inf` for none.
        members: (entity, partition) in key form instead of the state's: a part of an earlier wave.
        of: the id of that wave.
        origin: from where it is started, for the log of acts: console, command, demo …; `schedule` when the trigger says so.
        force: also when Redis seems to have no room for it.
        staff: called with a new wave and its plan before it is queued, to see to its workers; the wave as it is to be recorded.
        publish: the whole flow, when `plan` is only a part of it.
        share: of the entities, as `sample` draws them.
        on_progress: called with the number of entities queued so far.

    Raises:
        BadKey: a name cannot be a key, or the config names what does not exist; nothing has been written.
        BadValue: a value of the config is not JSON; nothing has been written.
        Refused: the state is empty, Redis has no room for the wave, or this user may not write.
        NotFound: no such partition.
    """
    began = time.monotonic()
    must_write(redis)
    check_version(version)
    for text, what in ((trigger, "trigger"), (by, "by"), (of, "of")):
        check_text(text, what)
    if base:
        check_version(base)
    wave_config = resolve_config(plan, Catalog(redis).config(version, plan.flow), config or {})
    state = state or plan.state
    states, waves = States(redis), Waves(redis)
    with _full_is_refused(redis):
        now_active = list(source(date)) if source is not None else []
        states.seen(state, now_active, date.start.timestamp())
        chosen = list(members) if members is not None else _members(states, plan, state, date, now_active, partitions, entities)
        if share < 1:
            chosen = _drawn(chosen, share)
        chosen = chosen if members is not None or entities else longest.first(redis, version, plan.flow, chosen)
        now = clock(redis)
        expire = expiry(date, plan.keep, now)
        draft = new_wave(
            plan, version=version, date=date, trigger=trigger, by=by, n=len(chosen), expire=expire, base=base, state=state,
            config=wave_config,
            now=now,
            deadline=_until(plan, now, deadline), of=of,
        )  # fmt: skip
        estimate = partial(fit, redis, plan, version=version, date=date, members=chosen, beside=draft.id)
        known: Fit | None = None
        limited = (there := room(redis)) is not None and there.limit > 0
        if limited:
            waves.end_overdue(version)  # with no worker alive, nobody else does, and they would count as under way
            known = estimate()
            if known.refusal and not force and waves.find(draft.id, version) is None:
                raise Refused(known.refusal)
        if staff is not None and waves.find(draft.id, version) is None:
            draft = staff(draft, plan)
        Pipes(redis).index_wave(version, plan.names, date, draft.id, draft.n, expire)
        draft = replace(draft, checks=_there_already(redis, draft))
        Catalog(redis).publish(version, [publish or plan])
        created = waves.create(
            draft, plan, script.body(plan), chosen, on_progress, record=lambda wave: Acts(redis).record(_act(wave, origin))
        )
        if not limited:
            waves.end_overdue(version)
    wave = waves.find(draft.id, version) or draft
    return Launched(wave, created, time.monotonic() - began, lambda: known or estimate(begun=draft.checks))


def sample(members: Sequence[tuple[str, str]], share: float) -> list[tuple[str, str]]:
    """The entities (in key form, with their partitions) whose key's hash is in the lowest `share` of all hashes: the same ones in
    every wave, and all of a smaller share are in a larger one."""
    most = math.ceil(share * 2**64)
    return [m for m in members if int.from_bytes(hashlib.sha256(m[0].encode()).digest()[:8], "big") < most]


def _drawn(members: Sequence[tuple[str, str]], share: float) -> list[tuple[str, str]]:
    if drawn := sample(members, share):
        return drawn
    raise Refused(f"of {len(members):,} entities a sample of {share:.4%} is nobody; a larger one has some")


def _until(plan: Plan, now: float, deadline: float | None) -> int:
    """When a wave that begins now is overdue, Unix ms; 0 for never."""
    seconds = (plan.deadline or plan.every) if deadline is None else deadline
    return int((now + seconds) * 1000) if math.isfinite(seconds) else 0


@contextlib.contextmanager
def _full_is_refused(redis: Client) -> Iterator[None]:
    try:
        yield
    except ResponseError as e:
        there = room(redis)
        if not (is_full(e) or (isinstance(e, ExecAbortError) and there is not None and there.full)):
            raise
        told = (
            f": {sized(there.used)} of {sized(there.limit)} (maxmemory) are used" if there is not None and there.limit else ""
        )
        raise Refused(f"Redis is full{told}; it takes no wave until pipes expire or maxmemory is raised") from None


def _act(wave: Wave, origin: str) -> Act:
    """What the log of acts says of a wave's start."""
    scheduled = wave.trigger.startswith("schedule:")
    verb = "schedule" if scheduled else "rerun" if wave.of else "trigger"
    origin = origin or ("schedule" if scheduled else "engine")
    told = [f"of wave {wave.of}" if wave.of else "", f"base {wave.base}" if wave.base else ""]
    return Act(
        0, verb, wave.by, origin, wave.version, wave.flow, wave.id, str(wave.date), wave.n, ", ".join(filter(None, told))
    )


def _members(
    states: States,
    plan: Plan,
    state: str,
    date: Date,
    now_active: Sequence[tuple[str, str]],
    partitions: Sequence[str],
    entities: Sequence[str],
) -> list[tuple[str, str]]:
    everyone = {m.entity: m.partition for m in states.members(state, date=date, active=plan.active)}
    # The state knows when an entity was last seen. About an earlier date the source knows more: what was seen since is no news of it.
    everyone |= {encode_entity(e): encode_entity(p) for e, p in now_active}
    if partitions:
        wanted = {encode_entity(p) for p in partitions}
        there = set(everyone.values())
        if missing := wanted - there:
            names = sorted(there)
            named = f"{', '.join(names[:10])}{' …' if len(names) > 10 else ''}" or "none"
            raise NotFound(f"state {state!r} has no partition {quoted(min(missing))} at {date}; it has: {named}")
        everyone = {e: p for e, p in everyone.items() if p in wanted}
    if entities:
        return [(key, everyone.get(key, "-")) for key in dict.fromkeys(map(encode_entity, entities))]
    if not everyone:
        known = states.members(state)
        last = max((m.seen for m in known), default=0.0)
        hint = (
            f"its last was seen at {Date.of(datetime.fromtimestamp(last, UTC))}" if known else "nobody has ever been seen in it"
        )
        raise Refused(f"state {state!r} has no entity active at {date}; {hint}")
    return sorted(everyone.items(), key=lambda member: (member[1], member[0]))


def _there_already(redis: Client, wave: Wave) -> tuple[str, ...]:
    """Tasks that another wave or a person may have written, or be writing, pipes of: their cells look before they run."""
    with redis.pipeline(transaction=False) as trip:
        for task in wave.tasks:
            trip.hkeys(version_key(wave.version, f"at:{task}:{wave.date}"))
        writers = trip.execute()
    return tuple(t for t, fields in zip(wave.tasks, writers, strict=True) if set(fields) - {f"w:{wave.id}".encode()})
