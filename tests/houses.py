"""Every kind of Redis that Wavedeck works with, started by the tests from the one redis-server they have.

A house has a `url` for the engine, the URL that a version's workers are given (`url_for`), and a `client` as a user of redis-py would
have it. It is empty when it is opened and gone when it is closed.
"""

import contextlib
import functools
import secrets
import socket
import subprocess
from collections.abc import Callable
from typing import Any, Self
from urllib.parse import quote

import trustme
from redis import Redis
from servers import RedisServer, eventually

from engine.fleet.server import free_port
from engine.store.acl import COMMANDS, users
from engine.store.connect import connect

SLOTS = 16384
MASTER = "waves"
"""What the Sentinels call the server."""


class House:
    """One server on a Unix socket; the others differ in what they say."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self.url = self._open(RedisServer()).url

    def url_for(self, version: str, base: str = "main") -> str:
        """What the workers of a version connect to, when they may read a base."""
        return self.url

    def client(self) -> Any:
        """A client that gives bytes."""
        return Redis.from_url(self.url)

    def close(self) -> None:
        """Ends its servers."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self, server: RedisServer) -> RedisServer:
        return self._stack.enter_context(server)


class ClusterHouse(House):
    """Three masters without replicas. With `persist` each keeps what it was told."""

    def __init__(self, *, persist: bool = False) -> None:
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "15000")
            self.nodes = [self._open(RedisServer(*options, tcp=True, port=cluster_port(), persist=persist)) for _ in range(3)]
            self._join()
            undo.pop_all()
        self.url = "redis+cluster://" + ",".join(node.place for node in self.nodes[:2])  # the third is found

    def client(self) -> Any:
        return connect(self.url)

    def _join(self) -> None:
        ends = [SLOTS * i // len(self.nodes) for i in range(len(self.nodes) + 1)]
        for number, node in enumerate(self.nodes):
            with node.client() as client:
                client.execute_command("CLUSTER ADDSLOTS", *range(ends[number], ends[number + 1]))
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            with node.client() as client:
                for other in self.nodes[:-1]:
                    client.execute_command("CLUSTER MEET", *other.place.split(":"))
        for node in self.nodes:
            eventually(functools.partial(self._is_whole, node), 30, what="the cluster is one")

    def _is_whole(self, node: RedisServer) -> bool:
        with node.client() as client:
            told = client.execute_command("CLUSTER INFO")
        told = told if isinstance(told, dict) else dict(line.split(":") for line in told.decode().split())
        return (told["cluster_state"], int(told["cluster_slots_ok"]), int(told["cluster_known_nodes"])) == ("ok", SLOTS, 3)


class SentinelHouse(House):
    """A master, a replica and a Sentinel that promotes it when the master has been silent for `patience` ms."""

    def __init__(self, patience: int = 60_000) -> None:
        self._stack = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self.master = self._open(RedisServer("--repl-diskless-sync-delay", "0", tcp=True))
            host, port = self.master.place.split(":")
            options = ("--replicaof", f"{host} {port}", "--repl-diskless-sync-delay", "0")
            self.replica = self._open(RedisServer(*options, tcp=True))
            with self.replica.client() as client:
                eventually(lambda: client.info("replication")["master_link_status"] == "up", 20, what="the replica follows")
            self.sentinel = self._open(_Watch(self.master, patience))
            with self.sentinel.client() as client:
                eventually(lambda: client.sentinel_slaves(MASTER), 20, what="the Sentinel knows the replica")
            undo.pop_all()
        self.url = f"redis+sentinel://{self.sentinel.place}/{MASTER}"

    def client(self) -> Any:
        return connect(self.url)


class _Watch(RedisServer):
    """A Sentinel."""

    def __init__(self, master: RedisServer, patience: int) -> None:
        super().__init__(tcp=True)
        host, port = master.place.split(":")
        conf = self.folder / "sentinel.conf"
        lines = [
            f"port {self.place.split(':')[1]}",
            "bind 127.0.0.1",
            f"dir {self.folder}",
            f"sentinel monitor {MASTER} {host} {port} 1",
            f"sentinel down-after-milliseconds {MASTER} {patience}",
            f"sentinel failover-timeout {MASTER} 5000",
        ]
        conf.write_text("\n".join(lines) + "\n")
        self._command = [self._command[0], str(conf), "--sentinel"]


class TlsHouse(House):
    """A server that only speaks TLS and knows its users by name: those that `wavedeck acl` makes, and one for the tests."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._passwords: dict[str, str] = {}
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            self.server = self._open(TlsServer())
            self._admin = self.server.client()
            commands = sorted({f"+{command}" for text in COMMANDS.values() for command in text.split()})
            self._tests = self._user("tests", ("on", "-@all", *commands, "~*"))
            console = users("main")["console"]
            self.url = self._user(console.name, console.rules)
            undo.pop_all()

    def url_for(self, version: str, base: str = "main") -> str:
        """With the user of the version's workers."""
        user = users(version, [base])["worker"]
        return self._user(user.name, user.rules)

    def client(self) -> Any:
        """What the engine may do, to any key; the rest is done by one who may do all."""
        return _Tester.of(self._tests, self._admin)

    def _user(self, name: str, rules: tuple[str, ...]) -> str:
        password = self._passwords.setdefault(name, secrets.token_hex(8) + "/@:%")
        self._admin.execute_command("ACL", "SETUSER", name, *rules, f">{password}")
        return self.server.url.replace("://", f"://{quote(name, safe='')}:{quote(password, safe='')}@")


class NoTlsError(RuntimeError):
    """The redis-server of this machine was built without TLS."""


class TlsServer(RedisServer):
    """A server over TLS, with a certificate that was made for it."""

    def __init__(self) -> None:
        super().__init__(tcp=True)
        asked = subprocess.run([self._command[0], "--tls-port", "-1"], capture_output=True, text=True, timeout=20, check=False)
        if "Bad directive" in asked.stdout + asked.stderr:
            raise NoTlsError("this redis-server was built without TLS")

        ca = trustme.CA()
        own = ca.issue_cert("127.0.0.1")
        files = {name: self.folder / f"{name}.pem" for name in ("ca", "cert", "key")}
        ca.cert_pem.write_to_path(files["ca"])
        own.cert_chain_pems[0].write_to_path(files["cert"])
        own.private_key_pem.write_to_path(files["key"])
        port = self.place.split(":")[1]
        self._command[self._command.index("--port") + 1] = "0"
        self._command += ["--tls-port", port, "--tls-auth-clients", "no", "--tls-ca-cert-file", str(files["ca"])]
        self._command += ["--tls-cert-file", str(files["cert"]), "--tls-key-file", str(files["key"])]
        self.url = f"rediss://{self.place}/0?ssl_ca_certs={files['ca']}"


_TESTS_OWN = """FLUSHALL, KEYS, SCAN, DUMP, EXPIRETIME, XLEN, ZMSCORE, ZINCRBY, HDEL, LSET,
SCRIPT FLUSH, CONFIG GET, CONFIG SET, CONFIG RESETSTAT, INFO, ACL, CLIENT LIST"""


class _Tester(Redis):
    """Commands of the tests' own, which no user of Wavedeck needs, go to `admin`."""

    OWN = frozenset(_TESTS_OWN.replace("\n", " ").split(", "))
    admin: Redis

    @classmethod
    def of(cls, url: str, admin: Redis) -> Self:
        client = cls.from_url(url)
        client.admin = admin
        return client

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0].upper() in self.OWN:
            return self.admin.execute_command(*args, **options)
        return super().execute_command(*args, **options)


def cluster_port() -> int:
    """A free port whose neighbour of the cluster's bus, 10,000 above, is free too."""
    while True:
        port = free_port()
        if port < 55_000:
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.bind(("127.0.0.1", port + 10_000))
                return port


HOUSES: dict[str, Callable[[], House]] = {
    "standalone": House,
    "sentinel": SentinelHouse,
    "cluster": ClusterHouse,
    "tls": TlsHouse,
}
