"""The embedded Redis: a server of our own for one machine, as a child process on a Unix socket in the data folder.

Two locks in the folder decide who may do what, and the system itself takes them back from the dead:
`owner.lock` is held by the process that started the server, for that process's life: whoever has it may start one.
`server.lock` is inherited by the server and so held exactly as long as it lives, even beyond a killed owner; a new
server starts only when it is free. So there is one owner and never two servers on the same files.

The server ends with its owner, also when that is killed: see `bot.store.embedded_exec`. Linux counts the *thread* that
started it as the parent, hence a thread of its own that starts the server and waits for its end.

Redis writes each command to the append-only file before it answers, and syncs the file every second: `kill -9` of
the bot or the server loses nothing that was answered, loss of power at most about the last second.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from redis.exceptions import BusyLoadingError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from bot.errors import StartError
from bot.store.client import KeptCancellation, close, connect
from bot.store.cluster import Client
from bot.store.embedded_files import LOG, OWNER, SERVER, SOCKET, FileLock, find_programs, prepare_folder, why_it_ended

OWNER_WAIT = timedelta(seconds=15)
"""For a dying owner and its server to go: a server that syncs a slow disk needs seconds. A second bot is told after
as long."""
ANSWER_WAIT = timedelta(seconds=30)
"""For a started server to answer at all; loading its data is not counted."""
STOP_WAIT = timedelta(seconds=10)
"""For the server to finish its append-only file; then it is killed."""
_POLL_S = 0.05
_PROGRESS_S = 2.0

logger = logging.getLogger(__name__)


class EmbeddedRedis:
    """A running embedded server, started or joined.

    Attributes:
        url: for `bot.store.client.connect`.
        pid: of the server; 0 if it was joined.
        started_here: this process started it just now, so no other process can hold a claim in it.
    """

    def __init__(
        self, url: str, *, folder: Path | None = None, owner: FileLock | None = None, keeper: _Keeper | None = None
    ) -> None:
        self.url = url
        self._folder = folder
        self.started_here = keeper is not None
        self.pid = keeper.pid if keeper is not None else 0
        self._owner = owner
        self._keeper = keeper

    async def restart(self) -> None:
        """Start the server again after it has ended by itself; returns once it answers, its data loaded.

        Only for who started it here. Whoever is connected connects again by itself.

        Raises:
            StartError: it does not start, or none was started here.
        """
        if self._keeper is None or self._folder is None:
            raise StartError("the embedded Redis belongs to another process, which starts it again")
        self._keeper = await _start_server(self._folder, time.monotonic() + OWNER_WAIT.total_seconds())
        self.pid = self._keeper.pid

    async def stop(self) -> None:
        """End the server if it was started here, and wait until it is gone; may be called twice.

        The server finishes its file first; one that does not end within `STOP_WAIT` is killed. Cancelled, it
        leaves a server that is ending, and whose end the next owner waits for.
        """
        if self._keeper is None or self._owner is None:
            return
        try:
            await self._keeper.stop()
        finally:
            self._owner.release()

    async def ended(self) -> int:
        """Wait for the server's end and return its exit code; of a joined one, wait for ever."""
        if self._keeper is None:
            await asyncio.Event().wait()
            raise AssertionError("never set")
        return await asyncio.wrap_future(self._keeper.ended)


@asynccontextmanager
async def embedded(data_dir: Path, *, join: bool = False, wait: timedelta = OWNER_WAIT) -> AsyncIterator[EmbeddedRedis]:
    """`start`, and `stop` at the end of the block."""
    server = await start(data_dir, join=join, wait=wait)
    try:
        yield server
    finally:
        await server.stop()


