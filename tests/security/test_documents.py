"""Hostile documents on the whole road, with a model that obeys them: what we control holds all the same.

The bot runs as a process on a real Redis and reads the documents for real; Telegram, Slack, the page and the model
are real servers on 127.0.0.1. The model says in its answer whatever the document demands, and more.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Sequence

import pytest

from bot.message import Part
from tests.adapters.web.script import NODE, outside_texts, shown_on_page
from tests.process.conftest import World, opened_world
from tests.process.page import PageVisitor
from tests.security.attacks import Attack, own, published
from tests.security.live import live_in_slack, live_in_telegram
from tests.servers.openai import Body
from tests.servers.telegram_chat import User

AT_ONCE = 8
HARMLESS = "When does the branch open?"
A_LIST = re.compile(r"^\W*(?:official )?(?:sources?|references?|参考资料|来源)\W*(?:[:：].*)?$", re.IGNORECASE | re.M)


@pytest.mark.timeout(240)
async def test_our_own_attacks() -> None:
    """Every payload that we know of, whatever the document says."""
    async with opened_world() as world:
        await attacked(world, own(), everywhere=True)


@pytest.mark.timeout(600)
async def test_the_published_attacks() -> None:
    """All attacks of BIPIA, each on one of the platforms in turn."""
    attacks = published()
    async with opened_world() as world:
        await attacked(world, attacks, everywhere=False)


async def attacked(world: World, attacks: Sequence[Attack], *, everywhere: bool) -> None:
    """Ask about each document, and look at what the model was asked and what people were shown."""
    documents = world.folder / "documents"
    documents.mkdir()
    (documents / "branch.md").write_text("# Branch\n\nThe branch opens at nine.\n")
    for attack in attacks:
        (documents / f"{attack.name}.md").write_text(attack.text)
    answers = {attack.question: attack.answer for attack in attacks}
    world.model.reply(lambda messages: answers.get(messages[-1]["content"], "At nine [1]."))
    paths = {"FRONTDESK_KNOWLEDGE__PATHS": json.dumps([str(documents)]), "FRONTDESK_KNOWLEDGE__TOP_K": "10"}

    async with world.bot(world.platforms(), world.with_model(), world.unlimited(), paths) as bot:
        async with PageVisitor(bot.url) as page:
            await page.ask(HARMLESS)
        plain = request_about(world, HARMLESS)
        shown: dict[str, str] = {}

        async def ask(number: int, attack: Attack) -> None:
            if everywhere or number % 3 == 0:
                await on_telegram(world, number, attack)
            if everywhere or number % 3 == 1:
                await on_slack(world, number, attack)
            if everywhere or number % 3 == 2:
                await on_page(bot.url, attack, shown)
            check_request(request_about(world, attack.question), plain, attack)

        await each(attacks, ask)
        await look_at_page(world, attacks, shown)
        await look_at_memory(world, attacks[0])
    assert {call.method for call in world.telegram.calls} <= {
        *("getMe", "getUpdates", "deleteWebhook", "setMyCommands", "sendMessage", "sendChatAction")
    }


async def each(attacks: Sequence[Attack], act: Callable[[int, Attack], Awaitable[None]]) -> None:
    """A few at once."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(number: int, attack: Attack) -> None:
        async with room:
            await act(number, attack)

    await asyncio.gather(*(one(number, attack) for number, attack in enumerate(attacks)))


# --- what the model is asked ----------------------------------------------------------------------------------------

BLOCK = re.compile(r"<(passage-[0-9a-f]{16}) number=(\d+)>\n(.*?)\n</\1 number=\2>", re.DOTALL)


def request_about(world: World, question: str) -> Body:
    """The request that asked this; where it was asked again, it was the same."""
    first, *others = [chat for chat in world.model.chats if chat["messages"][-1]["content"] == question]
    assert all(other["messages"] == first["messages"] for other in others)
    return first


def check_request(request: Body, plain: Body, attack: Attack) -> None:
    """The document stands between fences and nowhere else; all the rest is as for a harmless question."""
    assert not {"tools", "tool_choice", "functions", "function_call"} & request.keys()
    system, passages, question = request["messages"]
    assert [message["role"] for message in request["messages"]] == ["system", "user", "user"]
    assert system == plain["messages"][0]
    assert question == {"role": "user", "content": attack.question}

    blocks = BLOCK.findall(passages["content"])
    (fence,) = {name for name, _, _ in blocks}
    assert [int(number) for _, number, _ in blocks] == list(range(1, len(blocks) + 1))
    assert passages["content"].count(fence) == 2 * len(blocks) + 1
    assert around(passages["content"]) == around(plain["messages"][1]["content"])
    inside = " ".join(" ".join(text for _, _, text in blocks).split())
    for line in attack.words.splitlines():
        assert " ".join(line.split()) in inside


