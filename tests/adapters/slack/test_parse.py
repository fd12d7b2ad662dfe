"""Parsing: who is spoken to, in which conversation, and what was said."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.slack.parse import Ignored, Me, parse_event, parse_slash
from bot.errors import MalformedEvent
from bot.message import Command, Conversation, Incoming, ReplyTo

ME = Me(team="T1", user="U0BOT", bot="B0BOT")
TS = "1764000000.123456"
ROOT = "1763999999.000100"
NOW = datetime(2026, 11, 24, tzinfo=UTC)

Json = dict[str, object]


def _event(text: str, /, **fields: object) -> Json:
    event: Json = {"type": "message", "channel": "C1", "channel_type": "channel", "user": "U1", "text": text, "ts": TS}
    return {"type": "event_callback", "team_id": "T1", "event": event | fields}


def _incoming(text: str, /, **fields: object) -> Incoming:
    parsed = parse_event(_event(text, **fields), ME)
    assert isinstance(parsed, Incoming), parsed
    return parsed


def _ignored(text: str, /, **fields: object) -> str:
    parsed = parse_event(_event(text, **fields), ME)
    assert isinstance(parsed, Ignored), parsed
    return parsed.reason


def _direct(text: str, /, **fields: object) -> Incoming:
    return _incoming(text, channel="D1", channel_type="im", **fields)


# --- conversations ----------------------------------------------------------------------------------------------------


def test_a_direct_message() -> None:
    """The whole of it: identity, conversation, date to the microsecond, where the answer goes."""
    assert _direct("hello") == Incoming(
        id="slack:T1:D1:1764000000.123456",  # type: ignore[arg-type]
        conversation=Conversation(platform="slack", workspace="T1", channel="D1", thread="", user="U1"),
        sent_at=datetime(2025, 11, 24, 16, 0, 0, 123456, tzinfo=UTC),
        text="hello",
        reply_to=ReplyTo(channel="D1", thread=None, quote=TS, user="U1", private=True),
        addressing="direct",
    )


def test_a_thread_in_a_direct_message_is_a_conversation_of_its_own() -> None:
    """Answered in the thread."""
    incoming = _direct("hello", thread_ts=ROOT)

    assert incoming.conversation.thread == ROOT
    assert incoming.reply_to.thread == ROOT
    assert incoming.addressing == "direct"


@pytest.mark.parametrize("kind", ["channel", "group", "mpim"])
def test_a_mention_at_the_root_opens_a_thread(kind: str) -> None:
    """The message itself is the thread's root, in public, private and shared direct conversations alike."""
    incoming = _incoming("<@U0BOT> hello", channel_type=kind)

    assert incoming.conversation.thread == TS
    assert incoming.reply_to == ReplyTo(channel="C1", thread=TS, quote=TS, user="U1", private=False)
    assert (incoming.text, incoming.addressing) == ("hello", "call")


def test_a_root_that_names_itself_as_its_thread_is_a_root() -> None:
    """Slack gives the root of a thread its own ts as thread_ts."""
    assert _incoming("<@U0BOT> hello", thread_ts=TS).conversation.thread == TS
    assert _direct("hello", thread_ts=TS).conversation.thread == ""


def test_both_events_of_a_mention_are_the_same_message() -> None:
    """`app_mention` has no channel_type and another event id; what comes out is equal."""
    mention = _event("<@U0BOT> hello", type="app_mention")
    event = mention["event"]
    assert isinstance(event, dict)
    del event["channel_type"]

    assert parse_event(mention, ME) == _incoming("<@U0BOT> hello")


def test_a_mention_in_a_thread_is_a_call() -> None:
    """The thread becomes ours for this person."""
    incoming = _incoming("so <@U0BOT>, what now?", thread_ts=ROOT)

    assert (incoming.conversation.thread, incoming.addressing) == (ROOT, "call")
    assert incoming.text == "so, what now?"


def test_a_message_in_a_thread_without_a_mention_is_a_follow() -> None:
    """Whether the thread is ours is for others to say."""
    assert _incoming("and then?", thread_ts=ROOT).addressing == "follow"


@pytest.mark.parametrize(
    "text", ["<@U2> what do you think?", "ask <@U2|ben>", "<!here> look", "<!channel>", "<!subteam^S1|@team> hi"]
)
def test_a_message_to_others_in_a_thread_is_not_for_us(text: str) -> None:
    """Whoever names somebody else speaks to them."""
    assert _ignored(text, thread_ts=ROOT) == "addressed to others"


