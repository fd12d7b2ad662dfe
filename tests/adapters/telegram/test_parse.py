"""Reading updates: who is spoken to, whose words they are, and what is in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from adapters.telegram.parse import Ignored, parse
from bot.errors import MalformedEvent
from bot.message import Command, Conversation, Incoming, ReplyTo
from tests.adapters.telegram.fakes import ANN, FORUM, GROUP, LI, ME, SUPERGROUP
from tests.servers.telegram import TelegramServer
from tests.servers.telegram_chat import ANONYMOUS_ADMIN, Chat, Media, User

Record = dict[str, object]


@pytest.fixture
def said(server: TelegramServer) -> Callable[..., Incoming | Ignored]:
    """Say something on the server and parse the update it makes of it."""

    def say_and_parse(*words: str, **how: object) -> Incoming | Ignored:
        return parse(server.update(server.say(*words, **how)), ME)  # type: ignore[arg-type]

    return say_and_parse


Said = Callable[..., Incoming | Ignored]


def words(read: Incoming | Ignored) -> str:
    """The text of what must be a message."""
    assert isinstance(read, Incoming)
    return read.text


def reason(read: Incoming | Ignored) -> str:
    """Why it is none."""
    assert isinstance(read, Ignored)
    return read.reason


def test_a_private_message_in_full(server: TelegramServer) -> None:
    """Every field of a private message is where the core looks for it."""
    update_id = server.say("How do I open an account?", user=ANN, date=1_800_000_000)

    read = parse(server.update(update_id), ME)

    assert read == Incoming(
        id=f"telegram:{ME.id}:{update_id}",  # type: ignore[arg-type]
        conversation=Conversation(platform="telegram", workspace="424242", channel="1001", thread="", user="1001"),
        sent_at=datetime.fromtimestamp(1_800_000_000, UTC),
        text="How do I open an account?",
        reply_to=ReplyTo(channel="1001", user="1001", private=True),
        locale="en",
    )


def test_a_group_mention_in_full(server: TelegramServer) -> None:
    """In a group the mention is taken out, the asker is kept and the reply will quote them."""
    update_id = server.say("@FrontDeskTestBot 怎么开户？", user=LI, chat=GROUP)
    number = server.message_id(update_id)

    read = parse(server.update(update_id), ME)

    assert isinstance(read, Incoming)
    assert (read.text, read.locale) == ("怎么开户？", "zh-hans")
    assert read.conversation == Conversation(
        platform="telegram", workspace="424242", channel="-5005", thread="", user="1002"
    )
    assert read.reply_to == ReplyTo(channel="-5005", quote=str(number), user="1002", private=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@FrontDeskTestBot, what now?", "what now?"),
        ("@frontdesktestbot：现在呢", "现在呢"),
        ("tell me @FrontDeskTestBot please", "tell me please"),
        ("tell me @FrontDeskTestBot", "tell me"),
        ("😀👩‍👩‍👧 @FrontDeskTestBot hi", "😀👩‍👩‍👧 hi"),
        ("line\n@FrontDeskTestBot next", "line\nnext"),
        ("@FrontDeskTestBot", ""),
        ("@FrontDeskTestBot @FrontDeskTestBot hi", "hi"),
    ],
)
def test_the_mention_is_cut_out(said: Said, text: str, expected: str) -> None:
    """The words remain as if the bot had not been named, whatever stands around it."""
    assert words(said(text, user=ANN, chat=GROUP)) == expected


@pytest.mark.parametrize(
    "text", ["talk of others", "ask @FrontDeskTestBotX", "mail me@FrontDeskTestBot.example", "@SomebodyElse hi"]
)
def test_only_a_mention_of_us_counts(said: Said, text: str) -> None:
    """In a group, what merely contains our name is not spoken to us."""
    assert reason(said(text, user=ANN, chat=GROUP)) == "not addressed"


def test_a_name_without_entity_is_no_mention(said: Said) -> None:
    """The entity counts, not the letters: quoted code that shows our name calls nobody."""
    code = [{"type": "code", "offset": 0, "length": 17}]

    assert reason(said("@FrontDeskTestBot hi", user=ANN, chat=GROUP, entities=code)) == "not addressed"


def test_a_text_mention_counts(said: Said) -> None:
    """A mention by name, without username, is one by its user id; emoji before it count two units each."""
    entities = [{"type": "text_mention", "offset": 5, "length": 10, "user": {"id": ME.id}}]
    other = [{"type": "text_mention", "offset": 5, "length": 10, "user": {"id": LI.id}}]

    assert words(said("😀😀 Front Desk hello", user=ANN, chat=GROUP, entities=entities)) == "😀😀 hello"
    assert reason(said("😀😀 Front Desk hello", user=ANN, chat=GROUP, entities=other)) == "not addressed"


def test_a_reply_to_the_bot_is_spoken_to_us(server: TelegramServer, said: Said) -> None:
    """Replying to a message of the bot addresses it; replying to a person does not."""
    persons = server.message_id(server.say("hello", user=LI, chat=GROUP))
    ours = server.bot_says("Hello, Li", GROUP)

    assert words(said("and then?", user=ANN, chat=GROUP, reply_to=ours)) == "and then?"
    assert reason(said("and then?", user=ANN, chat=GROUP, reply_to=persons)) == "not addressed"


def test_a_topic_is_a_thread_of_its_own(said: Said) -> None:
    """In a forum the conversation and the reply are those of the topic."""
    read = said("@FrontDeskTestBot hi", user=ANN, chat=FORUM, topic=12)

    assert isinstance(read, Incoming)
    assert (read.conversation.thread, read.reply_to.thread) == ("12", "12")


@pytest.mark.parametrize("topic", [12, 13])
def test_writing_in_a_topic_is_no_reply_to_its_creator(said: Said, topic: int) -> None:
    """Everything in a topic replies to its opening, even if the bot opened it (the odd ones here): that is no call."""
    assert reason(said("talk of others", user=ANN, chat=FORUM, topic=topic)) == "not addressed"


def test_a_chain_of_replies_is_no_topic(server: TelegramServer, said: Said) -> None:
    """Outside forums `message_thread_id` is the root of a chain of replies; nothing can be sent into that."""
    ours = server.bot_says("Hello", SUPERGROUP)

    read = said("and then?", user=ANN, chat=SUPERGROUP, reply_to=ours)

    assert isinstance(read, Incoming)
    assert (read.conversation.thread, read.reply_to.thread) == ("", None)


@pytest.mark.parametrize(
    ("text", "command", "named"),
    [
        ("/reset", Command(name="reset"), False),
        ("/RESET  channel ", Command(name="reset", argument="channel"), False),
        ("/reset@FrontDeskTestBot", Command(name="reset"), True),
        ("/reset@frontdesktestbot channel", Command(name="reset", argument="channel"), True),
        ("@FrontDeskTestBot /reset channel", Command(name="reset", argument="channel"), True),
        ("@FrontDeskTestBot, /reset", Command(name="reset"), True),
        ("/forget @FrontDeskTestBot", Command(name="forget"), True),
        ("/unknown thing", Command(name="unknown", argument="thing"), False),
        ("/start", Command(name="start"), False),
    ],
)
@pytest.mark.parametrize("chat", [None, GROUP], ids=["private", "group"])
def test_commands(said: Said, text: str, command: Command, named: bool, chat: Chat | None) -> None:
    """A command is read with and without our name, alone or after a mention, with its argument.

    In private it can only be meant for us; in a group only one that names us can.
    """
    read = said(text, user=ANN, chat=chat)

    assert isinstance(read, Incoming)
    assert read.command == replace(command, addressed=named or chat is None)
    assert read.text == f"/{command.name} {command.argument}".strip()


def test_a_command_in_reply_to_us_is_meant_for_us(server: TelegramServer, said: Said) -> None:
    """In a group of many bots a reply says whose command it is; one in reply to a person does not."""
    ours = server.bot_says("Hello", GROUP)
    lis = server.message_id(server.say("hello", user=LI, chat=GROUP))

    for replied, addressed in ((ours, True), (lis, False)):
        read = said("/weather", user=ANN, chat=GROUP, reply_to=replied)

        assert isinstance(read, Incoming)
        assert read.command is not None
        assert read.command.addressed == addressed


def test_another_bots_command_is_not_ours(said: Said) -> None:
    """In a group a command that names another bot is left to that bot; in private there is nobody else."""
    read = said("/reset@OtherBot", user=ANN)

    assert reason(said("/reset@OtherBot", user=ANN, chat=GROUP)) == "another bot's command"
    assert isinstance(read, Incoming)
    assert read.command == Command(name="reset", addressed=True)


def test_a_command_within_a_sentence_is_none(said: Said) -> None:
    """Only a command at the start is one."""
    read = said("what does /reset do?", user=ANN)

    assert isinstance(read, Incoming)
    assert (read.command, read.text) == (None, "what does /reset do?")


def test_a_command_names_its_target_by_reply(server: TelegramServer, said: Said) -> None:
    """A command in reply to a person's message concerns that person; a reply to the bot or oneself, oneself."""
    lis = server.message_id(server.say("hello", user=LI, chat=GROUP))
    anns = server.message_id(server.say("hello", user=ANN, chat=GROUP))
    ours = server.bot_says("Hello", GROUP)

    targets = [said("/forget", user=ANN, chat=GROUP, reply_to=number) for number in (lis, anns, ours)]

    assert [read.command and read.command.target for read in targets if isinstance(read, Incoming)] == [
        str(LI.id),
        None,
        None,
    ]


