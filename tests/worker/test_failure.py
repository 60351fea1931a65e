"""How a failed cell tells why."""

import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.payload import encode_json
from worker.failure import CommandFailedError, LimitExceededError, describe, reason


def caught(act: Callable[[], object]) -> BaseException:
    try:
        act()
    except BaseException as e:  # whatever a task may raise
        return e
    raise AssertionError("it raised nothing")


def _divide() -> float:
    return 1 / 0


def _deep() -> None:
    try:
        _divide()
    except ZeroDivisionError as e:
        raise ValueError("bad input") from e


def test_it_names_type_message_place_and_traceback() -> None:
    told = describe(caught(_deep))

    assert (told["type"], told["message"]) == ("ValueError", "bad input")
    assert told["where"].endswith("in _deep")
    assert f"{Path(__file__).name}:" in told["where"]
    assert "ZeroDivisionError: division by zero" in told["traceback"]
    assert "direct cause" in told["traceback"]
    assert told["traceback"].rstrip().endswith("ValueError: bad input")


def test_our_own_frames_are_left_out() -> None:
    from engine.payload import decode_json

    told = describe(caught(lambda: decode_json(b"{")))

    assert told["where"].endswith("in <lambda>")
    assert "payload.py" not in told["traceback"]


def test_our_own_errors_are_called_by_their_plain_names() -> None:
    assert describe(LimitExceededError("over"))["type"] == "LimitExceeded"
    assert describe(CommandFailedError("1"))["type"] == "CommandFailed"


class Wicked(Exception):
    """An exception that raises when it is looked at."""

    def __str__(self) -> str:
        raise RuntimeError("not today")

    __repr__ = __str__


class Loop(Exception):
    """An exception that is its own cause."""


def _loop() -> None:
    error = Loop("round")
    error.__cause__ = error
    raise error


def _no_frames() -> BaseException:
    return ValueError("never raised")


def _recursion() -> None:
    _recursion()


@pytest.mark.parametrize(
    "error",
    [
        caught(lambda: (_ for _ in ()).throw(ValueError("\ud800 \0 \x1b[2J"))),
        caught(_loop),
        caught(_recursion),
        _no_frames(),
        ValueError("x" * 10**6),
        ValueError(),
        ExceptionGroup("several", [ValueError(1), ExceptionGroup("deeper", [OSError(2)])]),
        KeyboardInterrupt(),
        SystemExit(3),
        SyntaxError("bad", ("f.py", 3, 1, "text\ud800", 3, 2)),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"),
        caught(lambda: (_ for _ in ()).throw(Wicked)),
    ],
    ids=lambda e: type(e).__name__,
)
def test_whatever_it_is_it_can_be_told(error: BaseException) -> None:
    told = describe(error)

    assert told["type"]
    assert len(told["message"]) <= 2000 * 6
    assert len(told["traceback"]) <= 16_000 * 6
    assert encode_json(told)


def test_a_long_text_keeps_its_message_s_head_and_its_traceback_s_tail() -> None:
    told = reason("X", "head" + "x" * 9000, trace="y" * 90_000 + "tail")

    assert told["message"].startswith("headxxx")
    assert told["traceback"].endswith("ytail")
    assert len(told["message"]) == 2000
    assert len(told["traceback"]) == 16_000


def test_pythons_own_words_are_kept() -> None:
    error = caught(_divide)

    lines = describe(error)["traceback"].splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == traceback.format_exception_only(error)[-1].rstrip()
