"""The check that every key carries a TTL or stands in the short list of permanent ones."""

from __future__ import annotations

from fnmatch import fnmatchcase

from redis.asyncio import Redis

from bot.store.keys import PERMANENT


def is_permanent(key: str) -> bool:
    """The key is in `bot.store.keys.PERMANENT`, whose patterns are globs as Redis reads them."""
    return any(fnmatchcase(key, pattern) for pattern in PERMANENT)


async def keys_without_ttl(redis: Redis) -> list[str]:
    """Keys that would stay for ever although nothing says they may, sorted; one scan and one round trip more."""
    names = [name.decode() async for name in redis.scan_iter(count=1000)]
    suspects = sorted(name for name in names if not is_permanent(name))
    async with redis.pipeline(transaction=False) as pipe:
        for name in suspects:
            pipe.pttl(name)
        lives = await pipe.execute()
    return [name for name, life_ms in zip(suspects, lives, strict=True) if life_ms == -1]
