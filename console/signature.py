"""What makes two failures the same: their message with numbers, keys and quoted parts blanked. Pure."""

import re

_BLANKS = [
    (re.compile(r"\d{4}-\d\d-\d\d(T\d\d(:\d\d)*Z?)?"), "<date>"),
    (re.compile(r"0x[0-9a-fA-F]+"), "<address>"),
    (re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\""), "<text>"),
    (re.compile(r"\b[0-9a-f]{12,}\b"), "<id>"),
    (re.compile(r"\b[A-Z0-9]+(-[A-Z0-9]+)+\b"), "<key>"),
    (re.compile(r"\d+(\.\d+)?"), "<n>"),
]
_LONGEST = 200


def signature(message: str) -> str:
    """`message` without what differs from entity to entity: its first line, dates, addresses, quoted text, ids and numbers blanked."""
    line = message.split("\n", 1)[0]
    for pattern, blank in _BLANKS:
        line = pattern.sub(blank, line)
    return line[:_LONGEST]
