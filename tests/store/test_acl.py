"""What the users of `wavedeck acl` may do and may not, as the server itself says, and as it lets them."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from boards import DATE, claim, complete, make, plan
from click.testing import CliRunner
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError
from servers import RedisServer

from console.cli import cli
from engine import Date, Flow, forecast
from engine.cancel import cancel
from engine.errors import BadKey, Refused
from engine.launch import launch
from engine.rerun import rerun
from engine.store.acl import users
from engine.store.acts import Acts
from engine.store.catalog import Catalog
from engine.store.connect import can_write, connect, must_write
from engine.store.coverage import Forecasts, coverage_figures
from engine.store.pipes import Pipes
from engine.store.states import States
from engine.store.waves import Waves

VERSION, BASE = "fix/a", "main"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """One that knows the users of two versions, by the lines that the command prints."""
    with RedisServer(tcp=True) as server, server.client() as admin:
        for version, base in ((VERSION, BASE), (BASE, "")):
            printed = CliRunner().invoke(cli, ["acl", version, *(["--base", base] if base else [])])
            assert printed.exit_code == 0
            for line in printed.stdout.splitlines():
                assert admin.execute_command(*line.split()) in (True, b"OK")
        for name in admin.acl_users():
            if name != "default":
                admin.execute_command("ACL", "SETUSER", name, ">secret")
        yield server


@pytest.fixture
def admin(server: RedisServer) -> Iterator[Redis]:
    with server.client() as admin:
        admin.flushall()
        yield admin


def as_(server: RedisServer, kind: str, version: str = VERSION, **options: Any) -> Any:
    name = f"{version}-{kind}".replace("/", "%2F")
    return connect(server.url.replace("://", f"://{name}:secret@"), **options)


MINE = [
    f"{VERSION}/sales e1 {DATE}",
    f"wd:{{{VERSION}}}:queue",
    f"wd:{{{VERSION}#w0123456789ab}}:board",
]
SHARED = ["wd:versions", "wd:states", "wd:state:{shops}:partitions"]
BASES = [f"{BASE}/sales e1 {DATE}", f"wd:{{{BASE}}}:flows", f"wd:{{{BASE}#w0123456789ab}}:plan"]
OTHERS = [
    f"other/sales e1 {DATE}",
    f"fix/ab/sales e1 {DATE}",
    f"fix/sales e1 {DATE}",
    "wd:{other}:queue",
    "wd:{other#w0123456789ab}:board",
    f"wd:{{{VERSION}#2}}:queue",
    "somebody:else",
]


def allowed(admin: Redis, user: str, *command: str) -> bool:
    return admin.execute_command("ACL", "DRYRUN", user, *command) in (b"OK", True)


def may(admin: Redis, kind: str, key: str) -> str:
    """`rw`, `r`, `w` or nothing: what the server says of a key."""
    user = f"{VERSION}-{kind}"
    reads = allowed(admin, user, "GET", key)
    writes = allowed(admin, user, "ZADD", key, "1", "x")
    return "r" * reads + "w" * writes


def test_a_worker_writes_its_own_and_reads_its_base(admin: Redis) -> None:
    assert {may(admin, "worker", key) for key in MINE + SHARED} == {"rw"}
    assert {may(admin, "worker", key) for key in BASES} == {"r"}
    assert {may(admin, "worker", key) for key in [*OTHERS, "wd:acts"]} == {""}


def test_a_console_reads_all_and_writes_its_own_but_no_pipes(admin: Redis) -> None:
    assert {may(admin, "console", key) for key in [*MINE[1:], *SHARED, "wd:acts"]} == {"rw"}
    assert {may(admin, "console", key) for key in [MINE[0], *BASES, *OTHERS[:-1]]} == {"r"}
    assert may(admin, "console", OTHERS[-1]) == ""


def test_a_reader_reads_all_and_writes_nothing(admin: Redis) -> None:
    assert {may(admin, "reader", key) for key in MINE + SHARED + BASES + OTHERS[:-1]} == {"r"}
    assert may(admin, "reader", OTHERS[-1]) == ""


UNNEEDED = """
    FLUSHALL, CONFIG GET *, CONFIG SET maxmemory 1, KEYS *, ACL LIST, SHUTDOWN, MONITOR, CLIENT LIST, EVAL return 0, SCRIPT FLUSH,
    DEBUG SLEEP 1, REPLICAOF NO ONE, SUBSCRIBE x, CLUSTER RESET, MEMORY DOCTOR
