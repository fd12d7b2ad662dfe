"""Every Redis key, built here and nowhere else.

`{p3}` is the hash tag of inbox partition 3: all of a conversation's inbox keys lie in its partition's slot, so
that each act on it is one script. `{kb:main}` is that of a knowledge base: its passages, its index and the
answers built on it lie together. TTLs are named here and set by the scripts that write; keys without one are in
`PERMANENT`, the only list of its kind.
"""

from __future__ import annotations

from zlib import crc32

from bot.message import ConversationId, PersonId

PREFIX = "fd"


def partition_of(conversation: ConversationId, partitions: int) -> int:
    """The partition a conversation lives in, the same on every machine (CRC-32 of the id)."""
    return crc32(conversation.encode()) % partitions


def partitions() -> str:
    """STRING, no TTL: the number of partitions, fixed at first start."""
    return f"{PREFIX}:partitions"


SERVED = "p"
"""The lane whose messages the workers of `frontdesk serve` answer."""
TERMINAL = "pt"
"""The lane of `frontdesk chat`, which answers its own: beside a running bot neither takes the other's messages."""


# --- inbox, partition p -----------------------------------------------------------------------------------------


def inbox(partition: int, lane: str = SERVED) -> str:
    """Prefix of all keys of a partition; the scripts build their keys from it.

    `:due` ZSET conversation → Unix ms when it may next be claimed; in line for a place at the model: 10^14 and the
        arrival of its message; no TTL.
    `:mail:<conversation>` LIST of message ids, oldest first; no TTL, gone when empty.
    `:body:<conversation>` HASH message id → record; no TTL, gone when empty.
    `:turn:<conversation>` HASH, the open turn: `id token attempts crashes charged failing in_line watched told reply
        s<k>`; gone when settled.
    `:watched` STRING, Unix ms: who waited before has been looked at for the word of waiting; TTL `history.ttl`.
    `:clock` STRING, Unix ms at which something was last made due; TTL a day.
    `:claim:<token>` STRING conversation; lives one lease.
    `:seen:<hour>` SET of message ids by the platform's hour; lives `SEEN_MS` after the last addition.
    `:history:<conversation>` LIST of exchanges, newest last; TTL `history.ttl`, renewed by use.
    `:shown:<place>:<sent id>` STRING `<base>:<digest>`, the stored answer that a message of ours shows; TTL
        `answers.ttl`.
    `:thread:<conversation>` STRING, the thread is ours for this person: Unix ms of the last message that made it so;
        TTL `history.ttl`, renewed by use.
    `:of:<u|p>:<id>` ZSET conversation → Unix ms of its last message, of a user or a place; TTL `INDEX_MS` or
        longer, renewed by use.
    `:mark:<c|u|p>:<id>` STRING, Unix ms of the last /reset or /forget of a conversation, user or place; `MARK_MS`.
    `:dead` ZSET message id → Unix ms of burial; entries older than `DEAD_MS` are taken out by each burial.
    `:dead:<message id>` HASH `body reason conversation at`; TTL `DEAD_MS`.
    `:checked` STRING, written to see whether the server takes writes, or to be waited for; TTL `CHECK_MS`.
    `:deadof:<person>` SET of message ids; TTL `DEAD_MS`.
    """
    return f"{PREFIX}:{{{lane}{partition}}}"


def doorbell() -> str:
    """Pub/sub channel, rung by `put` and by whatever makes a conversation due; a missed ring costs one poll."""
    return f"{PREFIX}:doorbell"


def leader(task: str) -> str:
    """STRING, token of the process that leads; TTL seconds, renewed while it lives."""
    return f"{PREFIX}:leader:{task}"


SEEN_MS = 26 * 3600 * 1000
"""Longer than Telegram's 24 h of redelivery; shorter would answer a late redelivery twice."""
DEAD_MS = 7 * 24 * 3600 * 1000
"""How long an operator can look at a dead letter and retry it."""
CHECK_MS = 60 * 1000
"""Nobody reads it; it only must not stay."""
INDEX_MS = 90 * 24 * 3600 * 1000
"""Longer than anything the indexes lead to lives (histories, dead letters); else /forget would miss it."""
MARK_MS = DEAD_MS + 24 * 3600 * 1000
"""Longer than any message from before a /forget can come back as a dead letter."""


