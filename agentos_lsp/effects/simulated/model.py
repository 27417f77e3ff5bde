"""Played language models behind the door to real ones; see `effects.providers.Provider`. No connection is made."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

from agentos_lsp.domain import conversation, errors
from agentos_lsp.effects.settings import Profile, Settings
from agentos_lsp.effects.simulated import script

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

MODEL = "played-coder:8b"
SMALL = "played-small:1b"
WINDOW = 32_768

SETTINGS = Settings(
    provider="played",
    providers={
        "played": Profile(kind="ollama", model=MODEL, context=WINDOW),
        "cramped": Profile(kind="ollama", base_url="http://127.0.0.1:11435", model=SMALL, context=WINDOW),
        "router": Profile(kind="openai", base_url="https://models.example/v1", model=MODEL, key_env="ROUTER_KEY"),
    },
)
"""The profiles that the demo's user would have written: one that is well, one that drops text, one without its key."""

TOKEN_S = 0.02
THINKING_S = 0.7

_ENDS = {"finish", "ask"}


def make(name: str, profile: Profile, pace: float) -> Model:
    """Returns the played server of a profile.

    Args:
        name: The profile's.
        profile: What the demo's user would have written.
        pace: How long a second of the server's takes.
    """
    allocated = 4_096 if name == "cramped" else WINDOW
    return Model(profile.model, allocated, pace, is_authorised=profile.key_env is None)


class Model:
    """A server with one model, which says what the demo's script has.

    Args:
        model: Its name.
        allocated: How many tokens it takes; what is sent beyond is dropped in silence, as real servers do.
        pace: How long a second of its takes.
        is_authorised: Whether it lets anybody in.
    """

    def __init__(self, model: str, allocated: int, pace: float, *, is_authorised: bool) -> None:
        self._model = model
        self._allocated = allocated
        self._pace = pace
        self._is_authorised = is_authorised

    async def version(self) -> str:
        """Returns what it calls itself."""
        await self._let_in("ask for its version")
        return "played 1.0"

    async def models(self) -> tuple[conversation.Model, ...]:
        """Returns its one model."""
        await self._let_in("list its models")
        return (await self.describe(self._model),)

    async def describe(self, model: str) -> conversation.Model:
        """Returns what is known of it."""
        await self._let_in(f"look at {model}")
        self._must_have(model, f"look at {model}")
        capabilities = frozenset({"completion", "tools"})
        size = 5_200_000_000 if self._model == MODEL else 800_000_000
        return conversation.Model(model, size, "sha256:5ca1ab1e", "8.2B", "Q4_K_M", 40_960, capabilities)

    async def window(self, model: str) -> conversation.Window:
        """Returns how many tokens it takes."""
        await self._let_in(f"look at {model}")
        self._must_have(model, f"look at {model}")
        return conversation.Window(WINDOW, self._allocated, 40_960)

    async def chat(self, request: conversation.Request) -> AsyncGenerator[conversation.Piece, None]:
        """Says what the script has, word by word."""
        await self._let_in(f"ask {request.model}")
        self._must_have(request.model, f"ask {request.model}")
        await self._pause(THINKING_S)
        step = _step(request)
        count = 0
        for word in re.findall(r"\S+\s*", _words(step, request)):
            count += 1
            yield conversation.Text(word)
            await self._pause(TOKEN_S * 2)
        for number, (name, arguments) in enumerate(step.uses):
            text = json.dumps(arguments)
            count += len(text) // 4
            use = f"use-{len(request.messages)}-{number}"
            yield conversation.ToolUse(use, name, text)
        sent = len(request.system.encode()) + sum(conversation.size_bytes(one) for one in request.messages)
        sent += sum(len(json.dumps(dict(tool.parameters))) + len(tool.description) for tool in request.tools)
        read = min(conversation.tokens(sent, len(request.messages)), self._allocated)
        usage = conversation.Usage(read, max(count, 1), 0.9, max(count, 1) * TOKEN_S)
        yield conversation.Done("calls" if step.uses else "done", usage)

    async def close(self) -> None:
        """Has nothing to let go of."""

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._pace)

    async def _let_in(self, attempted: str) -> None:
        await self._pause(0.15)
        if not self._is_authorised:
            hint = "Set ROUTER_KEY where your editor starts from. (The demo shows what this looks like.)"
            raise errors.ProviderError("unauthorised", attempted, "the played server wants a key", hint)

    def _must_have(self, model: str, attempted: str) -> None:
        if model != self._model:
            raise errors.ProviderError(
                "no such model", attempted, f"the played server has no {model}", f"It has {self._model}."
            )


def _step(request: conversation.Request) -> script.Step:
    """Returns what the script has after all that was said: turns are told by how often the model has finished."""
    if not request.tools:
        return script.Step("One, two, three, four, five, six, seven, eight, nine, ten.")
    replies = [one for one in request.messages if isinstance(one, conversation.Replied)]
    ended = [at for at, one in enumerate(replies) if any(use.name in _ENDS for use in one.uses)]
    turn: Sequence[script.Step] = script.TURNS[len(ended)] if len(ended) < len(script.TURNS) else ()
    done = len(replies) - (ended[-1] + 1 if ended else 0)
    return turn[done] if done < len(turn) else script.LAST


def _words(step: script.Step, request: conversation.Request) -> str:
    last = request.messages[-1] if request.messages else None
    # A command that ran and failed was allowed all the same: that is no reason for other words.
    failed = isinstance(last, conversation.Answered) and not last.ok and not last.text.startswith("[exit code")
    return step.otherwise if failed and step.otherwise else step.text
