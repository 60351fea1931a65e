"""A part of a wave again, with real workers: what had finished is not computed twice, what failed is."""

import pytest
from rig import WAIT_FOR, Rig

from engine.rerun import rerun

pytestmark = pytest.mark.every_house


def test_finished_pipes_are_reused_and_failed_ones_run(rig: Rig) -> None:
    flow = rig.flow(
        WAIT_FOR
        + """
@flow.task
def one(entity):
    say(f"one {entity}")
    return entity

@flow.task
def two(one):
    say(f"two {one}")
    if one == "bad" and not Path("mended").exists():
        raise ValueError("not yet")
    return [one]

@flow.task
def three(two):
    say(f"three {two[0]}")
    return len(two)
"""
    )
    wave = rig.launch(flow, "good", "bad")
    rig.run()
    assert rig.rows(wave) == {"good": "FFF", "bad": "FXB"}
    rig.touch("mended")
    before = len(rig.runs())

    again = rerun(rig.redis, wave, by="ada").wave
    rig.run()

    assert rig.rows(again) == {"bad": "UFF"}
    assert rig.runs()[before:] == ["two bad", "three bad"]
    assert rig.pipe("three", "bad") == 1
    assert rig.rows(wave) == {"good": "FFF", "bad": "FXB"}, "the first wave stays as it was"
