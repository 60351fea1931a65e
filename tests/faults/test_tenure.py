"""What a slot knows of its claim without asking, and what it learns when it asks."""

import time

import pytest
from boards import claim, holds, lapse, make
from redis import Redis

from engine.cancel import cancel
from engine.store.claims import FRESH, Renewed
from worker.tenure import SURE, Tenure

LEASE = 3600.0


def test_an_answer_is_good_for_a_moment_and_a_lease_for_most_of_it(redis: "Redis") -> None:
    wave, now = make(redis), time.monotonic()

    assert Tenure(redis, wave, LEASE, now + 60).fresh
    assert not Tenure(redis, wave, LEASE, now - FRESH).fresh
    assert Tenure(redis, wave, LEASE, now - SURE * LEASE + 60).sure
    assert not Tenure(redis, wave, LEASE, now - SURE * LEASE).sure


def test_asking_prolongs_what_is_ours_and_names_what_is_lost(redis: "Redis") -> None:
    # Given two entities whose leases have run out, one of them with another by now
    wave = make(redis, n=2)
    stale = claim(redis, wave, 2)
    lapse(redis, wave, 0, 1)
    assert claim(redis, wave, 1, "heir").ids == [0]
    tenure = Tenure(redis, wave, LEASE, time.monotonic() - LEASE)

    # When
    tenure.ask(holds(stale))

    # Then
    assert (tenure.lost, tenure.cancelled, tenure.sure) == (frozenset({0}), "", True)
    assert redis.zscore(wave.key("leases"), "1") > time.time() * 1000
    assert tenure.since > time.monotonic() - 60


def test_asking_tells_that_the_wave_was_cancelled(redis: "Redis") -> None:
    wave = make(redis)
    claimed = claim(redis, wave, 1)
    tenure = Tenure(redis, wave, LEASE, time.monotonic() - 1)
    cancel(redis, wave, by="ada", reason="too late")

    tenure.ask(holds(claimed))

    assert tenure.cancelled == "too late"


@pytest.mark.parametrize(
    ("stood_still", "asked"), [((0.0,), 1), ((2.0, 0.0), 2), ((0.3, 0.3, 0.3), 3), ((0.3, 0.3, 2.0, 0.3), 4)]
)
def test_an_answer_that_was_long_in_coming_is_asked_for_again(
    redis: "Redis", monkeypatch: pytest.MonkeyPatch, stood_still: tuple[float, ...], asked: int
) -> None:
    """Stopped while it waited for the answer, a slot would start what others have taken over by the time it wakes. On a link that is
    always slow an answer must do that is younger than the lease."""
    # Given
    wave = make(redis)
    claimed = claim(redis, wave, 1)
    clock, answers, waits = [100.0], [], iter(stood_still)
    monkeypatch.setattr("worker.tenure.time.monotonic", lambda: clock[0])

    def slow(*_: object) -> Renewed:
        clock[0] += next(waits)
        answers.append(clock[0])
        return Renewed("", 1)

    monkeypatch.setattr("worker.tenure.renew", slow)
    tenure = Tenure(redis, wave, 2.0, 90.0)

    # When
    tenure.ask(holds(claimed))

    # Then
    assert len(answers) == asked
    assert tenure.sure


def test_nobody_is_asked_twice_in_a_moment(redis: "Redis", monkeypatch: pytest.MonkeyPatch) -> None:
    wave = make(redis)
    claimed = claim(redis, wave, 1)
    tenure = Tenure(redis, wave, LEASE, time.monotonic() + 60)
    monkeypatch.setattr("worker.tenure.renew", lambda *_: pytest.fail("Redis was asked"))

    tenure.ask(holds(claimed))

    assert tenure.lost == frozenset()
