"""Task protection: taken when a worker becomes busy, given up when it has been idle a while, and never in the way of work."""

from collections.abc import Callable
from typing import Any

import pytest
from agents import agent
from rig import WAIT_FOR, Rig
from servers import eventually

from worker.protection import BETWEEN, IDLE, RETRY, Protection, minutes


class Asked:
    """An agent that notes what it is asked, and refuses while it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[bool, int | None]] = []
        self.answer: tuple[int, Any] = (200, {"protection": {}})

    def __call__(self, url: str, body: Any) -> tuple[int, Any]:
        assert url == "http://agent/task-protection/v1/state"
        self.calls.append((body["ProtectionEnabled"], body.get("ExpiresInMinutes")))
        return self.answer


@pytest.fixture
def asked() -> Asked:
    return Asked()


def protection(asked: Asked, longest: float = 3600.0) -> Callable[[bool, float], None]:
    return Protection({"ECS_AGENT_URI": "http://agent"}, longest=longest, send=asked).tend


def test_outside_ecs_nobody_is_asked(asked: Asked) -> None:
    Protection({}, longest=60.0, send=asked).tend(True, 0.0)

    assert asked.calls == []


def test_it_is_taken_at_the_first_work_and_given_up_when_idle_for_a_while(asked: Asked) -> None:
    tend = protection(asked)

    tend(False, 0.0)
    assert asked.calls == []
    tend(True, 1.0)
    tend(True, 1.05)
    tend(False, 5.0)  # between two batches
    tend(True, 6.0)
    assert asked.calls == [(True, 65)]

    tend(False, 6.0 + IDLE - 0.1)
    assert len(asked.calls) == 1
    tend(False, 6.0 + IDLE)
    tend(False, 30.0)
    assert asked.calls == [(True, 65), (False, None)]


def test_two_calls_are_some_seconds_apart(asked: Asked) -> None:
    tend = protection(asked)
    tend(True, 0.0)
    tend(False, IDLE)
    tend(True, IDLE + 0.1)
    assert [on for on, _ in asked.calls] == [True, False]

    tend(True, IDLE + BETWEEN)

    assert [on for on, _ in asked.calls] == [True, False, True]


def test_it_is_renewed_long_before_it_ends(asked: Asked) -> None:
    tend = protection(asked, longest=60.0)
    for second in range(0, 30 * 60, 10):
        tend(True, float(second))

    assert asked.calls == [(True, 10)] * 6


def test_a_refusal_is_said_once_and_tried_again_less_and_less_often(asked: Asked, caplog: pytest.LogCaptureFixture) -> None:
    tend = protection(asked)
    asked.answer = (200, {"failure": {"Reason": "TASK_NOT_VALID", "Arn": "x"}})
    moments = []
    for tick in range(0, 8000):
        before = len(asked.calls)
        tend(True, tick / 10)
        if len(asked.calls) > before:
            moments.append(tick / 10)

    assert moments[:4] == [0.0, RETRY, 3 * RETRY, 7 * RETRY]
    assert len(moments) < 9
    assert [r.message for r in caplog.records] == ["task protection could not be taken: TASK_NOT_VALID"]

    # And one blip does not end it
    asked.answer = (200, {"protection": {}})
    tend(True, 10_000.0)
    tend(False, 10_000.0 + IDLE)
    assert [on for on, _ in asked.calls[-2:]] == [True, False]


@pytest.mark.parametrize("answer", [(0, "timed out"), (500, {}), (400, {"error": {"Code": "AccessDeniedException"}})])
def test_whatever_the_agent_says_it_does_not_fail(asked: Asked, answer: tuple[int, Any]) -> None:
    asked.answer = answer
    tend = protection(asked)

    tend(True, 0.0)
    tend(True, 1.0)

    assert len(asked.calls) == 1


@pytest.mark.parametrize(("longest", "expected"), [(0.0, 10), (3710.0, 67), (1e9, 2880)])
def test_it_is_asked_for_some_more_than_the_longest_task_may_take(longest: float, expected: int) -> None:
    assert minutes(longest) == expected


def test_a_real_worker_is_protected_while_it_works(rig: Rig) -> None:
    # Given an agent, and a worker with nothing to do
    flow = rig.flow(WAIT_FOR + "@flow.task(limit='10m')\ndef a(entity):\n    wait_for('go')\n    return 1\n")
    with agent() as ecs:
        process = rig.start("--slots", "1", "--stop-timeout", "30", ECS_AGENT_URI=ecs.url)
        eventually(lambda: "serves" in rig.logs(), 20, what="the worker is there")
        assert ecs.asked == []

        # When it works
        wave = rig.launch(flow)
        eventually(lambda: ecs.asked, 20, what="it asks for protection")

        # Then it is protected for longer than the task may take
        assert ecs.asked == [{"ProtectionEnabled": True, "ExpiresInMinutes": 16}]
        rig.touch("go")
        rig.ended(wave)
        assert rig.row(wave) == "F"
        process.terminate()
        assert process.wait(30) == 0


def test_an_agent_that_is_silent_fails_no_work(rig: Rig) -> None:
    flow = rig.flow("@flow.task\ndef a(entity):\n    time.sleep(0.3)\n    return 1\n")
    wave = rig.launch(flow, *[f"e{i}" for i in range(3)])
    with agent() as ecs:
        ecs.silent.set()
        rig.run("--lease", "2", ECS_AGENT_URI=ecs.url)

    assert set(rig.rows(wave).values()) == {"F"}
    assert "could not be taken: timed out" in rig.logs()
