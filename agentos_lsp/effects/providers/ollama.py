"""Ollama's own interface: lines of JSON, and tool arguments that are objects."""

from __future__ import annotations

import contextlib
import json
import math
from typing import TYPE_CHECKING, Any, assert_never

from agentos_lsp.domain.conversation import (
    Answered,
    Done,
    Model,
    Piece,
    Prompted,
    Replied,
    Request,
    Text,
    Thought,
    ToolUse,
    Usage,
    Window,
)
from agentos_lsp.domain.errors import ProviderError
from agentos_lsp.effects.providers import wire
from agentos_lsp.effects.providers.server import Server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

USUAL_WINDOW = 16_384
"""What we ask for where nobody says otherwise: Ollama's own default of 4096 does not hold an agent's work."""

_NANOSECONDS = 1_000_000_000


class Ollama(Server):
    """One Ollama server; see `Provider`."""

    async def version(self) -> str:
        """Returns the server's version."""
        return f"Ollama {wire.text(await self._http.get('api/version'), 'version')}"

    async def models(self) -> tuple[Model, ...]:
        """Returns the models that were pulled."""
        return await self._listed("api/tags", "models", _model)

    async def describe(self, model: str) -> Model:
        """Returns a pulled model with its capabilities and its trained window."""
        shown = await self._http.post("api/show", {"model": model})
        return self._http.reading(_shown, shown, model)

    async def window(self, model: str) -> Window:
        """Returns the window that we ask for, and the one that is allocated while the model is loaded."""
        known = await self.describe(model)
        asked = self._context or min(known.trained_window or USUAL_WINDOW, USUAL_WINDOW)
        loaded = await self._http.get("api/ps")
        for row in self._http.reading(wire.rows, loaded, "models"):
            names = {self._http.reading(wire.text, row, key) for key in ("name", "model")}
            if names & {model, f"{model}:latest"}:
                allocated = self._http.reading(wire.count, row, "context_length")
                return Window(asked, allocated, known.trained_window)
        return Window(asked, None, known.trained_window)

    def chat(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Asks a model; see `Provider.chat`."""
        return self._http.chat("api/chat", body(request), Reader)

    async def pull(self, model: str) -> AsyncGenerator[tuple[str, int, int], None]:
        """Pulls a model; yields what is done, with the bytes completed of a total, 0 of 0 where there are none.

        Ending it early keeps what was pulled: the next pull goes on there.

        Raises:
            ProviderError: There is no such model, or the server failed.
        """
        layers: dict[str, tuple[int, int]] = {}
        async with contextlib.aclosing(self._http.lines("api/pull", {"model": model, "stream": True})) as lines:
            async for line in lines:
                status = self._http.reading(wire.text, line, "status")
                total = self._http.reading(wire.count, line, "total") or 0
                digest = self._http.reading(wire.text, line, "digest")
                if total and digest:
                    layers[digest] = (self._http.reading(wire.count, line, "completed") or 0, total)
                yield status, sum(done for done, _ in layers.values()), sum(size for _, size in layers.values())
                if status == "success":
                    return
        hint = "Pull it again: it goes on where it ended."
        raise ProviderError("malformed answer", f"pull {model}", "the pull ended without success", hint)


class Reader:
    """Reads the lines of a chat; see `wire.Reader`."""

    def __init__(self) -> None:
        self._lines = wire.Lines()
        self._text, self._thought = wire.Halves(), wire.Halves()
        self._uses = 0
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Takes the next bytes."""
        for line in self._lines.feed(data):
            yield from self._line(line)

    def end(self) -> Iterator[Piece]:
        """Says that no more will come."""
        for line in self._lines.end():
            yield from self._line(line)
        if not self._ended:
            raise wire.BadAnswerError("the answer broke off before its end")

    def _line(self, line: str) -> Iterator[Piece]:
        if self._ended or not line.strip():
            return
        value = wire.answer(line)
        message = wire.part(value, "message")
        if thought := self._thought.feed(wire.text(message, "thinking")):
            yield Thought(thought)
        if text := self._text.feed(wire.text(message, "content")):
            yield Text(text)
        for call in wire.rows(message, "tool_calls"):
            function = wire.part(call, "function")
            self._uses += 1
            yield ToolUse(f"call_{self._uses}", wire.whole(wire.text(function, "name")), _arguments(function))
        if value.get("done") is True:
            self._ended = True
            if rest := self._text.end():
                yield Text(rest)
            long = wire.text(value, "done_reason") == "length"
            yield Done("length" if long else "calls" if self._uses else "done", _usage(value))


def body(request: Request) -> dict[str, Any]:
    """Returns a request as the server takes it."""
    options: dict[str, int] = {"num_predict": request.reply_limit}
    if request.window:
        options["num_ctx"] = request.window
    messages: list[dict[str, Any]] = [{"role": "system", "content": request.system}] if request.system else []
    for message in request.messages:
        match message:
            case Prompted():
                messages.append({"role": "user", "content": message.text})
            case Replied():
                calls = [
                    {"function": {"name": use.name, "arguments": wire.object_of(use.arguments)}} for use in message.uses
                ]
                said = {"role": "assistant", "content": message.text}
                messages.append({**said, "tool_calls": calls} if calls else said)
            case Answered():
                messages.append({"role": "tool", "tool_name": message.name, "content": message.text})
            case _:
                assert_never(message)
    sent: dict[str, Any] = {"model": request.model, "messages": messages, "stream": True, "options": options}
    if request.tools:
        sent["tools"] = wire.functions(request.tools)
    return sent


def _arguments(function: dict[str, Any]) -> str:
    found = function.get("arguments")
    if isinstance(found, str):
        return wire.whole(found)
    return json.dumps(found if found is not None else {}, ensure_ascii=True)


def _usage(value: dict[str, Any]) -> Usage:
    return Usage(
        wire.count(value, "prompt_eval_count"),
        wire.count(value, "eval_count"),
        _seconds(value, "load_duration"),
        _seconds(value, "eval_duration"),
    )


def _seconds(value: dict[str, Any], key: str) -> float | None:
    found = value.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not 0 <= found < math.inf:
        raise wire.BadAnswerError(f"`{key}` is no duration")
    return found / _NANOSECONDS


def _model(row: dict[str, Any]) -> Model:
    details = wire.part(row, "details")
    return Model(
        name=wire.text(row, "name") or wire.text(row, "model"),
        size_bytes=wire.count(row, "size"),
        digest=wire.text(row, "digest"),
        parameters=wire.text(details, "parameter_size"),
        quantization=wire.text(details, "quantization_level"),
    )


def _shown(shown: dict[str, Any], model: str) -> Model:
    details, information = wire.part(shown, "details"), wire.part(shown, "model_info")
    windows = [wire.count(information, key) for key in information if key.endswith(".context_length")]
    able = shown.get("capabilities")
    return Model(
        name=model,
        parameters=wire.text(details, "parameter_size"),
        quantization=wire.text(details, "quantization_level"),
        trained_window=windows[0] if windows else None,
        capabilities=frozenset(str(one) for one in able) if isinstance(able, list) else None,
    )
