"""The release, renew and cancel scripts: what is given back, what is prolonged, and how a wave ends before its time."""

import pytest
from boards import C, F, P, R, check_counts, claim, columns, complete, end, holds, lapse, make, step, try_claim
from redis import Redis

from engine.cancel import cancel
from engine.errors import Refused
from engine.store.claims import Closed, Renewed, claim_command, holds_of, release, renew, trip
from engine.store.wave import Wave
from engine.store.waves import Waves

pytestmark = pytest.mark.every_house


def record(redis: "Redis", wave: Wave) -> Wave:
    found = Waves(redis).find(wave.id)
    assert found is not None
    return found


# release and renew


def test_what_had_ended_stays_and_what_ran_is_pending_again(redis: "Redis") -> None:
    wave = make(redis, n=3)
    claimed = claim(redis, wave, 3)
    step(redis, wave, claimed, 0, P, R, F)
    step(redis, wave, claimed, 1, P, R, entities=[0, 2])

    assert release(redis, wave, holds(claimed, 0, 1)) == 2

    assert columns(redis, wave) == ["FFF", "PPR"]
    assert release(redis, wave, holds(claimed, 0, 1)) == 0
    assert step(redis, wave, claimed, 1, P, R, entities=[0]).refused == [(1, 0)]
    check_counts(redis, wave)


def test_a_claim_that_comes_too_late_is_given_nothing(redis: "Redis") -> None:
    """A Redis that hung for longer than a lease would take from who lives, and give to a connection that nobody reads."""
    wave = make(redis, n=3)
    claimed = claim(redis, wave, 1)
    lapse(redis, wave, 0)
    now = claimed.now

    [late] = trip(redis, [claim_command(wave, 3, "w2", latest=now - 1)])
    [in_time] = trip(redis, [claim_command(wave, 3, "w2", latest=now + 60_000)])

    assert (late[0], late[6], late[9]) == (b"ok", 0, [])
    assert (in_time[0], in_time[6], in_time[9]) == (b"ok", 0, [b"0"])


def test_renewing_prolongs_only_what_is_still_held(redis: "Redis") -> None:
    wave = make(redis, n=3)
    claimed = claim(redis, wave, 3)
    release(redis, wave, holds(claimed, 1))
    for task in (0, 1):
        step(redis, wave, claimed, task, P, R, F, entities=[2])
    end(redis, wave, claimed, 2)
    lapse(redis, wave, 0)

    assert renew(redis, wave, holds(claimed)) == Renewed("", 1, frozenset({1}))

    assert [c.ids for c in (claim(redis, wave, 9),)] == [[1]]
    assert redis.zrange(wave.key("leases"), 0, -1) == [b"0", b"1"]


def test_renewing_tells_that_the_wave_was_cancelled(redis: "Redis") -> None:
    wave = make(redis)
    claimed = claim(redis, wave, 1)
    cancel(redis, wave, by="ada", reason="too late")

    assert renew(redis, wave, holds(claimed)) == Renewed("too late", 1)


# cancel


def test_cancelling_ends_at_once_what_nobody_holds(redis: "Redis") -> None:
    # Given one entity done, one under way, one given back half done, two never claimed
    wave = make(redis, n=5)
    claimed = claim(redis, wave, 3)
    for task in (0, 1):
        step(redis, wave, claimed, task, P, R, F, entities=[0])
    end(redis, wave, claimed, 0)
    step(redis, wave, claimed, 0, P, R, entities=[1])
    step(redis, wave, claimed, 0, P, R, F, entities=[2])
    release(redis, wave, holds(claimed, 2))

    # When
    done = cancel(redis, wave, by="ada")

    # Then
    assert columns(redis, wave) == ["FRFCC", "FPCCC"]
    assert (done.cells, done.held) == (5, 1)
    assert record(redis, wave).left == 1
    check_counts(redis, wave)

    # And the holder starts nothing, may say what ran, and ends it
    assert step(redis, wave, claimed, 1, P, R, entities=[1]).refused == [(1, 1)]
    step(redis, wave, claimed, 0, R, F, entities=[1])
    step(redis, wave, claimed, 1, P, C, entities=[1])
    assert end(redis, wave, claimed, 1).left == 0
    assert columns(redis, wave) == ["FFFCC", "FCCCC"]
    assert record(redis, wave).ended > 0


def test_cancelling_ends_what_a_dead_worker_held_at_the_next_claim(redis: "Redis") -> None:
    wave = make(redis, n=3)
    dead = claim(redis, wave, 2, "dead")
    step(redis, wave, dead, 0, P, R)
    cancel(redis, wave, by="ada")
    lapse(redis, wave, *dead.ids)

    assert try_claim(redis, wave, 1, "heir") == Closed("cancelled", 0)

    assert columns(redis, wave) == ["CCC", "CCC"]
    assert record(redis, wave).ended > 0
    assert step(redis, wave, dead, 0, R, F).refused == [(0, 0), (0, 1)]
    check_counts(redis, wave)


def test_what_is_given_back_to_a_cancelled_wave_is_cancelled(redis: "Redis") -> None:
    wave = make(redis, n=2)
    claimed = claim(redis, wave, 2)
    step(redis, wave, claimed, 0, P, R)
    cancel(redis, wave, by="ada")

    assert release(redis, wave, holds_of(claimed.ids, claimed.records)) == 2

    assert columns(redis, wave) == ["CC", "CC"]
    assert (record(redis, wave).left, redis.llen(wave.key("returned"))) == (0, 0)
    assert record(redis, wave).ended > 0
    check_counts(redis, wave)


def test_cancelling_twice_or_after_the_end_is_refused(redis: "Redis") -> None:
    cancelled, ended = make(redis, trigger="1"), make(redis, trigger="2")
    cancel(redis, cancelled, by="ada")
    complete(redis, ended, claim(redis, ended, 4))

    for wave in (cancelled, ended):
        with pytest.raises(Refused, match=wave.id):
            cancel(redis, wave, by="bob")
    assert record(redis, cancelled).cancelled_by == "ada"


def test_cancelling_without_a_word_is_still_cancelling(redis: "Redis") -> None:
    wave = make(redis)
    claimed = claim(redis, wave, 1)

    cancel(redis, wave, by="ada", reason="")

    assert record(redis, wave).cancelled
    assert renew(redis, wave, holds(claimed)).cancelled
