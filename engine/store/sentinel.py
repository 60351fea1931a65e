"""Sentinels: they know which server is the master, and watch over it."""

from typing import Any

from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from engine.store.address import Address

ANSWER_WITHIN = 2.0
"""Seconds that a Sentinel may take; then the next is asked."""


class Sentinels(Sentinel):
    """As redis-py's. Each is asked once; whoever waits for a master asks again."""

    def __init__(self, address: Address, tls: dict[str, Any]) -> None:
        asks: dict[str, Any] = {
            **dict(address.asks),
            **tls,
            "socket_timeout": ANSWER_WITHIN,
            "socket_connect_timeout": ANSWER_WITHIN,
            "retry": Retry(NoBackoff(), 0),
        }
        super().__init__(address.nodes, sentinel_kwargs=asks)  # type: ignore[no-untyped-call]
        self._named = ", ".join(f"{host}:{port}" for host, port in address.nodes)

    def discover_master(self, service_name: str) -> Any:
        """(host, port) of the master.

        Raises:
            MasterNotFoundError: none is known, or none that lives; redis-py's text would tell all about its connections.
        """
        try:
            return super().discover_master(service_name)  # type: ignore[no-untyped-call]
        except MasterNotFoundError:
            raise MasterNotFoundError(f"no Sentinel of {self._named} knows a living master {service_name!r}") from None
