"""The doctor: every check green and red, what may not be asked, and a Redis that is away."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from click.testing import CliRunner, Result
from houses import ClusterHouse, cluster_port
from redis import Redis
from redis.exceptions import ConnectionError, NoPermissionError, RedisError, ResponseError
from servers import RedisServer, eventually

from console.cli import cli
from engine.doctor import Finding, diagnose, link, server, work
from engine.doctor.ecs import AGENT, METADATA, ecs
from engine.doctor.finding import look
from engine.errors import BadFlow, Refused
from engine.keys import Date
from engine.launch import launch
from engine.plan import Input, Plan, TaskPlan
from engine.store.connect import connect
from engine.store.room import Room, room
from engine.store.waves import Waves
from engine.store.workers import SlotState, Worker, Workers

PLAN = Plan("shop", (TaskPlan("a"), TaskPlan("b", (Input("a"),))), state="shops")
DATE = Date("2013-07-01T14")
SETTINGS = {
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    "appendonly": "no",
    "save": "",
    "timeout": "0",
    "client-output-buffer-limit": "normal 0 0 0",
    "maxclients": "10000",
}


@pytest.fixture(scope="module", name="own")
def own_server() -> Iterator[RedisServer]:
    """A server whose settings tests change."""
    with RedisServer() as own:
        yield own


@pytest.fixture(name="redis")
def own_redis(own: RedisServer) -> Iterator[Redis]:
    """A client of it; it is empty and set as it should be, but for what it keeps."""
    with own.client() as redis:
        for name, value in SETTINGS.items():
            redis.config_set(name, value)
        redis.flushall()
        yield redis


@pytest.fixture
def as_user(own: RedisServer, redis: Redis) -> Iterator[Callable[..., Redis]]:
    """A client of a user with these rights."""
    clients: list[Redis] = []

    def user(*rights: str) -> Redis:
        redis.execute_command("ACL", "SETUSER", "guest", "reset", "on", "nopass", *rights)
        clients.append(own.client(**{"username": "guest", "password": "x"}))
        return clients[-1]

    yield user
    for client in clients:
        client.close()


def find(findings: list[Finding], name: str) -> Finding:
    [found] = [f for f in findings if f.name == name]
    return found


def examine(own: RedisServer, redis: Redis, **more: Any) -> list[Finding]:
    return diagnose(redis, own.url, **{"environment": {}, **more})


def go(redis: Redis, many: int = 100, **more: Any) -> None:
    order = {"version": "main", "date": DATE, "trigger": "manual:1", "by": "ada", **more}
    launch(redis, PLAN, members=[(f"e{i}", "p") for i in range(many)], **order)


def crew(redis: Redis, version: str = "main", **more: Any) -> None:
    told = {"slots": [SlotState(1), SlotState(2)], "flows": ["shop"], **more}
    Workers(redis).beat(Worker("w-1", version, "host", 1, 0.0, 0.0, **told))


# the server


def test_a_version_that_is_too_old_is_a_failure() -> None:
    told = [server.version({"redis_version": v}).level for v in ("5.0.14", "6.0.16", "6.2.0", "7.4.1", "8.0")]

    assert told == ["FAIL", "FAIL", "ok", "ok", "ok"]
    assert server.version({"redis_version": "7.2.4", "valkey_version": "8.1.0"}).found == "Valkey 8.1.0"


def test_eviction_is_a_warning_and_with_a_limit_a_failure(redis: Redis) -> None:
    def now() -> Finding:
        there = room(redis)
        assert there is not None
        return server.eviction(there)

    assert now().level == "ok"
    redis.config_set("maxmemory-policy", "allkeys-lru")
    assert now().level == "warn"
    redis.config_set("maxmemory", "1gb")
    assert now().level == "FAIL"
    assert now().found == "maxmemory-policy is allkeys-lru: Redis deletes pipes and boards of waves when memory is full"
    assert "noeviction" in now().advice


def test_memory_without_a_limit_with_room_with_little_and_with_none() -> None:
    mb = 1_000_000
    rooms = [Room(mb, 0, 0, ""), Room(mb, 100 * mb, 0, ""), Room(95 * mb, 100 * mb, 0, ""), Room(101 * mb, 100 * mb, 0, "")]

    assert [server.memory(r).level for r in rooms] == ["warn", "ok", "warn", "FAIL"]
    assert server.memory(rooms[3]).found == "full: 101 MB used of 100 MB"


def test_what_a_restart_leaves(redis: Redis, as_user: Callable[..., Redis]) -> None:
    def now(client: Redis = redis) -> Finding:
        return server.persistence(redis.info(), client)

    assert (now().level, now().found) == ("warn", "none: a restart forgets everything")
    redis.config_set("save", "3600 1")
    assert (now().level, now().found) == ("warn", "snapshots only (save 3600 1): a restart loses what came after the last")
    blind = now(as_user("~*", "+@all", "-config"))
    assert (blind.level, blind.found) == ("warn", "no append-only file; whether there are snapshots may not be asked")
    redis.config_set("appendonly", "yes")
    assert (now().level, now().found) == ("ok", "append-only file")
    broken = server.persistence({"aof_enabled": 1, "aof_last_write_status": "err"}, redis)
    assert broken.level == "FAIL"


def test_a_replica_is_a_failure(own: RedisServer, redis: Redis) -> None:
    assert find(examine(own, redis), "replication") == Finding("replication", "ok", "primary with 0 replicas")
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")
    try:
        findings = examine(own, redis)
    finally:
        redis.execute_command("REPLICAOF", "NO", "ONE")

    assert find(findings, "replication").level == "FAIL"
    assert "replica of 127.0.0.1:1" in find(findings, "replication").found


def test_a_cluster_with_slots_that_nobody_serves_is_a_failure() -> None:
    with RedisServer("--cluster-enabled", "yes", tcp=True, port=cluster_port()) as own, own.client() as redis:
        lost = server.cluster(redis)
        redis.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        eventually(lambda: server.cluster(redis).level == "ok", 20, what="the cluster is whole")
        plain = diagnose(redis, own.url, environment={})

    assert (lost.level, plain[0].level) == ("FAIL", "FAIL")
    assert "0 of 16384 slots served" in lost.found
    assert "its URL begins with redis+cluster://" in plain[0].found


def test_of_a_cluster_all_nodes_are_looked_at() -> None:
    with ClusterHouse() as house, house.client() as redis:
        # Given three nodes, one of them worse off
        redis.config_set("maxmemory", 50_000_000)
        tight = house.nodes[1].client()
        tight.config_set("maxmemory", 20_000_000)
        tight.config_set("maxmemory-policy", "allkeys-lru")

        # When
        found = diagnose(redis, house.url, environment={})

        # Then
        levels = {finding.name: finding.level for finding in found}
        assert "skip" not in levels.values(), found
        assert [name for name, level in levels.items() if level == "FAIL"] == ["eviction"]
        assert find(found, "version").found.startswith("all 3 nodes: Redis ")
        there = room(redis)
        assert there is not None
        assert there.limit == 3 * 20_000_000
        assert 0 < there.used < 3 * 20_000_000


def test_how_many_may_still_connect(own: RedisServer, redis: Redis) -> None:
    told = [server.clients({"connected_clients": n, "maxclients": 100}).level for n in (79, 80, 95)]

    assert told == ["ok", "warn", "FAIL"]
    assert server.clients({"connected_clients": 5}) == Finding("clients", "ok", "5 connected")
    assert "connected" in find(examine(own, redis), "clients").found


def test_who_waits_or_reads_much_is_not_to_be_thrown_out(redis: Redis) -> None:
    assert server.timeouts(redis).level == "ok"
    redis.config_set("timeout", "600")
    assert server.timeouts(redis).found.startswith("idle connections live 600 s")
    redis.config_set("timeout", "5")
    assert (server.timeouts(redis).level, server.timeouts(redis).found) == (
        "warn",
        "idle connections are closed after 5 s (timeout)",
    )
    redis.config_set("timeout", "0")
    redis.config_set("client-output-buffer-limit", "normal 1048576 0 0")
    assert server.timeouts(redis).level == "warn"
    assert "readers of more than 1.05 MB at once are thrown out" in server.timeouts(redis).found


# the link


class Odd:
    """A Redis that is slow, or whose clock is off."""

    def __init__(self, *, slow: float = 0.0, off: float = 0.0) -> None:
        self._slow, self._off = slow, off

    def ping(self) -> None:
        time.sleep(self._slow)

    def time(self) -> tuple[int, int]:
        now = time.time() + self._off
        return int(now), int(now % 1 * 1_000_000)


def test_a_slow_link_is_a_warning_with_numbers(redis: Redis) -> None:
    assert link.latency(Odd(slow=link.GOOD * 1.5)).level == "warn"
    assert link.latency(Odd()).level == "ok"
    assert link.latency(redis).found.endswith("of 100 pings (good: 2 and 20)")


@pytest.mark.parametrize(
    ("off", "level", "where"),
    [(0.0, "ok", ""), (3.0, "warn", "behind"), (-3.0, "warn", "ahead of"), (-60.0, "FAIL", "ahead of")],
)
def test_clocks_that_differ(off: float, level: str, where: str) -> None:
    found = link.clock(Odd(off=off))

    assert (found.level, where in found.found) == (level, True)


def test_this_machine_s_own_redis_has_its_clock(redis: Redis) -> None:
    assert link.clock(redis).level == "ok"


def test_scripts_that_were_forgotten_are_loaded_and_run(redis: Redis) -> None:
    redis.script_flush()

    first, second = link.scripts(redis), link.scripts(redis)

    assert (first.level, second.level) == ("ok", "ok")
    assert "0 of 7 were loaded" in first.found
    assert "1 of 7 were loaded" in second.found
    assert redis.dbsize() == 0


def test_who_may_not_run_scripts_is_told_what_that_means(as_user: Callable[..., Redis]) -> None:
    found = link.scripts(as_user("~*", "+@all", "-@scripting"))

    assert (found.level, found.found) == ("warn", "this Redis user may not run scripts")


@pytest.mark.parametrize(
    ("rights", "level", "found"),
    [
        (["~*", "+@all"], "ok", "user guest may read and write"),
        (["~*", "+@all", "-config"], "ok", "user guest may read and write; without CONFIG GET"),
        (["~*", "+@all", "-time"], "FAIL", "user guest may read and write; without TIME"),
        (["~*", "+@read", "+ping"], "warn", "this user may read and not write; without TIME, INFO, CONFIG GET"),
        (["~main/*", "+@all"], "FAIL", "user guest may not read 'wd:doctor', 'wd:state:{doctor}:in:-', 'wd:{main}:doctor'"),
        (["~wd:*", "%R~main/*", "+@all"], "FAIL", "user guest may not write 'main/doctor - 2000-01-01'"),
    ],
    ids=["all", "no config", "no time", "reader", "own pipes only", "others' pipes"],
)
def test_what_a_user_may_do(redis: Redis, as_user: Callable[..., Redis], rights: list[str], level: str, found: str) -> None:
    if any(right.startswith("%") for right in rights) and str(redis.info()["redis_version"]) < "7":
        pytest.skip("rights to read keys and not to write them came with Redis 7")

    told = link.permissions(as_user(*rights), ["main"])

    assert [(f.level, f.found) for f in told] == [(level, found)]


def test_asking_what_a_user_may_changes_nothing(own: RedisServer, redis: Redis) -> None:
    go(redis)
    before = {key: redis.dump(key) for key in redis.scan_iter()}

    examine(own, redis)

    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


# waves and workers


def test_waves_that_nobody_serves_are_a_failure(redis: Redis) -> None:
    def now() -> list[tuple[str, str, str]]:
        return [(f.name, f.level, f.found) for f in work.crews(redis, ["main", "fix"])]

    assert now() == []
    go(redis)
    assert now() == [("workers main", "FAIL", "1 wave to serve, and no worker is alive")]
    crew(redis, flows=["other"])
    assert now() == [("workers main", "FAIL", "1 alive with 2 slots, 1 wave to serve; none has the flow shop")]
    crew(redis, draining=True)
    assert now() == [("workers main", "FAIL", "1 alive with 2 slots, 1 wave to serve; all are stopping")]
    crew(redis)
    assert now() == [("workers main", "ok", "1 alive with 2 slots, 1 wave to serve")]
    crew(redis, "fix", slots=[SlotState(1)])
    assert now()[1] == ("workers fix", "ok", "1 alive with 1 slot, nothing to serve")


def test_the_next_wave_of_each_flow_is_held_against_the_room_there_is(redis: Redis) -> None:
    def now(flow: str | None = None, *versions: str) -> list[tuple[str, str]]:
        return [(f.name, f.level) for f in work.room_for_next(redis, versions or ["main", "fix"], flow)]

    go(redis, 1000)
    go(redis, 10, trigger="manual:2", date=DATE.shift(1))
    go(redis, 10, version="fix")
    assert now() == [("next shop@main", "ok"), ("next shop@fix", "ok")]
    assert (now("shop", "fix"), now("other")) == ([("next shop@fix", "ok")], [])
    redis.hset(Waves(redis).recent(1, version="fix")[0].wave.key("wave"), "created", 1)
    assert now() == [("next shop@main", "ok")], "what has not run for long has no next wave"
    redis.hset(Waves(redis).recent(1, version="fix")[0].wave.key("wave"), "created", int(time.time() * 1000))
    [ok] = work.room_for_next(redis, ["main"], None)
    assert ok.found.startswith("1,000 entities need about 2.")

    for wave in Waves(redis).recent():
        Waves(redis).cancel(wave.wave, "", "ada")
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"]) + 1_000_000)
    assert now() == [("next shop@main", "FAIL"), ("next shop@fix", "ok")]
    redis.config_set("maxmemory-policy", "volatile-lru")
    assert now() == [("next shop@main", "warn"), ("next shop@fix", "ok")]


# ECS


class Agent(BaseHTTPRequestHandler):
    """What ECS serves to a container. `pages`: path → (status, body)."""

    pages: dict[str, tuple[int, Any]]

    def do_GET(self) -> None:
        status, body = self.pages.get(self.path, (404, "nothing here"))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode() if isinstance(body, str) else json.dumps(body).encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def agent() -> Iterator[tuple[dict[str, str], dict[str, tuple[int, Any]]]]:
    """The environment of a task whose agent is on loopback, and its pages."""
    pages: dict[str, tuple[int, Any]] = {
        "/v4/abc/task": (200, {"TaskARN": "arn:aws:ecs:eu-central-1:1:task/shop/0123", "Family": "shop", "Revision": "7"}),
        "/api/task-protection/v1/state": (200, {"protection": {"ProtectionEnabled": False}}),
    }
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), type("OwnAgent", (Agent,), {"pages": pages}))
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{httpd.server_port}"
    yield {METADATA: f"{base}/v4/abc", AGENT: f"{base}/api"}, pages
    httpd.shutdown()
    httpd.server_close()
    thread.join(10)


Told = tuple[dict[str, str], dict[str, tuple[int, Any]]]


def test_outside_ecs_nothing_is_said_of_it() -> None:
    assert list(ecs({"PATH": "/bin"})) == []


def test_in_ecs_the_task_its_stop_timeout_and_its_protection_are_looked_at(agent: Told) -> None:
    environment, pages = agent

    task, stop, protection = ecs(environment)

    assert (task.level, task.found) == ("ok", "task 0123 of shop:7")
    assert stop.level == "skip"
    assert "describe-task-definition --task-definition shop:7" in stop.advice
    assert (protection.level, protection.found) == ("ok", "can be asked for; not protected now")
    pages["/api/task-protection/v1/state"] = (200, {"protection": {"ProtectionEnabled": True}})
    assert list(ecs(environment))[2].found == "can be asked for; protected now"


@pytest.mark.parametrize(
    ("answer", "level", "words"),
    [
        ((400, {"failure": {"Arn": "a", "Reason": "TASK_NOT_VALID"}}), "warn", "refused: TASK_NOT_VALID"),
        ((400, {"error": {"Code": "AccessDeniedException", "Message": "no"}}), "warn", "refused: AccessDeniedException"),
        ((500, "broken"), "FAIL", "the agent says 500"),
        ((404, "[]"), "FAIL", "the agent says 404"),
        ((200, "no json"), "ok", "can be asked for"),
    ],
)
def test_task_protection_that_is_refused(agent: Told, answer: tuple[int, Any], level: str, words: str) -> None:
    environment, pages = agent
    pages["/api/task-protection/v1/state"] = answer

    protection = list(ecs(environment))[-1]

    assert (protection.level, words in protection.found) == (level, True), protection


def test_endpoints_that_are_not_there(agent: Told) -> None:
    environment, _ = agent
    nobody = "http://127.0.0.1:1"

    assert [f.level for f in ecs({METADATA: nobody, AGENT: nobody})] == ["warn", "FAIL"]
    assert [f.level for f in ecs({METADATA: environment[METADATA]})] == ["ok", "skip", "warn"]
    assert [f.level for f in ecs({AGENT: environment[AGENT]})] == ["warn", "ok"]
    assert [f.level for f in ecs({METADATA: "file:///etc", AGENT: "\0"})] == ["warn", "FAIL"]


# all of it


@pytest.mark.parametrize(
    ("error", "level"),
    [
        (NoPermissionError("x"), "skip"),
        (ResponseError("unknown command"), "skip"),
        (Refused("read-only"), "skip"),
        (ConnectionError("gone"), "FAIL"),
        (RedisError("odd"), "FAIL"),
        (BadFlow("cannot be read"), "FAIL"),
        (KeyError("redis_version"), "skip"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_check_never_raises(error: Exception, level: str) -> None:
    def check() -> Finding:
        raise error

    [found] = look("it", check)

    assert (found.name, found.level) == ("it", level)
    assert str(error) in found.found


def test_a_redis_that_goes_away_meanwhile_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    latency = link.latency
    with RedisServer() as own:
        redis = connect(own.url, timeout=1, retries=0)

        def and_then_it_dies(client: Redis) -> Finding:
            found = latency(client)
            own.kill()
            return found

        monkeypatch.setattr(link, "latency", and_then_it_dies)
        findings = examine(own, redis)

    assert find(findings, "clock").level == "FAIL"
    assert find(findings, "clock").found.startswith("Redis went away: ")


def test_a_user_who_may_only_read_is_told_what_was_not_looked_at(
    own: RedisServer, redis: Redis, as_user: Callable[..., Redis]
) -> None:
    go(redis)
    crew(redis)

    findings = examine(own, as_user("~*", "+@read"))

    assert {f.name: f.level for f in findings} == {
        "redis": "ok", "server": "skip", "timeouts": "skip", "latency": "skip", "clock": "skip", "permissions": "warn",
        "scripts": "warn", "next shop@main": "ok", "workers main": "ok",
    }  # fmt: skip


def call(*words: str) -> Result:
    return CliRunner().invoke(cli, [*words])


@pytest.fixture
def here(own: RedisServer, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """The command's Redis is the server of these tests."""
    monkeypatch.setenv("WAVEDECK_REDIS_URL", own.url)
    return redis


