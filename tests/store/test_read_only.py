"""Who may only read: a client that refuses by itself, a Redis user whose ACL has no writing commands, a replica."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from boards import DATE, claim, complete, make, plan
from redis import Redis
from redis.exceptions import NoPermissionError, ReadOnlyError
from servers import RedisServer, eventually

from engine.cancel import cancel
from engine.errors import Refused
from engine.keys import PipeKey
from engine.launch import launch
from engine.rerun import rerun
from engine.store.acts import Acts
from engine.store.catalog import Catalog
from engine.store.connect import can_write, check, connect, must_write
from engine.store.pipes import Pipes
from engine.store.read_only import READING, READING_PAIRS
from engine.store.scripts import CANCEL
from engine.store.states import States
from engine.store.wave import Wave
from engine.store.waves import Waves
from engine.store.workers import Worker, Workers

pytestmark = pytest.mark.every_house

WRITES: list[Callable[[Any], object]] = [
    lambda r: r.set("k", "v"),
    lambda r: r.getdel("k"),
    lambda r: r.getex("k", ex=1),
    lambda r: r.hset("h", "a", "b"),
    lambda r: r.zadd("z", {"a": 1}),
    lambda r: r.zrem("z", "a"),
    lambda r: r.rpush("l", "a"),
    lambda r: r.blpop(["l"], timeout=1),
    lambda r: r.blmove("l", "m", 1),
    lambda r: r.xadd("x", {"a": "b"}),
    lambda r: r.xread({"x": "0"}, block=1),
    lambda r: r.expire("k", 10),
    lambda r: r.unlink("k"),
    lambda r: r.rename("k", "l"),
    lambda r: r.copy("k", "l"),
    lambda r: r.sort("l", store="m"),
    lambda r: r.zrangestore("y", "z", 0, -1),
    lambda r: r.flushall(),
    lambda r: r.flushdb(),
    lambda r: r.publish("c", "m"),
    lambda r: r.eval("return redis.call('SET', 'k', 'v')", 0),
    lambda r: r.evalsha("0" * 40, 0),
    lambda r: r.eval_ro("return 1", 0),
    lambda r: r.fcall("f", 0),
    lambda r: r.script_load("return 1"),
    lambda r: r.script_flush(),
    lambda r: r.function_flush(),
    lambda r: r.register_script("return redis.call('SET', 'k', 'v')")(),
    lambda r: r.config_set("maxmemory", "1gb"),
    lambda r: r.config_resetstat(),
    lambda r: r.acl_setuser("eve", enabled=True),
    lambda r: r.acl_log_reset(),
    lambda r: r.client_kill("1.2.3.4:5"),
    lambda r: r.client_pause(1000),
    lambda r: r.client_no_evict("ON"),
    lambda r: r.memory_purge(),
    lambda r: r.latency_reset(),
    lambda r: r.replicaof("1.2.3.4", 5),
    lambda r: r.slaveof("1.2.3.4", 5),
    lambda r: r.shutdown(),
    lambda r: r.restore("k", 0, b"x"),
    lambda r: r.execute_command("SET", "k", "v"),
    lambda r: r.execute_command("set k v"),
    lambda r: r.execute_command(b"SET", b"k", b"v"),
    lambda r: r.execute_command("CONFIG SET", "maxmemory", "1gb"),
    lambda r: r.execute_command("config", "set", "maxmemory", "1gb"),
    lambda r: r.execute_command("NO.SUCH"),
    lambda r: r.execute_command(""),
    lambda r: r.lock("k").acquire(blocking=False),
    lambda r: r.pubsub(),
    lambda r: r.monitor(),
    lambda r: CANCEL(r, ["a", "b", "c", "d"], ["x", "y"]),
]


@contextmanager
def nobody_listens() -> Iterator[tuple[Any, socket.socket]]:
    """A read-only client of a port that would notice the first byte."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        yield connect(f"redis://127.0.0.1:{server.getsockname()[1]}/0", read_only=True, retries=0), server


@pytest.mark.parametrize("number", range(len(WRITES)))
def test_what_changes_something_is_refused_before_anything_is_sent(number: int) -> None:
    with nobody_listens() as (client, server):
        with pytest.raises(Refused, match=r"^read-only: .* (may not|does not \w+)$"):
            WRITES[number](client)
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.one_server
@pytest.mark.parametrize("transaction", [True, False])
def test_pipelines_refuse_as_they_are_filled(redis: "Redis", redis_url: str, transaction: bool) -> None:
    with connect(redis_url, read_only=True).pipeline(transaction=transaction) as trip:
        trip.get("k")
        with pytest.raises(Refused, match="SET would change"):
            trip.set("k", "v")
        with pytest.raises(Refused):
            trip.pipeline_execute_command("SET", "k", "v")
        with pytest.raises(Refused):
            trip.immediate_execute_command("SET", "k", "v")
        with pytest.raises(Refused):
            CANCEL(trip, ["a"], ["b"])
        assert trip.execute() == [None]
    assert redis.dbsize() == 0


