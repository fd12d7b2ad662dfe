"""What each step does to a turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.commands.forget import Forget
from bot.commands.help import Help
from bot.commands.reset import Reset
from bot.commands.start import Start
from bot.message import Command, Conversation
from bot.model import Completion, ModelMessage
from bot.pipeline import Pipeline
from bot.ports import Decision
from bot.steps.admit import Admit
from bot.steps.answer import Answer
from bot.steps.commands import CommandAct, Commands
from bot.steps.confirm import Confirm
from bot.steps.limit import Limit
from bot.steps.recall import Recall
from bot.steps.remember import Remember
from bot.steps.retrieve import Retrieve
from bot.steps.reuse import Reuse
from bot.steps.rewrite import Rewrite
from bot.steps.screen import Screen
from bot.texts import Texts
from bot.turn import AnswerKey, Exchange, Passage, Quoted, StoredAnswer, Turn
from tests.fakes.ports import FakeAnswers, FakeForgetting, FakeKnowledge, FakeLimiter, FakeMeter, FakeModel
from tests.make import conversation, incoming, passage, turn

TEXTS = Texts.load()


def nobody(_: Conversation) -> bool:
    """Nobody is an admin."""
    return False


def everybody(_: Conversation) -> bool:
    """Everybody is."""
    return True


def text_of(turn: Turn) -> str:
    """What the person is told."""
    assert turn.reply is not None
    return turn.reply.markdown


class TestAdmit:
    """Who may talk to us."""

    async def test_whom_the_operator_allows_goes_on(self) -> None:
        """An allowed person's turn is not touched."""
        start = turn()

        assert await Admit(allowed=everybody, limiter=FakeLimiter(), texts=TEXTS)(start) == start

    async def test_others_hear_so_once(self) -> None:
        """A refusal says so privately; the next one within the hour is counted in silence."""
        limiter = FakeLimiter([Decision(allowed=True), Decision(allowed=False)])
        admit = Admit(allowed=nobody, limiter=limiter, texts=TEXTS)

        first, second = await admit(turn()), await admit(turn())

        assert text_of(first) == TEXTS("not_allowed", "en")
        assert first.reply is not None
        assert first.reply.private
        assert (first.outcome, second.outcome, second.silent, second.reply) == ("refused", "refused", True, None)
        assert limiter.asked == ["refusals", "refusals"]


class TestLimit:
    """How much a person may ask."""

    async def test_a_refusal_says_how_long_to_wait_once(self) -> None:
        """The first refusal of a window names the wait; further ones are silent and counted."""
        wait = timedelta(seconds=12)
        limiter = FakeLimiter([Decision(allowed=False, retry_after=wait, tell=True), Decision(allowed=False)])
        meter = FakeMeter()
        limit = Limit(limiter=limiter, is_admin=nobody, texts=TEXTS, meter=meter)

        told, silent = await limit(turn(incoming("贷款怎么申请？"))), await limit(turn())

        assert "12 秒" in text_of(told)
        assert silent.silent
        assert meter.counted == [("refused", "messages"), ("refused", "messages")]

    async def test_admins_are_not_limited(self) -> None:
        """The limiter is not even asked."""
        limiter = FakeLimiter([Decision(allowed=False, tell=True)])
        start = turn()

        assert await Limit(limiter=limiter, is_admin=everybody, texts=TEXTS, meter=FakeMeter())(start) == start
        assert limiter.asked == []


class TestScreen:
    """What we cannot read."""

    async def test_a_picture_without_words_gets_one_sentence(self) -> None:
        """The sentence names what it is that we cannot read."""
        ended = await Screen(max_chars=100, texts=TEXTS)(turn(incoming("", attachment="picture")))

        assert text_of(ended) == TEXTS("cannot_read_picture", "en")

    async def test_a_caption_is_answered(self) -> None:
        """A picture with words goes on by its words."""
        start = turn(incoming("What does this fee mean?", attachment="picture"))

        assert await Screen(max_chars=100, texts=TEXTS)(start) == start

    @pytest.mark.parametrize(("text", "key"), [(" \n", "nothing_to_read"), ("x" * 101, "too_long")])
    async def test_nothing_and_too_much_are_told(self, text: str, key: str) -> None:
        """An empty message and one over the limit get their sentences; just the limit is read."""
        screen = Screen(max_chars=100, texts=TEXTS)

        assert text_of(await screen(turn(incoming(text)))) == TEXTS(key, "en", limit=100)
        assert not (await screen(turn(incoming("x" * 100)))).ended


