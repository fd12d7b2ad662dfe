"""Whatever Telegram, or anybody who poses as it, sends: it is read, ignored or malformed, and nothing else happens."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.telegram.parse import Ignored, parse
from bot.errors import MalformedEvent
from bot.message import Incoming
from tests.adapters.telegram.fakes import ME

_TEXT = st.text(alphabet=st.characters(exclude_categories=[]), max_size=30)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=10,
)
_MAYBE_INTEGER = st.integers(-(1 << 70), 1 << 70) | st.integers(0, 60) | _JSON
_USER = st.fixed_dictionaries(
    {},
    optional={"id": _MAYBE_INTEGER, "is_bot": st.booleans() | _JSON, "language_code": _TEXT | _JSON},
)
_CHAT = st.fixed_dictionaries(
    {}, optional={"id": _MAYBE_INTEGER, "type": st.sampled_from(["private", "group", "supergroup", "channel"]) | _JSON}
)
_ENTITY = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["mention", "text_mention", "bot_command", "bold"]) | _JSON,
        "offset": st.integers(-3, 40) | _JSON,
        "length": st.integers(-3, 40) | _JSON,
        "user": _USER | _JSON,
    },
)
_SAID = st.sampled_from(["/reset", "@FrontDeskTestBot", "😀", "/forget@OtherBot", " "]).flatmap(
    lambda word: _TEXT.map(lambda rest: word + rest)
)
_MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "message_id": _MAYBE_INTEGER,
        "date": _MAYBE_INTEGER,
        "chat": _CHAT | _JSON,
        "from": _USER | _JSON,
        "sender_chat": _CHAT | st.none(),
        "text": _SAID | _JSON,
        "caption": _SAID | _JSON,
        "entities": st.lists(_ENTITY, max_size=4) | _JSON,
        "caption_entities": st.lists(_ENTITY, max_size=4) | _JSON,
        "reply_to_message": st.fixed_dictionaries({}, optional={"from": _USER | _JSON, "message_id": _MAYBE_INTEGER}),
        "message_thread_id": _MAYBE_INTEGER,
        "is_topic_message": st.booleans() | _JSON,
        "photo": _JSON,
        "voice": _JSON,
    },
)
_GOOD = {
    "message_id": st.integers(1, 1 << 40),
    "date": st.integers(0, 1 << 33),
    "chat": st.fixed_dictionaries(
        {"id": st.integers(-(1 << 50), 1 << 50), "type": st.sampled_from(["private", "group"])}
    ),
    "from": st.fixed_dictionaries({"id": st.integers(1, 1 << 50)}, optional={"language_code": _TEXT}),
    "text": _SAID,
}
_NEARLY_GOOD = st.tuples(st.fixed_dictionaries(_GOOD), _MESSAGE).map(
    lambda pair: {**pair[0], **{name: value for name, value in pair[1].items() if name not in _GOOD}}
)
_UPDATE = st.fixed_dictionaries(
    {"update_id": st.integers(0, 1 << 31) | _JSON},
    optional={"message": _MESSAGE | _NEARLY_GOOD | _JSON, "edited": _JSON},
)


@settings(max_examples=400)
@given(_UPDATE | _JSON)
def test_garbage_is_read_ignored_or_malformed(update: object) -> None:
    """No other exception, and whatever is read can be stored as UTF-8 and read back."""
    try:
        read = parse(update, ME)
    except MalformedEvent:
        return
    if isinstance(read, Ignored):
        return

    assert Incoming.from_json(read.to_json().encode()) == read


@settings(max_examples=200)
@given(st.fixed_dictionaries({"update_id": st.integers(0, 1 << 31), "message": _NEARLY_GOOD}))
def test_a_whole_message_is_never_malformed_by_its_extras(update: object) -> None:
    """Odd optional fields do not cost the person the message."""
    try:
        parse(update, ME)
    except MalformedEvent as error:
        # The one extra that is needed where it is claimed.
        assert str(error).startswith("message_thread_id")  # noqa: PT017 - either outcome is right


def test_huge_text_is_read() -> None:
    """A text far over Telegram's own limit is handed on whole: its length is the core's business."""
    text = "长" * 1_000_000
    message = {
        "message_id": 1,
        "date": 0,
        "chat": {"id": 1, "type": "private"},
        "from": {"id": 1},
        "text": text,
    }

    read = parse({"update_id": 1, "message": message}, ME)

    assert isinstance(read, Incoming)
    assert read.text == text