""".replace("\n", " ").split(",")


@pytest.mark.parametrize("kind", ["worker", "console", "reader"])
@pytest.mark.parametrize("command", UNNEEDED)
def test_nobody_may_do_what_waves_do_not_need(admin: Redis, kind: str, command: str) -> None:
    assert not allowed(admin, f"{VERSION}-{kind}", *command.split())


def test_named_pipes_shut_out_versions_that_lie_below(admin: Redis) -> None:
    """A key begins with the version's name: without pipes' names `feature` writes what is `feature/x`'s."""
    for pipes, of_below in (([], True), (["sales", "model.v2"], False)):
        user = users("feature", pipes=pipes)["worker"]
        admin.execute_command("ACL", "SETUSER", "below", *user.rules)

        assert allowed(admin, "below", "SET", f"feature/sales a/b {DATE}", "1")
        assert allowed(admin, "below", "SET", f"feature/model.v2 e {DATE}", "1")
        assert allowed(admin, "below", "SET", f"feature/sales/x e {DATE}", "1") is of_below
        assert allowed(admin, "below", "SET", f"feature/x/sales e {DATE}", "1") is of_below
        assert allowed(admin, "below", "SET", f"feature/sales2 e {DATE}", "1") is of_below
        assert not allowed(admin, "below", "SET", "wd:{feature/x}:queue", "1")
    admin.acl_deluser("below")


def test_rules_hold_no_password_and_leave_the_one_there_is(server: RedisServer, admin: Redis) -> None:
    user = users("new")["worker"]
    admin.execute_command("ACL", "SETUSER", user.name, *user.rules)
    with pytest.raises(AuthenticationError):
        as_(server, "worker", "new", retries=0).ping()

    admin.execute_command("ACL", "SETUSER", user.name, ">secret")
    admin.execute_command("ACL", "SETUSER", user.name, *user.rules)
    assert as_(server, "worker", "new", retries=0).ping()
    admin.acl_deluser(user.name)


def test_a_version_with_quotes_is_printed_as_redis_cli_reads_it() -> None:
    [line, *_] = CliRunner().invoke(cli, ["acl", "it's", "--pipe", "a"]).stdout.splitlines()
    assert line.startswith('ACL SETUSER "it\'s-worker" on ')
    assert ' "~it\'s/a[^!-~]*" ' in line


def test_the_json_is_what_is_printed() -> None:
    run = CliRunner()
    told = json.loads(run.invoke(cli, ["acl", "main", "--base", "prod", "--json"]).stdout)
    assert list(told) == ["worker", "console", "reader"]
    assert [t["command"] for t in told.values()] == run.invoke(cli, ["acl", "main", "--base", "prod"]).stdout.splitlines()
    assert told["worker"]["user"] == "main-worker" and "%R~prod/*" in told["worker"]["rules"]


@pytest.mark.parametrize("words", [["a b"], ["main", "--base", "{x}"], ["main", "--pipe", "a/b"], ["x*"]])
def test_what_can_be_no_key_makes_no_rule(words: list[str]) -> None:
    result = CliRunner().invoke(cli, ["acl", *words])
    assert isinstance(result.exception, BadKey)


# what they really do


