"""What a task's code is, as 12 hex digits: equal where its source is, whatever machine and folder it lies on.

Of a function: its own source and that of every function, class and module-level assignment of the user's own modules that it names,
and of those that the functions and classes name, and so on. Libraries do not count, nor does what no name in the code leads to (a
data file, `getattr` by a computed name). A comment counts, since sources are compared as text. Of a command: the bytes of the
files beside the flow that it names.
"""

import ast
import dis
import functools
import hashlib
import importlib.util
import inspect
import linecache
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_ENGINE = str(Path(__file__).resolve().parent)


def of_function(function: Callable[..., Any]) -> str:
    """The fingerprint of a function's code; "" when its source cannot be had."""
    own = inspect.unwrap(function)
    try:
        parts = set(_Parts(own.__module__).of(own))
    except (OSError, TypeError, SyntaxError):
        return ""
    return _digest(f"{name}\0{text}".encode("utf-8", "surrogatepass") for name, text in sorted(parts))


def of_files(paths: Iterable[Path]) -> str:
    """The fingerprint of what is in files; "" when one cannot be read."""
    try:
        return _digest(path.read_bytes() for path in paths)
    except OSError:
        return ""


def _digest(parts: Iterable[bytes]) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(hashlib.sha256(part).digest())
    return whole.hexdigest()[:12]


class _Parts:
    """What a function stands on. `module`: its own; all of its top-level package is the user's, wherever it is installed."""

    def __init__(self, module: str) -> None:
        self._package = module.partition(".")[0]

    def of(self, first: FunctionType) -> Iterator[tuple[str, str]]:
        """Names and texts; without modules, which may be called otherwise elsewhere."""
        seen: set[int] = {id(first)}
        todo: list[FunctionType | type] = [first]
        while todo:
            found = todo.pop()
            yield found.__qualname__, _source(found)
            for module, name, named in _names(found):
                value = inspect.unwrap(named) if callable(named) else named
                if not isinstance(value, FunctionType | type):
                    if (text := self._assigned(module, name)) is not None:
                        yield name, text
                elif id(value) not in seen and self._own(value.__module__):
                    seen.add(id(value))
                    todo.append(value)

    def _own(self, module: str) -> bool:
        if module.partition(".")[0] == self._package:
            return True
        path = getattr(sys.modules.get(module), "__file__", None)
        return path is not None and not str(Path(path).resolve()).startswith((*_LIBRARIES, _ENGINE))

    def _assigned(self, module: str, name: str) -> str | None:
        """The statement that gives a module's name its value, in that module or in the one of ours it is imported from."""
        for _ in range(10):
            path = getattr(sys.modules.get(module), "__file__", None)
            if path is None or not self._own(module):
                return None
            source = _file(path)
            if name in source.assigned:
                return source.assigned[name]
            if name not in source.imported:
                return None
            origin, name = source.imported[name]
            module = importlib.util.resolve_name(origin, _package_of(module)) if origin.startswith(".") else origin
        return None


def _package_of(module: str) -> str:
    return str(getattr(sys.modules[module], "__package__", None) or "")


def _names(found: FunctionType | type) -> Iterator[tuple[str, str, Any]]:
    """What the code of a function, or of a class' methods, names: (module, name there, value) of its globals, of what of them is in
    modules, and of what it closes over; the bases of a class."""
    for function in _functions(found):
        mentioned = sorted(set(_mentioned(function.__code__)))
        for name in mentioned:
            value = function.__globals__.get(name, ...)
            if isinstance(value, ModuleType):
                yield from ((value.__name__, n, vars(value)[n]) for n in mentioned if n in vars(value))
            elif value is not ...:
                yield function.__module__, name, value
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
            try:
                yield function.__module__, name, cell.cell_contents
            except ValueError:  # not bound yet
                continue
    if isinstance(found, type):
        yield from ((base.__module__, base.__name__, base) for base in found.__mro__[1:-1])


def _functions(found: FunctionType | type) -> Iterator[FunctionType]:
    if isinstance(found, FunctionType):
        yield found
        return
    for value in vars(found).values():
        for inner in (value, getattr(value, "__func__", None), getattr(value, "fget", None), getattr(value, "func", None)):
            function = inspect.unwrap(inner) if callable(inner) else None
            if isinstance(function, FunctionType):
                yield function


def _mentioned(code: CodeType) -> Iterator[str]:
    """Names of globals and attributes in a code object and in those within it."""
    yield from (str(i.argval) for i in dis.get_instructions(code) if i.opcode in dis.hasname)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _mentioned(constant)


@dataclass(frozen=True)
class _File:
    """A source file: functions by qualified name and first line, classes by name and 0, module-level assignments, and names imported
    from other modules: (module, name there)."""

    defined: dict[tuple[str, int], str] = field(default_factory=dict)
    assigned: dict[str, str] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)


def _source(found: FunctionType | type) -> str:
    """As `inspect.getsource`, but that a file is parsed once and not once for each."""
    if isinstance(found, type):
        text = _file(inspect.getfile(found)).defined.get((found.__qualname__, 0))
    else:
        text = _file(found.__code__.co_filename).defined.get((found.__qualname__, found.__code__.co_firstlineno))
    return text if text is not None else inspect.getsource(found)


@functools.lru_cache(maxsize=256)
def _file(path: str) -> _File:
    lines = linecache.getlines(path)
    if not lines:
        raise OSError(f"no source of {path}")
    file = _File()

    def text(node: ast.stmt, first: int = 0) -> str:
        return "".join(lines[(first or node.lineno) - 1 : node.end_lineno])

    todo: list[tuple[str, ast.AST]] = [("", ast.parse("".join(lines)))]
    while todo:
        prefix, node = todo.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                first = min([child.lineno, *(d.lineno for d in child.decorator_list)])
                is_class = isinstance(child, ast.ClassDef)
                file.defined[prefix + child.name, 0 if is_class else first] = text(child, first)
                todo.append((f"{prefix}{child.name}." + ("" if is_class else "<locals>."), child))
            elif not isinstance(child, ast.expr):
                todo.append((prefix, child))
            if not prefix and isinstance(child, ast.Assign | ast.AnnAssign | ast.AugAssign):
                for target in child.targets if isinstance(child, ast.Assign) else [child.target]:
                    for name in (n.id for n in ast.walk(target) if isinstance(n, ast.Name)):
                        file.assigned[name] = file.assigned.get(name, "") + text(child)
            if not prefix and isinstance(child, ast.ImportFrom):
                origin = "." * child.level + (child.module or "")
                file.imported.update({a.asname or a.name: (origin, a.name) for a in child.names})
    return file
