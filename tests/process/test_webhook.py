"""Telegram calls us: nothing is lost while we are away or cannot store, and nothing is answered twice."""

from __future__ import annotations

from tests.process.conftest import World
from tests.servers.telegram_chat import User

ANN = User(id=1)


async def test_messages_come_by_webhook_and_wait_while_we_are_killed(world: World) -> None:
    """Answered in order, once each, before and after a `kill -9`; a secret keeps strangers out."""
    world.model.reply(lambda messages: f"You said: {messages[-1]['content']}")
    hook = {
        "FRONTDESK_TELEGRAM__MODE": "webhook",
        "FRONTDESK_TELEGRAM__WEBHOOK_URL": "https://bot.example",
        "TELEGRAM_WEBHOOK_SECRET": "secret-of-the-test",
    }
    bot = world.bot(world.platforms(), world.with_model(), world.unlimited(), hook)
    await bot.start()
    world.telegram.webhook.base = bot.url
    world.telegram.say("one", user=ANN)
    await world.telegram.wait_messages(ANN.id, 1)
    await world.telegram.wait_until(lambda: "settled" in bot.said(), "the turn is settled")
    await bot.kill()
    refused = world.telegram.say("two", user=ANN)
    await world.telegram.wait_until(lambda: bool(world.telegram.webhook.answers[refused]), "a call that nobody answers")
    await bot.start()
    world.telegram.webhook.base = bot.url
    world.telegram.say("three", user=ANN)
    sent = await world.telegram.wait_messages(ANN.id, 3)
    await world.telegram.wait_confirmed()
    code = await bot.stop()

    assert [message.text for message in sent] == [f"You said: {word}" for word in ("one", "two", "three")]
    assert world.telegram.webhook.answers[refused][0] == 0
    assert code == 0
    assert not world.telegram.calls_of("getUpdates")
