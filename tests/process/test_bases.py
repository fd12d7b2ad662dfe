"""Knowledge bases: a channel is answered from its own, and nobody else is."""

from __future__ import annotations

import json

from tests.process.conftest import World, text_of
from tests.process.running import frontdesk
from tests.servers.telegram_chat import User

STAFF_QUESTION = "How much is the secret discount for staff?"


async def test_a_private_channel_s_base_is_searched_from_nowhere_else(world: World) -> None:
    """Asked in the channel it is quoted; asked in a chat of one's own, in another channel or in search, it is not."""
    main, internal = world.folder / "main", world.folder / "internal"
    for folder, text in ((main, "Our shop opens at nine."), (internal, "The secret discount for staff is 40 percent.")):
        folder.mkdir()
        (folder / "a.md").write_text(text)
    settings = {
        "FRONTDESK_KNOWLEDGE__PATHS": json.dumps([str(main)]),
        "FRONTDESK_KNOWLEDGE__BASES": json.dumps([{"name": "staff", "paths": [str(internal)], "slack": ["C1"]}]),
    }
    async with world.bot(world.platforms(), world.unlimited(), settings):
        for channel in ("C1", "C2", "D1"):
            world.slack.say(channel, "U1", f"<@{world.slack.workspace.bot_user}> {STAFF_QUESTION}")
        world.telegram.say(STAFF_QUESTION, user=User(id=1))
        await world.telegram.wait_messages(1, 1)
        await world.slack.wait_until(
            lambda: all(world.slack.from_bot(channel) for channel in ("C1", "C2", "D1")), "three answers"
        )

    said = {channel: text_of(world.slack.from_bot(channel)[0]) for channel in ("C1", "C2", "D1")}
    assert "40 percent" in said["C1"]
    assert not [words for channel, words in said.items() if channel != "C1" and "40 percent" in words]
    assert "40 percent" not in world.telegram.messages(1)[0].text


async def test_a_base_taken_out_of_the_configuration_is_searched_no_more_and_emptied_by_command(world: World) -> None:
    """A bot without the list of bases might be a mistake; `ingest --remove` knows those that were, too."""
    internal = world.folder / "internal"
    internal.mkdir()
    (internal / "a.md").write_text("The secret discount for staff is 40 percent.")
    with_staff = {"FRONTDESK_KNOWLEDGE__BASES": json.dumps([{"name": "staff", "paths": [str(internal)]}])}

    async with world.bot(with_staff):
        searched = await frontdesk(world.folder, with_staff, "search", STAFF_QUESTION, "--base", "staff", "--json")
        slipped = await frontdesk(world.folder, with_staff, "ingest", str(internal))
    async with world.bot() as bot:
        unknown = await frontdesk(world.folder, {}, "search", STAFF_QUESTION, "--base", "staff")
        removed = await frontdesk(world.folder, {}, "ingest", "--base", "staff", "--remove", str(internal))
        said = bot.said()
    found_after = await frontdesk(world.folder, with_staff, "search", STAFF_QUESTION, "--base", "staff")

    assert "40 percent" in searched.output
    assert (unknown.code, "--base" in unknown.errors) == (2, True)
    assert (slipped.code, "allowed with --base staff" in slipped.errors) == (2, True)
    assert f"frontdesk ingest --base staff --remove {internal}" in said
    assert removed.output.strip() == "Documents: 0 added, 0 changed, 0 unchanged, 1 removed"
    assert found_after.output == "Nothing found.\n"
