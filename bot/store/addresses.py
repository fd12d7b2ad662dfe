"""Redis addresses: one server, a primary that Sentinels know, or a cluster. Pure: read and shown, never reached.

    redis://[user:password@]host:port                     one server; `rediss://` with TLS, `unix:///path` on a socket
    redis+sentinel://[user:password@]host:port,…/name     the Sentinels, and what they call the primary
    redis+cluster://[user:password@]host:port,…           some of the cluster's servers, which name the others

The scheme names are those of the library `limits`. User and password are those of the Redis servers; Sentinels that
have their own get them by the options `sentinel_username` and `sentinel_password`. Further options of the query are
the connection options of redis-py. With TLS: `rediss+sentinel://` and `rediss+cluster://`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from redis.asyncio.connection import parse_url

Kind = Literal["server", "sentinel", "cluster"]

_MANY = re.compile(r"(?P<tls>rediss?)\+(?P<kind>sentinel|cluster)://(?P<rest>.*)", re.DOTALL)
_PORTS: Mapping[str, int] = {"sentinel": 26379, "cluster": 6379}
EXPECTED = (
    "expected redis://, rediss:// or unix://, redis+sentinel://host:port,host:port/name or "
    "redis+cluster://host:port,host:port, special characters %-encoded"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address as read.

    Attributes:
        kind: of what stands there.
        hosts: (host, port) of the Sentinels, or of servers of the cluster; empty for one server.
        name: of the primary, as the Sentinels call it.
        options: connection options of redis-py, by name.
        sentinel_options: the same for the connections to the Sentinels.
    """

    kind: Kind
    hosts: tuple[tuple[str, int], ...] = ()
    name: str = ""
    options: Mapping[str, object]
    sentinel_options: Mapping[str, object]


def read(url: str) -> Address:
    """Read an address.

    Raises:
        ValueError: it cannot be read. The text may quote parts of it, of the password too: do not show it.
    """
    many = _MANY.fullmatch(url)
    if many is None:
        return Address(kind="server", options={**parse_url(url)}, sentinel_options={})
    parts = urlsplit(f"redis://{many['rest']}")
    credentials, at, places = parts.netloc.rpartition("@")
    hosts = tuple(_host(place, _PORTS[many["kind"]]) for place in places.split(","))
    name = parts.path.strip("/")
    if bool(name) != (many["kind"] == "sentinel") or "/" in name:
        raise ValueError("a name belongs to Sentinels, and to these alone")
    options: dict[str, object] = {**parse_url(f"{many['tls']}://{credentials}{at}host?{parts.query}")}
    del options["host"]
    sentinel_options = {
        option.removeprefix("sentinel_"): options.pop(option)
        for option in ("sentinel_username", "sentinel_password")
        if option in options
    }
    return Address(
        kind="sentinel" if many["kind"] == "sentinel" else "cluster",
        hosts=hosts,
        name=name,
        options=options,
        sentinel_options=sentinel_options,
    )


def _host(place: str, port: int) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname or parts.path:
        raise ValueError("a host is missing")
    return parts.hostname, parts.port or port


def redacted(url: str) -> str:
    """The URL without its password, for logs and errors; hides too much rather than too little.

    Whatever stands before the last `@` is taken for credentials, so that a password with a bare `/`, `#` or `@`
    stays hidden although such a URL cannot be parsed.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    rest = re.sub(r"(?i)(\?.*?pass\w*=).*", r"\1***", rest, flags=re.DOTALL)
    credentials, at, place = rest.rpartition("@")
    if not at:
        return f"{scheme}://{rest}"
    user, colon, _ = credentials.partition(":")
    return f"{scheme}://{user}:***@{place}" if colon else f"{scheme}://***@{place}"
