"""Durations: what people write, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.durations import seconds, text


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("90s", 90),
        ("2m", 120),
        ("1h30m", 5400),
        ("7d", 604800),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("1h 30m", 5400),
        (12, 12),
        (0.5, 0.5),
    ],
)
def test_what_people_write(written: str | float, meant: float) -> None:
    assert seconds(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        "",
        "10",
        "m",
        "1x",
        "-5s",
        "1h-5m",
        "5 s!",
        "1.5.5s",
        "0s",
        "0ms",
        0,
        -1,
        float("nan"),
        float("inf"),
        "9" * 400 + "d",
    ],
)
def test_what_is_no_duration_is_refused(written: str | float) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(written)


@given(st.integers(1, 10**12))
def test_text_reads_back_to_the_millisecond(ms: int) -> None:
    assert round(seconds(text(ms / 1000)) * 1000) == ms


@given(st.floats(1e-6, 1e9))
def test_whatever_is_a_duration_can_be_written_and_read_again(value: float) -> None:
    """A compiled script holds the text; a worker that could not read it could not run the wave."""
    assert seconds(text(seconds(value))) > 0


@pytest.mark.parametrize(
    ("value", "shortest"), [(90, "1m30s"), (3600, "1h"), (0.25, "250ms"), (86400, "1d"), (90061.001, "1d1h1m1s1ms")]
)
def test_text_is_short(value: float, shortest: str) -> None:
    assert text(value) == shortest
