"""Init: takes the latest state and a flow, compiles every entity, and queues the wave."""

import contextlib
import hashlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any
from weakref import WeakKeyDictionary

from redis.exceptions import ExecAbortError, ResponseError

from engine import longest
from engine.errors import NotFound, Refused
from engine.flow import Source
from engine.keys import Date, check_name, check_text, check_version, encode_entity
from engine.plain import quoted
from engine.plan import Plan
from engine.store.acts import Act
from engine.store.catalog import resolve_config
from engine.store.connect import Client
from engine.store.making import found, make
from engine.store.need import Fit, fit
from engine.store.pipes import expiry
from engine.store.room import is_full, room, sized
from engine.store.states import Active, States, grouped
from engine.store.survey import survey
from engine.store.wave import Wave, new_wave, wave_id
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

TIDY_EVERY = 60.0
"""Seconds between two looks of one client for waves of the list that have expired."""
_tidied: WeakKeyDictionary[Client, dict[str, float]] = WeakKeyDictionary()
"""When each version's list was looked at last (monotonic)."""


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

    Two trips to Redis: one that reads, one that makes the wave (`store/making.py`); more for a large wave's members, a source, a state
    whose partitions have changed, where Redis has a maxmemory, and on a cluster. A crash in between leaves nothing that runs; calling
    again makes the wave.

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
    check_version(version)
    for text, what in ((trigger, "trigger"), (by, "by"), (of, "of")):
        check_text(text, what)
    if base:
        check_version(base)
    state = check_name(state or plan.state, "state")
    named = list(dict.fromkeys(map(encode_entity, entities)))
    own = wave_id(plan.flow, version, date, trigger)
    who = Active(redis, state, date, plan.active, named) if members is None else None
    with _full_is_refused(redis):
        known = survey(redis, version, plan.flow, own, None if source is not None else who)
        wave_config = resolve_config(plan, known.config, config or {})
        active = known.active
        if source is not None:
            now_active = list(source(date))
            States(redis).seen(state, now_active, date.start.timestamp())
            # The state knows when an entity was last seen. About an earlier date the source knows more: what was seen since is no news of it.
            known_of = _by_entity(who.ask()) if who is not None else {}
            active = grouped((known_of | {encode_entity(e): encode_entity(p) for e, p in now_active}).items())
        if (there := known.there) is not None:
            made = found(redis, there, publish or plan)
            return Launched(
                made.wave, created=False, seconds=time.monotonic() - began, need=partial(_need_of, redis, plan, there)
            )
        if members is not None:
            chosen = list(members)
        elif named:
            chosen = _named(state, date, active, named, partitions)
        else:
            chosen = _everyone(redis, state, date, active, partitions)
        if share < 1:
            chosen = _drawn(chosen, share)
        if members is None and not named:
            chosen = longest.ahead(known.longest, chosen)
        draft = new_wave(
            plan, version=version, date=date, trigger=trigger, by=by, n=len(chosen), expire=expiry(date, plan.keep, known.now),
            base=base, state=state, config=wave_config, now=known.now, deadline=_until(plan, known.now, deadline), of=of,
        )  # fmt: skip
        estimate = partial(fit, redis, plan, version=version, date=date, members=chosen, beside=draft.id)
        fits: Fit | None = None
        if known.limited:
            Waves(redis).end_overdue(version)  # with no worker alive, nobody else does, and they would count as under way
            fits = estimate()
            if fits.refusal and not force:
                raise Refused(fits.refusal)
        if staff is not None:
            draft = staff(draft, plan)
        made = make(redis, draft, plan, chosen, publish=publish, tell=partial(_act, origin=origin), on_progress=on_progress)
    _tidy(redis, version, () if known.limited else known.queued, known.now)
    wave = made.wave
    return Launched(wave, made.created, time.monotonic() - began, lambda: fits or estimate(begun=wave.checks))


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


def _named(
    state: str, date: Date, active: Mapping[str, Sequence[str]], entities: Sequence[str], partitions: Sequence[str]
) -> list[tuple[str, str]]:
    """Entities that somebody named, in that order, whether they are active or not."""
    where = _by_entity(_within(state, date, active, partitions))
    return [(key, where.get(key, "-")) for key in entities]


def _everyone(
    redis: Client, state: str, date: Date, active: Mapping[str, Sequence[str]], partitions: Sequence[str]
) -> list[tuple[str, str]]:
    """Those who are active, in the usual order: by partition and name."""
    active = _within(state, date, active, partitions)
    if not active:
        known = States(redis).members(state)
        last = max((m.seen for m in known), default=0.0)
        hint = (
            f"its last was seen at {Date.of(datetime.fromtimestamp(last, UTC))}" if known else "nobody has ever been seen in it"
        )
        raise Refused(f"state {state!r} has no entity active at {date}; {hint}")
    return [(entity, partition) for partition in sorted(active) for entity in sorted(active[partition])]


def _within(
    state: str, date: Date, active: Mapping[str, Sequence[str]], partitions: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    """Only these partitions, when there are any."""
    if not partitions:
        return active
    wanted = {encode_entity(p) for p in partitions}
    if missing := wanted - active.keys():
        names = sorted(active)
        named = f"{', '.join(names[:10])}{' …' if len(names) > 10 else ''}" or "none"
        raise NotFound(f"state {state!r} has no partition {quoted(min(missing))} at {date}; it has: {named}")
    return {p: active[p] for p in wanted}


def _by_entity(active: Mapping[str, Sequence[str]]) -> dict[str, str]:
    return {entity: partition for partition, entities in active.items() for entity in entities}


def _need_of(redis: Client, plan: Plan, wave: Wave) -> Fit:
    """What a wave that is there needs."""
    members = Waves(redis).members(wave)
    return fit(redis, plan, version=wave.version, date=wave.date, members=members, beside=wave.id, begun=wave.checks)


def _tidy(redis: Client, version: str, queued: Sequence[str], now: float) -> None:
    """What is for later readers: of the waves `queued` before those that are overdue are ended, and those that have expired leave the
    list. The wave is queued: nobody waits for this, and whoever dies here leaves it to the next."""
    waves, at = Waves(redis), time.monotonic()
    waves.end_overdue(version, queued, now)
    if at - _tidied.setdefault(redis, {}).get(version, -math.inf) > TIDY_EVERY:
        _tidied[redis][version] = at
        waves.drop_expired(version)
