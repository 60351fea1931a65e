"""Cancelling costs the same whatever the wave's size."""

from boards import claim, columns, make
from redis import Redis

from engine.store.waves import Waves


def work(redis: Redis, n: int) -> dict[str, int]:
    """How often the server ran each command to cancel a wave of `n` entities, some of them held."""
    wave = make(redis, n=n, tasks=("a", "b", "c"), trigger=f"manual:{n}")
    claim(redis, wave, 10)
    redis.config_resetstat()
    assert Waves(redis).cancel(wave, "enough", "tests") == ((n - 10) * 3, 10)
    done = {name: int(stats["calls"]) for name, stats in redis.info("commandstats").items()}
    assert columns(redis, wave) == ["P" * 10 + "C" * (n - 10)] * 3
    return {name: calls for name, calls in done.items() if name not in ("cmdstat_config|resetstat", "cmdstat_info")}


def test_a_wave_of_fifty_thousand_takes_the_steps_of_one_of_fifty(redis: Redis) -> None:
    work(redis, 20)  # the server learns the script

    assert work(redis, 50_000) == work(redis, 50)
