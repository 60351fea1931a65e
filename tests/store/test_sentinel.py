"""The server that Sentinels name, and what is said when they name none."""

from collections.abc import Iterator

import pytest
from boards import make
from houses import MASTER, House, SentinelHouse
from redis import Redis
from redis.exceptions import ConnectionError

from engine.errors import Refused
from engine.store.connect import RedisAwayError, can_write, check, connect
from engine.store.waves import Waves


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with SentinelHouse() as house:
        yield house


def test_it_is_the_master_whichever_sentinels_answer(house: SentinelHouse) -> None:
    url = house.url.replace("://", "://127.0.0.1:1,")
    with connect(url) as redis:
        check(redis, url)
        wave = make(redis, trigger="manual:first")
        assert can_write(redis)
    with house.master.client() as master:
        assert Waves(master).find(wave.id, "main") is not None


def test_read_only_is_read_only(house: SentinelHouse) -> None:
    redis = connect(house.url, read_only=True)
    assert redis.get("k") is None and not can_write(redis)
    with pytest.raises(Refused), redis.pipeline() as pipe:
        pipe.set("k", "v")


def test_databases_are_told_apart(house: SentinelHouse) -> None:
    with connect(f"{house.url}/0") as first, connect(f"{house.url}/1") as second:
        first.set("k", "v")
        assert (first.get("k"), second.get("k")) == (b"v", None)


@pytest.mark.parametrize("place", ["{sentinel}/other", "127.0.0.1:1,127.0.0.1:2/" + MASTER])
def test_without_a_master_it_is_away_and_passwords_are_not_told(house: SentinelHouse, place: str) -> None:
    place = place.format(sentinel=house.sentinel.place)
    sentinels, _, master = place.partition("/")
    url = f"redis+sentinel://ana:s3cret@{place}?sentinel_password=s3cret&socket_timeout=1"

    with pytest.raises(RedisAwayError) as away:
        check(connect(url, retries=0), url)

    assert str(away.value) == (
        f"no answer from Redis at redis+sentinel://{place}: no Sentinel of {sentinels.replace(',', ', ')} knows a living master {master!r}"
    )


def test_a_sentinel_itself_is_no_redis(house: SentinelHouse) -> None:
    url = f"redis://{house.sentinel.place}"
    with pytest.raises(RedisAwayError, match=r"is a Sentinel; the URL of what it watches is redis\+sentinel://host:port/NAME"):
        check(connect(url), url)


def test_a_password_of_the_sentinels_own(house: SentinelHouse) -> None:
    with house.sentinel.client() as sentinel:
        sentinel.execute_command("ACL", "SETUSER", "watchers", "on", ">at/the door", "+@all", "allchannels", "~*")
        sentinel.execute_command("ACL", "SETUSER", "default", "off")
    try:
        with pytest.raises(ConnectionError):
            connect(house.url, retries=0).ping()
        allowed = f"{house.url}?sentinel_username=watchers&sentinel_password=at%2Fthe+door"
        assert connect(allowed, retries=0).ping()
    finally:
        with Redis.from_url(house.sentinel.url.replace("://", "://watchers:at%2Fthe%20door@")) as own:
            own.execute_command("ACL", "SETUSER", "default", "on")