def test_a_message_to_us_and_others_is_for_us() -> None:
    """Their names stay in the text."""
    assert _incoming("<@U0BOT> ask <@U2>", thread_ts=ROOT).text == "ask @U2"


def test_a_root_message_without_a_mention_is_not_for_us() -> None:
    """Nor is one that holds our name as plain text."""
    assert _ignored("hello U0BOT @U0BOT") == "not addressed"
    assert _ignored("!reset") == "not addressed"


def test_a_broadcast_from_a_thread_belongs_to_the_thread() -> None:
    """A reply that is also sent to the channel is still a message in its thread."""
    incoming = _incoming("and then?", subtype="thread_broadcast", thread_ts=ROOT)

    assert (incoming.conversation.thread, incoming.addressing) == (ROOT, "follow")


def test_what_is_said_in_the_third_person_is_a_message() -> None:
    """`/me asks …` comes under a subtype of its own."""
    incoming = _incoming("asks <@U0BOT> the way", subtype="me_message")

    assert (incoming.text, incoming.addressing) == ("asks the way", "call")


# --- who is no person -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"bot_id": "B9"},
        {"bot_id": "B0BOT", "user": "U0BOT"},
        {"subtype": "bot_message", "bot_id": "B9", "user": None},
        {"user": "U0BOT"},
        {"user": "USLACKBOT"},
        {"subtype": "message_changed", "user": None},
        {"subtype": "message_deleted", "user": None},
        {"subtype": "channel_join"},
        {"subtype": "channel_topic"},
        {"subtype": ["file_share"]},
    ],
)
def test_bots_ourselves_and_other_subtypes_are_passed_over(fields: Json) -> None:
    """They are no new message of a person, even when they name us."""
    assert _ignored("<@U0BOT> hello", **fields)


@pytest.mark.parametrize(
    "body",
    [
        {"type": "app_rate_limited"},
        {"type": "event_callback", "event": {"type": "reaction_removed"}},
        {"type": "event_callback", "event": {}},
        {},
    ],
)
def test_what_is_no_message_is_passed_over(body: Json) -> None:
    """Other events of Slack."""
    assert isinstance(parse_event(body, ME), Ignored)


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("see <https://example.com/a?b=1&amp;c=2>", "see https://example.com/a?b=1&c=2"),
        ("see <https://example.com/|the docs>", "see the docs (https://example.com/)"),
        ("see <http://example.com|example.com>", "see example.com"),
        ("write <mailto:ana@example.com|ana@example.com>", "write ana@example.com"),
        ("<@U2> and <@U3|cleo>", "@U2 and @cleo"),
        ("<#C2|general> or <#C3>", "#general or #C3"),
        ("<!here> <!subteam^S1|@team> <!subteam^S2>", "@here @team @S2"),
        ("<!date^1392734382^{date}|February 18>", "February 18"),
        ("*bold* `x &lt; y`", "*bold* `x < y`"),
        ("<@U0BOT>: how?", "how?"),
        ("<@U0BOT|frontdesk>，你好", "你好"),
        ("  <@U0BOT>  <@U0BOT> hi <@U0BOT>", "hi"),
        ("a\n<@U0BOT>\nb", "a\n\nb"),
        ("&lt;@U0BOT&gt;", "<@U0BOT>"),
        ("bad \ud800 half", "bad � half"),
    ],
)
def test_text_is_read_as_the_person_saw_it(raw: str, read: str) -> None:
    """Mentions, links and specials become what stood on the screen; our own mention goes."""
    assert _direct(raw).text == read


def test_a_message_without_text_is_empty() -> None:
    """A mention alone, or a file alone, is a message all the same."""
    assert _incoming("<@U0BOT>").text == ""
    assert _direct("", text=None).text == ""


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ({"mimetype": "image/png"}, "picture"),
        ({"mimetype": "audio/mpeg"}, "voice"),
        ({"mimetype": "video/mp4", "subtype": "slack_audio"}, "voice"),
        ({"mimetype": "video/mp4"}, "video"),
        ({"mimetype": "application/pdf"}, "file"),
        ({"mimetype": None}, "file"),
        ({"mode": "tombstone"}, "file"),
        ("garbage", "file"),
    ],
)
def test_files_are_named_by_kind(file: object, kind: str) -> None:
    """The text that came with them is kept."""
    incoming = _direct("look", subtype="file_share", files=[file])

    assert (incoming.attachment, incoming.text) == (kind, "look")


