"""A few rounds of chaos in every test run; `make chaos` plays as many as it is told to."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos.play import Outcome, play
from chaos.run import OPTIONS
from chaos.schedule import FAULTS, draw
from servers import RedisServer

ROUNDS = ((11, 29), (20131, 2), (20131, 33))
"""Rounds in which something was wrong once: pipes were there whose cells had failed, what others had taken over was started by a worker
that woke, and a value that a black hole had swallowed was sent again when it was no longer asked for."""


@pytest.fixture(scope="module")
def durable() -> Iterator[RedisServer]:
    """A server that has on disk whatever it has acknowledged."""
    with RedisServer(*OPTIONS, persist=True) as server:
        yield server


def holds(outcome: Outcome, seed: int, number: int) -> None:
    """Nothing was wrong, or the failure says how to see it again."""
    print(f"make chaos SEED={seed} ROUND={number}\n{draw(seed, number)}")
    assert outcome.wrong == [], outcome.logs[-5000:]
    assert outcome.reads > 50


@pytest.mark.parametrize(("seed", "number"), ROUNDS)
def test_a_round_in_which_something_was_wrong_once(durable: RedisServer, tmp_path: Path, seed: int, number: int) -> None:
    holds(play(seed, number, durable, tmp_path), seed, number)


def test_a_round_that_nobody_has_played_yet(durable: RedisServer, tmp_path: Path) -> None:
    seed = secrets.randbelow(10**6)
    holds(play(seed, 0, durable, tmp_path), seed, 0)


def test_a_seed_is_a_schedule_and_every_fault_is_drawn() -> None:
    # Given
    rounds = [draw(7, number) for number in range(60)]

    # Then
    assert rounds == [draw(7, number) for number in range(60)]
    assert rounds[0] != draw(8, 0)
    drawn = {fault.kind for schedule in rounds for fault in schedule.faults}
    assert drawn | {"deadline"} == set(FAULTS)
    assert any(wave.deadline for schedule in rounds for wave in schedule.waves)