def test_a_command_in_a_topic_has_no_target(said: Said) -> None:
    """The opening of a topic is no message of a person to be forgotten."""
    read = said("/forget", user=ANN, chat=FORUM, topic=12)

    assert isinstance(read, Incoming)
    assert read.command == Command(name="forget")


def test_a_command_in_reply_to_a_chats_message_never_means_oneself(server: TelegramServer, said: Said) -> None:
    """/forget in reply to an anonymous post must not erase the admin who gave it."""
    post = server.message_id(server.say("news", user=ANONYMOUS_ADMIN, sender_chat=SUPERGROUP, chat=SUPERGROUP))

    read = said("/forget", user=ANN, chat=SUPERGROUP, reply_to=post)

    assert isinstance(read, Incoming)
    assert read.command == Command(name="forget", target=str(SUPERGROUP.id))


@pytest.mark.parametrize(
    ("media", "attachment"),
    [("photo", "picture"), ("voice", "voice"), ("sticker", "sticker"), ("video", "video"), ("document", "file")],
)
def test_files_come_with_their_caption(said: Said, media: Media, attachment: str) -> None:
    """What we cannot read is named; a caption is the text."""
    bare, captioned = said(user=ANN, media=media), said("what is this?", user=ANN, media=media)

    assert isinstance(bare, Incoming)
    assert isinstance(captioned, Incoming)
    assert (bare.attachment, bare.text) == (attachment, "")
    assert (captioned.attachment, captioned.text) == (attachment, "what is this?")


