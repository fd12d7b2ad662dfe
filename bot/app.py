"""The composition root: builds the parts from the configuration, runs them, and shuts them down in order.

Everything else gets what it needs by argument; here, and in `bot.stores` and `bot.platforms`, concrete classes meet.
The order of the pipeline is the list in `steps_of`.
"""

from __future__ import annotations

import asyncio
import getpass
import logging
import os
import secrets
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Literal, get_args

from adapters.terminal.chat import run as run_terminal
from adapters.web.send import PageMessenger
from bot.commands.dislike import Dislike
from bot.commands.forget import Forget
from bot.commands.help import Help
from bot.commands.reset import Reset
from bot.commands.source import Source
from bot.commands.start import Start
from bot.company import Company
from bot.config import Config
from bot.deliver import Deliver
from bot.documents import Documents, bases_of
from bot.documents import ingest as ingest  # of the commands' application
from bot.documents import remove as remove  # likewise
from bot.errors import StartError, StoreUnavailable
from bot.health import intake, queue_state, readiness
from bot.heap import set_start_aside
from bot.http.app import build
from bot.http.metrics import PrometheusMeter
from bot.http.server import serve as serve_http
from bot.line import Line, places_for
from bot.llm.quote import quote
from bot.measure import reuse as reuse  # likewise
from bot.measure import search as search  # likewise
from bot.message import Incoming, Language, Platform
from bot.model import Model
from bot.operate import dead as dead  # likewise
from bot.operate import dead_letters as dead_letters  # likewise
from bot.pipeline import Pipeline, Step
from bot.platforms import Platforms, open_platforms
from bot.policy import access_of, admins_of, base_of, own_voice, scope_of
from bot.ports import Accepted, Gate, Messenger, Meter
from bot.steps.admit import Admit
from bot.steps.afford import Afford
from bot.steps.answer import Answer
from bot.steps.charge import Charge
from bot.steps.commands import CommandAct, Commands
from bot.steps.confirm import Confirm
from bot.steps.late import Late
from bot.steps.limit import Limit
from bot.steps.place import Place
from bot.steps.recall import Recall
from bot.steps.remember import Remember
from bot.steps.retrieve import Retrieve
from bot.steps.reuse import Reuse
from bot.steps.rewrite import Rewrite
from bot.steps.screen import Screen
from bot.steps.similar import Similar
from bot.stopping import end, unless_stopped
from bot.store import keys
from bot.store.client import failures
from bot.stores import Stores, keep_server, open_stores
from bot.texts import Texts
from bot.voice import language_for
from bot.worker import Worker

MAX_QUESTION_CHARS = 4000
"""Longer messages are refused with a sentence: a question of this length fits Telegram's own limit."""
SEND_TIMEOUT = timedelta(seconds=10)
DRAIN = timedelta(seconds=20)
"""How long turns in flight may take once we are told to stop; what is cut off is taken up at the next start."""

Role = Literal["all", "gateway", "worker"]

log = logging.getLogger(__name__)


def steps_of(
    config: Config, stores: Stores, model: Model | None, line: Line, texts: Texts, meter: Meter
) -> Sequence[Step]:
    """The pipeline. Read it from top to bottom: this is what happens to a message."""
    is_admin = admins_of(config)
    place = Place(line=line, answers=stores.answers, asks_model=model is not None)
    afford = Afford(
        spending=stores.spending,
        answers=stores.answers,
        top_k=config.knowledge.top_k,
        max_output_tokens=config.llm.max_output_tokens,
        is_admin=is_admin,
        asks_model=model is not None,
        texts=texts,
        meter=meter,
    )
    return (
        Commands(
            commands_of(config, stores, texts), limiter=stores.limiter, is_admin=is_admin, texts=texts, meter=meter
        ),
        Admit(allowed=access_of(config), limiter=stores.limiter, texts=texts),
        Late(max_age=config.inbox.max_age, limiter=stores.limiter, texts=texts),
        Limit(limiter=stores.limiter, is_admin=is_admin, texts=texts, meter=meter),
        Screen(max_chars=MAX_QUESTION_CHARS, texts=texts),
        Recall(max_tokens=config.history.max_tokens),
        Reuse(answers=stores.answers, scope=scope_of(config, texts), enabled=config.answers.exact, meter=meter),
        place,
        afford,
        Rewrite(model=model, meter=meter),
        Retrieve(knowledge=stores.knowledge, top_k=config.knowledge.top_k),
        Confirm(answers=stores.answers, meter=meter),
        Similar(
            near=stores.near_answers,
            answers=stores.answers,
            enabled=config.answers.similar,
            max_cosine_distance=config.answers.max_cosine_distance,
            verifier=model if config.answers.verify == "model" else None,
            meter=meter,
        ),
        place,
        afford,
        Answer(
            model=model,
            quote=quote,
            answers=stores.answers,
            persona=config.bot.persona,
            name=config.bot.name,
            texts=texts,
            meter=meter,
        ),
        Charge(spending=stores.spending),
        Remember(answers=stores.answers),
    )


