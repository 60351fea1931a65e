"""How a wave comes to be: announced in the index of pipes, written, told in the log of acts, listed and queued.

On one server all of that is one call of a script (`lua/make.lua`), so there is all of a wave or nothing of it. On a cluster a script has
keys of one slot, so there it is a call for each part, told first and queued last: whoever dies in between leaves nothing that runs, and
the same call again makes the wave. In both, what is there is in the log of acts.
"""

import contextlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from redis import RedisCluster
from redis.exceptions import NoScriptError, RedisError, ResponseError

from engine import script
from engine.keys import VERSIONS, version_key
from engine.plan import Plan
from engine.store.acts import KEY as ACTS
from engine.store.acts import LIFE as ACTS_LIFE
from engine.store.acts import MOST, Act, Acts, words_of
from engine.store.catalog import LIFE
from engine.store.connect import Client
from engine.store.exchange import ask, checked, exchange
from engine.store.scripts import MAKE, Arg
from engine.store.wave import Wave, to_hash
from engine.store.waves import MEMBERS_A_TRIP, Waves, tokens

URGENT = 10**14
"""What puts a wave that a person triggered before those of the schedule, and those of a back-fill after them, oldest first among each."""
LISTED = 90 * 86400_000
"""Ms after which a wave leaves the list, though it may be there."""
PUSHES = 4
"""Pushes of members in a trip: the server reads one while the next is sent."""
A_CALL = 1000
"""Members that the script is given with its call; more are written before, to a draft."""
_KEYS = ("wave", "members", "board", "times", "claims", "counts", "plan", "body")

Tell = Callable[[Wave], Act]
"""What the log of acts is to say of a wave's start. Pure."""


@dataclass(frozen=True)
class Made:
    """The wave as it is recorded, and whether this call made it."""

    wave: Wave
    created: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the script's work: its keys, all of one slot, and its arguments."""

    name: str
    keys: Sequence[str]
    args: Sequence[Arg] = ()