def test_warnings_are_no_failure(here: Redis) -> None:
    done = call("doctor")

    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].split() == ["✓", "ok", "redis", "it", "answers"]
    assert any(line.startswith("! warn  memory ") and " → set maxmemory" in line for line in lines)


def test_what_is_wrong_is_exit_1_and_the_same_in_json(here: Redis) -> None:
    go(here)

    done, told = call("doctor"), json.loads(call("doctor", "--json").output)

    assert done.exit_code == 1
    assert "✗ FAIL  workers main" in done.output
    assert "→ start workers: wavedeck worker --version main" in done.output
    assert [list(f) for f in told] == [["name", "level", "found", "advice"]] * len(told)
    assert {f["name"]: f["level"] for f in told}["workers main"] == "FAIL"


def test_only_a_version_and_a_flow(here: Redis) -> None:
    go(here)

    assert call("doctor", "--version", "fix").exit_code == 0
    assert "next shop@main" in call("doctor", "--flow", "shop").output
    assert "next shop@main" not in call("doctor", "--flow", "other").output
    assert call("doctor", "--version", "no version").exit_code != 0


def test_ascii_and_read_only(here: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAVEDECK_GLYPHS", "ascii")

    done = call("--read-only", "doctor")

    assert "+ ok    redis" in done.output
    assert "this session (--read-only) may read and not write" in done.output


def test_a_redis_that_is_away_is_one_failing_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisServer() as gone:
        monkeypatch.setenv("WAVEDECK_REDIS_URL", gone.url)

    done, told = call("doctor"), call("doctor", "--json")

    assert (done.exit_code, told.exit_code) == (1, 1)
    [line] = done.output.splitlines()
    assert line.startswith("✗ FAIL  redis  no Redis answers at ")
    assert [f["level"] for f in json.loads(told.output)] == ["FAIL"]


def test_a_redis_that_hangs_is_one_failing_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisServer() as hanging:
        monkeypatch.setenv("WAVEDECK_REDIS_URL", hanging.url)
        hanging.pause()
        done = call("doctor")

    assert done.exit_code == 1
    assert [line[:13] for line in done.output.splitlines()] == ["✗ FAIL  redis"]