def commands_of(config: Config, stores: Stores, texts: Texts) -> Mapping[str, CommandAct]:
    """What people can tell the bot to do, by the word for it."""
    is_admin = admins_of(config)
    table: dict[str, CommandAct] = {
        "start": Start(name=config.bot.name, texts=texts),
        "help": Help(is_admin=is_admin, texts=texts),
        "reset": Reset(forgetting=stores.forgetting, is_admin=is_admin, texts=texts),
        "forget": Forget(forgetting=stores.forgetting, is_admin=is_admin, texts=texts),
        "source": Source(knowledge=stores.knowledge, allowed=access_of(config), texts=texts),
        "dislike": Dislike(answers=stores.answers, shown=stores.shown, texts=texts),
    }
    return table


async def serve(config: Config, stop: asyncio.Event, announce: Callable[[str], None], role: Role = "all") -> None:
    """Run the bot until `stop` is set, then shut it down in order.

    Args:
        config: the whole configuration.
        stop: set by the entry's signal handlers.
        announce: called with the address of the chat page once we listen.
        role: `gateway` receives and stores, `worker` answers and reads the documents, `all` does both.

    Raises:
        StartError: a part cannot start; says what to do.
        StoreUnavailable: Redis went away while starting.
    """
    texts = Texts.load()
    async with (
        open_stores(config, join=False, searched=role != "gateway", stop=stop) as stores,
        AsyncExitStack() as stack,
    ):
        meter = PrometheusMeter(
            lambda: queue_state(stores.inbox, worker.unserved if worker else None),
            lambda: platforms.receivers,
            failures,
            lambda: {} if documents is None else documents.counts,
        )
        stop_http = asyncio.Event()
        gate = ClosingGate(stores.inbox, stop)
        platforms = await open_platforms(config, stores, gate, texts, meter, stack, stop_http)
        worker = documents = None
        if role == "worker":
            platforms = Platforms(messengers=platforms.messengers)
        meter.expect(platforms.messengers)
        if role != "gateway":
            worker = await build_worker(config, stores, platforms.messengers, texts, meter, stack)
            documents = Documents(config, stores)
        unserved = worker.unserved if worker else None
        app = build(
            ready=lambda: readiness(stop, stores.inbox, platforms.receivers, documents, unserved),
            takes=lambda: intake(stop, stores.inbox),
            metrics=meter,
            routes=platforms.routes,
        )

        def started(port: int) -> None:
            announce(f"http://{config.server.host}:{port}")

        http = serve_http(app, config.server.host, config.server.port, stop_http, started)
        set_start_aside()
        await run_parts(stop, stop_http, stores, platforms, worker, http, documents)


async def run_parts(
    stop: asyncio.Event,
    stop_http: asyncio.Event,
    stores: Stores,
    platforms: Platforms,
    worker: Worker | None,
    http: Coroutine[object, object, None],
    documents: Documents | None,
) -> None:
    """Run everything in one TaskGroup; on `stop`, end it from the outside in.

    Raises:
        StartError: of the part that failed.
    """
    stop_worker = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            background = [
                tasks.create_task(stores.doorbell.run(), name="doorbell - listen"),
                tasks.create_task(stores.page_box.run(), name="page box - listen"),
            ]
            if documents is not None:
                background.append(tasks.create_task(documents.run(), name="knowledge - ingest paths"))
            if stores.server is not None:
                watching = keep_server(stores.server)
                background.append(tasks.create_task(watching, name="redis - keep the embedded server"))
            serving = tasks.create_task(http, name="http - serve")
            receiving = [
                tasks.create_task(receiver.run(stop), name=f"{name} - receive")
                for name, receiver in platforms.receivers.items()
            ]
            working = None
            if worker is not None:
                working = tasks.create_task(worker.run(stop_worker), name="worker - answer")
            await stop.wait()
            log.info("stopping: no more messages are taken")
            if receiving:
                _, stuck = await asyncio.wait(receiving, timeout=DRAIN.total_seconds())
                for task in stuck:
                    task.cancel()
            log.info("stopping: turns in flight end")
            stop_worker.set()
            if working is not None:
                await working
            stop_http.set()
            await serving
            await end([*background, *receiving])
            log.info("stopped")
    except* (StartError, StoreUnavailable) as group:
        raise first_of(group) from None


