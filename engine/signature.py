"""What makes two failures the same: their message with numbers, keys and quoted parts blanked. Pure."""

import re
from collections.abc import Iterable
from functools import lru_cache

_BLANKS = [
    (re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d(:\d\d)*(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?"), "<date>"),
    (re.compile(r"0x[0-9a-fA-F]+"), "<address>"),
    (re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\""), "<text>"),
    (re.compile(r"\b[0-9a-f]{12,}\b|\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b[A-Z0-9]+(-[A-Z0-9]+)+\b"), "<key>"),
    (re.compile(r"\d+(\.\d+)?"), "<n>"),
]
_PART = re.compile(r"\b(?=[A-Z0-9]*[A-Z])[A-Z0-9]{2,}\b")
_SEEN, _LONGEST = 600, 200
"""Characters of a message that are looked at, and that are kept."""


def signature(message: str, names: Iterable[str] = ()) -> str:
    """`message` without what differs from entity to entity: its first line, with `names` (the entity and its partition, and of these the
    parts in capitals), dates, addresses, quoted text, ids and numbers blanked."""
    line = message[:_SEEN]
    for name in names:
        line = _without(line, name, "<key>") if len(name) > 1 else line
        for part in _PART.findall(name):
            if part in line:
                line = _without(line, part, "<key>")
    return _blanked(line.split("\n", 1)[0])


@lru_cache(maxsize=4096)
def _blanked(line: str) -> str:
    for pattern, blank in _BLANKS:
        line = pattern.sub(blank, line)
    return line[:_LONGEST]


def _without(line: str, word: str, blank: str) -> str:
    """`line` with `blank` for every `word` that is a word of its own."""
    at = line.find(word)
    while at >= 0:
        end = at + len(word)
        if _ends(line[at - 1 : at]) and _ends(line[end : end + 1]):
            line, end = line[:at] + blank + line[end:], at + len(blank)
        at = line.find(word, end)
    return line


def _ends(beside: str) -> bool:
    return not (beside.isalnum() or beside == "_")
