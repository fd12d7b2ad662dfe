"""What can fail, and what then happens.

    BotError
    ├── ConfigError           the operator must change something before we can start; exit code 2
    ├── StartError            a part cannot start here (port taken, module missing, disk full); exit code 1
    ├── StoreUnavailable      Redis did not do what was asked: nothing is acknowledged, the act is tried again
    │   └── StoreBroken       nor ever will, for what it holds cannot be used: an exception of the turn
    ├── MalformedEvent        a platform sent what is no message: logged, counted, passed over
    ├── ModelUnavailable      no answer to be had from the model now
    │   └── ModelBusy         enough calls wait for it already: the turn waits in line
    ├── EmbeddingUnavailable  no vectors to be had now
    ├── UnreadableDocument    one document is reported and skipped
    └── SendError
        ├── SendRefused       the platform will never take it (blocked, chat gone, this text): said so, or undeliverable
        ├── SendLimited       not sent; the chat is closed for `retry_after`
        ├── SendFailed        not sent, may be tried again
        └── SendUnknown       it may or may not have been sent: the named window

Expected outcomes (limited, nothing found, a command refused, a full mailbox) are values, not exceptions.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

ModelFault = Literal["away", "setup", "request", "too_long"]
"""Why a model gave no answer. `away`: it may later. `setup`: not before the operator has mended key, account or name.
`request`: it has none to this, others may be answered. `too_long`: the same, and a shorter request may be."""


class BotError(Exception):
    """Root of all errors of our own."""


class ConfigError(BotError):
    """The configuration is wrong. Raised by `bot.config`, caught in `main`; lists every problem at once.

    `form`: of log lines, as far as the configuration could be read.
    """

    def __init__(self, problems: list[str], *, form: Literal["console", "json"] = "console") -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.form = form


class StartError(BotError):
    """A part cannot start. Raised while composing the application, caught in `main`; says what to do."""


class StoreUnavailable(BotError):
    """Redis failed or timed out. Raised by `bot.store`; receivers do not acknowledge, workers try again."""


class StoreBroken(StoreUnavailable):
    """Redis answers, and what it holds cannot be used: a key of another kind, a value that ends a script.

    Raised by `bot.store`; the same act would end the same way, so whoever repeats an act until it is done gives it up.
    """


class MalformedEvent(BotError):
    """A platform's event cannot be read as a message. Raised by an adapter's parse, caught by its receiver."""


class ModelUnavailable(BotError):
    """The model gave no whole answer in time. Raised by `bot.llm`, caught by the steps that ask it.

    The person gets the best passages with a line saying that the model is away, or that it gave no answer to this.
    `called`: False if no server was asked at all.
    """

    def __init__(self, reason: str, *, fault: ModelFault = "away", called: bool = True) -> None:
        super().__init__(reason)
        self.fault = fault
        self.called = called


class ModelBusy(ModelUnavailable):
    """Enough calls wait for the model already. Raised by `bot.llm.fallback`; the turn waits in line."""


class EmbeddingUnavailable(BotError):
    """The embedder gave no vectors. Raised by `bot.llm.embed`; ingest skips, search goes on by words alone."""


class UnreadableDocument(BotError):
    """A document cannot be read. Raised by `bot.knowledge.readers`, caught by ingest, which reports and goes on."""


class SendError(BotError):
    """A message of ours was not taken. Raised by a messenger's `send`, caught by `bot.deliver`."""


class SendRefused(SendError):
    """The platform will never take this message: bot blocked, chat gone, bad request. Not tried again."""


class SendLimited(SendError):
    """The platform asks us to wait; nothing was sent. The chat's budget closes for everyone.

    `channel`: the chat that is meant, where it is not the one that the message was for.
    """

    def __init__(self, retry_after: timedelta, *, channel: str = "") -> None:
        super().__init__(f"asked to wait {retry_after.total_seconds():g} s")
        self.retry_after = retry_after
        self.channel = channel


class SendFailed(SendError):
    """Nothing was sent (no connection, the token not taken); tried again later, for a day."""


class SendUnknown(SendError):
    """The request went out and no answer came: the person may have it. Tried again, at worst seen twice."""