async def start(data_dir: Path, *, join: bool = False, wait: timedelta = OWNER_WAIT) -> EmbeddedRedis:
    """Start the server of a data folder, or join it; returns once it answers, its data loaded.

    Args:
        data_dir: the folder; made if missing.
        join: for commands that run beside a bot: use the server that runs; start one only if there is none.
            Whether to start is decided under the owner's lock, so of two commands at once one starts, one joins.
        wait: how long to wait for another owner to go (without `join`), or to get its server up (with it).

    Raises:
        StartError: says what is wrong and what to do; nothing is left running.
    """
    folder = await asyncio.to_thread(prepare_folder, data_dir)
    owner = FileLock(folder / OWNER)
    deadline = time.monotonic() + wait.total_seconds()
    told = False
    while not await asyncio.to_thread(owner.take):
        state = await _state_of(folder) if join else "another's"
        if state == "ready":
            return EmbeddedRedis(_url(folder))
        holder = await asyncio.to_thread(owner.holder)
        if time.monotonic() > deadline and state != "loading":
            raise StartError(_in_use(folder, holder, join=join))
        if not told and not join:
            logger.info("%s is in use by %s; waiting up to %g s for it to end", folder, holder, wait.total_seconds())
        told = True
        await asyncio.sleep(_POLL_S)
    try:
        return await _start_owned(folder, owner, deadline)
    except BaseException:
        owner.release()
        raise


def _in_use(folder: Path, holder: str, *, join: bool) -> str:
    if join:
        return f"The Redis in {folder} is run by {holder} and does not answer; see {folder / LOG}"
    return (
        f"Another bot or command already runs with the data in {folder}: {holder}. Stop it first, or give this one "
        f"another redis.data_dir (or, to run several on the same data, a Redis of their own: REDIS_URL)"
    )


async def _start_owned(folder: Path, owner: FileLock, deadline: float) -> EmbeddedRedis:
    """Start the server; the caller holds the owner's lock and lets go of it if this fails."""
    await asyncio.to_thread(owner.sign, os.getpid())
    keeper = await _start_server(folder, deadline)
    return EmbeddedRedis(_url(folder), folder=folder, owner=owner, keeper=keeper)


async def _start_server(folder: Path, deadline: float) -> _Keeper:
    programs = await asyncio.to_thread(find_programs)
    server_lock = FileLock(folder / SERVER)
    while not await asyncio.to_thread(server_lock.take):
        # The last owner was killed; its server is finishing its file.
        if time.monotonic() > deadline:
            raise StartError(
                f"The last bot's Redis in {folder} ({await asyncio.to_thread(server_lock.holder)}) does not end; "
                f"see {folder / LOG}, then end it with `kill`"
            )
        await asyncio.sleep(_POLL_S)
    keeper = _Keeper(_command(programs.server, programs.search, folder), log=folder / LOG, lock=server_lock)
    try:
        await keeper.start()
        await _until_ready(folder, keeper, programs.server)
        keeper.expects_end = False
    except BaseException:
        await keeper.stop()
        raise
    return keeper


def _command(server: Path, search: Path, folder: Path) -> list[str]:
    options = {
        "--port": "0",
        "--dir": str(folder),
        "--unixsocket": str(folder / SOCKET),
        "--unixsocketperm": "700",
        "--logfile": str(folder / LOG),
        # Not a word that people wrote may reach the log, and a crash report would quote the last query.
        "--crash-log-enabled": "no",
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--aof-use-rdb-preamble": "yes",
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--loadmodule": str(search),
    }
    return [str(server), *[word for option in options.items() for word in option]]