def test_a_console_triggers_cancels_and_runs_again_in_its_own_version(server: RedisServer, admin: Redis) -> None:
    console = as_(server, "console")
    assert can_write(console)
    more = {"date": DATE, "by": "ana", "source": lambda _: [("e1", "p"), ("e2", "p")]}

    wave = launch(console, plan("a", "b"), version=VERSION, trigger="manual:1", **more).wave  # type: ignore[arg-type]
    assert cancel(console, wave, by="ana").cells == 4
    assert rerun(console, wave, by="ana").wave.of == wave.id
    assert [act.verb for act in Acts(console).recent()] == ["rerun", "cancel", "trigger"]

    with pytest.raises(NoPermissionError):
        launch(console, plan("a", "b"), version=BASE, trigger="manual:1", **more)  # type: ignore[arg-type]
    assert [p.wave.version for p in Waves(admin).recent()] == [VERSION, VERSION]
    theirs = make(admin, version=BASE)
    with pytest.raises(NoPermissionError):
        cancel(console, theirs, by="ana")
    assert not Waves(admin).progress(theirs).wave.cancelled


def test_a_reader_s_console_is_read_only_and_sees_all(server: RedisServer, admin: Redis) -> None:
    wave = make(admin, version=VERSION)
    complete(admin, wave, claim(admin, wave, 4))
    States(admin).seen("shops", [("e1", "p")], DATE.start.timestamp())
    Catalog(admin).publish(VERSION, [plan("a", "b")])
    reader = as_(server, "reader")

    with pytest.raises(Refused, match="this Redis user may not write"):
        must_write(reader)
    assert Waves(reader).get(wave.id[:6]).id == wave.id
    assert Waves(reader).memory(wave) > 0
    assert Pipes(reader).names(VERSION) == ["a", "b"]
    assert [m.entity for m in States(reader).members("shops")] == ["e1"]
    for verb in (
        lambda: launch(reader, plan("a"), version=VERSION, date=DATE, trigger="manual:x", by="eve", entities=["a"]),
        lambda: cancel(reader, wave, by="eve"),
        lambda: rerun(reader, wave, by="eve", entities=[0]),
    ):
        with pytest.raises(Refused):
            verb()
    assert Acts(admin).recent() == []


def test_a_wave_that_may_be_where_nobody_may_look_is_not_said_to_be_none(server: RedisServer, admin: Redis) -> None:
    mine, theirs = make(admin, version=VERSION), make(admin, version="other")
    for wave in (mine, theirs):
        Catalog(admin).touch(wave.version)
    worker = as_(server, "worker")

    found = Waves(worker).find(mine.id)
    assert found is not None and found.id == mine.id
    with pytest.raises(NoPermissionError):
        Waves(worker).find(theirs.id)


def test_a_reader_sees_coverage_and_forecasts_and_a_worker_those_of_its_version_and_its_base(
    server: RedisServer, admin: Redis
) -> None:
    # Given a forecast of the base, and a wave of the version that has none of its own
    flow = Flow("shop", state="shops")
    flow.command("ahead", ["true"], horizon="4h")
    States(admin).seen("shops", [("e1", "north")], Date(DATE).start.timestamp())
    waves = [
        launch(admin, flow.plan, version=version, date=Date(DATE), trigger="schedule:1", by="tests", base=base).wave
        for version, base in ((BASE, ""), (VERSION, BASE))
    ]
    Catalog(admin).publish(VERSION, [flow.plan])
    admin.setrange(waves[0].key("board"), 0, b"F")
    admin.set(f"{BASE}/ahead e1 {DATE}", "[1, 2, 3, 4]")

    # Then each sees it
    for kind in ("reader", "console", "worker"):
        user = as_(server, kind)
        told = coverage_figures(user, waves[1])
        found = forecast(VERSION, "ahead", "e1", Date(DATE).shift(3), base=BASE, redis=user)
        assert (told["ahead"]["fresh"], told["ahead"]["dark"]) == (1.0, 0.0)
        assert found is not None and found.value == 4
    reader = as_(server, "reader", read_only=True)
    assert Forecasts(reader, VERSION, flow.plan).coverage("ahead").now.fresh == 1
