"""The played model keeps the promises of a provider, and says what the script has."""

import contextlib
import json

import pytest

from agentos_lsp.domain.conversation import Answered, Done, Prompted, Replied, Request, Text, ToolSpec, ToolUse
from agentos_lsp.domain.errors import ProviderError
from agentos_lsp.effects.providers import Puller
from agentos_lsp.effects.simulated import model, script

TOOLS = (ToolSpec("read", "Reads a file.", {"type": "object"}),)


def played(name="played"):
    return model.make(name, model.SETTINGS.providers[name], 0)


def request(*messages, tools=TOOLS, name=model.MODEL):
    return Request(name, "Be careful.", messages or (Prompted("Mend it"),), tools, model.WINDOW)


async def pieces(provider, asked):
    async with contextlib.aclosing(provider.chat(asked)) as stream:
        return [piece async for piece in stream]


async def test_a_reply_comes_as_text_then_tools_then_its_end():
    found = await pieces(played(), request())
    kinds = [type(piece) for piece in found]
    assert kinds == [Text] * kinds.count(Text) + [ToolUse] * kinds.count(ToolUse) + [Done]
    step = script.TURNS[0][0]
    assert "".join(piece.text for piece in found if isinstance(piece, Text)) == step.text
    assert [(one.name, json.loads(one.arguments)) for one in found if isinstance(one, ToolUse)] == [
        (name, dict(arguments)) for name, arguments in step.uses
    ]
    assert found[-1].stop == "calls"
    assert found[-1].usage.prompt_tokens > 0


async def test_the_script_goes_on_with_what_was_said_and_other_words_follow_a_refusal():
    uses = (ToolUse("1", "run", "{}"),)
    first = (Prompted("Mend it"), Replied("", uses), Answered("1", "run", "Rejected.", ok=False))
    refused = await pieces(played(), request(*first, Replied("", uses), Answered("1", "run", "Rejected.", ok=False)))
    ran = await pieces(played(), request(*first, Replied("", uses), Answered("1", "run", "[exit code 1]", ok=False)))
    step = script.TURNS[0][2]
    said = ["".join(piece.text for piece in one if isinstance(piece, Text)) for one in (refused, ran)]
    assert said == [step.otherwise, step.text]


async def test_after_its_last_turn_it_only_finishes():
    ended = [Replied("", (ToolUse(str(number), "finish", "{}"),)) for number in range(len(script.TURNS))]
    found = await pieces(played(), request(Prompted("Mend it"), *ended, Prompted("And now?")))
    assert [one.name for one in found if isinstance(one, ToolUse)] == ["finish"]


async def test_a_reply_may_be_closed_at_any_piece():
    for count in range(4):
        stream = played().chat(request())
        for _ in range(count):
            await anext(stream)
        await stream.aclose()
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_it_tells_of_itself_and_of_no_other_model():
    provider = played()
    assert await provider.version()
    (listed,) = await provider.models()
    assert listed == await provider.describe(model.MODEL)
    assert "tools" in listed.capabilities
    assert (await provider.window(model.MODEL)).allocated == model.WINDOW
    assert not isinstance(provider, Puller)
    for ask in (provider.describe("gone"), provider.window("gone"), pieces(provider, request(name="gone"))):
        with pytest.raises(ProviderError) as caught:
            await ask
        assert (caught.value.failure, caught.value.retry_may_help) == ("no such model", False)
        assert model.MODEL in caught.value.hint
    await provider.close()


async def test_a_cramped_server_reads_only_what_it_has_allocated():
    provider = played("cramped")
    found = await pieces(provider, request(Prompted("word " * 20_000), tools=(), name=model.SMALL))
    assert found[-1].usage.prompt_tokens == (await provider.window(model.SMALL)).allocated == 4_096


async def test_a_server_that_wants_a_key_lets_nobody_in():
    provider = played("router")
    for ask in (provider.version(), provider.models(), provider.describe("x"), pieces(provider, request())):
        with pytest.raises(ProviderError) as caught:
            await ask
        assert caught.value.failure == "unauthorised"
        assert caught.value.hint