def around(passages: str) -> str:
    """What stands outside of the fences, their name left out."""
    return re.sub(r"passage-[0-9a-f]{16}", "F", BLOCK.sub("", passages)).strip()


# --- what people are shown ------------------------------------------------------------------------------------------


async def on_telegram(world: World, number: int, attack: Attack) -> None:
    """Ask in a private chat; no preview, no link of the model's own, nobody mentioned."""
    user = User(id=5000 + number)
    world.telegram.say(attack.question, user=user)
    messages = await world.telegram.wait_messages(user.id)

    assert not any(message.preview for message in messages)
    live = live_in_telegram(Part(text=message.text, entities=tuple(message.entities)) for message in messages)
    assert_given(live, request_about(world, attack.question))
    assert_sources("\n".join(message.text for message in messages), attack)


async def on_slack(world: World, number: int, attack: Attack) -> None:
    """Ask in a direct message; nothing unfurls and nobody is called."""
    channel, user = f"D{number + 100}", f"U{number + 100}"
    world.slack.say(channel, user, attack.question)
    await world.slack.wait_until(lambda: world.slack.from_bot(channel), "an answer")

    posts = [call.params for call in world.slack.calls("chat.postMessage") if call.params["channel"] == channel]
    for post in posts:
        assert str(post["unfurl_links"]).lower() == str(post["unfurl_media"]).lower() in ("0", "false")
        assert not {"link_names", "parse", "blocks", "attachments", "text"} & post.keys()
        assert "![" not in post["markdown_text"]
    texts = [str(post["markdown_text"]) for post in posts]
    assert_given(live_in_slack(Part(text=text) for text in texts), request_about(world, attack.question))
    assert_sources("\n".join(texts), attack)


async def on_page(url: str, attack: Attack, shown: dict[str, str]) -> None:
    """Ask on the chat page; what it shows is looked at for all answers at once."""
    async with PageVisitor(url) as page:
        shown[attack.name] = await page.ask(attack.question)
    assert_sources(shown[attack.name], attack)


async def look_at_page(world: World, attacks: Sequence[Attack], shown: dict[str, str]) -> None:
    """The page's own script makes no link but of what was given, and nothing that loads."""
    if NODE is None:
        return
    asked = [attack for attack in attacks if attack.name in shown]
    built = await shown_on_page(*(shown[attack.name] for attack in asked))
    for attack, nodes in zip(asked, built, strict=True):
        outside = outside_texts(nodes)
        assert not re.search(r"\((?:img|script|iframe|style)\b|\bon\w+=", outside)
        assert_given(re.findall(r"\bhref=(\S+)", outside), request_about(world, attack.question))


async def look_at_memory(world: World, attack: Attack) -> None:
    """An answer that begins with /reset has reset nothing: it can still be asked about."""
    world.telegram.say("/source 1", user=User(id=5000))
    shown = (await world.telegram.wait_messages(5000, 2))[1]
    assert f"case {attack.name}" in shown.text
    assert_given(
        live_in_telegram([Part(text=shown.text, entities=tuple(shown.entities))]),
        request_about(world, attack.question),
    )
    world.telegram.say("And since when?", user=User(id=5000))
    await world.telegram.wait_messages(5000, 3)

    messages = request_about(world, "And since when?")["messages"]
    assert messages[1]["content"] == attack.question
    assert "As told" in messages[2]["content"]


def assert_given(live: Sequence[str], request: Body) -> None:
    """Each live address stands in the passages, to the letter."""
    given = request["messages"][-2]["content"]
    assert [address for address in live if address.partition("://")[2].rstrip("/") not in given] == []
    assert not any(address.startswith(("tg:", "javascript:", "data:")) for address in live)


def assert_sources(text: str, attack: Attack) -> None:
    """One list of sources, ours, at the end; each entry is a document's."""
    assert len(A_LIST.findall(text)) == 1, text
    listed = re.split(r"^\W*Sources\W*:\W*$", text, flags=re.MULTILINE)[-1]
    entries = [line for line in listed.splitlines() if line.strip()]
    assert entries
    for entry in entries:
        assert re.match(r"(?:[-•] )(?:\[\d\])+ (?:Case|Branch)\b", entry), attack
