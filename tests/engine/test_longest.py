"""Longest first: what is expected, whether it is worth anything, and who goes ahead."""

import random

import pytest
from redis import Redis

from engine import Date, Flow, longest
from engine.launch import launch
from engine.longest import WORTH, expect, first, usual, variation
from engine.store.ledger import Ledger, Longest
from engine.store.states import States
from engine.store.waves import Waves

MEMBERS = [(f"e{n:03}", "-") for n in range(200)]
LATE = [1.0 if n >= 198 else 0.02 for n in range(200)]
"""Two long entities at the end of the usual order."""


def a_flow() -> Flow:
    flow = Flow("shop", every="1h", state="shops")

    @flow.task
    def work(entity: str) -> None: ...

    return flow


def test_the_first_wave_says_who_takes_long_and_the_second_whether_that_helps() -> None:
    # Given nothing known, two long ones and four slots
    learnt = expect(Longest(), "w1", MEMBERS, LATE, 4)
    # Then they are expected, and nobody knows yet what that is worth
    assert {entity for entity, _ in learnt.entities[:2]} == {"e198", "e199"}
    assert learnt.gain is None
    # When the next wave takes about as long, the order that was expected for it would have helped
    chance = random.Random(1)
    again = expect(learnt, "w2", MEMBERS, [own * chance.uniform(0.8, 1.2) for own in LATE], 4)
    assert again.gain is not None
    assert again.gain > 0.2
    assert again.wave == "w2"


def test_what_was_long_by_chance_is_worth_nothing() -> None:
    # Given waves in which other entities are long each time
    chance = random.Random(2)
    learnt = Longest()
    for number in range(6):
        costs = [0.02] * 200
        for place in chance.sample(range(200), 4):
            costs[place] = 1.0
        learnt = expect(learnt, f"w{number}", MEMBERS, costs, 4)
    # Then no gain is claimed that would order the queue
    assert learnt.gain is not None
    assert learnt.gain < WORTH


def test_even_waves_and_small_ones_teach_nothing() -> None:
    assert not expect(Longest(), "w1", MEMBERS, [0.02] * 200, 4).entities
    assert not expect(Longest(), "w1", MEMBERS[:4], LATE[-4:], 4).entities
    assert not expect(Longest(), "w1", MEMBERS, [0.0] * 200, 4).entities
    assert variation([2.0] * 5) == 0.0
    assert variation([1.0, 3.0]) == pytest.approx(0.5)


def test_the_gain_is_against_the_usual_order_even_when_the_wave_ran_in_another() -> None:
    learnt = expect(Longest(), "w1", MEMBERS, LATE, 4)
    ahead = {entity for entity, _ in learnt.entities}
    order = sorted(range(200), key=lambda n: (MEMBERS[n][0] not in ahead, usual(MEMBERS[n])))
    moved = expect(learnt, "w2", [MEMBERS[n] for n in order], [LATE[n] for n in order], 4)
    assert moved.gain == expect(learnt, "w2", MEMBERS, LATE, 4).gain


@pytest.mark.parametrize(("gain", "ahead"), [(None, []), (WORTH / 2, []), (WORTH, ["e150", "e003"])])
def test_a_wave_is_queued_in_that_order_when_it_is_worth_it(redis: Redis, gain: float | None, ahead: list[str]) -> None:
    # Given what is expected of a flow, of an entity that is not in the state as well
    flow, date = a_flow(), Date("2013-07-01T14")
    States(redis).seen("shops", MEMBERS, date.start.timestamp())
    Ledger(redis, "main").expect("shop", Longest([("e150", 9.0), ("gone", 5.0), ("e003", 4.0)], gain))
    # When a wave is started
    wave = launch(redis, flow.plan, version="main", date=date, trigger="manual:1", by="tests").wave
    # Then those are ahead of all others, which are in the usual order
    order = [entity for entity, _ in Waves(redis).members(wave)]
    assert order[: len(ahead)] == ahead
    assert order[len(ahead) :] == [entity for entity, _ in MEMBERS if entity not in ahead]


def test_who_names_entities_names_their_order(redis: Redis) -> None:
    Ledger(redis, "main").expect("shop", Longest([("b", 9.0)], 0.5))
    wave = launch(
        redis, a_flow().plan, version="main", date=Date("2013-07-01T14"), trigger="manual:1", by="tests", entities=["a", "b"]
    ).wave
    assert [entity for entity, _ in Waves(redis).members(wave)] == ["a", "b"]


def test_what_is_expected_is_forgotten_when_there_is_nothing_to_expect(redis: Redis) -> None:
    ledger = Ledger(redis, "main")
    ledger.expect("shop", Longest([("b", 9.0)], 0.5))
    assert first(redis, "main", "shop", [("a", "-"), ("b", "-")]) == [("b", "-"), ("a", "-")]
    assert 0 < redis.ttl("wd:{main}:longest:shop") <= 14 * 86400
    ledger.expect("shop", Longest())
    assert first(redis, "main", "shop", [("a", "-"), ("b", "-")]) == [("a", "-"), ("b", "-")]
    redis.set("wd:{main}:longest:shop", b"{not json")
    assert longest.first(redis, "main", "shop", [("a", "-")]) == [("a", "-")]
