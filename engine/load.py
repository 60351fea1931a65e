"""Finds the flows people wrote, by import path: `WAVEDECK_FLOWS=my_pkg.flows`, several with commas; `flows` by default."""

import importlib
import os
import pkgutil
import sys
import traceback
from pathlib import Path
from types import ModuleType

from engine.errors import BadFlow, NotFound
from engine.flow import Flow
from engine.plain import quoted

DEFAULT = "flows"


def load_flows(paths: str | None = None) -> dict[str, Flow]:
    """Every flow below the import paths (`paths`, else `WAVEDECK_FLOWS`, else `flows`), by name, each of them checked. The
    working directory can be imported from.

    Raises:
        BadFlow: a module does not import, a flow is wrong, or two have one name; the text names the file.
        NotFound: no such module.
    """
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    found: dict[str, Flow] = {}
    for path in (paths or os.environ.get("WAVEDECK_FLOWS") or DEFAULT).split(","):
        for module in _modules(path.strip()) if path.strip() else []:
            for value in list(vars(module).values()):
                if isinstance(value, Flow) and found.setdefault(value.name, value) is not value:
                    other = found[value.name].where
                    raise BadFlow(f"{value.where}: flow {value.name!r} is defined at {other} as well")
    for flow in found.values():
        _ = flow.plan
    return found


def find_flow(flows: dict[str, Flow], name: str) -> Flow:
    """The flow called `name`.

    Raises:
        NotFound: there is none; the text lists those there are.
    """
    if name in flows:
        return flows[name]
    raise NotFound(f"no flow {quoted(name)}; there are: {', '.join(sorted(flows)) or 'none'}")


def _modules(path: str) -> list[ModuleType]:
    modules = [_import(path)]
    for parent in modules:
        for info in pkgutil.iter_modules(getattr(parent, "__path__", [])):
            modules.append(_import(f"{parent.__name__}.{info.name}"))
    return modules


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except BadFlow:
        raise
    except ModuleNotFoundError as e:
        if e.name and (name == e.name or name.startswith(e.name + ".")):
            raise NotFound(f"no module {name!r} to load flows from (WAVEDECK_FLOWS)") from None
        raise BadFlow(f"module {name!r} needs {e.name!r}, which is not installed") from e
    except SyntaxError as e:
        raise BadFlow(f"{e.filename}:{e.lineno}: SyntaxError: {e.msg}") from None
    except SystemExit as e:
        raise BadFlow(f"loading flows from {name!r}: it exits ({e.code})") from None
    except Exception as e:
        last = traceback.extract_tb(e.__traceback__)[-1]
        raise BadFlow(f"{last.filename}:{last.lineno}: loading flows from {name!r}: {type(e).__name__}: {e}") from e