def test_a_caption_can_call_us(said: Said) -> None:
    """In a group a picture is for us if its caption mentions us."""
    assert words(said("@FrontDeskTestBot this?", user=ANN, chat=GROUP, media="photo")) == "this?"
    assert reason(said("this?", user=ANN, chat=GROUP, media="photo")) == "not addressed"


@pytest.mark.parametrize("field", ["location", "contact", "poll", "venue", "dice", "audio", "animation", "video_note"])
def test_other_things_people_send_are_answered(said: Said, field: str) -> None:
    """Whatever a person sends instead of text is a message."""
    read = parse({"update_id": 1, "message": {**bare_message(), field: {"x": 1}}}, ME)

    assert isinstance(read, Incoming)
    assert read.attachment is not None


def test_nobody_to_answer(said: Said) -> None:
    """Channel posts, chats that speak, bots, ourselves, edits and service messages are no person's message to us."""
    channel = Chat(id=-1009009, type="channel", title="News")
    robot = User(id=77, first_name="R", username="robot_bot", is_bot=True)
    us = User(id=ME.id, first_name="Front Desk", username=ME.username, is_bot=True)
    text = "@FrontDeskTestBot hello"

    reasons = [
        reason(said(text, user=ANN, chat=channel, kind="channel_post")),
        reason(said(text, user=ANN, chat=channel)),
        reason(said(text, user=ANN, chat=SUPERGROUP, sender_chat=channel)),
        reason(said(text, user=ANONYMOUS_ADMIN, chat=SUPERGROUP, sender_chat=SUPERGROUP)),
        reason(said(text, user=User(id=1087968824, first_name="Group"), chat=SUPERGROUP)),
        reason(said(text, user=robot, chat=GROUP)),
        reason(said(text, user=us, chat=GROUP)),
        reason(said(text, user=ANN, kind="edited_message")),
        reason(parse({"update_id": 1, "message": {**bare_message(), "new_chat_title": "x"}}, ME)),
        reason(parse({"update_id": 1, "my_chat_member": {}}, ME)),
        reason(parse({"update_id": 1}, ME)),
    ]

    assert reasons == [
        "not a new message: channel_post",
        "channel post",
        "written in the name of a chat",
        "written in the name of a chat",
        "written by a bot",
        "written by a bot",
        "our own message",
        "not a new message: edited_message",
        "service message",
        "not a new message: my_chat_member",
        "empty update",
    ]


def bare_message() -> Record:
    """What every private message has."""
    return {
        "message_id": 5,
        "date": 1_800_000_000,
        "chat": {"id": 1001, "type": "private"},
        "from": {"id": 1001, "is_bot": False, "first_name": "Ann"},
    }


