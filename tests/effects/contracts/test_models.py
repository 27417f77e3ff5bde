"""What every door to language models holds, real ones over servers on loopback and the demo's played one alike."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from agentos_lsp.domain.conversation import Done, Text, ToolUse
from agentos_lsp.domain.errors import ProviderError
from agentos_lsp.effects.simulated import model
from tests.effects.providers import model_server, support

DOORS = (*support.KINDS, "played")
SAID = model_server.Say("Let me look.", (support.USE,))


@contextlib.asynccontextmanager
async def door(kind, pace=0.0):
    """A provider, and a request for its model that it answers with words and uses of tools."""
    if kind == "played":
        one = model.make("played", model.SETTINGS.providers["played"], pace)
        yield one, replace(support.REQUEST, model=model.MODEL)
        await one.close()
        return
    async with model_server.ModelServer(kind, SAID, SAID) as server:
        one = support.make(kind, server.url)
        try:
            yield one, support.REQUEST
        finally:
            await one.close()


@pytest.mark.parametrize("kind", DOORS)
async def test_it_says_what_it_is_and_which_models_it_has(kind):
    async with door(kind) as (one, request):
        assert isinstance(await one.version(), str)
        assert request.model in [found.name for found in await one.models()]
        assert (await one.describe(request.model)).name == request.model
        window = await one.window(request.model)
        assert window.asked > 0


@pytest.mark.parametrize("kind", DOORS)
async def test_a_model_that_is_not_there_has_its_name_and_a_remedy(kind):
    async with door(kind) as (one, _):
        with pytest.raises(ProviderError) as caught:
            await one.describe("tinny")
    assert (caught.value.failure, bool(caught.value.hint)) == ("no such model", True)


@pytest.mark.parametrize("kind", DOORS)
async def test_a_reply_is_text_then_uses_of_tools_then_one_end_with_what_it_took(kind):
    async with door(kind) as (one, request):
        pieces = [piece async for piece in one.chat(request)]
    kinds = [type(piece) for piece in pieces]
    assert kinds[-1] is Done
    assert kinds.count(Done) == 1
    first_use = kinds.index(ToolUse)
    assert set(kinds[:first_use]) == {Text}
    assert set(kinds[first_use:-1]) == {ToolUse}
    assert pieces[-1].stop == "calls"
    assert pieces[-1].usage.prompt_tokens > 0
    assert pieces[-1].usage.reply_tokens > 0


@pytest.mark.parametrize("kind", DOORS)
async def test_a_reply_can_be_left_in_its_middle_and_asked_for_again(kind):
    async with door(kind) as (one, request):
        reply = one.chat(request)
        assert isinstance(await anext(reply), Text)
        await reply.aclose()
        again = [piece async for piece in one.chat(request)]
    assert isinstance(again[-1], Done)


@pytest.mark.parametrize("kind", DOORS)
async def test_a_task_that_asks_can_be_cancelled(kind):
    async with door(kind, pace=100.0) as (one, request):

        async def ask():
            async for _ in one.chat(request):
                await asyncio.Event().wait()

        task = asyncio.get_running_loop().create_task(ask())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