@pytest.mark.one_server
def test_a_watched_pipeline_and_a_client_of_its_own_refuse_too(redis: "Redis", redis_url: str) -> None:
    client = connect(redis_url, read_only=True)
    with client.pipeline() as trip:
        trip.watch("k")
        with pytest.raises(Refused):
            trip.set("k", "v")
        trip.multi()
        with pytest.raises(Refused):
            trip.set("k", "v")
        trip.get("k")
        assert trip.execute() == [None]
    with client.client() as own, pytest.raises(Refused):
        own.set("k", "v")
    assert redis.dbsize() == 0


def test_the_reading_commands_only_read(redis: "Redis") -> None:
    """As the server itself says: none of those on the list writes or waits."""
    told = redis.execute_command("COMMAND")
    flags = {name.lower(): {f if isinstance(f, str) else f.decode() for f in info["flags"]} for name, info in told.items()}

    assert [name for name in READING if flags.get(name, set()) & {"write", "blocking", "pubsub"}] == []
    assert READING & {"eval", "evalsha", "eval_ro", "script", "config", "acl", "client", "subscribe", "monitor"} == set()
    assert not any(
        pair.split("_")[1] in ("set", "setuser", "kill", "reset", "purge", "flush", "load") for pair in READING_PAIRS
    )


@pytest.mark.one_server
def test_health_is_not_asked_by_a_command_that_an_acl_may_forbid(redis_url: str) -> None:
    assert connect(redis_url, read_only=True).connection_pool.connection_kwargs["health_check_interval"] == 0


# who may write


@pytest.fixture
def reader_url(redis: "Redis", redis_url: str) -> Iterator[str]:
    """The server of the run, as a user who may read everything and nothing else: not even ping."""
    redis.acl_setuser("reader", enabled=True, reset=True, passwords=["+secret"], keys=["*"], categories=["+@read"])
    yield redis_url.replace("unix://", "unix://reader:secret@")
    redis.acl_deluser("reader")


@pytest.fixture(scope="module")
def primary_and_replica() -> Iterator[tuple[RedisServer, RedisServer]]:
    with RedisServer(tcp=True) as primary:
        host, port = primary.url.removeprefix("redis://").removesuffix("/0").split(":")
        with RedisServer("--replicaof", host, port, "--repl-diskless-sync-delay", "0", tcp=True) as replica:
            eventually(lambda: replica.client().info("replication")["master_link_status"] == "up", 20)
            yield primary, replica


@pytest.mark.one_server
def test_who_can_write(
    redis: "Redis", redis_url: str, reader_url: str, primary_and_replica: tuple[RedisServer, RedisServer]
) -> None:
    primary, replica = primary_and_replica
    redis.acl_setuser("elsewhere", enabled=True, reset=True, nopass=True, keys=["other:*"], categories=["+@all"])
    try:
        expected = {
            (redis_url, False): True,
            (redis_url, True): False,
            (reader_url, False): False,
            (redis_url.replace("unix://", "unix://elsewhere:x@"), False): False,
            (primary.url, False): True,
            (replica.url, False): False,
        }
        assert {key: can_write(connect(key[0], read_only=key[1])) for key in expected} == expected
    finally:
        redis.acl_deluser("elsewhere")
    assert redis.dbsize() == 0, "asking changes nothing"


@pytest.mark.one_server
def test_the_reason_is_a_sentence(
    redis_url: str, reader_url: str, primary_and_replica: tuple[RedisServer, RedisServer]
) -> None:
    for url, read_only, why in (
        (redis_url, True, "read-only: this session changes nothing"),
        (reader_url, False, "read-only: this Redis user may not write"),
        (primary_and_replica[1].url, False, "read-only: this Redis is a replica; acts go to its primary"),
    ):
        with pytest.raises(Refused) as refused:
            must_write(connect(url, read_only=read_only))
        assert str(refused.value) == why


def furnish(redis: "Redis") -> Wave:
    """One of everything, and lists that name what has expired."""
    chain = plan("a", "b")
    States(redis).seen("shops", [("e0", "p"), ("e1", "p")], DATE.start.timestamp())
    gone = make(redis, trigger="manual:gone")
    redis.delete(gone.key("wave"))
    redis.zadd("wd:{main}:dates:a", {"2001-01-01T00": 1.0})
    wave = make(redis, trigger="manual:2")
    redis.zadd("wd:{main}:waves", {gone.id: gone.created})
    complete(redis, wave, claim(redis, wave, 4))
    redis.set(f"main/a e0 {DATE}", b"1")
    Workers(redis).beat(Worker("w-1", "main", "host", 1, 0.0, 0.0))
    Catalog(redis).publish("main", [chain])
    cancel(redis, make(redis, trigger="manual:3"), by="ada")
    return wave


