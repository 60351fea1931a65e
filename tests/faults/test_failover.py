"""The server of a wave dies, and its replica takes over or it comes back: workers wait, go on, and the wave ends whole."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from houses import ClusterHouse, SentinelHouse
from redis.exceptions import RedisError
from rig import Rig, rigs
from servers import eventually
from test_kill import ENTITIES, FLOW, all_is_there, in_mid_wave, witness

from engine.store.connect import connect
from engine.store.wave import Wave
from engine.store.waves import Waves


@pytest.fixture
def house() -> Iterator[SentinelHouse]:
    """One whose Sentinel takes a silent master for dead soon, yet not one that a busy machine keeps waiting."""
    with SentinelHouse(patience=3000) as house:
        yield house


@pytest.fixture
def guarded(house: SentinelHouse, tmp_path: Path) -> Iterator[Rig]:
    with connect(house.url, timeout=2, retries=0) as redis:
        yield from rigs(redis, house.url_for, tmp_path)


def promoted(house: SentinelHouse) -> bool:
    """Whether the replica is the master by now. When it becomes that it drops its connections."""
    with contextlib.suppress(RedisError), house.replica.client() as client:
        return bool(client.info("replication")["role"] == "master")
    return False


def copied(house: SentinelHouse, wave: Wave) -> None:
    """Waits until the replica hears what the master does: it is «up» a second before."""
    with house.replica.client() as replica:
        eventually(lambda: Waves(replica).find(wave.id, "main"), 20, what="the replica has the wave")


def test_a_master_that_dies_in_mid_wave_is_replaced_by_its_replica(guarded: Rig, house: SentinelHouse) -> None:
    # Given
    wave = guarded.launch(guarded.flow(FLOW), *ENTITIES)
    copied(house, wave)
    workers = [guarded.start("--slots", "1", "--lease", "2", "--until-idle") for _ in range(2)]
    in_mid_wave(guarded)

    # When: the replica has never been given a script
    assert not promoted(house), "the Sentinel was hasty"
    house.master.kill()
    eventually(lambda: promoted(house), 30, what="the replica is promoted")

    # Then nothing that the new master shows is undone again, and all of it ends
    with witness(guarded, wave):
        for worker in workers:
            assert worker.wait(60) == 0, guarded.logs()
    all_is_there(guarded, wave)
    assert "redis is away" in guarded.logs()


def test_a_master_that_was_only_silent_comes_back_as_a_replica_and_nobody_writes_to_it(
    guarded: Rig, house: SentinelHouse
) -> None:
    """Connections to it are open still, and it answers: that it is read-only."""
    wave = guarded.launch(guarded.flow(FLOW), *ENTITIES)
    copied(house, wave)
    workers = [guarded.start("--slots", "1", "--lease", "2", "--until-idle") for _ in range(2)]
    in_mid_wave(guarded)

    house.master.pause()
    try:
        eventually(lambda: promoted(house), 30, what="the replica is promoted")
    finally:
        house.master.resume()
    for worker in workers:
        assert worker.wait(60) == 0, guarded.logs()

    all_is_there(guarded, wave)


def test_claims_that_the_replica_never_heard_of_are_made_again(guarded: Rig, house: SentinelHouse) -> None:
    """Replication is asynchronous: what was acknowledged last may be lost. The entities are then served again."""
    wave = guarded.launch(guarded.flow(FLOW), *ENTITIES)
    copied(house, wave)
    with house.replica.client() as replica:
        replica.config_set("masteruser", "nobody")
        replica.config_set("masterauth", "wrong")
        replica.execute_command("CLIENT", "KILL", "TYPE", "master")
        eventually(lambda: replica.info("replication")["master_link_status"] == "down", what="it hears no more")
    workers = [guarded.start("--slots", "1", "--lease", "2", "--until-idle") for _ in range(2)]
    in_mid_wave(guarded)

    house.master.kill()
    for worker in workers:
        assert worker.wait(90) == 0, guarded.logs()

    with house.replica.client() as now:
        assert not Waves(now).progress(wave).wave.running
    all_is_there(guarded, wave)
    assert len(guarded.runs()) > len(set(guarded.runs())), "what was lost was done twice"


def test_a_node_of_a_cluster_that_dies_in_mid_wave_and_comes_back_costs_nothing(tmp_path: Path) -> None:
    """Without its slots the cluster serves nothing, and says so in words of its own."""
    with ClusterHouse(persist=True) as cluster, cluster.client() as redis:
        for rig in rigs(redis, cluster.url_for, tmp_path):
            wave = rig.launch(rig.flow(FLOW), *ENTITIES)
            workers = [rig.start("--slots", "1", "--lease", "2", "--until-idle") for _ in range(2)]
            in_mid_wave(rig)
            holder = redis.get_node_from_key(wave.key("board"))

            next(node for node in cluster.nodes if node.place.endswith(f":{holder.port}")).restart()

            for worker in workers:
                assert worker.wait(90) == 0, rig.logs()
            all_is_there(rig, wave)
            assert "redis is away" in rig.logs()


def test_a_server_that_only_reads_for_a_while_is_waited_for(rig: Rig) -> None:
    """As after a failover behind one address: the connection is open still, and the server is a replica by now."""
    wave = rig.launch(rig.flow(FLOW), *ENTITIES)
    workers = [rig.start("--slots", "1", "--lease", "1", "--until-idle") for _ in range(2)]
    in_mid_wave(rig)

    rig.redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        eventually(
            lambda: rig.redis.info("errorstats").get("errorstat_READONLY", {}).get("count", 0) > 4, 30, what="they were refused"
        )
        for worker in workers:
            assert worker.poll() is None, rig.logs()
    finally:
        rig.redis.execute_command("REPLICAOF", "NO", "ONE")
    for worker in workers:
        assert worker.wait(60) == 0, rig.logs()

    all_is_there(rig, wave)
    assert "exited with" not in rig.logs() and "Traceback" not in rig.logs(), "no slot died of it"
