"""Tokens of the model through the whole bot: who has used theirs up costs nothing more."""

from __future__ import annotations

from tests.process.conftest import World
from tests.servers.telegram_chat import User

ANN = User(id=1)


async def test_who_has_used_up_their_tokens_has_no_follow_up_written_out(world: World) -> None:
    """That is a call of the model too; what is stored is given all the same."""
    settings = {"FRONTDESK_LIMITS__TOKENS": '["1/day"]'}
    async with world.bot(world.platforms(), world.with_model(), world.unlimited(), settings):
        world.telegram.say("How much is a transfer?", user=ANN)
        await world.telegram.wait_messages(ANN.id, 1)
        world.telegram.say("and for companies?", user=ANN)
        sent = await world.telegram.wait_messages(ANN.id, 2)
        asked = len(world.model.chats)
        world.telegram.say("How much is a transfer?", user=User(id=2))
        await world.telegram.wait_messages(2, 1)

    assert "Please ask again in" in sent[1].text
    assert (asked, len(world.model.chats)) == (1, 1)
