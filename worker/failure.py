"""How a failed cell tells why: a few fields that a person and a grouping can read."""

import linecache
import sysconfig
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

_OWN = {str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent / "engine")}
_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {"<frozen"})
_MESSAGE = 2000
_TRACEBACK = 16_000


class LimitExceededError(Exception):
    """A task ran longer than its limit."""


class CommandFailedError(Exception):
    """A command ended with another status than 0."""


def describe(error: BaseException) -> dict[str, str]:
    """Type, message, where (the last frame of the user's code, not of a library it called) and traceback, without Wavedeck's own
    frames."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if not _own(f.filename)]
    try:
        text = "".join(_format(error, error.__traceback__))
    except Exception:  # an exception that breaks when it is looked at
        text = "".join(traceback.format_list(frames))
    own = [f for f in frames if not f.filename.startswith(_LIBRARIES)]
    last = next(reversed(own or frames), None)
    name = type(error).__name__
    return reason(
        name.removesuffix("Error") if type(error).__module__ == __name__ else name,
        _text(error),
        where=f"{short(last.filename)}:{last.lineno} in {last.name}" if last else "",
        trace=text,
    )


def reason(kind: str, message: str, *, where: str = "", trace: str = "") -> dict[str, str]:
    """The fields, cut to size, and with nothing in them that JSON cannot hold."""
    return {
        "type": _clean(kind),
        "message": _clean(message[:_MESSAGE]),
        "where": _clean(where),
        "traceback": _clean(trace[-_TRACEBACK:]),
    }


def _format(error: BaseException, tb: TracebackType | None) -> list[str]:
    """As Python prints it, causes included, without our frames."""
    shown = traceback.TracebackException(type(error), error, tb, limit=None)
    todo: list[Any] = [shown]
    seen: set[int] = set()
    while todo:
        e = todo.pop()
        if e is None or id(e) in seen:
            continue
        seen.add(id(e))
        e.stack = traceback.StackSummary.from_list([_shown(f) for f in e.stack if not _own(f.filename)])
        todo += [e.__cause__, e.__context__, *(getattr(e, "exceptions", None) or [])]
    linecache.checkcache()
    return list(shown.format())


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as e:
        return f"(its text cannot be had: {type(e).__name__})"


def _shown(frame: traceback.FrameSummary) -> traceback.FrameSummary:
    """A frame whose file is named as people name it; its line of code is read first, by the file's full name."""
    _ = frame.line
    frame.filename = short(frame.filename)
    return frame


def _own(filename: str) -> bool:
    return str(Path(filename).parent) in _OWN


def short(path: str) -> str:
    """A file as people name it."""
    try:
        return str(Path(path).relative_to(Path.cwd()))
    except ValueError:
        return path


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