# --- people and bots --------------------------------------------------------------------------------------------


def limit(rule: str, person: PersonId) -> str:
    """ZSET message id → Unix ms, accepted messages within the longest window or an hour; TTL likewise.

    `:tokens` HASH message id → tokens reserved or spent, of the rule `tokens`; TTL likewise.
    `:refused` HASH message id → `<retry_ms>`, below zero if the person was not told, and `until`; same TTL.
    """
    return f"{PREFIX}:limit:{rule}:{{{person}}}"


def outbound(platform: str, workspace: str) -> str:
    """Prefix of the send budgets of one bot, all in one slot.

    `:bot`, `:chat:<channel>`, `:group:<channel>` STRING, Unix ms at which the bucket is full; TTL until then.
    `:place:<asker>` STRING `<line>:<Unix ms>`, whose turn in that line comes then; TTL a minute longer.
    `:closed:<channel>`, `:closed:bot` STRING, Unix ms at which the platform's pause is over; TTL until then.
    `:told` ZSET channels that are closed, by that moment; TTL until the last one.
    """
    return f"{PREFIX}:{{out:{platform}:{workspace}}}"


def page_box(channel: str) -> str:
    """STREAM of replies to a chat page or terminal, at most 200; `:keys` HASH key → id. TTL a day."""
    return f"{PREFIX}:box:{{{channel}}}"


def page_box_keys(channel: str) -> tuple[str, str]:
    """Both keys of a page box."""
    return page_box(channel), f"{page_box(channel)}:keys"


# --- knowledge bases --------------------------------------------------------------------------------------------


BASES = f"{PREFIX}:bases"
"""SET of the names of all knowledge bases that were ever served and not emptied; no TTL."""


def kb(name: str) -> str:
    """Prefix of a knowledge base; everything in it lies in one slot.

    `:epoch` STRING integer, rises with every change of any document; no TTL.
    `:documents` HASH path → JSON `version sha256 title passages origins`; no TTL.
    `:serving` HASH `embedder dimensions kind recipe`, the index that readers search; no TTL.
    `:p:<embedder>:<document hash>:<version>:<n>` HASH, one passage; no TTL.
    `:index:<embedder>:<kind>` RediSearch index over the passages of that embedder; `flat` or `hnsw`.
    `:answer:<key>` HASH, a stored answer: the fields of `bot.store.answers`, and `scope` and `vector` of its question
        if that had one; TTL `answers.ttl`. Written by `answer_store.lua`.
    `:answers:<embedder>` RediSearch index over the stored answers: TAG `scope`, VECTOR `vector` (flat, cosine).
    `:lead:<key>` STRING, id of the message that is being answered, or `free`; TTL seconds.
    `:ingest` STRING, token of the ingest at work; TTL 30 s, renewed while it lives.
    `:asked:<person>` SET of answer keys; TTL `answers.ttl`.
    `:mark:<c|u|p>:<id>` STRING, as in the inbox.
    """
    return f"{PREFIX}:{{kb:{name}}}"


PERMANENT = (
    f"{PREFIX}:partitions",
    f"{PREFIX}:bases",
    f"{PREFIX}:{{p*}}:due",
    f"{PREFIX}:{{p*}}:mail:*",
    f"{PREFIX}:{{p*}}:body:*",
    f"{PREFIX}:{{p*}}:turn:*",
    f"{PREFIX}:{{p*}}:dead",
    f"{PREFIX}:{{kb:*}}:epoch",
    f"{PREFIX}:{{kb:*}}:documents",
    f"{PREFIX}:{{kb:*}}:serving",
    f"{PREFIX}:{{kb:*}}:p:*",
)
"""Glob patterns of the keys that carry no TTL: what waits to be answered, and the documents."""
