r"""Text from outside on a terminal: what a terminal would obey, or not show, is spelled out. Pure."""


def plain(text: str) -> str:
    r"""`text` with controls, format characters (bidi, zero width), lone surrogates and what is unassigned spelled out: `\x1b`, `\u202e`.
    Line feeds and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else spelled(c) for c in text)


def spelled(char: str) -> str:
    r"""A character by its number, as Python writes it: `\x1b`, `\u202e`, `\U000e0041`."""
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def quoted(text: object, most: int = 100) -> str:
    """What somebody has given us, in an error: in quotes as Python writes it, which holds nothing that a terminal obeys, and cut."""
    told = str(text)
    return repr(told) if len(told) <= most else f"{told[:most]!r}…"
