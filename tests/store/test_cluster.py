"""What only a cluster has: several nodes, slots that move, an order that must be made."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from boards import DATE, F, P, R, claim, complete, holds, make
from houses import ClusterHouse, House
from redis.exceptions import NoPermissionError
from servers import RedisServer, eventually

from engine.errors import Refused
from engine.store.acl import users
from engine.store.claims import Move, Moves, claim_command, move_command, read_move, trip
from engine.store.cluster import Cluster, ReadOnlyCluster
from engine.store.connect import AWAY, RedisAwayError, can_write, check, connect
from engine.store.pipes import Pipes
from engine.store.wave import Wave
from engine.store.waves import Waves, read_together

PIPES = [f"main/a e{i} {DATE}" for i in range(300)]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A cluster that these tests may hurt."""
    with ClusterHouse() as house:
        yield house


@pytest.fixture(name="redis")
def cluster(house: ClusterHouse) -> Iterator[Any]:
    with house.client() as redis:
        redis.flushall()
        yield redis


def node_of(redis: Cluster, house: ClusterHouse, key: str) -> RedisServer:
    """The server that holds a key."""
    node = redis.get_node_from_key(key)
    return next(n for n in house.nodes if n.place.endswith(f":{node.port}"))


def test_pipes_of_all_nodes_are_read_and_written_together(redis: Cluster, house: ClusterHouse) -> None:
    replies = trip(redis, [("SET", key, key, "NX") for key in PIPES])

    assert replies == [True] * len(PIPES)
    assert {node_of(redis, house, key).pid for key in PIPES} == {node.pid for node in house.nodes}
    assert Pipes(redis).get_many([*PIPES, "main/a nobody 2001-01-01", PIPES[0]]) == [
        *(key.encode() for key in PIPES),
        None,
        PIPES[0].encode(),
    ]
    assert Pipes(redis).get_many([]) == []
    assert Pipes(redis).there([PIPES[7], "main/a nobody 2001-01-01"]) == [True, False]


def test_what_says_that_pipes_are_there_is_sent_when_they_are(redis: Cluster, house: ClusterHouse) -> None:
    """Of one trip to several nodes nobody knows which node is first. One that is slow makes the others wait."""
    wave = make(redis)
    key = next(k for k in PIPES if node_of(redis, house, k) is not node_of(redis, house, wave.key("board")))
    claimed = claim(redis, wave, 1)
    steps = [Move(0, P, R, 0, 1), Move(0, R, F, 0, 1)]
    slow = node_of(redis, house, key)
    impatient = connect(house.url, timeout=1.0, retries=0)

    slow.pause()
    try:
        with pytest.raises(AWAY):
            trip(impatient, [("SET", key, "1", "NX")], [move_command(wave, Moves(holds(claimed), steps))])
        with node_of(redis, house, wave.key("board")).client() as board:
            assert board.get(wave.key("board")) == b"PPPPPPPP"
    finally:
        slow.resume()
    replies = trip(redis, [("SET", key, "1", "NX")], [move_command(wave, Moves(holds(claimed), steps))])
    assert read_move(replies[1]).refused == []
    assert (redis.get(key), Waves(redis).board(wave)) == (b"1", b"FPPPPPPP")


def test_scripts_that_one_node_has_forgotten_are_loaded_again(redis: Cluster, house: ClusterHouse) -> None:
    waves = [make(redis, trigger=f"manual:{i}") for i in range(8)]
    commands = [claim_command(wave, 1, "w1", 3600.0) for wave in waves]
    trip(redis, commands)
    with house.nodes[0].client() as forgetful:
        forgetful.script_flush()

    replies = trip(redis, commands)

    assert [reply[0] for reply in replies] == [b"ok"] * len(waves)


def test_a_wave_goes_on_while_its_slot_moves_to_another_node(redis: Cluster, house: ClusterHouse) -> None:
    wave, key = make(redis), "members"
    source = node_of(redis, house, wave.key(key))
    target = next(n for n in house.nodes if n is not source)
    slot = redis.keyslot(wave.key(key))
    with source.client() as old, target.client() as new:
        ids = {node: client.execute_command("CLUSTER MYID").decode() for node, client in ((source, old), (target, new))}
        claimed = claim(redis, wave, 2)

        new.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", ids[source])
        old.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", ids[target])
        for name in old.execute_command("CLUSTER GETKEYSINSLOT", slot, 1000):
            host, port = target.place.split(":")
            old.execute_command("MIGRATE", host, port, name, 0, 5000)
        assert redis.lrange(wave.key(key), 0, 0) == [b"e0 p"], "asked for where it is on its way to"
        for client in (new, old):
            client.execute_command("CLUSTER SETSLOT", slot, "NODE", ids[target])

    complete(redis, wave, claimed)
    assert Waves(redis).progress(wave).wave.left == wave.n - 2
    assert make(redis, trigger="manual:after").id


