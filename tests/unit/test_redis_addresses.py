"""Redis addresses: one server, Sentinels, a cluster; what is read of them."""

from __future__ import annotations

import pytest

from bot.config_values import redis_fault
from bot.store.addresses import read

GOOD = [
    "redis://localhost",
    "unix:///run/redis.sock",
    "redis+sentinel://a:1,b/main",
    "rediss+sentinel://u:p@a,b:2,c/main?db=2",
    "redis+cluster://a",
    "rediss+cluster://u:p%2C@a:1,[::1]:2/?socket_keepalive=no",
]


def test_of_sentinels() -> None:
    """Who watches, what they call the primary; their own password is not that of Redis."""
    address = read("redis+sentinel://app:p%40ss@one:1,two/main?db=2&sentinel_password=other&socket_timeout=1.5")

    assert (address.kind, address.hosts, address.name) == ("sentinel", (("one", 1), ("two", 26379)), "main")
    assert address.options == {"username": "app", "password": "p@ss", "db": 2, "socket_timeout": 1.5}
    assert address.sentinel_options == {"password": "other"}


def test_of_a_cluster() -> None:
    """Where to begin; with TLS."""
    address = read("rediss+cluster://:secret@one,[::1]:7000")

    assert (address.kind, address.hosts, address.name) == ("cluster", (("one", 6379), ("::1", 7000)), "")
    assert address.options["password"] == "secret"
    assert "SSL" in str(address.options["connection_class"])


@pytest.mark.parametrize("url", GOOD)
def test_the_configuration_takes_what_can_be_read(url: str) -> None:
    """Both know the same forms."""
    assert redis_fault(url) is None
    read(url)


@pytest.mark.parametrize("url", ["redis+sentinel://a", "redis+sentinel://a/b/c", "redis+cluster://", "redis+x://a"])
def test_neither_takes_another_form(url: str) -> None:
    """A name where none belongs, none where one does, no host, an unknown word."""
    assert redis_fault(url)
    with pytest.raises(ValueError):  # noqa: PT011 - of the library too, and never shown
        read(url)