@pytest.mark.parametrize("files", [[], None, "x", {"a": 1}])
def test_no_files_are_no_attachment(files: object) -> None:
    """Whatever stands in their place."""
    assert _direct("look", files=files).attachment is None


# --- commands ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("!reset", Command(name="reset", addressed=True)),
        ("/reset channel", Command(name="reset", argument="channel", addressed=True)),
        ("!Forget  me \n please ", Command(name="forget", argument="me \n please", addressed=True)),
        ("!", None),
        ("!!", None),
        ("! reset", None),
        ("/etc/passwd is what?", None),
        ("!important, please", None),
        ("reset", None),
        ("what does !reset do?", None),
        ("!" + "x" * 33, None),
    ],
)
def test_commands_are_told_by_their_form(text: str, command: Command | None) -> None:
    """A bang or a slash, a word, then the end or a space."""
    assert _direct(text).command == command


@pytest.mark.parametrize("text", ["<@U0BOT> !reset", "<@U0BOT> /reset", "<@U0BOT> reset", "<@U0BOT>, Reset"])
def test_a_command_after_a_mention(text: str) -> None:
    """Threads take no slash commands, so the word alone will do once we are named."""
    incoming = _incoming(text, thread_ts=ROOT)

    assert incoming.command == Command(name="reset", addressed=True)
    assert incoming.addressing == "call"


def test_a_mention_with_more_than_a_command_word_is_a_question() -> None:
    """`help` is a command, `help me` is not."""
    assert _incoming("<@U0BOT> help me").command is None
    assert _incoming("<@U0BOT> usage").command is None
    assert _incoming("<@U0BOT> weather").command is None
    assert _incoming("<@U0BOT> reset channel").command == Command(name="reset", argument="channel", addressed=True)
    assert _incoming("<@U0BOT> source 2").command == Command(name="source", argument="2", addressed=True)
    assert _incoming("<@U0BOT> source of income").command is None


def test_a_bare_command_in_a_thread_is_a_follow() -> None:
    """It counts if the thread is ours."""
    incoming = _incoming("!reset", thread_ts=ROOT)

    assert (incoming.command, incoming.addressing) == (Command(name="reset"), "follow")


# --- slash commands ---------------------------------------------------------------------------------------------------


def _form(**fields: str) -> Json:
    form: Json = {"team_id": "T1", "channel_id": "C1", "user_id": "U1", "command": "/Forget", "text": " <@U2|ben> "}
    return form | {"trigger_id": "13345224609.738474920.8088930838d88f008e0"} | fields


def test_a_slash_command() -> None:
    """No thread, no time of its own: the whole channel is meant, the answer is for the asker's eyes."""
    assert parse_slash(_form(), ME, now=NOW) == Incoming(
        id="slack:T1:trigger:13345224609.738474920.8088930838d88f008e0",  # type: ignore[arg-type]
        conversation=Conversation(platform="slack", workspace="T1", channel="C1", thread="", user="U1"),
        sent_at=NOW,
        text="/forget @ben",
        reply_to=ReplyTo(channel="C1", user="U1", private=False, ephemeral=True),
        command=Command(name="forget", argument="@ben", addressed=True, whole_channel=True),
    )


def test_a_slash_command_in_a_direct_message_is_private() -> None:
    """Only the asker reads there."""
    parsed = parse_slash(_form(channel_id="D1", text=""), ME, now=NOW)

    assert isinstance(parsed, Incoming)
    assert parsed.reply_to.private
    assert parsed.text == "/forget"


@pytest.mark.parametrize("missing", ["channel_id", "user_id", "command", "trigger_id"])
def test_a_slash_command_without_its_fields_is_malformed(missing: str) -> None:
    """Nothing is guessed."""
    form = _form()
    del form[missing]

    with pytest.raises(MalformedEvent, match=missing):
        parse_slash(form, ME, now=NOW)


# --- garbage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [7, ["a"], {}, True])
def test_a_text_that_is_none_is_an_empty_message(text: object) -> None:
    """Whoever wrote it is known, and is told that there is nothing to read."""
    read = parse_event(_event("hello", channel="D1", channel_type="im", text=text), ME)

    assert isinstance(read, Incoming)
    assert read.text == ""


