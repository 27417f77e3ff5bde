"""Providers of every kind over a server on loopback, with limits that a test can wait for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from agentos_lsp.domain.conversation import Prompted, Request, ToolSpec, ToolUse
from agentos_lsp.effects.providers import anthropic, ollama, openai, transport
from tests.effects.providers.model_server import MODEL

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
KINDS = ("ollama", "openai", "anthropic")
MAKERS = {"ollama": ollama.Ollama, "openai": openai.OpenAI, "anthropic": anthropic.Anthropic}
READERS = {"ollama": ollama.Reader, "openai": openai.Reader, "anthropic": anthropic.Reader}
KEY = "sk-canary-" + "0123456789"

READ = ToolSpec("read", "Reads a file.", {"type": "object", "properties": {"path": {"type": "string"}}})
USE = ToolUse("call_1", "read", '{"path": "ä.py"}')
REQUEST = Request(MODEL, "You mend programs.", (Prompted("Mend it, bitte schön."),), (READ,), 8192, 512)


async def no_key() -> str:
    return ""


async def a_key() -> str:
    return KEY


def make(kind: str, url: str, key: Any = no_key, slept: list[float] | None = None, **limits: Any) -> Any:
    """Makes a provider that waits without waiting; `slept` hears how long."""

    async def sleep(delay_s: float) -> None:
        if slept is not None:
            slept.append(delay_s)

    headers = limits.pop("headers", {})
    context = limits.pop("context", None)
    address = transport.Address(kind, url, headers)  # type: ignore[arg-type]
    http = transport.Transport(address, key, lambda: T0, transport.Limits(**limits), sleep)
    return MAKERS[kind](http, context)


async def pieces(provider: Any, request: Request = REQUEST) -> list[Any]:
    return [piece async for piece in provider.chat(request)]
