"""What a person looks for, as a regular expression that cannot hold up the console. Pure.

Python's `re` has no limit: `(a+)+$` on a key of thirty letters outlives whoever typed it, and no other thread runs meanwhile. So `re` is
asked only where its work is bounded by the length of the text; else `regex`, which reads the same patterns and stops when it is told to.
"""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

BUDGET = 1.0
"""Seconds of looking, within `WINDOW`, after which a pattern is given up."""
WINDOW = 2.0
_EASY = 10_000
"""Steps on one text that nobody notices."""
_BLOCK = 256


class BadPattern(ValueError):
    """A text is no regular expression."""


class SlowPattern(BadPattern):
    """A pattern takes too long on these texts."""


class Pattern:
    """A compiled pattern; use `pattern`, which keeps them.

    Raises:
        BadPattern: it is no regular expression.
    """

    def __init__(self, text: str, flags: int) -> None:
        self.pattern = text
        self._flags = flags
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what may mean something else one day
                self._quick = re.compile(text, flags)
        except (re.error, RecursionError, OverflowError) as error:
            raise BadPattern(str(error)) from None
        # What is not repeated as a group takes at most length ** (choices + 1) steps: each of them begins and ends anywhere.
        self._choices = None if re.search(r"\)[*+?{]", text) else sum(text.count(sign) for sign in "*+?{|")
        self._bounded: Any = None
        self._since, self._spent, self._slow = 0.0, 0.0, False

    def search(self, text: str) -> bool:
        """Whether it is somewhere in `text`.

        Raises:
            SlowPattern: that takes too long; from then on at once.
        """
        self._refuse()
        began = time.perf_counter()
        found = self._found(text, began)
        self._account(began)
        return found

    def mask(self, texts: Iterable[str]) -> bytes:
        """For each text 1 where it is in it, else 0. Raises as `search`."""
        self._refuse()
        found = bytearray()
        began = time.perf_counter()
        for number, text in enumerate(texts, 1):
            found.append(self._found(text, began))
            if not number % _BLOCK:
                self._account(began)
                began = time.perf_counter()
        self._account(began)
        return bytes(found)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where in `text` it is, without empty ones: first character, and the one after the last. Raises as `search`."""
        self._refuse()
        began = time.perf_counter()
        if self._easy(text):
            found = [match.span() for match in self._quick.finditer(text)]
        else:
            found = self._within(began, lambda slow, timeout: [m.span() for m in slow.finditer(text, timeout=timeout)])
        self._account(began)
        return [(start, end) for start, end in found if start < end]

    def _found(self, text: str, began: float) -> bool:
        if self._easy(text):
            return self._quick.search(text) is not None
        return bool(self._within(began, lambda slow, timeout: slow.search(text, timeout=timeout) is not None))

    def _easy(self, text: str) -> bool:
        return self._choices is not None and (len(text) + 1) ** min(self._choices + 1, 14) <= _EASY

    def _within(self, began: float, look: Callable[[Any, float], Any]) -> Any:
        if self._bounded is None:
            self._bounded = _bounded(self.pattern, self._flags)
        left = BUDGET - self._spent - (time.perf_counter() - began)
        try:
            return look(self._bounded, max(left, 0.001))
        except TimeoutError:
            self._slow = True
        self._refuse()
        return None

    def _account(self, began: float) -> None:
        now = time.perf_counter()
        if began - self._since > WINDOW:
            self._since, self._spent = began, 0.0
        self._spent += now - began
        self._slow = self._slow or self._spent > BUDGET
        self._refuse()

    def _refuse(self) -> None:
        if self._slow:
            raise SlowPattern(f"it takes over {BUDGET:g} s here; a repetition within a repetition is what usually does")


def _bounded(text: str, flags: int) -> Any:
    """As `regex` reads it.

    Raises:
        BadPattern: it cannot.
    """
    import regex  # few patterns need it

    try:
        return regex.compile(
            text,
            regex.VERSION0
            | (regex.IGNORECASE if flags & re.IGNORECASE else 0)
            | (regex.MULTILINE if flags & re.MULTILINE else 0),
        )
    except (regex.error, RecursionError, OverflowError) as error:
        raise BadPattern(str(error)) from None


@lru_cache(maxsize=64)
def pattern(text: str, flags: int = re.IGNORECASE) -> Pattern:
    """The pattern of `text`; the same one again, so that one which took too long is not tried anew with every row.

    Raises:
        BadPattern: it is no regular expression.
    """
    return Pattern(text, flags)


def has_words(text: str, query: str) -> bool:
    """Whether `text` has all words of the query: regular expressions, `!` turns one round.

    Raises:
        BadPattern: a word is no regular expression, or takes too long.
    """
    return all(pattern(word.removeprefix("!")).search(text) is not word.startswith("!") for word in query.split())
