"""What the screen of failures reads. Runs in the feed's thread."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.reports.book import Book, shared
from console.reports.failures import Family, FirstRed, Past, families_of, first_red
from engine.store.wave import Wave
from engine.store.waves import Waves

if TYPE_CHECKING:
    from engine.store.connect import Client

LIVE, IDLE = 0.5, 2.0
SHARE = 10
"""Of the time reading may take one part in so many, once the first reading is done."""


@dataclass(frozen=True)
class FailuresNews:
    """The families of a wave. `read` of `bad` notes are known; `comparing`: the date of the earlier wave that is read now, "" when all
    are known; `tracebacks`: family key → one example's; `red`: once all notes are read."""

    wave: Wave
    families: tuple[Family, ...]
    tracebacks: dict[str, str]
    red: FirstRed | None
    read: int
    bad: int
    comparing: str = ""


class FailuresSource:
    """The failures of one wave, a page of notes at a time; then those of the waves before it, to tell what is new."""

    def __init__(self, wave: str) -> None:
        self._name = wave
        self._book: Book | None = None
        self._past: Past | None = None
        self._seen: object = None

    def read(self, redis: Client) -> tuple[FailuresNews | None, float]:
        """The families known so far; at once again while there are more to read.

        Raises:
            NotFound: no such wave, or it has expired.
        """
        began = time.monotonic()
        book = self._book = self._book or shared(Waves(redis).get(self._name))
        with book.lock:
            complete = book.update(redis)
            past = self._look_back(redis, book) if complete else None
            state = book.read, book.bad, bool(book.wave.ended), past and (past.date, len(past.found))
            wait = IDLE if book.wave.ended else max(LIVE, SHARE * (time.monotonic() - began))
            if past is not None and past.date and book.groups:
                wait = 0.0
            if state == self._seen:
                return None, wait
            self._seen = state
            news = self._news(redis, book, past)
        return news, wait if complete else 0.0

    def _look_back(self, redis: Client, book: Book) -> Past:
        """A page of the waves before; of no use while there is nothing to compare."""
        if self._past is None:
            self._past = Past(Waves(redis), book.wave)
        elif book.groups:
            self._past.update(redis)
        return self._past

    def _news(self, redis: Client, book: Book, past: Past | None) -> FailuresNews:
        return FailuresNews(
            wave=book.wave,
            families=families_of(redis, book, past.found if past else ()),
            tracebacks={key: group.traceback for key, group in book.groups.items()},
            red=first_red(redis, book.wave) if past is not None and book.groups else None,
            read=book.read,
            bad=book.bad,
            comparing=past.date if past is not None and book.groups else "",
        )
