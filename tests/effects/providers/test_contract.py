"""What every provider holds, over faithful servers on loopback; and over a real one.

`REAL_MODEL_SERVER="ollama http://127.0.0.1:11434 qwen3:1.7b" make test ARGS=tests/effects/providers` asks a real server
too, with `REAL_MODEL_KEY` as its key.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os

import pytest

from agentos_lsp.domain.conversation import (
    Answered,
    Done,
    Prompted,
    Replied,
    Request,
    Text,
    ToolSpec,
    ToolUse,
    Usage,
    Waiting,
)
from agentos_lsp.domain.errors import ProviderError
from agentos_lsp.effects.providers import transport
from tests.effects.providers import support
from tests.effects.providers.model_server import MODEL, ModelServer, Raw, Refuse, Say, Silence, error_body, stream

pytestmark = pytest.mark.parametrize("kind", support.KINDS)

LONG = "Ich lese »ä.py« 🐍 zuerst."


def text_of(pieces):
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))


async def failure(provider):
    """Asks, and returns the error that must come."""
    with pytest.raises(ProviderError) as caught:
        await support.pieces(provider)
    assert caught.value.hint
    return caught.value


@contextlib.asynccontextmanager
async def serving(kind, *plays, **options):
    async with ModelServer(kind, *plays) as server:
        provider = support.make(kind, server.url, **options)
        try:
            yield server, provider
        finally:
            await provider.close()


@pytest.mark.parametrize("split", [0, 1, 7])
async def test_a_reply_comes_as_text_then_tools_then_its_end(kind, split):
    use = ToolUse("call_1", "read", '{"path": "ä 🐍.py", "from_line": 3}')
    async with serving(kind, Say(LONG, (use,), split=split)) as (_server, provider):
        pieces = await support.pieces(provider)
    assert text_of(pieces) == LONG
    found = next(piece for piece in pieces if isinstance(piece, ToolUse))
    assert (found.id, found.name, json.loads(found.arguments)) == (use.id, use.name, json.loads(use.arguments))
    end = pieces[-1]
    assert isinstance(end, Done)
    assert (end.stop, end.usage.prompt_tokens, end.usage.reply_tokens) == ("calls", 100, 7)


async def test_text_comes_while_the_model_still_writes(kind):
    async with serving(kind, Say("Hello there", end="hang")) as (server, provider):
        pieces = provider.chat(support.REQUEST)
        assert text_of([await anext(pieces)]) == "Hello"
        assert not server.gone.is_set()
        await pieces.aclose()
        async with asyncio.timeout(10):
            await server.gone.wait()


async def test_a_cancelled_task_ends_the_request_at_once(kind):
    async with serving(kind, Silence()) as (server, provider):
        async with asyncio.TaskGroup() as group:
            task = group.create_task(support.pieces(provider))
            await server.asked.wait()
            task.cancel()
        assert task.cancelled()
        async with asyncio.timeout(10):
            await server.gone.wait()


@pytest.mark.parametrize(
    ("status", "message", "expected", "retries"),
    [
        (401, "Incorrect key", "unauthorised", 0),
        (403, "Not for you", "unauthorised", 0),
        (404, f"model '{MODEL}' not found, try pulling it first", "no such model", 0),
        (404, "page not found", "refused", 0),
        (400, "This model's maximum context length is 8192 tokens", "too long", 0),
        (413, "request too large", "too long", 0),
        (400, "temperature must be a number", "refused", 0),
        (402, "Payment required", "refused", 0),
        (429, "Rate limit reached", "rate-limited", 3),
        (500, "internal error", "overloaded", 3),
        (500, "model requires more system memory (9 GiB) than is available", "refused", 0),
        (503, "loading model", "overloaded", 3),
        (529, "Overloaded", "overloaded", 3),
    ],
)
async def test_a_refusal_has_its_name_and_is_tried_again_only_where_that_helps(
    kind, status, message, expected, retries
):
    refusals = [Refuse(status, error_body(kind, status, message)) for _ in range(4)]
    slept: list[float] = []
    async with serving(kind, *refusals, slept=slept) as (server, provider):
        error = await failure(provider)
        assert len(server.requests) == 1 + retries
    assert error.failure == expected
    assert message in str(error)
    assert slept == [1.0, 2.0, 4.0][:retries]


async def test_what_a_provider_asks_to_wait_is_waited(kind):
    busy = Refuse(429, error_body(kind, 429, "slow down"), {"retry-after": "7"})
    late = Refuse(503, b"<html>busy</html>", {"retry-after": "Fri, 02 Jan 2026 03:04:35 GMT"})
    slept: list[float] = []
    async with serving(kind, busy, late, Say("Now."), slept=slept) as (_server, provider):
        pieces = await support.pieces(provider)
    assert slept == [7.0, 30.0]
    assert pieces[:2] == [Waiting("rate-limited", 7.0), Waiting("overloaded", 30.0)]
    assert text_of(pieces) == "Now."


async def test_a_wait_that_is_too_long_is_told_and_not_waited(kind):
    busy = Refuse(429, error_body(kind, 429, "come back tomorrow"), {"retry-after": "3600"})
    async with serving(kind, busy) as (_server, provider):
        error = await failure(provider)
    assert (error.failure, error.retry_after_s) == ("rate-limited", 3600.0)
    assert "in 3600 s" in error.hint


@pytest.mark.parametrize("value", ["soon", "nan", "-4", "1e999", "Mon, 99 Foo 2026"])
async def test_a_senseless_wait_is_no_wait(kind, value):
    busy = Refuse(503, b"{}", {"retry-after": value})
    slept: list[float] = []
    async with serving(kind, busy, Say("Well."), slept=slept) as (_server, provider):
        if value == "1e999":
            assert (await failure(provider)).failure == "overloaded"
            return
        assert text_of(await support.pieces(provider)) == "Well."
    assert slept == [1.0]


async def test_an_error_in_the_middle_of_a_stream_is_told_by_name_and_not_hidden_by_a_retry(kind):
    async with serving(kind, Say(LONG, end="error"), Say("never")) as (server, provider):
        error = await failure(provider)
        assert len(server.requests) == 1
    assert error.failure == "overloaded"
    assert "the engine broke down" in str(error)


async def test_http_200_with_an_error_for_a_body_is_an_error(kind):
    async with serving(kind, Refuse(200, error_body(kind, 400, "maximum context length exceeded"))) as (_, provider):
        assert (await failure(provider)).failure == "too long"


async def test_a_connection_that_breaks_is_told(kind):
    async with serving(kind, Say(LONG, end="cut", split=9)) as (_server, provider):
        assert (await failure(provider)).failure == "unreachable"


async def test_a_stream_that_ends_before_its_end_is_malformed(kind):
    whole = stream(kind, Say(LONG))
    async with serving(kind, Raw(whole[: len(whole) // 2])) as (_server, provider):
        assert (await failure(provider)).failure == "malformed answer"


async def test_a_reply_without_end_is_given_up(kind, monkeypatch):
    monkeypatch.setattr(transport, "_REPLY_BYTES", 100)
    async with serving(kind, Say(LONG * 20), attempts=1) as (_server, provider):
        error = await failure(provider)
    assert (error.failure, "more than 100 bytes" in str(error)) == ("malformed answer", True)


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b"[]", b'"x"', b"\xff\xfe", b"{" * 5000, b"null"])
async def test_what_is_no_answer_at_all_is_malformed(kind, body):
    async with serving(kind, *[Refuse(200, body)] * 4, attempts=1) as (_server, provider):
        assert (await failure(provider)).failure == "malformed answer"


async def test_a_server_that_stands_still_is_given_up(kind):
    async with serving(kind, Say(LONG, end="hang"), idle_s=0.05) as (_server, provider):
        error = await failure(provider)
    assert error.failure == "unreachable"
    assert "stood still" in str(error)


async def test_a_model_that_never_begins_is_given_up(kind):
    async with serving(kind, Silence(), first_token_s=0.05, attempts=1) as (_server, provider):
        error = await failure(provider)
    assert error.failure == "unreachable"
    assert "in time" in str(error)


async def test_nobody_there_is_said_with_what_to_do(kind):
    async with ModelServer(kind) as server:
        url = server.url
    provider = support.make(kind, url, attempts=1)
    error = await failure(provider)
    await provider.close()
    assert error.failure == "unreachable"
    assert "base_url" in error.hint


async def test_a_server_that_sends_on_is_not_followed(kind):
    moved = Refuse(302, b"", {"location": "http://example.invalid/"})
    async with serving(kind, moved) as (_server, provider):
        assert (await failure(provider)).failure == "refused"


async def test_the_key_goes_to_the_server_and_into_no_error(kind):
    echo = Refuse(401, error_body(kind, 401, f"Incorrect key {support.KEY} and secret-header-value"))
    asked = []

    async def key():
        asked.append(1)
        return support.KEY

    headers = {"x-house": "secret-header-value"}
    async with serving(kind, echo, Say("In."), key=key, headers=headers) as (server, provider):
        error = await failure(provider)
        assert text_of(await support.pieces(provider)) == "In."
        sent = server.headers[-1]
    assert support.KEY not in f"{error} {error.hint} {error.__cause__}"
    assert "secret-header-value" not in str(error)
    assert len(asked) == 2  # once, and again after it was refused
    assert sent["x-house"] == "secret-header-value"
    assert support.KEY in (sent["x-api-key"] if kind == "anthropic" else sent["authorization"])


async def test_models_are_listed_and_described(kind):
    async with serving(kind) as (_server, provider):
        names = [model.name for model in await provider.models()]
        assert MODEL in names
        assert (await provider.describe(MODEL)).name == MODEL
        assert isinstance(await provider.version(), str)
        with pytest.raises(ProviderError) as caught:
            await provider.describe("tinny")
    assert caught.value.failure == "no such model"


async def test_the_window_is_what_was_configured(kind):
    async with serving(kind, context=5000) as (_server, provider):
        assert (await provider.window(MODEL)).asked == 5000
    async with serving(kind) as (_server, provider):
        assert (await provider.window(MODEL)).asked == {"ollama": 16_384, "openai": 32_768, "anthropic": 200_000}[kind]


async def test_a_whole_conversation_is_told_in_the_words_of_the_interface(kind):
    broken = ToolUse("call_2", "read", '{"path": ')
    request = Request(
        MODEL,
        "System.",
        (
            Prompted("Go."),
            Replied("I read.", (support.USE, broken)),
            Answered("call_1", "read", "print(1)", ok=True),
            Answered("call_2", "read", "That is no JSON.", ok=False),
            Prompted("And hurry."),
            Replied(""),
            Prompted("Well?"),
        ),
        (support.READ,),
        8192,
        512,
    )
    async with serving(kind, Say("Done.")) as (server, provider):
        await support.pieces(provider, request)
    (sent,) = server.requests
    assert sent["model"] == MODEL
    assert sent["stream"] is True
    assert sent["messages"] == EXPECTED[kind]
    assert len(sent["tools"]) == 1
    assert '"System."' in json.dumps(sent)
    assert (sent["options"]["num_predict"] if kind == "ollama" else sent["max_tokens"]) == 512
    if kind == "ollama":
        assert sent["options"]["num_ctx"] == 8192


PATH = {"path": "ä.py"}
EXPECTED = {
    "ollama": [
        {"role": "system", "content": "System."},
        {"role": "user", "content": "Go."},
        {
            "role": "assistant",
            "content": "I read.",
            "tool_calls": [
                {"function": {"name": "read", "arguments": PATH}},
                {"function": {"name": "read", "arguments": {}}},
            ],
        },
        {"role": "tool", "tool_name": "read", "content": "print(1)"},
        {"role": "tool", "tool_name": "read", "content": "That is no JSON."},
        {"role": "user", "content": "And hurry."},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Well?"},
    ],
    "openai": [
        {"role": "system", "content": "System."},
        {"role": "user", "content": "Go."},
        {
            "role": "assistant",
            "content": "I read.",
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "read", "arguments": '{"path": "ä.py"}'}},
                {"id": "call_2", "type": "function", "function": {"name": "read", "arguments": "{}"}},
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "print(1)"},
        {"role": "tool", "tool_call_id": "call_2", "content": "That is no JSON."},
        {"role": "user", "content": "And hurry."},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": "Well?"},
    ],
    "anthropic": [
        {"role": "user", "content": [{"type": "text", "text": "Go."}]},
        {
            "role": "assistant",
            "content": [
                {"type": "text", "text": "I read."},
                {"type": "tool_use", "id": "call_1", "name": "read", "input": PATH},
                {"type": "tool_use", "id": "call_2", "name": "read", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "print(1)"},
                {"type": "tool_result", "tool_use_id": "call_2", "content": "That is no JSON.", "is_error": True},
                {"type": "text", "text": "And hurry."},
                {"type": "text", "text": "Well?", "cache_control": {"type": "ephemeral"}},
            ],
        },
    ],
}


async def test_a_real_server_keeps_the_contract_too(kind):
    real = os.environ.get("REAL_MODEL_SERVER", "")
    real_kind, _, rest = real.partition(" ")
    url, _, model = rest.partition(" ")
    if real_kind != kind:
        # Not skipped: the same request goes to the server of this test, which is what there is to ask.
        async with serving(kind, Say("Yes."), Say("", (support.USE,))) as (server, _provider):
            await ask_a_server(kind, server.url, MODEL)
        return
    await ask_a_server(kind, url, model)


async def ask_a_server(kind, url, model):
    async def key():
        return os.environ.get("REAL_MODEL_KEY", "")

    provider = support.make(kind, url, key=key)
    try:
        await provider.version()
        assert model in [one.name for one in await provider.models()]
        request = Request(model, "Answer in one word.", (Prompted("Say yes."),), (), 4096, 256)
        said = await support.pieces(provider, request)
        assert text_of(said).strip()
        assert isinstance(said[-1], Done)
        tool = ToolSpec("read", "Reads a file. Always use it before you answer.", support.READ.parameters)
        request = Request(model, "Use the tool.", (Prompted("Read the file ä.py with the tool."),), (tool,), 4096, 1024)
        used = [piece for piece in await support.pieces(provider, request) if isinstance(piece, ToolUse)]
        assert [use.name for use in used][:1] == ["read"]
        assert "path" in json.loads(used[0].arguments)
        assert isinstance(said[-1].usage, Usage)
    finally:
        await provider.close()