def make(
    redis: Client,
    wave: Wave,
    plan: Plan,
    members: Sequence[tuple[str, str]],
    *,
    publish: Plan | None = None,
    tell: Tell | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Made:
    """Makes a wave, all of it Pending, and queues it; or finds it there, and changes nothing of it. Of two that make the same wave at
    once one does.

    Its `checks` are found out here: tasks that another wave or a person may have written, or be writing, pipes of. Of two waves about
    the same pipes that are made at once, one at least knows of the other.

    Parameters:
        members: (entity, partition) in key form, in the order in which they will be served.
        publish: the flow that is made known as the version's; the plan when not given.
        tell: for the log of acts, before anything runs.
        on_progress: called with the number of entities written so far.
    """
    publish, draft = publish or plan, ""
    if len(members) > A_CALL:
        if (there := Waves(redis).find(wave.id, wave.version)) is not None:
            return found(redis, there, publish)
        draft = _draft(redis, wave, members, on_progress)
    act = tell(wave) if tell is not None else None
    if isinstance(redis, RedisCluster):
        checks = _apart(redis, wave, plan, members, draft, publish, act)
    else:
        told = [_tell(act)] if act is not None else []
        parts = [_announce(wave), _write(wave, plan, members, draft), *told, _list(wave), _queue(wave, publish)]
        checks = _run(redis, wave, parts)
    if checks is None:
        if draft:
            redis.unlink(draft)
        there = Waves(redis).find(wave.id, wave.version)
        return found(redis, there, publish) if there is not None else Made(wave, created=False)
    if on_progress is not None and not draft:
        on_progress(len(members))
    return Made(replace(wave, checks=checks) if checks != wave.checks else wave, created=True)


def found(redis: Client, wave: Wave, publish: Plan) -> Made:
    """A wave that is there. Whoever made it on a cluster may have died before it was queued: if so, now it is."""
    if not wave.ended:
        _run(redis, wave, [_announce(wave), _list(wave), _queue(wave, publish)])
    return Made(wave, created=False)


def _apart(
    redis: Client, wave: Wave, plan: Plan, members: Sequence[tuple[str, str]], draft: str, publish: Plan, act: Act | None
) -> tuple[str, ...] | None:
    """As `_run` of all parts, in calls of their own. It is told of first, and that is taken back when it came to nothing: what is there
    has been told of. Not when nobody knows, the cluster being away: then it may be there."""
    acts = Acts(redis)
    told = acts.announce(act) if act is not None else ""
    try:
        taken = _run(redis, wave, [_announce(wave)]) or ()
        written = _run(redis, wave, [_write(replace(wave, checks=taken), plan, members, draft)])
    except ResponseError:  # it was refused
        if told:
            with contextlib.suppress(RedisError):
                acts.withdraw(told)
        raise
    if written is None:
        if told:
            acts.withdraw(told)
        return None
    _run(redis, wave, [_list(wave), _queue(wave, publish)])
    return taken


def _run(redis: Client, wave: Wave, parts: Sequence[_Part]) -> tuple[str, ...] | None:
    """Does these parts, in order. The tasks whose pipes others have announced too, as far as that was a part; None when the wave was
    there before it was written."""
    about = (wave.id, wave.n, " ".join(wave.tasks), wave.expire)
    if isinstance(redis, RedisCluster):
        replies = [MAKE(redis, part.keys, (part.name, *about, *part.args)) for part in parts]
    else:
        keys = [key for part in parts for key in part.keys]
        args = [arg for part in parts for arg in part.args]
        replies = [_send(redis, MAKE.command(keys, (" ".join(part.name for part in parts), *about, *args)))]
    if any(reply[0] == b"there" for reply in replies):
        return None
    return tuple(task for reply in replies for task in reply[1].decode().split())


def _send(redis: Client, command: tuple[Arg, ...]) -> list[bytes]:
    [reply] = exchange(redis, [command])
    if isinstance(reply, NoScriptError):
        MAKE.load(redis)
        reply = redis.execute_command(*command)
    told: list[bytes] = checked(reply)
    return told


def _draft(redis: Client, wave: Wave, members: Sequence[tuple[str, str]], on_progress: Callable[[int], None] | None) -> str:
    """A key with the members, written once each: a push whose reply was lost is sent again by the client. It is to expire before the
    large part of it is sent, so that nobody can die in between."""
    while True:
        draft = wave.key(f"draft-{secrets.token_hex(6)}")
        for at in range(0, len(members), PUSHES * MEMBERS_A_TRIP):
            to = min(at + PUSHES * MEMBERS_A_TRIP, len(members))
            ends = [at + 1, *range(at + MEMBERS_A_TRIP, to, MEMBERS_A_TRIP), to]
            parts = [members[start:end] for start, end in pairwise([at, *ends])]
            first, *pushes = [
                ("RPUSH", draft, *[f"{entity} {partition}" for entity, partition in part]) for part in parts if part
            ]
            one, _, *written = ask(redis, [first, ("EXPIRE", draft, 3600), *pushes])
            if [one, *written] != ends[: 1 + len(pushes)]:
                redis.unlink(draft)
                break
            if on_progress is not None:
                for many in written:
                    on_progress(many)
        else:
            return draft


def _announce(wave: Wave) -> _Part:
    version, date = wave.version, wave.date
    keys = [version_key(version, "pipes")]
    for task in wave.tasks:
        keys += (version_key(version, f"at:{task}:{date}"), version_key(version, f"dates:{task}"))
    return _Part("announce", keys, (date, date.start.timestamp()))


def _write(wave: Wave, plan: Plan, members: Sequence[tuple[str, str]], draft: str) -> _Part:
    given = [] if draft else [f"{entity} {partition}" for entity, partition in members]
    record = [word for pair in to_hash(wave).items() for word in pair]
    keys = [wave.key(what) for what in _KEYS]
    args = [plan.to_json(), script.body(plan), len(given), *given, len(record), *record]
    return _Part("write", [*keys, draft] if draft else keys, args)


def _tell(act: Act) -> _Part:
    words = words_of(act)
    return _Part("tell", (ACTS,), (MOST, ACTS_LIFE, len(words), *words))


def _list(wave: Wave) -> _Part:
    return _Part("list", (VERSIONS,), (wave.version, LIFE))


def _queue(wave: Wave, publish: Plan) -> _Part:
    place = 0 if wave.trigger.startswith("schedule:") else -URGENT if wave.trigger.startswith("backfill") else URGENT
    args = (wave.created, LISTED, wave.created - place, wave.flow, publish.to_json(), LIFE, tokens(wave.n))
    return _Part("queue", [version_key(wave.version, what) for what in ("waves", "queue", "bell", "flows")], args)
