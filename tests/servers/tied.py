"""A program that ends with whoever started it, also when that is killed: an interrupted test run leaves none behind."""

from __future__ import annotations


def tied(*command: str) -> list[str]:
    """The command with which to start a program so.

    Linux sends it SIGKILL when the *thread* that started it ends: start it from the main one. The wish outlives `exec`,
    so the process is the program itself, and its id and its group are as they would be without. Costs 3 ms a start.
    """
    return ["setpriv", "--pdeathsig", "KILL", "--", *command]
