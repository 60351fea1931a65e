"""Two values of JSON field by field: what changed, what is only in one of them. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

Step = str | int
"""A key of an object, or a place in a list."""
MOST = 200
"""Differences that are told of one value."""
LONGEST = 60
"""Characters of a value in a line."""


@dataclass(frozen=True)
class Difference:
    """One difference. `path` leads there from the whole value; `before` or `now` is None when there was or is nothing (`what` says
    so, as None is a value, too); `relative`: how much larger a number became, as a share of what it was."""

    path: tuple[Step, ...]
    what: Literal["changed", "added", "removed"]
    before: Any = None
    now: Any = None
    relative: float | None = None

    @property
    def where(self) -> str:
        """The path as people write it: `rows[3].temp`; nothing for the whole value."""
        return path_text(self.path)

    @property
    def words(self) -> str:
        """`rows[3].temp  12.1 → 13.0 (+7.4%)`; a dash stands for nothing."""
        was = "–" if self.what == "added" else brief(self.before)
        is_now = "–" if self.what == "removed" else brief(self.now)
        share = "" if self.relative is None else f" ({self.relative:+.1%})" if abs(self.relative) >= 0.0005 else " (<0.1%)"
        return f"{self.where or 'the value'}  {was} → {is_now}{share}"


def differences(before: Any, now: Any) -> Iterator[Difference]:
    """What is different in `now`, in the order of `before`, then what was added. Both are values that JSON has: an object is compared
    by its keys, a list place by place; 1 and 1.0 are equal, 1 and true are not. Nested ever so deeply, it does not recurse."""
    todo: list[Iterator[tuple[tuple[Step, ...], Any, Any, str]]] = [iter([((), before, now, "changed")])]
    while todo:
        pair = next(todo[-1], None)
        if pair is None:
            todo.pop()
            continue
        path, a, b, what = pair
        if what == "added":
            yield Difference(path, "added", None, b)
        elif what == "removed":
            yield Difference(path, "removed", a, None)
        elif isinstance(a, dict) and isinstance(b, dict):
            todo.append(_keys(path, a, b))
        elif isinstance(a, list) and isinstance(b, list):
            todo.append(_places(path, a, b))
        elif not _same(a, b):
            yield Difference(path, "changed", a, b, _relative(a, b))


def _keys(path: tuple[Step, ...], a: dict[str, Any], b: dict[str, Any]) -> Iterator[tuple[tuple[Step, ...], Any, Any, str]]:
    for key, value in a.items():
        yield (*path, key), value, b.get(key), "changed" if key in b else "removed"
    for key, value in b.items():
        if key not in a:
            yield (*path, key), None, value, "added"


def _places(path: tuple[Step, ...], a: list[Any], b: list[Any]) -> Iterator[tuple[tuple[Step, ...], Any, Any, str]]:
    for n, (x, y) in enumerate(zip(a, b, strict=False)):
        yield (*path, n), x, y, "changed"
    for n in range(len(b), len(a)):
        yield (*path, n), a[n], None, "removed"
    for n in range(len(a), len(b)):
        yield (*path, n), None, b[n], "added"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(a: Any, b: Any) -> bool:
    if _is_number(a) and _is_number(b):
        return bool(a == b)
    return type(a) is type(b) and bool(a == b)


def _relative(a: Any, b: Any) -> float | None:
    if not (_is_number(a) and _is_number(b)) or not a:
        return None
    try:
        return float((b - a) / abs(a))
    except OverflowError:
        return None


def first(before: Any, now: Any, most: int = MOST) -> tuple[list[Difference], bool]:
    """The first differences, and whether there are more."""
    found = list(islice(differences(before, now), most + 1))
    return found[:most], len(found) > most


def path_text(path: tuple[Step, ...]) -> str:
    """A path as people write it; keys that hold what paths are written with stand in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step and all(c.isalnum() or c in "_-:+ " for c in step):
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text


def brief(value: Any) -> str:
    """A value in a few characters: large ones by what is in them."""
    if isinstance(value, dict):
        return f"{{{len(value)} {'key' if len(value) == 1 else 'keys'}}}"
    if isinstance(value, list):
        return f"[{len(value)} {'value' if len(value) == 1 else 'values'}]"
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= LONGEST else f'"{value[: LONGEST - 1]}…"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = f"{value:.6g}" if isinstance(value, float) and abs(value) < 1e15 else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
