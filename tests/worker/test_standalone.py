"""A task as a process of its own: how it waits for the others."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.standalone import wait_for

LONG = 60.0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of a run in which the tasks a, b and c are known."""
    for name in "abc":
        os.mkfifo(tmp_path / name)
    yield tmp_path


def alive(folder: Path, name: str) -> int:
    """What a task's process holds as long as it lives."""
    return os.open(folder / name, os.O_RDWR)


@pytest.mark.timeout(20)
def test_a_task_that_ended_before_anybody_waited_for_it_is_not_waited_for(folder: Path) -> None:
    os.close(alive(folder, "a"))

    assert wait_for(folder, ["a"], LONG) == []


@pytest.mark.timeout(20)
def test_the_end_of_a_task_ends_the_wait(folder: Path) -> None:
    held = {name: alive(folder, name) for name in "ab"}
    waited: list[list[str]] = []
    waiter = threading.Thread(target=lambda: waited.append(wait_for(folder, ["a", "b", "c"], LONG)), daemon=True)
    waiter.start()

    os.close(held["a"])
    assert waiter.is_alive()
    os.close(held["b"])
    waiter.join(10)

    assert waited == [[]]


def test_when_the_wait_is_over_it_says_who_has_not_ended(folder: Path) -> None:
    held = [alive(folder, name) for name in "bc"]

    assert wait_for(folder, ["a", "b", "c"], 0.05) == ["b", "c"]

    for fd in held:
        os.close(fd)


def test_nothing_to_wait_for_is_no_wait(folder: Path) -> None:
    assert wait_for(folder, [], LONG) == []


def test_no_descriptor_is_left_open(folder: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    held = alive(folder, "a")

    wait_for(folder, ["a"], 0.01)
    os.close(held)
    wait_for(folder, [], 0.01)

    assert len(list(Path("/proc/self/fd").iterdir())) == before
