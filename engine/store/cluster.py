"""A cluster's client: redis-py's, so that whoever uses it need not know that there are several nodes.

It differs in five things. A transaction's replies are read as a server's are. `mget` reads keys of any slots. What a wave needs is
allowed in pipelines. The keys of a script call are known without asking the server. And what goes wrong is said with the errors of one
server: a cluster that cannot be reached, or does not serve all its slots, is a `ConnectionError`.

A pipeline goes to several nodes at once, so its commands are in order only as far as their keys share a hash tag.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, ClassVar

from redis.cluster import ClusterPipeline, PipelineCommand, RedisCluster, TransactionStrategy
from redis.exceptions import (
    AskError,
    ClusterError,
    RedisClusterException,
    RedisError,
    SlotNotCoveredError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from engine.errors import Refused
from engine.store.read_only import only_reads


class Cluster(RedisCluster):
    """As `Redis`, of all nodes. Connects when it is made."""

    _commands: ClassVar[dict[str, Any]] = {}

    def __init__(self, **options: Any) -> None:
        with _plainly():
            super().__init__(**options)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with _plainly():
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def command(self, **options: Any) -> Any:
        """What there are for commands, and where their keys stand in them: 90 kB, so every client of a process reads the same."""
        if not Cluster._commands:
            Cluster._commands.update(super().command(**options))
        return Cluster._commands

    def close(self) -> None:
        """Closes all connections. redis-py leaves those of a client that was made from a URL to the garbage collector."""
        with contextlib.suppress(AttributeError):  # it never came to have any
            self.disconnect_connection_pools()  # type: ignore[no-untyped-call]
        super().close()

    def mget(self, keys: Any, *args: Any) -> Any:
        """As of one server; keys of different slots are not read in one moment."""
        return self.mget_nonatomic(keys, *args) if keys else []

    def pipeline(self, transaction: bool | None = None, shard_hint: Any = None) -> ClusterPipeline:  # noqa: ARG002 there are none
        return self._pipeline(Pipeline, transaction)

    def _pipeline(self, kind: "type[Pipeline]", transaction: bool | None) -> ClusterPipeline:
        return kind(
            nodes_manager=self.nodes_manager,
            commands_parser=self.commands_parser,
            startup_nodes=list(self.nodes_manager.startup_nodes.values()),
            result_callbacks=self.result_callbacks,
            cluster_response_callbacks=self.cluster_response_callbacks,
            read_from_replicas=self.read_from_replicas,
            load_balancing_strategy=self.load_balancing_strategy,
            reinitialize_steps=self.reinitialize_steps,
            retry=self.retry,
            lock=self._lock,
            transaction=transaction,
        )


class Pipeline(ClusterPipeline):
    """As `redis.client.Pipeline`."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        commands = list(self._execution_strategy.command_queue)
        with _plainly():
            replies = super().execute(raise_on_error)
        return self._read(commands, replies) if self._is_transaction else replies

    @property
    def _is_transaction(self) -> bool:
        return isinstance(self._execution_strategy, TransactionStrategy)

    def _read(self, commands: list[PipelineCommand], replies: list[Any]) -> list[Any]:
        """Replies of a transaction as those of a server's are read; redis-py gives them as they came."""
        readers = self.get_default_node().redis_connection.response_callbacks  # type: ignore[no-untyped-call]
        read = []
        for command, reply in zip(commands, replies, strict=True):
            options = {name: value for name, value in command.options.items() if name != "keys"}
            plain = isinstance(reply, Exception) or command.args[0] not in readers
            read.append(reply if plain else readers[command.args[0]](reply, **options))
        return read

    def mget(self, keys: Any, *args: Any) -> Any:
        """Keys of one hash tag."""
        return self.execute_command("MGET", *keys, *args)  # type: ignore[no-untyped-call]

    def rename(self, src: Any, dst: Any, **_: Any) -> Any:
        """Keys of one hash tag."""
        return self.execute_command("RENAME", src, dst)  # type: ignore[no-untyped-call]

    def _get_command_keys(self, *args: Any) -> Any:
        if str(args[0]).upper() == "EVALSHA":
            return args[3 : 3 + int(args[2])]
        return super()._get_command_keys(*args)  # type: ignore[no-untyped-call]


class ReadOnlyCluster(Cluster):
    """As `ReadOnlyRedis`, of a cluster."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        only_reads(args)
        return super().execute_command(*args, **options)

    def pipeline(self, transaction: bool | None = None, shard_hint: Any = None) -> ClusterPipeline:  # noqa: ARG002 there are none
        return self._pipeline(_ReadOnlyPipeline, transaction)

    def pubsub(self, *_: Any, **__: Any) -> Any:
        raise Refused("read-only: this session does not subscribe")

    def monitor(self, *_: Any, **__: Any) -> Any:
        raise Refused("read-only: this session does not monitor")


class _ReadOnlyPipeline(Pipeline):
    def execute_command(self, *args: Any, **options: Any) -> Any:
        only_reads(args)
        return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline_execute_command(self, *args: Any, **options: Any) -> Any:
        only_reads(args)
        return super().pipeline_execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def delete(self, *names: Any) -> Any:  # redis-py's go past `execute_command`
        only_reads(("DEL", *names))

    def unlink(self, *names: Any) -> Any:
        only_reads(("UNLINK", *names))


@contextlib.contextmanager
def _plainly() -> Iterator[None]:
    """Errors that only clusters have, as those of a server."""
    try:
        yield
    except RedisClusterException as error:
        raise _as_of_one(error) from error
    except (ClusterError, TryAgainError, AskError) as error:  # a slot is moving, or has lost its node
        raise RedisConnectionError(f"the cluster does not serve this key now: {error}") from error


def _as_of_one(error: Exception) -> Exception:
    """Why no node answered, where redis-py has kept that; programming errors stay what they are."""
    cause = error.__cause__
    for reason in (cause, cause.__context__ if cause else None):
        if isinstance(reason, RedisError):
            return reason
    if isinstance(error, SlotNotCoveredError) or any(words in str(error) for words in ("not covered", "could not agree")):
        return RedisConnectionError(f"the cluster does not serve all of its keys now: {error}")
    return error