def found_again(redis: Cluster, wave: Wave) -> str:
    with contextlib.suppress(*AWAY):
        return Waves(redis).progress(wave).wave.id
    return ""


def test_a_node_that_is_gone_is_redis_being_away(redis: Cluster, house: ClusterHouse) -> None:
    wave = make(redis)
    lost = node_of(redis, house, wave.key("wave"))
    lost.pause()
    try:
        hasty = connect(house.url, timeout=1.0, retries=0)
        reads = (
            lambda: hasty.get(wave.key("board")),
            lambda: Pipes(hasty).get_many(PIPES),
            lambda: Waves(hasty).progress(wave),
        )
        for read in reads:
            with pytest.raises(AWAY):
                read()
    finally:
        lost.resume()
    assert eventually(lambda: found_again(hasty, wave), 20) == wave.id


def test_nobody_there_is_one_sentence_without_the_password() -> None:
    url = "redis+cluster://ana:s3cret@127.0.0.1:1,127.0.0.1:2"
    with pytest.raises(
        RedisAwayError, match=r"^no answer from Redis at redis\+cluster://127\.0\.0\.1:1,127\.0\.0\.1:2: "
    ) as away:
        connect(url)
    assert "s3cret" not in str(away.value) and "\n" not in str(away.value)


def test_a_server_that_is_no_cluster_and_a_node_that_is_one_are_told_apart(redis: Cluster, house: ClusterHouse) -> None:
    with RedisServer(tcp=True) as server, pytest.raises(RedisAwayError, match="cluster support disabled"):
        connect(server.url.replace("redis://", "redis+cluster://").removesuffix("/0"))
    node = house.nodes[0]
    with pytest.raises(RedisAwayError, match=r"is a node of a Redis Cluster; its URL begins with redis\+cluster://"):
        check(connect(node.url), node.url)
    assert check(redis, house.url) is None


@pytest.mark.parametrize("transaction", [True, False])
def test_a_read_only_client_changes_nothing_in_pipelines_either(redis: Cluster, house: ClusterHouse, transaction: bool) -> None:
    client = connect(house.url, read_only=True)
    assert isinstance(client, ReadOnlyCluster) and not can_write(client) and can_write(redis)
    with client.pipeline(transaction=transaction) as pipe:
        pipe.get("k")
        for write in (
            lambda: pipe.set("k", "v"),
            lambda: pipe.delete("k"),
            lambda: pipe.unlink("k"),
            lambda: pipe.rename("k", "k"),
            lambda: pipe.pipeline_execute_command("SET", "k", "v"),
            lambda: pipe.execute_command("EVALSHA", "0" * 40, 1, "k"),
        ):
            with pytest.raises(Refused):
                write()
        assert pipe.execute() == [None]
    for act in (
        client.flushall,
        client.pubsub,
        client.monitor,
        lambda: client.delete("k"),
        lambda: client.mset_nonatomic({"k": 1}),
    ):
        with pytest.raises(Refused):
            act()
    assert read_together(client, lambda pipe: (pipe.get("{k}1"), pipe.get("{k}2"))) == [None, None]


def test_a_client_that_is_closed_leaves_no_connection(redis: Cluster, house: ClusterHouse) -> None:
    def connections() -> int:
        told = redis.client_list(target_nodes="all")
        return sum(client["name"] == "leaver" for clients in told.values() for client in clients)

    clients = [connect(f"{house.url}?client_name=leaver") for _ in range(5)]
    for client in clients:
        client.mget(PIPES)
    assert connections() >= 15
    for client in clients:
        client.close()
    eventually(lambda: not connections(), what="all are closed")


def test_the_rules_of_acl_are_enough_on_a_cluster(redis: Cluster, house: ClusterHouse) -> None:
    for kind, user in users("main").items():
        redis.execute_command("ACL SETUSER", user.name, *user.rules, f">{kind}", target_nodes="all")
    try:
        worker, console, reader = (
            connect(house.url.replace("://", f"://{user.name}:{kind}@")) for kind, user in users("main").items()
        )
        wave = make(console)
        complete(worker, wave, claim(worker, wave, 4))
        trip(worker, [("SET", f"main/a e0 {DATE}", "1", "NX")])
        assert not Waves(reader).progress(wave).wave.running
        assert not can_write(reader)
        with pytest.raises(NoPermissionError):
            worker.set(f"other/a e0 {DATE}", "1")
    finally:
        for user in users("main").values():
            redis.execute_command("ACL DELUSER", user.name, target_nodes="all")
