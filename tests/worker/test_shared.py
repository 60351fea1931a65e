"""What a slot tells its watcher through shared memory: whole, or not at all."""

import contextlib
import itertools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from worker.shared import LANES, Board, HeldBatch, RunningCell


@contextlib.contextmanager
def another_process(act: Callable[[], None]) -> Iterator[int]:
    """A process that does `act` again and again until it is killed."""
    pid = os.fork()
    if pid == 0:
        try:
            while True:
                act()
        finally:
            os._exit(1)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_a_new_board_is_empty() -> None:
    board = Board()

    assert (board.running(), board.held(), board.groups(), board.served, board.busy_since) == ([], [], [], 0, 0.0)


def test_a_lane_runs_a_cell_until_it_leaves() -> None:
    board = Board()

    board.enter(0, 7, 2, 4_000_000_000, 123.5, 60.0, 1 << 40)
    board.enter(LANES - 1, 7, 3, 5, 124.5, 0.5, 0)

    assert board.running() == [
        RunningCell(0, 7, 2, 4_000_000_000, 123.5, 60.0, 1 << 40),
        RunningCell(LANES - 1, 7, 3, 5, 124.5, 0.5, 0),
    ]
    board.leave(0)
    assert [cell.lane for cell in board.running()] == [LANES - 1]


def test_groups_are_the_commands_that_run() -> None:
    board = Board()
    board.group(3, 4711)
    board.group(0, 4712)
    board.group(3, 0)

    assert board.groups() == [4712]


def test_what_is_held_reads_back() -> None:
    board = Board()
    held = [
        HeldBatch(1, "w1", "feature/x", [(0, 2, b"\0" * 16), (7, 1, b"12345678")], 1.5),
        HeldBatch(2, "w2", "main", [], 0.0),
    ]

    board.hold(held)
    assert board.held() == held
    board.hold([])
    assert board.held() == []


def test_more_than_fits_is_nothing_and_harms_nothing() -> None:
    board = Board()
    board.enter(1, 1, 1, 1, 1.0, 1.0, 0)

    board.hold([HeldBatch(1, "w", "main", [(0, 1 << 20, b"x" * (1 << 20))])])

    assert board.held() == []
    assert len(board.running()) == 1


def test_another_process_reads_what_was_written_even_after_it_was_killed() -> None:
    board = Board()

    def act() -> None:
        board.enter(0, 1, 2, 3, 4.0, 5.0, 6)
        board.hold([HeldBatch(1, "w", "main", [(3, 1, b"12345678")])])
        board.group(0, 99)
        board.mark(4.0, 17)
        time.sleep(60)

    with another_process(act) as pid:
        until = time.monotonic() + 10
        while board.served != 17 and time.monotonic() < until:
            time.sleep(0.001)
        os.kill(pid, signal.SIGKILL)

    assert board.running() == [RunningCell(0, 1, 2, 3, 4.0, 5.0, 6)]
    assert board.held()[0].holds == [(3, 1, b"12345678")]
    assert (board.groups(), board.busy_since, board.served) == ([99], 4.0, 17)


def test_clearing_makes_it_as_new() -> None:
    board = Board()
    board.enter(5, 1, 2, 3, 4.0, 5.0, 6)
    board.group(5, 99)
    board.mark(4.0, 17)
    board.hold([HeldBatch(1, "w", "main", [(3, 1, b"12345678")])])

    board.clear()

    assert (board.running(), board.held(), board.groups(), board.served, board.busy_since) == ([], [], [], 0, 0.0)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a fork that shares the page")
def test_a_cell_is_never_read_half_written() -> None:
    """A limit of 0 that is read while a cell is entered would get an innocent slot killed."""
    board, numbers = Board(), itertools.count(1)

    def act() -> None:
        i = next(numbers)
        board.enter(0, i, i + 1, i + 2, float(i), float(i % 1000), i + 3)
        board.leave(0)

    seen = []
    with another_process(act):
        for _ in range(60_000):
            seen += board.running()

    assert seen
    torn = [c for c in seen if c != RunningCell(0, c.job, c.job + 1, c.job + 2, float(c.job), float(c.job % 1000), c.job + 3)]
    assert torn == []