def read_everything(client: Any, wave: Wave) -> None:
    """Every reading verb of the store."""
    waves, pipes, catalog = Waves(client), Pipes(client), Catalog(client)
    assert waves.find(wave.id) is not None
    assert waves.get(wave.id[:6]).id == wave.id
    assert len(waves.recent()) == 2
    assert waves.progress(wave).wave.id == wave.id
    assert waves.plan(wave).names == ("a", "b") and waves.body(wave)
    assert len(waves.board(wave)) == 8 and len(waves.times(wave)) == 64
    assert waves.column(wave, 1) and waves.column_times(wave, 1) and waves.cell(wave, 0, 0)
    assert waves.members(wave)[1] == ("e1", "p") and waves.number(wave, "e3") == 3
    waves.notes(wave), waves.note(wave, 0, 0), waves.log(wave, 0, 0)
    assert waves.worker_of(wave, 0) == "w1" and waves.workers_of(wave, 0, 2) == ["w1", "w1"]
    assert waves.memory(wave) > 0
    assert pipes.names("main") == ["a", "b"]
    assert pipes.dates("main", "a") == [DATE]
    assert len(list(pipes.entries("main", "a", DATE))) == 4
    assert pipes.get(f"main/a e0 {DATE}") == b"1" and pipes.writer(PipeKey("main", "a", "e0", DATE)) == f"wave {wave.id} (w1)"
    assert catalog.versions() == ["main"] and list(catalog.flows("main")) == ["shop"] and catalog.config("main", "shop") == {}
    assert States(client).names() == ["shops"] and len(States(client).members("shops")) == 2
    assert [w.name for w in Workers(client).alive("main")] == ["w-1"]
    assert [a.verb for a in Acts(client).recent()] == ["cancel"]


def refuse_everything(client: Any, wave: Wave) -> None:
    """Every verb that changes something, refused in a sentence that begins as all of them do."""
    verbs: list[Callable[[], object]] = [
        lambda: launch(client, plan("a"), version="main", date=DATE, trigger="manual:x", by="eve", entities=["a"]),
        lambda: cancel(client, wave, by="eve"),
        lambda: rerun(client, wave, by="eve", entities=[0]),
    ]
    for verb in verbs:
        with pytest.raises(Refused, match=r"^read-only: "):
            verb()


def test_a_read_only_client_reads_everything_and_does_nothing(redis: "Redis", redis_url: str) -> None:
    wave = furnish(redis)
    before = {key: redis.dump(key) for key in redis.scan_iter()}

    read_everything(connect(redis_url, read_only=True), wave)
    refuse_everything(connect(redis_url, read_only=True), wave)

    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


@pytest.mark.one_server
@pytest.mark.parametrize("read_only", [True, False])
def test_a_user_that_may_only_read_reads_everything_and_does_nothing(redis: "Redis", reader_url: str, read_only: bool) -> None:
    wave = furnish(redis)
    client = connect(reader_url, read_only=read_only)
    check(client, reader_url)
    redis.acl_log_reset()

    read_everything(client, wave)

    asked = [entry["object"] for entry in redis.acl_log()]
    assert set(asked) <= ({"multi", "exec"} if read_only else {"multi", "exec", "zrem"}), "nothing else was tried"
    refuse_everything(client, wave)
    assert len(Acts(redis).recent()) == 1


@pytest.mark.one_server
def test_without_transactions_a_wave_is_read_in_one_trip_from_then_on(redis: "Redis", reader_url: str) -> None:
    wave = furnish(redis)
    client = connect(reader_url, read_only=True)
    Waves(client).progress(wave)
    redis.acl_log_reset()

    assert Waves(client).progress(wave).wave.id == wave.id
    assert redis.acl_log() == []


def test_a_replica_shows_everything_and_does_nothing(primary_and_replica: tuple[RedisServer, RedisServer]) -> None:
    primary, replica = primary_and_replica
    with primary.client() as writer, replica.client() as reader:
        writer.flushall()
        wave = furnish(writer)
        writer.wait(1, 10_000)

        read_everything(connect(replica.url), wave)
        read_everything(connect(replica.url, read_only=True), wave)
        refuse_everything(connect(replica.url), wave)
        with pytest.raises(ReadOnlyError):
            reader.set("k", "v")


@pytest.mark.one_server
def test_a_user_that_may_write_but_run_no_scripts_cancels_nothing_and_leaves_no_trace(redis: "Redis", redis_url: str) -> None:
    wave = make(redis)
    redis.acl_setuser("half", enabled=True, reset=True, nopass=True, keys=["*"], categories=["+@all", "-@scripting"])
    try:
        with pytest.raises(NoPermissionError):
            cancel(connect(redis_url.replace("unix://", "unix://half:x@")), wave, by="eve")
    finally:
        redis.acl_deluser("half")
    assert Acts(redis).recent() == [] and not Waves(redis).get(wave.id).cancelled
