"""The grammar of every name and key. Pure.

A pipe's key is exactly `{version}/{pipe} {entity} {date}`. A version is a git branch or tag and may hold `/`, so a key
parses from the right. Every key that is not a pipe's begins with `wd:` and holds no space, so the two never meet.
What belongs together on Redis Cluster shares a hash tag: `{version}` for a version's keys, `{version#wave}` for a wave's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Self
from urllib.parse import unquote_to_bytes

from engine.errors import BadKey
from engine.plain import quoted

MAX_ENTITY = 4096
MAX_VERSION = 200
MAX_TEXT = 1000

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d)?")
# White space, controls, format characters (zero width, bidi, tags) and surrogates, by number: what a key is must not depend on the
# Unicode tables of the Python that makes it.
_UNSEEN = (
    "\x00-\x20\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000110bd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_NOT_IN_ENTITY = re.compile(f"[%{{}}{_UNSEEN}]")
_NOT_IN_VERSION = re.compile(rf"[{{}}*?\[\\^~:{_UNSEEN}]")


class Date(str):
    """The hour or day that a wave is about, UTC: `2013-07-01T14` or `2013-07-01`. It is a `str`, so it prints and stores as itself.

    Raises:
        BadKey: it is neither form, or no such day or hour exists.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        if isinstance(text, Date):
            return super().__new__(cls, text)
        if not isinstance(text, str) or not _DATE.fullmatch(text) or not text.isascii():
            raise BadKey(f"date {quoted(text)} is neither YYYY-MM-DD nor YYYY-MM-DDTHH")
        try:
            _start(text)
        except ValueError:
            raise BadKey(f"date {text!r} does not exist") from None
        return super().__new__(cls, text)

    @classmethod
    def of(cls, moment: datetime, *, hourly: bool = True) -> Self:
        """The hour (or day) that holds `moment`, which must be aware of its zone."""
        return cls(moment.astimezone(UTC).isoformat()[: 13 if hourly else 10])

    @property
    def hourly(self) -> bool:
        """Whether it is an hour, not a day."""
        return len(self) == 13

    @property
    def step(self) -> timedelta:
        """An hour or a day."""
        return timedelta(hours=1) if self.hourly else timedelta(days=1)

    @property
    def start(self) -> datetime:
        """Its first moment, aware, UTC."""
        return _start(self)

    def shift(self, steps: int) -> Self:
        """The date `steps` hours (or days) later; earlier when negative."""
        return type(self).of(self.start + steps * self.step, hourly=self.hourly)

    def back(self, seconds: float) -> Iterator[Self]:
        """The earlier dates, newest first, that are at most `seconds` older."""
        for steps in range(1, int(seconds // self.step.total_seconds()) + 1):
            yield self.shift(-steps)


@lru_cache(maxsize=4096)
def _start(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def check_version(version: str) -> str:
    """`version` itself, when it can be a part of a key.

    Raises:
        BadKey: it is empty, too long, holds a space, brace, control character or a character that git refuses in branch
            names, or begins or ends with `/`.
    """
    if not isinstance(version, str) or not version:
        raise BadKey("version is empty")
    if len(version) > MAX_VERSION:
        raise BadKey(f"version {version[:20]!r}… is longer than {MAX_VERSION} characters")
    if bad := _NOT_IN_VERSION.search(version):
        raise BadKey(f"version {version!r} holds {bad[0]!r}, which no version may")
    if version.startswith(("/", "-")) or version.endswith("/") or "//" in version or ".." in version:
        raise BadKey(f"version {version!r} is not a branch name")
    return version


def check_name(name: str, what: str = "pipe name") -> str:
    """`name` itself, when it can name a task, pipe, flow or state: letters, digits, `_`, `.`, `-`; 100 at most.

    Raises:
        BadKey: it is not; the text begins with `what`.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name) or not name.isascii():
        raise BadKey(f"{what} {quoted(name)} must be letters, digits, '_', '.' or '-' and begin with a letter or '_'")
    return name


def check_text(text: str, what: str) -> str:
    """`text` itself, when it can be kept as it is: who did something, and why.

    Raises:
        BadKey: it has no UTF-8 form, or more than `MAX_TEXT` characters; the text begins with `what`.
    """
    if len(text) > MAX_TEXT:
        raise BadKey(f"{what} {text[:20]!r}… has {len(text):,} characters; {MAX_TEXT:,} are kept")
    if not is_text(text):
        raise BadKey(f"{what} {text[:40]!r} holds a lone surrogate, which is no text")
    return text


def is_text(text: str) -> bool:
    """Whether it has a UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def encode_entity(raw: str) -> str:
    """The key form of a user's entity key. What a key cannot hold (white space, control and format characters, braces, lone
    surrogates, `%`) becomes `%XX` of its UTF-8 bytes; everything else stays readable. `decode_entity` gives `raw` back.

    Raises:
        BadKey: `raw` is empty, holds NUL (no process could be given it), or is too long.
    """
    if not isinstance(raw, str) or not raw:
        raise BadKey("entity key is empty")
    if "\0" in raw:
        raise BadKey(f"entity key {raw[:40]!r} holds NUL")
    encoded = _NOT_IN_ENTITY.sub(_percent, raw)
    if len(encoded) > MAX_ENTITY:
        raise BadKey(f"entity key {raw[:20]!r}… is longer than {MAX_ENTITY} characters")
    return encoded


def _percent(found: re.Match[str]) -> str:
    return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))


def decode_entity(encoded: str) -> str:
    """The user's entity key of a key form. Inverse of `encode_entity`."""
    if "%" not in encoded:
        return encoded
    return unquote_to_bytes(encoded).decode("utf-8", "surrogatepass")


def check_entity(encoded: str) -> str:
    """`encoded` itself, when `encode_entity` could have made it.

    Raises:
        BadKey: it could not.
    """
    try:
        if encode_entity(decode_entity(encoded)) == encoded:
            return encoded
    except UnicodeError:
        pass
    raise BadKey(f"entity key {encoded[:40]!r} is not percent-encoded as keys are")


@dataclass(frozen=True, slots=True)
class PipeKey:
    """Where a pipe lies. `entity` is in key form (`encode_entity`)."""

    version: str
    pipe: str
    entity: str
    date: Date

    def __str__(self) -> str:
        return f"{self.version}/{self.pipe} {self.entity} {self.date}"

    @classmethod
    def parse(cls, key: str) -> Self:
        """What made `key`.

        Raises:
            BadKey: it is no pipe's key; the text names the part.
        """
        words = key.split(" ")
        if len(words) != 3:
            raise BadKey(f"key {quoted(key)} is not '{{version}}/{{pipe}} {{entity}} {{date}}'")
        version, slash, pipe = words[0].rpartition("/")
        if not slash:
            raise BadKey(f"key {quoted(key)} has no version")
        return cls(check_version(version), check_name(pipe), check_entity(words[1]), Date(words[2]))

    @classmethod
    def make(cls, version: str, pipe: str, raw_entity: str, date: str) -> Self:
        """The checked key of a user's entity.

        Raises:
            BadKey: a part is illegal; the text names it.
        """
        return cls(check_version(version), check_name(pipe), encode_entity(raw_entity), Date(date))


def state_key(state: str, what: str) -> str:
    """A key of a state: `partitions`, or `in:PARTITION` (in key form)."""
    return f"wd:state:{{{state}}}:{what}"


def version_key(version: str, what: str) -> str:
    """A key of a version: `waves`, `queue`, `bell`, `workers`, `flows`, `pipes` …"""
    return f"wd:{{{version}}}:{what}"


def wave_key(version: str, wave: str, what: str) -> str:
    """A key of one wave; all of them are on one slot of a cluster."""
    return f"wd:{{{version}#{wave}}}:{what}"


VERSIONS = "wd:versions"
"""Sorted set of versions by when they were last active (Unix seconds)."""

STATES = "wd:states"
"""Sorted set of states by when they were last refreshed."""
