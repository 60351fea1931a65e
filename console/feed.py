"""How news come from Redis to a screen: a thread a screen, with a client of its own, so that no key ever waits for Redis.

A `Feed` reads again and again from a source and posts what it hears as numbered, frozen `News`; of several that wait, the
last replaces the others. When Redis is away it posts `FeedLost` and goes on trying. An `Errand` asks once.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Protocol

from textual.message import Message

from console.moment import now

if TYPE_CHECKING:
    from textual.message_pump import MessagePump

    from engine.store.connect import Client

PATIENCE = 4.0
"""Seconds of silence after which Redis counts as gone."""
AGAIN = 0.5


class News(Message, bubble=False):
    """What a source read. `number` grows by one a read; `body` is None when nothing had changed; `at` is Unix time."""

    def __init__(self, number: int, at: float, body: object | None) -> None:
        super().__init__()
        self.number, self.at, self.body = number, at, body

    def can_replace(self, message: Message) -> bool:
        """Whether this message makes a later one of the queue its heir: one without news does not swallow news."""
        return isinstance(message, News) and (self.body is None or message.body is not None)


class FeedLost(Message, bubble=False):
    """Redis does not answer. `since`: Unix time of the last answer, None when there was none."""

    def __init__(self, since: float | None, reason: str) -> None:
        super().__init__()
        self.since, self.reason = since, reason


class Gone(Message, bubble=False):
    """What the screen shows is not in Redis (any more)."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class Source(Protocol):
    """What a feed reads."""

    def read(self, redis: Client) -> tuple[object | None, float]:
        """What there is, or None when nothing changed, and seconds until the next read."""


class Late:
    """A source that is made when it is first read, in the feed's thread, with all that it imports."""

    def __init__(self, make: Callable[[], Source]) -> None:
        self._make = make
        self._made: Source | None = None

    def read(self, redis: Client) -> tuple[object | None, float]:
        """As the source that is made."""
        self._made = self._made or self._make()
        return self._made.read(redis)


class Feed(Thread):
    """Reads `source` until `stop`, posting to `target`. Never raises; what goes wrong is posted."""

    def __init__(self, url: str, source: Source, target: MessagePump) -> None:
        super().__init__(name=f"feed-{type(source).__name__}", daemon=True)
        self._url, self._source, self._to = url, source, target
        self._wake, self._ended, self._least, self._paused = Event(), False, 0.0, False
        self._number = 0
        self._heard: float | None = None

    def stop(self) -> None:
        """Ends it soon; a read that is under way posts nothing any more."""
        self._ended = True
        self._wake.set()

    def wake(self) -> None:
        """Reads again at once."""
        self._wake.set()

    def pause(self, paused: bool) -> None:
        """Reads nothing while it is paused, but for a `wake`."""
        self._paused = paused
        if not paused:
            self._wake.set()

    def slow(self, seconds: float) -> None:
        """Leaves at least so many seconds between reads, while nobody looks; 0: as often as the source says, and at once."""
        self._least = seconds
        if not seconds:
            self._wake.set()

    def run(self) -> None:
        redis: Client | None = None
        while not self._ended:
            if redis is None:
                redis = self._connect()
            pause = AGAIN if redis is None else self._read(redis)
            self._wake.wait(None if self._paused else max(pause, self._least))
            self._wake.clear()
        if redis is not None:
            redis.close()

    def _connect(self) -> Client | None:
        try:
            return client(self._url)
        except Exception as error:
            self._post(FeedLost(None, sentence(error)))
            return None

    def _read(self, redis: Client) -> float:
        from engine.errors import NotFound

        try:
            body, pause = self._source.read(redis)
        except NotFound as error:
            self._post(Gone(sentence(error)))
            return 1.0
        except Exception as error:
            self._post(FeedLost(self._heard, sentence(error)))
            return AGAIN
        self._number, self._heard = self._number + 1, now()
        self._post(News(self._number, self._heard, body))
        return pause

    def _post(self, message: Message) -> None:
        if not self._ended:
            deliver(self._to, message)


class Answer(Message, bubble=False):
    """What an errand named `name` brought back."""

    def __init__(self, name: str, value: Any) -> None:
        super().__init__()
        self.name, self.value = name, value


class Refusal(Message, bubble=False):
    """Why an errand named `name` brought nothing."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__()
        self.name, self.reason = name, reason


class Errand(Thread):
    """Asks Redis once, off the screen's path, and posts an `Answer` or a `Refusal` to `target`. Starts at once. Only if it
    is to `write` can it change anything."""

    def __init__(
        self, url: str, target: MessagePump, name: str, ask: Callable[[Client], object], *, write: bool = False
    ) -> None:
        super().__init__(name=f"errand-{name}", daemon=True)
        self._url, self._to, self._errand, self._ask, self._write = url, target, name, ask, write
        self.start()

    def run(self) -> None:
        message: Message
        try:
            with client(self._url, timeout=30.0 if self._write else 10.0, write=self._write) as redis:
                message = Answer(self._errand, self._ask(redis))
        except Exception as error:
            message = Refusal(self._errand, sentence(error))
        deliver(self._to, message)


@dataclass(frozen=True, slots=True)
class Place:
    """A Redis as people name it, without user and password."""

    name: str

    @classmethod
    def of(cls, url: str) -> Place:
        """The server a URL leads to."""
        rest = url.partition("://")[2].rpartition("@")[2].split("?")[0]
        path = url.startswith("unix://")
        return cls("/".join(rest.split("/")[-2:]) if path else rest.removesuffix("/0").rstrip("/"))


def deliver(target: MessagePump, message: Message) -> None:
    """Posts from a thread; to an app that has ended, nothing."""
    with contextlib.suppress(RuntimeError):  # its event loop is closed
        target.post_message(message)


def client(url: str, timeout: float = PATIENCE, *, write: bool = False) -> Client:
    """A client that tells at once when Redis is gone, and can only read unless it is to `write`."""
    from engine.store.connect import connect

    return connect(url, timeout=timeout, retries=0, read_only=not write)


def sentence(error: BaseException) -> str:
    """An error in a line for the person who reads it."""
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.exceptions import TimeoutError as RedisTimeoutError

    from engine.errors import WavedeckError

    text = str(error).partition("\n")[0]
    if isinstance(error, WavedeckError):
        return text
    if isinstance(error, RedisTimeoutError):
        return "Redis does not answer"
    if isinstance(error, RedisConnectionError):
        return f"Redis cannot be reached: {text[:1].lower()}{text[1:]}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