class TestRecall:
    """What was said before."""

    async def test_the_newest_exchanges_that_fit_are_kept(self) -> None:
        """Tokens are counted from the newest back; the first that does not fit ends it."""
        history = tuple(Exchange(question=str(n), answer="", tokens=tokens) for n, tokens in enumerate([1, 90, 40, 60]))

        recalled = await Recall(max_tokens=100)(turn(history=history))

        assert [exchange.question for exchange in recalled.history] == ["2", "3"]


class TestCommands:
    """The table of commands."""

    def commands(self, *, limiter: FakeLimiter | None = None, admin: bool = False) -> tuple[Commands, FakeForgetting]:
        """A table with all commands, over a store that remembers."""
        forgetting = FakeForgetting()
        is_admin = everybody if admin else nobody
        table: dict[str, CommandAct] = {
            "start": Start(name="Desk", texts=TEXTS),
            "help": Help(is_admin=is_admin, texts=TEXTS),
            "reset": Reset(forgetting=forgetting, is_admin=is_admin, texts=TEXTS),
            "forget": Forget(forgetting=forgetting, is_admin=is_admin, texts=TEXTS),
        }
        step = Commands(table, limiter=limiter or FakeLimiter(), is_admin=is_admin, texts=TEXTS, meter=FakeMeter())
        return step, forgetting

    async def test_words_go_on(self) -> None:
        """What is no command is none of this step's business."""
        step, _ = self.commands()
        start = turn()

        assert await step(start) == start

    async def test_reset_forgets_this_conversation(self) -> None:
        """The receipt comes from the texts, and only this conversation was forgotten."""
        step, forgetting = self.commands()
        message = incoming("", command=Command(name="reset"))

        ended = await step(turn(message))

        assert text_of(ended) == TEXTS("reset_done", "en")
        assert forgetting.forgotten == [("conversation", message.conversation.id)]

    async def test_help_tells_admins_and_people_in_slack_more(self) -> None:
        """Everybody hears of the commands; who can use more of them hears of those too."""
        step, _ = self.commands()
        admin_step, _ = self.commands(admin=True)

        plain = text_of(await step(turn(incoming("", command=Command(name="help")))))
        slack = text_of(
            await admin_step(turn(incoming("", of=conversation(platform="slack"), command=Command(name="help"))))
        )
        telegram = text_of(await admin_step(turn(incoming("", command=Command(name="help")))))

        assert plain == TEXTS("help", "en")
        assert slack == "\n\n".join(TEXTS(key, "en") for key in ("help", "help_threads", "help_admin"))
        assert telegram.endswith(TEXTS("help_admin_reply", "en"))

    async def test_start_greets_by_name(self) -> None:
        """In a group the greeting says how to address the bot."""
        step, _ = self.commands()

        private = text_of(await step(turn(incoming("", command=Command(name="start")))))
        group = text_of(await step(turn(incoming("", command=Command(name="start"), private=False))))

        assert (private, group) == (TEXTS("start", "en", name="Desk"), TEXTS("start_group", "en", name="Desk"))

    async def test_reset_channel_is_for_admins(self) -> None:
        """Others are told why not; nothing is forgotten."""
        step, forgetting = self.commands()
        ended = await step(turn(incoming("", command=Command(name="reset", argument="channel"))))
        admin_step, admin_forgetting = self.commands(admin=True)
        admin_ended = await admin_step(turn(incoming("", command=Command(name="reset", argument="channel"))))

        assert (text_of(ended), forgetting.forgotten) == (TEXTS("admin_only", "en"), [])
        assert text_of(admin_ended) == TEXTS("reset_channel_done", "en")
        assert admin_forgetting.forgotten == [("place", conversation().place)]

    @pytest.mark.parametrize("whole_channel", [False, True])
    @pytest.mark.parametrize("word", ["chanel", "everything", "channel please", "我"])
    async def test_reset_with_a_word_it_does_not_know_forgets_nothing(self, word: str, whole_channel: bool) -> None:
        """Who mistypes `channel` does not lose what they never meant, admin or not."""
        for admin in (False, True):
            step, forgetting = self.commands(admin=admin)
            command = Command(name="reset", argument=word, whole_channel=whole_channel)

            ended = await step(turn(incoming("", command=command)))

            assert (text_of(ended), forgetting.forgotten) == (TEXTS("reset_unknown", "en"), [])

    async def test_a_slash_command_without_thread_resets_the_whole_channel(self) -> None:
        """All of the person's conversations in that channel, and nobody else's."""
        step, forgetting = self.commands()
        here = conversation(platform="slack", channel="C1")
        await step(turn(incoming("", of=here, command=Command(name="reset", whole_channel=True))))

        assert forgetting.forgotten == [("both", (here.place, here.person))]

    async def test_forget_gives_a_receipt(self) -> None:
        """The counts of what was erased are in it."""
        step, forgetting = self.commands()
        ended = await step(turn(incoming("", command=Command(name="forget"))))

        expected = TEXTS("forget_done", "en", conversations=1, exchanges=2, answers=3, dead_letters=4)
        assert text_of(ended) == expected
        assert forgetting.forgotten == [("person", conversation().person)]

    async def test_forget_in_reply_to_another_is_for_admins(self) -> None:
        """An admin erases the author of the message replied to; anybody else is refused and nothing is erased."""
        command = Command(name="forget", target="8")
        step, forgetting = self.commands()
        admin_step, admin_forgetting = self.commands(admin=True)

        refused = await step(turn(incoming("", command=command, private=False)))
        await admin_step(turn(incoming("", command=command, private=False)))

        assert (text_of(refused), forgetting.forgotten) == (TEXTS("admin_only", "en"), [])
        assert admin_forgetting.forgotten == [("person", conversation(user="8").person)]

    async def test_an_unknown_command_is_answered_where_it_must_be_ours(self) -> None:
        """What can only be meant for us we say we do not know, in a group too; else it is another bot's."""
        step, _ = self.commands()

        for private in (True, False):
            ours, others = [
                await step(turn(incoming("", command=Command(name="weather", addressed=addressed), private=private)))
                for addressed in (True, False)
            ]

            assert "weather" in text_of(ours)
            assert (others.silent, others.reply) == (True, None)

    async def test_another_bots_command_is_charged_to_nobody(self) -> None:
        """Who talks to another bot all day may still give us commands."""
        limiter = FakeLimiter()
        step, _ = self.commands(limiter=limiter)

        await step(turn(incoming("", command=Command(name="weather"), private=False)))

        assert limiter.asked == []

    async def test_commands_have_a_limit_of_their_own(self) -> None:
        """A limited command does nothing and says how long to wait."""
        limiter = FakeLimiter([Decision(allowed=False, retry_after=timedelta(seconds=9), tell=True)])
        step, forgetting = self.commands(limiter=limiter)

        ended = await step(turn(incoming("", command=Command(name="forget"))))

        assert "9 seconds" in text_of(ended)
        assert (limiter.asked, forgetting.forgotten) == (["commands"], [])


