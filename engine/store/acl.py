"""What a Redis user of Wavedeck must be allowed, and no more: rules of ACL SETUSER, Redis 7 or later. Pure.

A worker writes what is its version's, and the states, which all versions share; of its bases it reads. A console reads all that is
Wavedeck's, and writes its version's waves and the log of acts; pipes are for workers to write. A reader is a console that writes
nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.keys import STATES, VERSIONS, check_name, check_version, state_key, version_key, wave_key
from engine.store.acts import KEY as ACTS
from engine.store.connect import PROBE

# INFO says whether there is room. A cluster's client asks for slots and commands, and is sent on to where a slot moves.
_FINDS = "ping time info cluster|slots command asking"
_SCRIPTS = "evalsha script|load"
# What the server scripts call is the caller's to be allowed.
_IN_SCRIPTS = """
    del expireat getrange hget hincrby hmget hset hsetnx lindex llen lpop lrange rpush setrange zadd zrange zrangebyscore zrem zscore
"""
_WORKS = "get mget set exists ttl expire hgetall hkeys hexists zcard zrevrange zremrangebyscore zremrangebyrank blpop ltrim"
_LOOKS = """
    get mget getrange strlen exists ttl pttl hget hmget hgetall hkeys hlen hscan hexists lrange llen lindex lpos zrange zrevrange
    zrangebyscore zcard zcount zscore xrevrange memory|usage multi exec unwatch
"""
_ACTS = "set expire hdel unlink rename ltrim xadd xdel zremrangebyscore"

COMMANDS = {
    "worker": f"{_FINDS} {_SCRIPTS} {_IN_SCRIPTS} {_WORKS}",
    "console": f"{_FINDS} {_SCRIPTS} {_IN_SCRIPTS} {_LOOKS} {_ACTS}",
    "reader": f"{_FINDS} {_LOOKS}",
}
"""The commands of each kind of user, as ACL rules name them."""

WAVE_ID = "w" + "?" * 12
"""What matches a wave's id, and of versions only one that would look like a wave of this one."""
_SPACE = "[^!-~]"
"""What matches the space after a pipe's name: a rule may not hold one. No name holds another character outside `!` to `~`."""
_ALL_READ = ("%R~wd:*", "%R~*/*")


@dataclass(frozen=True)
class User:
    """A user as ACL SETUSER makes it. Its password is not among the rules: it cannot log in before it is given one, and keeps it when
    the rules are set again."""

    name: str
    rules: tuple[str, ...]

    def command(self) -> str:
        """The line for redis-cli."""
        return " ".join(map(_quoted, ("ACL", "SETUSER", self.name, *self.rules)))


def users(version: str, bases: Sequence[str] = (), pipes: Sequence[str] = ()) -> dict[str, User]:
    """The users of a version: its `worker`, `console` and `reader`.

    Parameters:
        bases: versions whose pipes the worker reads.
        pipes: names of pipes that the worker may write; when none is given all below the version's prefix, and below it lie those of
            versions whose names go on after a `/` (of `feature` those of `feature/x`).

    Raises:
        BadKey: a name cannot be a key.
    """
    shared = [f"~{key}" for key in (VERSIONS, STATES, state_key("*", "*"))]
    for name in (version, *bases):
        check_version(name)
    read = [rule for base in bases for rule in _pipes("%R~", base, ()) + _keys("%R~", base)]
    own = _keys("~", version)
    keys = {
        "worker": [*_pipes("~", version, pipes), *own, *shared, *read],
        "console": [*own, *shared, f"~{ACTS}", f"~{PROBE}", *_ALL_READ],
        "reader": _ALL_READ,
    }
    return {kind: User(f"{version}-{kind}", _rules(kind, keys[kind])) for kind in COMMANDS}


def _pipes(rule: str, version: str, pipes: Sequence[str]) -> list[str]:
    return [f"{rule}{version}/{check_name(pipe)}{_SPACE}*" for pipe in pipes] or [f"{rule}{version}/*"]


def _keys(rule: str, version: str) -> list[str]:
    """A version's keys and those of its waves."""
    return [f"{rule}{version_key(version, '*')}", f"{rule}{wave_key(version, WAVE_ID, '*')}"]


def _rules(kind: str, keys: Sequence[str]) -> tuple[str, ...]:
    commands = [f"+{command}" for command in dict.fromkeys(COMMANDS[kind].split())]
    return ("on", "resetkeys", "resetchannels", "clearselectors", "-@all", *commands, *keys)


def _quoted(word: str) -> str:
    """A word as redis-cli reads it back."""
    if not set("\"'\\") & set(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
