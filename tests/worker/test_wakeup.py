"""How idle slots hear of work: a token of the bell wakes one, and who has left something to claim wakes the next."""

from rig import Rig
from servers import eventually

from engine.keys import version_key

TOGETHER = """
@flow.task
def meet(entity):
    Path(f"here-{entity}").touch()
    until = time.monotonic() + 2.5
    while len(list(Path().glob("here-*"))) < 3:
        assert time.monotonic() < until, "nobody else came"
        time.sleep(0.01)
"""


def test_a_single_token_wakes_as_many_slots_as_there_is_work_for(rig: Rig) -> None:
    # Given a wave that is not queued yet, and three slots that sleep until the bell rings
    wave = rig.launch(rig.flow(TOGETHER), "a", "b", "c")
    queue, bell = version_key("main", "queue"), version_key("main", "bell")
    [(name, place)] = rig.redis.zrange(queue, 0, -1, withscores=True)
    rig.redis.delete(queue, bell)
    rig.start("--slots", "3")
    eventually(lambda: rig.redis.info("clients")["blocked_clients"] == 3, 20, what=f"three slots sleep; {rig.logs()}")

    # When it is queued, with one token as if there were far more slots than tokens
    with rig.redis.pipeline() as trip:
        trip.zadd(queue, {name: place})
        trip.rpush(bell, "1")
        trip.execute()

    # Then all three are at work at the same time, long before they would have looked by themselves
    rig.ended(wave, 20)
    assert rig.rows(wave) == {"a": "F", "b": "F", "c": "F"}
    # And no token is left over
    assert not rig.redis.exists(bell)


def test_who_is_awake_already_wakes_nobody(rig: Rig) -> None:
    # Given a worker that finds a wave by itself, without a token
    wave = rig.launch(rig.flow("@flow.task\ndef one(entity): ...\n"), *[f"e{n}" for n in range(30)])
    rig.redis.delete(bell := version_key("main", "bell"))

    rig.run()

    assert set(rig.rows(wave).values()) == {"F"}
    assert not rig.redis.exists(bell)
