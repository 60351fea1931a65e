"""Finding the flows that people wrote, by import path."""

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.errors import BadFlow, NotFound
from engine.load import find_flow, load_flows

Package = Callable[..., str]
_numbers = itertools.count()

FLOW = """
from engine import Flow
flow = Flow({name!r})

@flow.task
def only(entity): ...
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    """Writes a package of modules (name → text; "" is the package itself) and gives its import path."""
    monkeypatch.chdir(tmp_path)
    before, path = set(sys.modules), list(sys.path)

    def write(**modules: str) -> str:
        name = f"loaded_{next(_numbers)}"
        for module, text in {"__init__": "", **modules}.items():
            file = tmp_path / name / f"{module.replace('__in__', '/')}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return name

    yield write
    sys.path[:] = path
    for module in set(sys.modules) - before:
        del sys.modules[module]


def test_every_flow_below_a_package_is_found(package: Package) -> None:
    name = package(
        one=FLOW.format(name="one"), two=FLOW.format(name="two"), sub__in____init__="", sub__in__three=FLOW.format(name="three")
    )

    flows = load_flows(name)

    assert sorted(flows) == ["one", "three", "two"]
    assert flows["one"].plan.names == ("only",)


def test_a_single_module_is_an_import_path_too(package: Package) -> None:
    name = package(one=FLOW.format(name="one"), two=FLOW.format(name="two"))

    assert list(load_flows(f"{name}.two")) == ["two"]


def test_the_environment_says_where(package: Package, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = package(one=FLOW.format(name="one")), package(two=FLOW.format(name="two"))
    monkeypatch.setenv("WAVEDECK_FLOWS", f"{first}, {second}")

    assert sorted(load_flows()) == ["one", "two"]
    assert sorted(load_flows(first)) == ["one"]


def test_without_a_word_it_is_the_package_called_flows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        for module in [m for m in sys.modules if m == "flows" or m.startswith("flows.")]:
            patch.delitem(sys.modules, module)
        patch.syspath_prepend(str(tmp_path))
        (tmp_path / "flows").mkdir()
        (tmp_path / "flows/__init__.py").write_text("")
        (tmp_path / "flows/mine.py").write_text(FLOW.format(name="mine"))

        assert list(load_flows()) == ["mine"]

        for module in [m for m in sys.modules if m == "flows" or m.startswith("flows.")]:
            del sys.modules[module]


def test_a_flow_that_is_imported_elsewhere_is_one_flow(package: Package) -> None:
    name = package(one=FLOW.format(name="one"), again="from .one import flow")

    assert list(load_flows(name)) == ["one"]


def test_two_flows_of_one_name_are_refused_with_both_places(package: Package) -> None:
    name = package(one=FLOW.format(name="same"), two=FLOW.format(name="same"))

    with pytest.raises(BadFlow, match=r"two\.py:3: flow 'same' is defined at .*one\.py:3 as well"):
        load_flows(name)


@pytest.mark.parametrize("path", ["no_such_module_anywhere", "no_such_module_anywhere.flows", "engine.no_such_module"])
def test_a_module_that_is_not_there(path: str) -> None:
    with pytest.raises(NotFound, match=path):
        load_flows(path)


def test_a_module_that_needs_what_is_not_installed(package: Package) -> None:
    name = package(one="import no_such_library")

    with pytest.raises(BadFlow, match=rf"'{name}\.one' needs 'no_such_library'"):
        load_flows(name)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1\ny = x / 0\n", r"one\.py:2: .*ZeroDivisionError"),
        ("def f(:\n", r"one\.py.*SyntaxError|SyntaxError.*one\.py"),
        ("import os\nos.nothing\n", r"one\.py:2: .*AttributeError"),
        ("from engine import Flow\nFlow('x', every='never')\n", r"one\.py:2: every: 'never'"),
        ("from engine import Flow\nflow = Flow('x')\n", r"one\.py:2: flow 'x' has no tasks"),
        (
            "from engine import Flow\nflow = Flow('x')\n@flow.task\ndef a(b): ...\n",
            r"one\.py:3: task 'a' of flow 'x': input 'b'",
        ),
    ],
)
def test_a_broken_module_is_named_with_its_line(package: Package, text: str, why: str) -> None:
    name = package(one=text)

    with pytest.raises(BadFlow, match=why):
        load_flows(name)


def test_a_flow_by_name(package: Package) -> None:
    flows = load_flows(package(one=FLOW.format(name="one"), two=FLOW.format(name="two")))

    assert find_flow(flows, "two") is flows["two"]
    with pytest.raises(NotFound, match="no flow 'three'; there are: one, two"):
        find_flow(flows, "three")
    with pytest.raises(NotFound, match="there are: none"):
        find_flow({}, "one")
