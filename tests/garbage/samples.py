"""Valid samples of what the platforms send, made by the test servers, which are held to the published contracts."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.garbage.hostile import CANARY
from tests.servers.slack_workspace import Workspace
from tests.servers.telegram import TelegramServer
from tests.servers.telegram_chat import Chat, User

Json = dict[str, Any]
FIRST_ID = 1_000_000
"""Of the samples; far from that of the neighbours."""
ANN = User(id=11, first_name=CANARY, language_code="en")
GROUP = Chat(id=-1005005, type="supergroup", title=CANARY, is_forum=True)


def telegram_updates() -> list[Json]:
    """One of each kind that a person causes."""
    server = TelegramServer(first_update_id=FIRST_ID)
    name = server.me.username
    first = server.say(f"What does {CANARY} cost?", user=ANN)
    numbers = [
        first,
        server.say(f"/help {CANARY}", user=ANN),
        server.say(f"@{name} {CANARY}?", user=ANN, chat=GROUP, topic=7),
        server.say(CANARY, user=ANN, media="photo"),
        server.say(f"and {CANARY}?", user=ANN, reply_to=server.message_id(first)),
        server.say(CANARY, user=ANN, kind="edited_message"),
    ]
    reaction = server.react(ANN.id, server.message_id(first), "\N{THUMBS DOWN SIGN}", user=ANN)
    return [json.loads(json.dumps(server.update(number))) for number in [*numbers, reaction]]


def slack_payloads() -> list[Json]:
    """Events that people cause."""
    place = Workspace()
    direct = place.person_message("D1", "U1", f"What does {CANARY} cost?", thread=None, files=[], broadcast=False)
    said = f"<@{place.bot_user}> {CANARY} <https://example.com|here> &amp;"
    mention = place.person_message("C1", "U1", said, thread=None, files=[], broadcast=False)
    thread = place.person_message("C1", "U1", CANARY, thread=str(mention["ts"]), files=[], broadcast=True)
    file = {"id": "F1", "mimetype": "image/png", "name": CANARY}
    picture = place.person_message("D1", "U1", CANARY, thread=None, files=[file], broadcast=False)
    told = [("D1", direct), ("C1", mention), ("C1", thread), ("D1", picture)]
    events = [event for channel, message in told for event in place.message_events(channel, message)]
    ts = place.new_ts()
    item = {"type": "message", "channel": "C1", "ts": ts}
    reaction = {"type": "reaction_added", "user": "U1", "reaction": "-1", "item_user": place.bot_user, "item": item}
    return [*events, place.envelope(reaction | {"event_ts": ts})]


def slack_form() -> dict[str, str]:
    """A slash command."""
    return Workspace().slash_form("C1", "U1", "/help", CANARY, "http://127.0.0.1:9/commands/R1")


def slack_interactions() -> list[Json]:
    """Interactions as Slack published them, without anybody's text; one of our own without the shared data."""
    shared = os.environ.get("FRONTDESK_SHARED")
    folder = Path(shared, "specs", "slack-samples", "app-backend") if shared else Path("nowhere")
    published = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    action = {"type": "block_actions", "user": {"id": "U1", "team_id": "T0TEAM"}, "team": {"id": "T0TEAM"}}
    return [action | {"actions": [{"action_id": "a", "value": CANARY}], "trigger_id": "1.2.a"}, *published]
