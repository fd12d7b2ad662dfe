"""The answer itself: from the model, or quoted from the documents where there is none or it is away."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from bot.answers import Answers
from bot.errors import ModelBusy, ModelUnavailable, StoreUnavailable
from bot.forged import without_own_sources
from bot.message import Language, MessageId
from bot.model import Completion, Model
from bot.ports import Meter
from bot.prompt import build, cited, named, sources
from bot.sanitise import addresses_outside_code, harmless
from bot.smalltalk import small_talk
from bot.texts import Texts
from bot.tokens import estimate_tokens
from bot.turn import IN_LINE, AnswerKey, Passage, Quoted, StoredAnswer, Turn

LEAD_RENEWAL = timedelta(seconds=5)
"""A third of the life of a leader's mark: two renewals may fail before another leads."""

Quote = Callable[[str, Language, tuple[Passage, ...]], Quoted]
"""Passages as an answer to a question."""

log = logging.getLogger(__name__)


class Answer:
    """Drafts the answer.

    Args:
        model: None: no model is configured, passages are quoted.
        quote: how passages are quoted.
        answers: where the lead on the question is renewed while the model works.
        persona: who the bot is, in the operator's words.
        name: of the bot.
        texts: our own sentences.
        meter: counts model calls.
    """

    name = "answer"

    def __init__(
        self,
        *,
        model: Model | None,
        quote: Quote,
        answers: Answers,
        persona: str,
        name: str,
        texts: Texts,
        meter: Meter,
    ) -> None:
        self._model = model
        self._quote = quote
        self._answers = answers
        self._persona = persona
        self._bot_name = name
        self._texts = texts
        self._meter = meter

    async def __call__(self, turn: Turn) -> Turn:
        """The turn with its draft, or ended because the documents say nothing and there is no model to ask."""
        if self._model is None:
            return self._quoted(turn, "no_model")
        async with self._leading(turn):
            try:
                turn, completion = await self._asked(self._model, turn)
            except ModelBusy as error:
                log.info("the turn waits in line: %s", error)
                # Those who wait for this answer would wait for who waits in line.
                if turn.leads and turn.question_key is not None:
                    await self._answers.free(turn.question_key, turn.incoming.id)
                return replace(turn, wait=IN_LINE)
            except ModelUnavailable as error:
                log.warning("no answer of the model, passages are quoted: %s", error)
                notice = "model_away" if error.fault in ("away", "setup") else "model_declined"
                return replace(self._quoted(turn, notice), storable=False)
        return self._drafted(turn, completion)

    async def _asked(self, model: Model, turn: Turn) -> tuple[Turn, Completion]:
        """The answer, and the turn as the model saw it: if it is too long for it, once more with half of it."""
        try:
            return turn, await self._ask(model, turn)
        except ModelUnavailable as error:
            shorter = replace(
                turn, history=turn.history[-1:], passages=turn.passages[: (len(turn.passages) + 1) // 2], storable=False
            )
            if error.fault != "too_long" or (shorter.history, shorter.passages) == (turn.history, turn.passages):
                raise
            log.warning("too long for the model, asked again with fewer passages and less history: %s", error)
        return shorter, await self._ask(model, shorter)

    async def _ask(self, model: Model, turn: Turn) -> Completion:
        messages = build(
            persona=self._persona,
            name=self._bot_name,
            passages=turn.passages,
            history=turn.history,
            question=turn.incoming.text,
            language=turn.language,
        )
        started = time.monotonic()
        try:
            completion = await model.complete(messages)
        except ModelUnavailable as error:
            if error.called:
                self._meter.model("failed", time.monotonic() - started, 0, 0)
            raise
        seconds = time.monotonic() - started
        result: Literal["ok", "truncated"] = "ok" if completion.complete else "truncated"
        self._meter.model(result, seconds, completion.prompt_tokens, completion.completion_tokens)
        return completion

    def _drafted(self, turn: Turn, completion: Completion) -> Turn:
        safe = harmless(completion.text, self._given(turn))
        said, used = cited(without_own_sources(safe), len(turn.passages))
        # What closes up where a mark was taken out may be a link or a picture.
        text = said if said == safe else harmless(said, self._given(turn))
        shown = text if completion.complete else self._with_note(text, "cut_off", turn)
        answer = self._draft(turn, text, self._with_sources(shown, turn, used), used)
        storable = turn.storable and completion.complete and not completion.fallback
        counted = completion.prompt_tokens + completion.completion_tokens
        # Where the server counts nothing, nothing is known and the estimate stands.
        spent = (turn.spent or 0) + counted if counted else None
        return replace(turn, draft=answer, storable=storable, spent=spent, outcome="answered")

    def _quoted(self, turn: Turn, notice: str) -> Turn:
        kind = small_talk(turn.incoming.text)
        if kind is not None:
            text = self._texts(f"talk_{kind}", turn.voice, name=self._bot_name)
            return replace(turn, draft=self._draft(turn, text, text, ()), storable=False, outcome="quoted")
        quoted = self._quote(turn.sought or turn.incoming.text, turn.language, turn.passages)
        if not quoted.markdown:
            return self._not_found(turn, quoted.near, notice)
        text = harmless(quoted.markdown, self._given(turn))
        used = cited(text, len(turn.passages))[1]
        markdown = self._with_note(self._with_sources(text, turn, used), notice, turn)
        return replace(turn, draft=self._draft(turn, text, markdown, used), outcome="quoted")

    def _not_found(self, turn: Turn, near: tuple[int, ...], notice: str) -> Turn:
        """The documents do not say it: so we say, and name what is near, as that and not as a source."""
        text = markdown = self._texts("not_in_documents", turn.voice)
        if near:
            names = dict.fromkeys(named(turn.passages[number - 1]) for number in near)
            markdown += "\n\n" + "\n".join([self._texts("near", turn.voice), "", *(f"- {name}" for name in names)])
        # "Only quotes" would puzzle where nothing is quoted; that the model is away is said in any case.
        if notice != "no_model":
            markdown = self._with_note(markdown, notice, turn)
        return replace(turn, draft=self._draft(turn, text, markdown, ()), storable=False, outcome="quoted")

    def _with_note(self, text: str, note: str, turn: Turn) -> str:
        return f"{text}\n\n_{self._texts(note, turn.voice)}_"

    def _given(self, turn: Turn) -> Iterator[str]:
        """Where an address must stand to be a link in the answer."""
        yield from (self._persona, turn.incoming.text)
        for exchange in turn.history:
            yield from (exchange.question, addresses_outside_code(exchange.answer))
        for passage in turn.passages:
            yield from (passage.title, passage.place, passage.text, passage.document, passage.url)

    def _with_sources(self, text: str, turn: Turn, used: tuple[int, ...]) -> str:
        listed = sources(turn.passages, used, turn.language, self._texts("sources", turn.voice))
        return f"{text}\n\n{listed}" if listed else text

    def _draft(self, turn: Turn, answer: str, markdown: str, used: tuple[int, ...]) -> StoredAnswer:
        return StoredAnswer(
            markdown=markdown,
            answer=answer,
            epoch=turn.epoch,
            references=tuple(passage.reference for passage in turn.passages),
            tokens=estimate_tokens(turn.incoming.text) + estimate_tokens(answer),
            cited=used,
            question=turn.incoming.text,
        )

    @asynccontextmanager
    async def _leading(self, turn: Turn) -> AsyncIterator[None]:
        """Keep others waiting for this answer while the block runs; if it fails, they ask for themselves."""
        key = turn.question_key
        if not turn.leads or key is None:
            yield
            return
        renewal = asyncio.create_task(self._renew(key, turn.incoming.id), name="answer - renew lead")
        try:
            yield
        except Exception:
            # Whatever it was is raised on; those who wait must not wait for a turn that failed.
            await self._answers.free(key, turn.incoming.id)
            raise
        finally:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)

    async def _renew(self, key: AnswerKey, leader: MessageId) -> None:
        while True:
            await asyncio.sleep(LEAD_RENEWAL.total_seconds())
            try:
                await self._answers.renew_lead(key, leader)
            except StoreUnavailable as error:
                # The next renewal may succeed; at worst a second worker asks the model too.
                log.warning("the lead on a question was not renewed: %s", error)