class _Keeper:
    """The thread that starts the server and stays until it ends, and what the event loop may ask of it.

    Attributes:
        ended: the exit code, once there is one.
        expects_end: an end now is no surprise: the server is starting or stopping.
        log_offset: where in the log this server's words begin.
        pid: of the server, once started.
    """

    def __init__(self, command: list[str], *, log: Path, lock: FileLock) -> None:
        self._command = command
        self._log = log
        self._lock = lock
        self.expects_end = True
        self._started: Future[subprocess.Popen[bytes]] = Future()
        self.ended: Future[int] = Future()
        self.log_offset = 0
        self.pid = 0
        for future in (self._started, self.ended):
            future.set_running_or_notify_cancel()  # a waiter that is cancelled must not cancel the fact itself

    async def start(self) -> None:
        """Start the process.

        Raises:
            StartError: the system refuses.
        """
        # A daemon: the interpreter must be able to end without us, and the server then follows it.
        threading.Thread(target=self._run, name="embedded Redis - keep", daemon=True).start()
        try:
            self.pid = (await asyncio.wrap_future(self._started)).pid
        except OSError as error:
            raise StartError(f"The embedded Redis cannot be started: {error}") from error

    def _run(self) -> None:
        launcher = [sys.executable, "-I", "-S", str(Path(__file__).with_name("embedded_exec.py")), str(os.getpid())]
        try:
            self._log.touch(mode=0o600)
            with self._log.open("ab") as log:
                self.log_offset = log.tell()
                process = subprocess.Popen(  # noqa: S603 - the program and its arguments are our own
                    [*launcher, *self._command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[self._lock.descriptor],
                    # Ctrl-C is for the bot, which first finishes what it has begun.
                    start_new_session=True,
                )
            self._lock.sign(process.pid)
        except OSError as error:
            self.ended.set_result(-1)
            self._started.set_exception(error)
            return
        finally:
            self._lock.release()
        self._started.set_result(process)
        code = process.wait()
        if not self.expects_end:
            logger.error("the embedded Redis (process %d) ended by itself with code %d", process.pid, code)
        self.ended.set_result(code)

    async def stop(self) -> None:
        """Ask the server to end, wait, kill it after `STOP_WAIT`."""
        self.expects_end = True
        try:
            process = await asyncio.wrap_future(self._started)
        except OSError:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_WAIT.total_seconds()):
                await asyncio.wrap_future(self.ended)
        except TimeoutError:
            logger.warning("the embedded Redis (process %d) does not end; killing it", process.pid)
            process.kill()
            await asyncio.wrap_future(self.ended)


async def _until_ready(folder: Path, keeper: _Keeper, server: Path) -> None:
    """Return once the server answers and has its data; says so every few seconds while it loads."""
    redis = connect(_url(folder), retries=0)
    deadline = time.monotonic() + ANSWER_WAIT.total_seconds()
    told = -_PROGRESS_S
    try:
        while True:
            if keeper.ended.done():
                code = keeper.ended.result()
                raise StartError(
                    await asyncio.to_thread(
                        why_it_ended, folder, log_offset=keeper.log_offset, server=server, code=code
                    )
                )
            state = await _state(redis)
            if state == "ready":
                return
            if state == "loading":
                if time.monotonic() - told >= _PROGRESS_S:
                    told = time.monotonic()
                    await _tell_progress(redis, folder)
            elif time.monotonic() > deadline:
                raise StartError(f"The embedded Redis does not answer; see {folder / LOG}")
            await asyncio.sleep(_POLL_S)
    except ResponseError as error:
        # The server is up and refuses even PING: it cannot write its file.
        raise StartError(f"The embedded Redis in {folder} refuses to work: {error}") from error
    finally:
        await close(redis)


async def _state(redis: Client) -> Literal["ready", "loading", "silent"]:
    try:
        with KeptCancellation():
            await redis.ping()
    except BusyLoadingError:
        return "loading"
    except (RedisConnectionError, RedisTimeoutError):
        return "silent"
    return "ready"


async def _tell_progress(redis: Client, folder: Path) -> None:
    try:
        with KeptCancellation():
            facts = await redis.info("persistence")
    except (RedisConnectionError, RedisTimeoutError):
        return
    logger.info("the embedded Redis loads its data from %s: %s %%", folder, facts.get("loading_loaded_perc", "?"))


async def _state_of(folder: Path) -> Literal["ready", "loading", "silent"]:
    redis = connect(_url(folder), retries=0)
    try:
        return await _state(redis)
    except ResponseError:
        return "ready"  # it cannot write now; that is for the one who writes to find out
    finally:
        await close(redis)


def _url(folder: Path) -> str:
    return f"unix://{quote(str(folder / SOCKET))}"