def first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first plain error in a group, whatever the nesting."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def chat(config: Config, stop: asyncio.Event) -> None:
    """The same pipeline in the terminal, beside a running bot or by itself.

    Its messages wait in a lane of their own and are answered here, so neither takes the other's. By itself, with an
    embedded server that it started, it reads the documents of `knowledge.paths` first.

    Raises:
        StartError: Redis cannot be reached or started.
        StoreUnavailable: it went away while starting.
    """
    texts = Texts.load()
    async with open_stores(config, join=True, lane=keys.TERMINAL) as stores, AsyncExitStack() as stack:
        meter = PrometheusMeter()
        if stores.server is not None and stores.server.started_here and any(paths for _, paths in bases_of(config)):
            await unless_stopped(Documents(config, stores).ingest(), stop)
        messengers: dict[Platform, Messenger] = {"terminal": PageMessenger("terminal", stores.page_box)}
        worker = await build_worker(config, stores, messengers, texts, meter, stack)
        stop_worker = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            listening = [
                tasks.create_task(stores.doorbell.run(), name="doorbell - listen"),
                tasks.create_task(stores.page_box.run(), name="page box - listen"),
            ]
            working = tasks.create_task(worker.run(stop_worker), name="worker - answer")
            await run_terminal(
                stores.inbox,
                stores.page_box,
                session=f"{getpass.getuser()}-{secrets.token_hex(8)}",
                greeting=texts("start", own_voice(config) or language_of_terminal(), name=config.bot.name),
                stop=stop,
                waiting_words=frozenset(texts("waiting", language) for language in get_args(Language)),
                locale=language_of_terminal(),
            )
            stop_worker.set()
            await working
            await end(listening)


class ClosingGate:
    """The gate until we are told to stop; then nothing is taken any more, and the platforms keep what they have."""

    def __init__(self, gate: Gate, stop: asyncio.Event) -> None:
        self._gate = gate
        self._stop = stop

    async def put(self, incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
        """Store a message once.

        Raises:
            StoreUnavailable: it was not stored; also once we are stopping.
        """
        if self._stop.is_set():
            raise StoreUnavailable("stopping: no more messages are taken")
        return await self._gate.put(incoming, placed=placed)


async def build_worker(
    config: Config,
    stores: Stores,
    messengers: Mapping[Platform, Messenger],
    texts: Texts,
    meter: Meter,
    stack: AsyncExitStack,
) -> Worker:
    """The worker with its pipeline and delivery."""
    model = model_of(config, stack)
    line = Line(places_for(len(config.llm.providers), config.workers.concurrency))
    send_timeout = min(SEND_TIMEOUT, config.inbox.lease * 2 / 3)
    return Worker(
        inbox=stores.inbox,
        pipeline=Pipeline(steps_of(config, stores, model, line, texts, meter), meter),
        line=line,
        spending=stores.spending,
        deliver=Deliver(
            inbox=stores.inbox,
            messengers=messengers,
            outbound=stores.outbound,
            meter=meter,
            instead=lambda claimed: texts("part_refused", own_voice(config) or language_for(claimed)),
            send_timeout=send_timeout,
        ),
        company=Company(
            inbox=stores.inbox,
            messengers=messengers,
            outbound=stores.outbound,
            texts=texts,
            send_timeout=send_timeout,
        ),
        messengers=messengers,
        doorbell=stores.doorbell,
        texts=texts,
        voice=own_voice(config),
        base_of=base_of(config),
        meter=meter,
        concurrency=config.workers.concurrency,
        lease=config.inbox.lease,
        max_attempts=config.inbox.max_attempts,
        drain=DRAIN,
    )


def model_of(config: Config, stack: AsyncExitStack) -> Model | None:
    """The configured providers, in order; None means that passages are quoted."""
    if not config.llm.providers:
        return None
    # Imported here: without a model the library would cost 14 MB for nothing.
    from bot.llm.chat import ChatModel
    from bot.llm.fallback import Models

    models: list[tuple[str, Model]] = []
    for provider in config.llm.providers:
        key = config.api_key(provider)
        model = ChatModel(
            base_url=provider.base_url,
            api_key=key.get_secret_value() if key is not None else None,
            model=provider.model,
            timeout=provider.timeout,
            max_output_tokens=config.llm.max_output_tokens,
        )
        stack.push_async_callback(model.close)
        models.append((provider.name, model))
    # A provider that hangs may hold half of the workers: the others go on with those whose provider or cache answers.
    return Models(models, most_waiting=max(1, config.workers.concurrency // 2))


def language_of_terminal() -> Language:
    """By the locale of the process."""
    spoken = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if spoken.startswith("zh") else "en"
