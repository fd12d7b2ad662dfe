"""The plainest bot: each message becomes one request to the model, and its answer is sent back. Our yardstick.

    python -m bench.plain_bot

Written with the libraries that Front Desk uses, as their guides show it: an Application with a message handler, an
AsyncApp over Socket Mode, one AsyncOpenAI. It remembers nothing, limits nobody, knows no documents, and loses what it
has in hand when it is killed. Nothing in it is slow on purpose: updates are handled side by side, connections are
kept, the answer is streamed. A platform is on when its token is set.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import ClientSession
from openai import AsyncOpenAI
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.say.async_say import AsyncSay
from slack_sdk.web.async_client import AsyncWebClient
from telegram import Update
from telegram.ext import Application, ContextTypes, MessageHandler, filters

PERSONA = "You are the friendly front desk of this team. Answer briefly, clearly and politely."


class Model:
    """One streamed completion for each question."""

    def __init__(self, client: AsyncOpenAI, name: str) -> None:
        self._client = client
        self._name = name

    async def answer(self, question: str) -> str:
        """The whole answer, once it is there."""
        stream = await self._client.chat.completions.create(
            model=self._name,
            messages=[{"role": "system", "content": PERSONA}, {"role": "user", "content": question}],
            stream=True,
        )
        text = ""
        async for chunk in stream:
            if chunk.choices:
                text += chunk.choices[0].delta.content or ""
        return text


@asynccontextmanager
async def telegram(model: Model, *, token: str, api_url: str) -> AsyncIterator[None]:
    """The bot answers on Telegram while the block runs."""

    async def answer(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        message = update.message
        if message is not None and message.text:
            await message.reply_text(await model.answer(message.text))

    builder = Application.builder().token(token).base_url(f"{api_url}/bot")
    application = builder.concurrent_updates(True).build()
    application.add_handler(MessageHandler(filters.TEXT & ~filters.COMMAND, answer))
    async with application:
        await application.start()
        if application.updater is None:
            raise RuntimeError("an Application is built with an Updater unless told otherwise")
        await application.updater.start_polling(allowed_updates=["message"])
        yield
        await application.updater.stop()
        await application.stop()


@asynccontextmanager
async def slack(model: Model, *, bot_token: str, app_token: str, api_url: str) -> AsyncIterator[None]:
    """The bot answers on Slack while the block runs."""

    async def answer(event: Mapping[str, str], say: AsyncSay) -> None:
        if "subtype" not in event:
            await say(await model.answer(event["text"]))

    # With a session given, one connection pool serves all calls; without, the library opens one for each.
    async with ClientSession() as session:
        app = AsyncApp(client=AsyncWebClient(token=bot_token, base_url=api_url, session=session))
        app.event("message")(answer)
        handler = AsyncSocketModeHandler(app, app_token)
        await handler.connect_async()  # type: ignore[no-untyped-call]  # the library's
        yield
        await handler.close_async()  # type: ignore[no-untyped-call]  # the library's


async def main(environment: Mapping[str, str]) -> None:
    """Answer until killed."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(AsyncOpenAI(base_url=environment.get("OPENAI_BASE_URL")))
        model = Model(client, environment.get("OPENAI_MODEL", "test-model"))
        if token := environment.get("TELEGRAM_BOT_TOKEN"):
            api_url = environment.get("TELEGRAM_API_URL", "https://api.telegram.org")
            await stack.enter_async_context(telegram(model, token=token, api_url=api_url))
        if token := environment.get("SLACK_BOT_TOKEN"):
            api_url = environment.get("SLACK_API_URL", "https://slack.com/api/")
            connection = slack(model, bot_token=token, app_token=environment["SLACK_APP_TOKEN"], api_url=api_url)
            await stack.enter_async_context(connection)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(main(os.environ))
