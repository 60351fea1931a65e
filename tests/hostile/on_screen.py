"""What may reach a terminal: printable text, and of control sequences those that we send ourselves."""

import re
import unicodedata

from rich.cells import cell_len

SGR = re.compile(r"\x1b\[[\d;:]*m")
_SEQUENCE = re.compile(
    r"\x1b\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]"
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"
    r"|\x1b[\x20-\x2f]*[\x30-\x5a\x5c\x60-\x7e]"
)
_HIDDEN = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u20e3"


def odd(text: str) -> list[str]:
    """The characters of a text, line feeds aside, that a terminal would obey, or that nobody would see."""
    if text.isascii() and text.isprintable():
        return []
    return sorted({ascii(c) for c in text if c != "\n" and (not c.isprintable() or c in _HIDDEN or "\ufe00" <= c <= "\ufe0f")})


def wrong_lines(lines: list[str], width: int) -> list[str]:
    """Lines of a screen that are not as wide as it, hold what no line should, or pile marks upon a letter."""
    return [ascii(one) for one in lines if odd(one) or cell_len(one) != width or _piled(one)]


def _piled(text: str) -> bool:
    if text.isascii():
        return False
    marks = "".join("m" if unicodedata.category(c) in ("Mn", "Me") else "." for c in text)
    return "mmmm" in marks


def printed(data: bytes) -> list[str]:
    """What of a command's output to a terminal is neither text nor a colour."""
    text = SGR.sub("", data.decode("utf-8", "surrogateescape")).replace("\r\n", "\n")
    return sorted({ascii(c) for c in text if c != "\n" and not c.isprintable()})


def kinds(data: bytes) -> set[str]:
    """The kinds of control sequences, numbers left out, and of control characters in what a program has drawn. What a title or the
    clipboard is set to is left out as well, when it holds nothing that ends it early."""
    text, found, at = data.decode("utf-8", "surrogateescape"), set(), 0
    for match in _SEQUENCE.finditer(text):
        found |= set(odd(text[at : match.start()]))
        found.add(_kind(match[0]))
        at = match.end()
    return found | set(odd(text[at:]))


def _kind(sequence: str) -> str:
    if sequence.startswith("\x1b]2;wavedeck"):
        return f"title {odd(sequence[4:-1])}"
    if re.fullmatch(r"\x1b\]52;c;[A-Za-z0-9+/=]*\x07", sequence):
        return "clipboard"
    private = re.fullmatch(r"\x1b\[([<=>?]?)[\d;:]*([\x20-\x2f]*[\x40-\x7e])", sequence)
    if private is None:
        return ascii(sequence)
    whole = private[2] not in "mHABCDGd"  # modes and questions count by what they are about
    return ascii(sequence) if whole else f"CSI {private[1]}{private[2]}"
