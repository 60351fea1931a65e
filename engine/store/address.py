"""Where a Redis is: a URL, of one server, of a cluster, or of Sentinels that know the server. Pure.

    redis://  rediss://  unix://                                   one server, as redis-py reads it
    redis+cluster://[user:password@]host:port[,host:port…]         a cluster; a few of its nodes are enough
    redis+sentinel://[user:password@]host:port[,…]/master[/db]     Sentinels; user and password are the server's

`rediss+…` is the same over TLS. The query holds options of redis-py (`ssl_ca_certs`, `ssl_check_hostname` …), and for Sentinels
that ask for a password of their own `sentinel_username` and `sentinel_password`.
"""

from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

SCHEMES = "redis, rediss, unix, redis+cluster, rediss+cluster, redis+sentinel, rediss+sentinel"
_PORTS = {"cluster": 6379, "sentinel": 26379}


@dataclass(frozen=True)
class Address:
    """What a URL says. `url`: what redis-py reads, of the first node where there are several; `nodes`: (host, port) of the
    cluster's nodes or of the Sentinels; `master`: what the Sentinels call the server; `asks`: user and password of theirs."""

    house: Literal["server", "cluster", "sentinel"]
    url: str
    nodes: tuple[tuple[str, int], ...] = ()
    master: str = ""
    asks: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, url: str) -> Self:
        """The address that a URL gives.

        Raises:
            ValueError: it gives none; the text says why, without a password.
        """
        scheme, there, rest = url.partition("://")
        tls, plus, house = scheme.lower().partition("+")
        if not plus:
            _port(url)
            return cls("server", url)
        if tls not in ("redis", "rediss") or house not in _PORTS or not there:
            raise ValueError(f"its scheme must be one of {SCHEMES}")
        rest, _, query = rest.partition("?")
        place, _, path = rest.partition("/")
        user, at, hosts = place.rpartition("@")
        nodes = tuple(_node(host, _PORTS[house]) for host in hosts.split(","))
        options = parse_qsl(query, keep_blank_values=True)
        asks = tuple((name.removeprefix("sentinel_"), value) for name, value in options if name.startswith("sentinel_"))
        query = urlencode([option for option in options if not option[0].startswith("sentinel_")])
        master, db = "", ""
        if house == "sentinel":
            master, _, db = path.partition("/")
            if not master:
                raise ValueError("it does not say which master: redis+sentinel://host:26379/NAME")
        elif path not in ("", "0"):
            raise ValueError("a cluster has no databases beside 0")
        if db and not db.isdigit():
            raise ValueError(f"{db!r} is no database's number")
        host, port = nodes[0]
        first = f"[{host}]" if ":" in host else host
        plain = f"{tls}://{user}{at}{first}:{port}/{db or 0}" + (f"?{query}" if query else "")
        if house == "sentinel":
            return cls("sentinel", plain, nodes, unquote(master), asks)
        return cls("cluster", plain, nodes)


def _node(text: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a host is missing; several are written with commas: host:port,host:port")
    return parts.hostname, _port(f"//{text}") or port


def _port(url: str) -> int | None:
    try:
        return urlsplit(url).port
    except ValueError:  # whose text may be a piece of the password
        raise ValueError("its port is no number; what is special in a password is written as %2F, %40 …") from None


def safe(url: str) -> str:
    """A URL as it may be shown: without user, password and options."""
    scheme, there, rest = url.partition("://")
    return f"{scheme}://{rest.partition('?')[0].rpartition('@')[2]}" if there else url