@pytest.mark.parametrize(
    "update",
    [
        None,
        [],
        "text",
        {},
        {"update_id": "1"},
        {"update_id": True, "message": bare_message()},
        {"update_id": 1, "message": None},
        {"update_id": 1, "message": {**bare_message(), "text": "x", "chat": None}},
        {"update_id": 1, "message": {**bare_message(), "text": "x", "chat": {"type": "private"}}},
        {"update_id": 1, "message": {**bare_message(), "text": "x", "from": {"id": 1.5}}},
        {"update_id": 1, "message": {**bare_message(), "text": "x", "from": "Ann"}},
        {"update_id": 1, "message": {**bare_message(), "text": "x", "date": 1 << 62}},
        {"update_id": 1, "message": {**bare_message(), "text": "x", "date": None}},
        {"update_id": 1 << 80, "message": {**bare_message(), "text": "x"}},
        {"update_id": 1, "message": {**bare_message(), "text": "x", "is_topic_message": True}},
    ],
)
def test_what_lacks_the_essentials_is_malformed(update: object) -> None:
    """Without ids, sender or date there is nothing to answer."""
    with pytest.raises(MalformedEvent):
        parse(update, ME)


def test_broken_text_is_cleaned(said: Said) -> None:
    """Half surrogates and NUL become U+FFFD: what is returned can be stored and sent."""
    message = {**bare_message(), "text": "a\ud83d b\0c \ude00"}

    read = parse({"update_id": 1, "message": message}, ME)

    assert words(read) == "a\ufffd b\ufffdc \ufffd"


@pytest.mark.parametrize(
    "entities",
    [
        "mention",
        [None, 5, "x"],
        [{"type": "mention", "offset": -1, "length": 17}],
        [{"type": "mention", "offset": 0, "length": 900}],
        [{"type": "mention", "offset": "0", "length": 17}],
        [{"type": "bot_command", "offset": 0, "length": 0}],
        [{"offset": 0, "length": 5}],
    ],
)
def test_unfit_entities_are_passed_over(entities: object) -> None:
    """Entities that do not fit the text mean nothing; the text stays."""
    message = {**bare_message(), "text": "@FrontDeskTestBot hi", "entities": entities}

    assert words(parse({"update_id": 1, "message": message}, ME)) == "@FrontDeskTestBot hi"


# --- reactions --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("chat", [None, SUPERGROUP], ids=["private", "group"])
def test_a_thumb_down_takes_back_the_message_it_is_on(server: TelegramServer, chat: Chat | None) -> None:
    """It names the message; whose it is, Telegram does not say."""
    server.say("hi", user=ANN, chat=chat)
    channel = ANN.id if chat is None else chat.id

    read = parse(server.update(server.react(channel, 77, "👍", "👎", user=ANN)), ME)

    assert isinstance(read, Incoming)
    assert (read.command, read.about, read.text) == (Command(name="dislike", addressed=True), "77", "")
    assert read.conversation.channel == str(channel)
    assert read.reply_to.private is (chat is None)


@pytest.mark.parametrize(("before", "now"), [((), ("👍",)), (("👎",), ("👎", "👍")), (("👎",), ())])
def test_other_reactions_ask_nothing(server: TelegramServer, before: tuple[str, ...], now: tuple[str, ...]) -> None:
    """Neither another one, nor a thumb that was there before, nor one taken away."""
    server.say("hi", user=ANN)

    assert reason(parse(server.update(server.react(ANN.id, 77, *now, user=ANN, before=before)), ME))


@pytest.mark.parametrize("damage", [{"user": None}, {"user": {}}, {"chat": 3}, {"message_id": "x"}, {"date": None}])
def test_a_damaged_reaction_is_malformed(server: TelegramServer, damage: Record) -> None:
    """It is counted, and spoils nothing else."""
    server.say("hi", user=ANN)
    update = dict(server.update(server.react(ANN.id, 77, "👎", user=ANN)))
    update["message_reaction"] = {**update["message_reaction"], **damage}  # type: ignore[dict-item]

    with pytest.raises(MalformedEvent):
        parse(update, ME)


def test_a_reply_names_the_message_of_ours(server: TelegramServer) -> None:
    """Of others' messages it is not said."""
    ours = server.bot_says("Five euros.", SUPERGROUP)
    theirs = server.message_id(server.say("hm", user=LI, chat=SUPERGROUP))

    about = [
        parse(server.update(server.say(f"@{ME.username} 👎", user=ANN, chat=SUPERGROUP, reply_to=to)), ME)
        for to in (ours, theirs)
    ]

    assert [read.about if isinstance(read, Incoming) else "" for read in about] == [str(ours), None]
