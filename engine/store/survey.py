"""What a launch must know before it writes anything, in one trip. On a cluster the nodes' clock and room, and whether this user may
write, are asked for apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from engine.keys import version_key, wave_key
from engine.payload import decode_json
from engine.store.connect import PROBE, Client, clock, must_write, refusals, time_of
from engine.store.exchange import checked, exchange, pairs
from engine.store.ledger import Longest, read_longest
from engine.store.room import has_limit, room
from engine.store.states import Active
from engine.store.wave import Wave, from_hash

QUEUED = 32
"""Waves of the queue that are asked for."""


@dataclass(frozen=True)
class Survey:
    """What there is. `config`: the version's overrides; `now`: Redis' clock, Unix seconds; `limited`: whether there is a maxmemory;
    `there`: the wave itself; `queued`: ids of waves, the `QUEUED` most urgent; `active`: entities by partition, of whom that was asked."""

    config: Mapping[str, Any]
    now: float
    limited: bool
    there: Wave | None
    queued: Sequence[str]
    longest: Longest
    active: Mapping[str, Sequence[str]]


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
        ("ZRANGE", version_key(version, "queue"), 0, QUEUED - 1),
        ("GET", version_key(version, f"longest:{flow}")),
        *(active.commands() if active is not None else ()),
    ]
    asked = [*commands, ("UNLINK", PROBE), ("TIME",), ("INFO", "memory")] if alone else commands
    replies = exchange(redis, asked)
    if alone:
        *replies, may_write, time, info = replies
        with refusals():
            checked(may_write)
        now, limited = time_of(time), has_limit(info)
    else:
        now, there = clock(redis), room(redis)
        limited = there is not None and there.limit > 0
    config, stored, queued, longest, *told = map(checked, replies)
    record = pairs(stored)
    return Survey(
        {name.decode(): decode_json(value) for name, value in pairs(config).items()},
        now,
        limited,
        from_hash(wave, record) if b"n" in record else None,
        [name.decode() for name in queued],
        read_longest(longest),
        active.read(told) if active is not None else {},
    )
