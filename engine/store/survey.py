"""What a launch must know before it writes anything, in one trip. On a cluster the nodes' clock and room, and whether this user may
write, are asked for apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis import Redis

from engine.keys import version_key, wave_key
from engine.payload import decode_json
from engine.store.connect import PROBE, Client, clock, must_write, refusals, time_of
from engine.store.exchange import exchange
from engine.store.ledger import Longest, read_longest
from engine.store.room import has_limit, room
from engine.store.states import Active
from engine.store.wave import Wave, from_hash


@dataclass(frozen=True)
class Survey:
    """What there is. `config`: the version's overrides; `now`: Redis' clock, Unix seconds; `limited`: whether there is a maxmemory;
    `there`: the wave itself; `queued`: how many waves are; `active`: entity → partition, of whom that was asked."""

    config: Mapping[str, Any]
    now: float
    limited: bool
    there: Wave | None
    queued: int
    longest: Longest
    active: Mapping[str, str]


def survey(redis: Client, version: str, flow: str, wave: str, active: Active | None) -> Survey:
    """Reads it all.

    Parameters:
        wave: an id.
        active: of whom it is asked whether they are active, if of anybody.

    Raises:
        Refused: this client or its user may not write; the text says why.
    """
    alone = type(redis) is Redis
    if not alone:
        must_write(redis)
    commands: list[tuple[Any, ...]] = [
        ("HGETALL", version_key(version, f"config:{flow}")),
        ("HGETALL", wave_key(version, wave, "wave")),
        ("ZCARD", version_key(version, "queue")),
        ("GET", version_key(version, f"longest:{flow}")),
        *(active.commands() if active is not None else ()),
    ]
    asked = [*commands, ("UNLINK", PROBE), ("TIME",), ("INFO", "memory")] if alone else commands
    replies = exchange(redis, asked)
    if alone:
        *replies, may_write, time, info = replies
        with refusals():
            _checked(may_write)
        now, limited = time_of(time), has_limit(info)
    else:
        now, there = clock(redis), room(redis)
        limited = there is not None and there.limit > 0
    config, stored, queued, longest, *told = map(_checked, replies)
    record = _pairs(stored)
    return Survey(
        {name.decode(): decode_json(value) for name, value in _pairs(config).items()},
        now,
        limited,
        from_hash(wave, record) if b"n" in record else None,
        queued,
        read_longest(longest),
        active.read(told) if active is not None else {},
    )


def _checked(reply: Any) -> Any:
    if isinstance(reply, Exception):
        raise reply
    return reply


def _pairs(reply: Any) -> dict[bytes, bytes]:
    """A hash: as a server sends it, or as redis-py reads it."""
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