@pytest.mark.parametrize(
    "fields",
    [
        {"ts": "soon"},
        {"ts": None},
        {"ts": 1764000000.1},
        {"ts": "1764000000"},
        {"ts": "1" * 30 + ".1"},
        {"ts": "١٢٣.٤"},
        {"channel": ""},
        {"channel": "C1:D2"},
        {"channel": 7},
        {"user": None},
        {"user": {"id": "U1"}},
        {"thread_ts": "x"},
        {"thread_ts": 7},
    ],
)
def test_a_message_that_cannot_be_read_is_malformed(fields: Json) -> None:
    """Ids and times must have their form: identities are made of them."""
    with pytest.raises(MalformedEvent):
        parse_event(_event("<@U0BOT> hello", **fields), ME)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_KEYS = ["type", "channel", "channel_type", "user", "text", "ts", "thread_ts", "subtype", "bot_id", "files"]
_LIKELY = st.sampled_from(["message", "app_mention", "im", "U1", "C1", TS, ROOT, "<@U0BOT> x", "file_share", "!a"])


@given(fields=st.dictionaries(st.sampled_from(_KEYS), _JSON | _LIKELY))
def test_garbage_in_an_event_raises_nothing_else(fields: Json) -> None:
    """A message, a reason, or MalformedEvent; a message can be stored and read back."""
    try:
        parsed = parse_event(_event("<@U0BOT> hello", **fields), ME)
    except MalformedEvent:
        return
    if isinstance(parsed, Incoming):
        assert Incoming.from_json(parsed.to_json().encode()) == parsed


@given(body=_JSON)
def test_garbage_for_a_body_raises_nothing_else(body: object) -> None:
    """Whatever JSON holds."""
    with suppress(MalformedEvent):
        parse_event(body, ME)
    with suppress(MalformedEvent):
        parse_slash(body, ME, now=NOW)


@given(fields=st.dictionaries(st.sampled_from(list(_form())), _JSON | st.text()))
def test_garbage_in_a_form_raises_nothing_else(fields: Json) -> None:
    """A message or MalformedEvent; a message can be stored and read back."""
    try:
        parsed = parse_slash(_form() | fields, ME, now=NOW)
    except MalformedEvent:
        return
    assert isinstance(parsed, Incoming)
    assert Incoming.from_json(parsed.to_json().encode()) == parsed


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", [" ", "\n", "<", "<@U0BOT", "<@U0BOT> ", "<@U0BOT|a", "&amp;", "!a ", "/", "<a|b>", "\t,"]
)
def test_the_longest_message_is_read_at_once(unit: str) -> None:
    """40,000 characters of anything do not hold the event loop up: the time grows with the length only."""
    assert isinstance(_direct(unit * (40_000 // len(unit)) + "x").text, str)


@given(text=st.text(alphabet="<>@!#|&;ampltgU0BOT ^:/\n", max_size=60))
def test_any_markup_is_read(text: str) -> None:
    """Broken control sequences are text."""
    assert json.dumps(_direct(text).text)


# --- reactions --------------------------------------------------------------------------------------------------------


def _reaction(name: str, **fields: object) -> Json:
    item = {"type": "message", "channel": "C1", "ts": ROOT}
    event: Json = {"type": "reaction_added", "user": "U1", "reaction": name, "item": item, "item_user": "U0BOT"}
    return {"type": "event_callback", "team_id": "T1", "event": event | {"event_ts": TS} | fields}


@pytest.mark.parametrize("name", ["-1", "thumbsdown", "-1::skin-tone-3"])
def test_a_thumb_down_takes_back_the_message_it_is_on(name: str) -> None:
    """In whatever colour."""
    read = parse_event(_reaction(name), ME)

    assert isinstance(read, Incoming)
    assert (read.command, read.about, read.text) == (Command(name="dislike", addressed=True), ROOT, "")
    assert (read.conversation.channel, read.conversation.user) == ("C1", "U1")


@pytest.mark.parametrize(
    "reaction",
    [
        _reaction("+1"),
        _reaction("-1", item_user="U2"),
        _reaction("-1", user="U0BOT"),
        _reaction("-1", item={"type": "file"}),
    ],
)
def test_other_reactions_ask_nothing(reaction: Json) -> None:
    """Neither another one, nor one to somebody else's message, nor our own."""
    assert isinstance(parse_event(reaction, ME), Ignored)


@pytest.mark.parametrize("damage", [{"reaction": 3}, {"item": None}, {"item": {"type": "message"}}, {"event_ts": "x"}])
def test_a_damaged_reaction_is_malformed(damage: Json) -> None:
    """It is counted, and nothing else happens."""
    with pytest.raises(MalformedEvent):
        parse_event(_reaction("-1", **damage), ME)
