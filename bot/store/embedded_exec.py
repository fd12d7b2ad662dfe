"""The moment between our process and the embedded server: ties the server's life to ours, then becomes it.

Run as `python -I -S embedded_exec.py <parent pid> <program> <argument>…` by `bot.store.embedded`; imports nothing of
the project. Linux sends the server SIGTERM (upon which it finishes its append-only file) as soon as the thread that
started it is gone, however it went. That wish is a property of the process and outlives `exec`, so no second process
stays behind to watch. The alternatives: Python's `preexec_fn` runs code in a copy of a threaded process, which can
hang it; a guard process costs memory and can be killed itself; `setpriv` is not on every machine.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def main(parent: int, command: list[str]) -> None:
    """Become `command`, to be ended when the process `parent` ends.

    Raises:
        OSError: the system refuses the wish or the program.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot tie the server's life to the bot's")
    if os.getppid() != parent:
        # The bot ended before the wish was made; nobody would ever end the server.
        sys.exit(1)
    os.umask(0o077)
    os.execv(command[0], command)  # noqa: S606 - the program and its arguments are our own


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
