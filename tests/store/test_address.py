"""URLs of every kind of Redis, and what is shown of them."""

import pytest

from engine.store.address import Address, safe
from engine.store.connect import RedisAwayError, connect


@pytest.mark.parametrize("url", ["redis://localhost:6379/1", "rediss://u:p@host/0?ssl_ca_certs=/ca.pem", "unix:///a/path?db=1"])
def test_one_server_s_url_is_redis_py_s(url: str) -> None:
    assert Address.of(url) == Address("server", url)


def test_a_cluster_is_some_of_its_nodes() -> None:
    found = Address.of("rediss+cluster://ana:s%2Fecret@one:7000,[::1]:7001,three?ssl_ca_certs=/ca.pem")

    assert found.house == "cluster"
    assert found.url == "rediss://ana:s%2Fecret@one:7000/0?ssl_ca_certs=%2Fca.pem"
    assert found.nodes == (("one", 7000), ("::1", 7001), ("three", 6379))


def test_sentinels_have_a_master_and_perhaps_a_password_of_their_own() -> None:
    found = Address.of("redis+sentinel://ana:secret@[::1],two:5000/my%20waves/3?sentinel_password=x%26y&socket_timeout=3")

    assert found.house == "sentinel"
    assert found.url == "redis://ana:secret@[::1]:26379/3?socket_timeout=3"
    assert found.nodes == (("::1", 26379), ("two", 5000))
    assert (found.master, found.asks) == ("my waves", (("password", "x&y"),))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis+ring://u:s3cret@a:1", "its scheme must be one of redis, "),
        ("http+cluster://u:s3cret@a:1", "its scheme must be one of redis, "),
        ("redis+cluster://u:s3cret@a:1/2", "a cluster has no databases beside 0"),
        ("redis+cluster://u:s3cret@a:1,,b:2", "a host is missing; several are written with commas"),
        ("redis+cluster://u:s3cret@", "a host is missing"),
        ("redis+cluster://a:1,b:s3cret", "its port is no number"),
        ("redis+sentinel://u:s3cret@a:1", "it does not say which master"),
        ("redis+sentinel://u:s3cret@a:1/waves/one", "'one' is no database's number"),
        ("redis://u:s3cret/more@a:1/0", "its port is no number; what is special in a password is written as %2F"),
        ("nothing", "Redis URL must specify one of the following"),
    ],
)
def test_what_is_no_url_is_said_without_its_password(url: str, why: str) -> None:
    with pytest.raises(RedisAwayError) as refused:
        connect(url)

    assert f"is no Redis URL: {why}" in str(refused.value)
    assert "s3cret" not in str(refused.value).replace("b:s3cret'", "")  # there it stands for a host


def test_options_that_redis_py_does_not_know_are_named() -> None:
    with pytest.raises(RedisAwayError, match=r"'rediss\+sentinel://a:1/waves' is no Redis URL: .*ssl_sort"):
        connect("rediss+sentinel://u:p@a:1/waves?ssl_sort=x")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://u:p@a:1/0?password=p", "redis://a:1/0"),
        ("redis+sentinel://u:p@a:1,b:2/waves?sentinel_password=p", "redis+sentinel://a:1,b:2/waves"),
        ("unix://u:p@/a/path?db=1", "unix:///a/path"),
        ("nothing", "nothing"),
    ],
)
def test_a_url_is_shown_without_user_password_and_options(url: str, shown: str) -> None:
    assert safe(url) == shown