def answering(
    model: FakeModel | None, answers: FakeAnswers, knowledge: FakeKnowledge, meter: FakeMeter | None = None
) -> Pipeline:
    """The part of the pipeline from recall to remember."""
    meter = meter or FakeMeter()

    def quote(question: str, language: str, passages: tuple[Passage, ...]) -> Quoted:
        if passages and passages[0].text == "Unquotable":
            return Quoted("", near=tuple(range(1, len(passages) + 1)))
        return Quoted(f"> {passages[0].text} [1]" if passages else "")

    return Pipeline(
        [
            Recall(max_tokens=1000),
            Reuse(answers=answers, scope="s", enabled=True, meter=meter),
            Rewrite(model=model, meter=meter),
            Retrieve(knowledge=knowledge, top_k=5),
            Confirm(answers=answers, meter=meter),
            Answer(
                model=model, quote=quote, answers=answers, persona="Be kind.", name="Desk", texts=TEXTS, meter=meter
            ),
            Remember(answers=answers),
        ],
        meter,
    )


class TestAnswering:
    """From the question to the answer, with and without a model."""

    async def test_the_answer_names_its_sources_and_is_remembered(self) -> None:
        """Sources stand below the reply; the history keeps the answer without them."""
        pipeline = answering(FakeModel("5 euros. [1]"), FakeAnswers(), FakeKnowledge((passage(),)))

        ended = await pipeline.run(turn())

        assert text_of(ended) == "5 euros. [1]\n\n**Sources:**\n\n- [1] Fees › Transfers"
        assert ended.remember is not None
        assert (ended.remember.question, ended.remember.answer) == ("How much is a transfer?", "5 euros. [1]")
        assert ended.outcome == "answered"

    async def test_the_same_question_is_answered_once(self) -> None:
        """The second asker gets the first one's answer; the model is not asked, nothing is searched."""
        model, knowledge, meter = FakeModel("5 euros. [1]"), FakeKnowledge((passage(),)), FakeMeter()
        pipeline = answering(model, FakeAnswers(), knowledge, meter)

        first = await pipeline.run(turn())
        second = await pipeline.run(turn(incoming("how much is a transfer", of=conversation(user="8"))))

        assert text_of(second) == text_of(first)
        assert (len(model.asked), len(knowledge.asked), second.outcome) == (1, 1, "reused")
        assert ("reuse", "hit") in meter.counted

    async def test_what_an_incomplete_search_finds_is_neither_stored_nor_confirms(self) -> None:
        """The embedder is away for a moment: "the documents do not tell" must not be told for an hour."""
        model, answers, knowledge = FakeModel("They do not tell."), FakeAnswers(epoch=2), FakeKnowledge(epoch=2)
        pipeline = answering(model, answers, knowledge)
        knowledge.whole = False
        await pipeline.run(turn())
        asked_during = len(model.asked)
        knowledge.whole = True
        await pipeline.run(turn(incoming(of=conversation(user="8"))))
        knowledge.whole, knowledge.epoch, answers.epoch = False, 3, 3

        await pipeline.run(turn(incoming(of=conversation(user="9"))))

        assert (asked_during, len(model.asked)) == (1, 3)
        assert [answer.epoch for answer in answers.stored.values()] == [2]

    async def test_an_incomplete_search_vouches_for_no_similar_answer(self) -> None:
        """One that cites nothing is good if nothing is found: nothing else may look like that."""
        knowledge = FakeKnowledge(vectors={turn().incoming.text: b"1234"})
        retrieve = Retrieve(knowledge=knowledge, top_k=5)

        whole = await retrieve(turn())
        knowledge.whole = False
        incomplete = await retrieve(turn())

        assert (whole.vector, incomplete.vector) == (b"1234", None)

    async def test_a_changed_document_changes_the_answer_at_once(self) -> None:
        """An answer built on another version of a passage is dropped and the model asked anew."""
        model, answers, knowledge = FakeModel("5 euros. [1]"), FakeAnswers(), FakeKnowledge((passage(),))
        pipeline = answering(model, answers, knowledge)
        await pipeline.run(turn())

        knowledge.passages, knowledge.epoch, answers.epoch = (passage(version="v2"),), 2, 2
        model.says = "6 euros. [1]"
        ended = await pipeline.run(turn())

        assert text_of(ended).startswith("6 euros.")

    async def test_a_change_elsewhere_leaves_the_answer_good(self) -> None:
        """Another epoch with the same passages is confirmed without asking the model."""
        model, answers, knowledge = FakeModel("5 euros. [1]"), FakeAnswers(), FakeKnowledge((passage(),))
        pipeline = answering(model, answers, knowledge)
        await pipeline.run(turn())

        knowledge.epoch = answers.epoch = 2
        ended = await pipeline.run(turn())

        assert (ended.outcome, len(model.asked)) == ("reused", 1)
        assert [answer.epoch for answer in answers.stored.values()] == [2]

    async def test_who_asks_the_same_meanwhile_waits(self) -> None:
        """While one leads, another is told to come back; when the leader has nothing to share, they ask themselves."""
        answers = FakeAnswers()
        reuse = Reuse(answers=answers, scope="s", enabled=True, meter=FakeMeter())
        leader = await reuse(turn())

        waiting = await reuse(turn(incoming(of=conversation(user="8"))))
        assert leader.question_key is not None
        await answers.free(leader.question_key, leader.incoming.id)
        freed = await reuse(turn(incoming(of=conversation(user="8"))))

        assert (leader.ended, waiting.wait is not None, freed.ended) == (False, True, False)

    async def test_an_answer_with_history_is_not_stored(self) -> None:
        """What was said before may be in it."""
        answers = FakeAnswers()
        history = (Exchange(question="My PIN is 1234", answer="Noted.", tokens=5),)

        await answering(FakeModel(), answers, FakeKnowledge((passage(),))).run(turn(history=history))

        assert answers.stored == {}

    async def test_an_incomplete_answer_is_given_but_not_stored(self) -> None:
        """It was cut by the token limit: good enough for one, not for all; those who wait are freed."""
        answers = FakeAnswers()
        model = FakeModel("Once upon", complete_answer=False)

        ended = await answering(model, answers, FakeKnowledge((passage(),))).run(turn())

        assert text_of(ended) == f"Once upon\n\n_{TEXTS('cut_off', 'en')}_"
        assert ended.remember is not None
        assert ended.remember.answer == "Once upon"
        assert (answers.stored, list(answers.leaders.values())) == ({}, ["free"])

    @pytest.mark.parametrize(("counted", "spent"), [(40, 142), (0, None)])
    async def test_tokens_are_added_to_those_spent_before(self, counted: int, spent: int | None) -> None:
        """A call that wrote out the question counts too; where the server counts nothing, nothing is known."""

        class Model(FakeModel):
            async def complete(self, messages: Sequence[ModelMessage], *, max_tokens: int | None = None) -> Completion:
                completion = await super().complete(messages, max_tokens=max_tokens)
                return replace(completion, prompt_tokens=counted, completion_tokens=counted and 2)

        answer = answering(Model(), FakeAnswers(), FakeKnowledge((passage(),)))

        ended = await answer.run(replace(turn(), spent=100))

        assert ended.spent == spent

    async def test_without_a_model_passages_are_quoted_and_said_to_be(self) -> None:
        """The reply is the passage, its source, and one line that no model is configured."""
        ended = await answering(None, FakeAnswers(), FakeKnowledge((passage(),))).run(turn())

        assert "> A transfer costs 5 euros. [1]" in text_of(ended)
        assert "Fees › Transfers" in text_of(ended)
        assert TEXTS("no_model", "en") in text_of(ended)
        assert ended.outcome == "quoted"

    async def test_with_the_model_away_passages_are_quoted_and_not_stored(self) -> None:
        """The line says that the model is away; the next asker tries the model again."""
        answers = FakeAnswers()

        ended = await answering(FakeModel(None), answers, FakeKnowledge((passage(),))).run(turn())

        assert TEXTS("model_away", "en") in text_of(ended)
        assert answers.stored == {}

    async def test_small_talk_without_a_model_is_answered_in_kind(self) -> None:
        """A greeting is no question to the documents; with a model, the model makes the talk."""
        knowledge = FakeKnowledge((passage(),))
        model = FakeModel("Hello to you.")

        greeted = await answering(None, FakeAnswers(), knowledge).run(turn(incoming("hi!")))
        talked = await answering(model, FakeAnswers(), knowledge).run(turn(incoming("hi!")))

        assert text_of(greeted) == TEXTS("talk_hello", "en", name="Desk")
        assert text_of(talked) == "Hello to you."

    async def test_nothing_found_and_no_model_is_said_plainly(self) -> None:
        """No source is claimed and nothing is stored."""
        answers = FakeAnswers()

        ended = await answering(None, answers, FakeKnowledge()).run(turn(incoming("今天中午吃什么比较好？")))

        assert text_of(ended) == TEXTS("not_in_documents", "zh")
        assert answers.stored == {}

    async def test_what_may_be_near_is_named_and_is_no_source(self) -> None:
        """By title and place, each once; the history claims no source, and nothing is stored."""
        answers, near = FakeAnswers(), (passage("Unquotable"), passage("Unquotable"), passage("x", name="loans"))

        ended = await answering(None, answers, FakeKnowledge(near)).run(turn())

        assert text_of(ended) == "\n".join(
            [TEXTS("not_in_documents", "en"), "", TEXTS("near", "en"), "", "- Fees › Transfers", "- Loans › Transfers"]
        )
        assert ended.remember is not None
        assert (ended.remember.answer, ended.remember.sources) == (TEXTS("not_in_documents", "en"), ())
        assert answers.stored == {}


async def test_a_stored_answer_is_history_too() -> None:
    """A reused answer is remembered like any other, so that a follow-up finds it."""
    stored = StoredAnswer(markdown="M", answer="A", epoch=1, references=("a@1", "b@1"), tokens=3, cited=(2,))

    ended = replace(turn()).answered(stored, "reused", AnswerKey("main", "k"))

    assert ended.remember == Exchange(
        question="How much is a transfer?", answer="A", tokens=3, sources=((2, "b@1"),), key=AnswerKey("main", "k")
    )
