"""What counts as a task's code: all of the user's that its names lead to, and nothing else."""

import functools
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.fingerprint import of_files

MODEL = """
import math
from .more import LIMITS, clip

SCALE = 2.0
OTHER = 3.0

class Base:
    def prepare(self, x):
        return x

class Model(Base):
    def run(self, x):
        return clip(self.prepare(x) * SCALE) + LIMITS["low"] + math.pi

def unused():
    return OTHER
"""
MORE = """
LIMITS = {"low": 1, "high": 9}

def clip(x):
    return inner(x)

def inner(x):
    return min(x, LIMITS["high"])
"""
TASKS = """
from engine import Flow
from . import model

flow = Flow("shop")

@flow.task
def collect(entity):
    return entity

@flow.task
def forecast(collect):
    return [model.Model().run(x) for x in collect]

@flow.task
def report(forecast):
    def told(x):
        return f"{x}"
    return told(forecast)
"""

Codes = dict[str, str]


@pytest.fixture
def codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Codes]]:
    """Fingerprints by task of the package as it is with some texts replaced; each time in a folder and under a name of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    made: list[str] = []

    def codes(*changes: tuple[str, str]) -> Codes:
        name = f"printed_{tmp_path.name.replace('-', '_')}_{len(made)}"
        made.append(name)
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
        for file, text in (("model", MODEL), ("more", MORE), ("tasks", TASKS)):
            changed = functools.reduce(lambda whole, change: whole.replace(*change), changes, text)
            (tmp_path / name / f"{file}.py").write_text(changed, encoding="utf-8")
        importlib.invalidate_caches()
        plan = importlib.import_module(f"{name}.tasks").flow.plan
        return {t.name: t.code for t in plan.tasks}

    yield codes
    for name in [n for n in sys.modules if n.partition(".")[0] in made]:
        del sys.modules[name]


def test_the_same_code_elsewhere_is_the_same(codes: Callable[..., Codes]) -> None:
    first = codes()

    assert first == codes()
    assert len(set(first.values())) == 3
    assert all(len(code) == 12 for code in first.values())


@pytest.mark.parametrize(
    ("before", "after", "different"),
    [
        ("return entity", "return [entity]", {"collect"}),
        ("run(x) for", "run(x + 0) for", {"forecast"}),
        ("SCALE = 2.0", "SCALE = 2.5", {"forecast"}),
        ("return x\n", "return x or 0\n", {"forecast"}),
        ('"high": 9', '"high": 8', {"forecast"}),
        ("min(x,", "max(x,", {"forecast"}),
        ('f"{x}"', 'f"<{x}>"', {"report"}),
        ("OTHER = 3.0", "OTHER = 4.0", set()),
        ("return OTHER", "return -OTHER", set()),
        ("@flow.task\ndef report", '@flow.task(timeout="3m")\ndef report', {"report"}),
    ],
)
def test_what_a_name_leads_to_counts_and_nothing_else(
    codes: Callable[..., Codes], before: str, after: str, different: set[str]
) -> None:
    was, now = codes(), codes((before, after))

    assert {task for task in was if was[task] != now[task]} == different


def test_lines_that_move_change_nothing(codes: Callable[..., Codes]) -> None:
    assert codes() == codes(("from engine import Flow\n", "\n\n# a remark\nfrom engine import Flow\n"))


def test_a_command_is_what_is_in_its_files(tmp_path: Path) -> None:
    first, second = tmp_path / "a.awk", tmp_path / "b.awk"
    first.write_text("{ print }")
    second.write_text("{ print }")

    same = of_files([first]), of_files([second])
    second.write_text("{ print 1 }")

    assert same[0] == same[1] != of_files([second])
    assert of_files([tmp_path / "nowhere"]) == ""
