"""The chat interface that OpenAI began and many servers speak: llama.cpp, vLLM, LM Studio, OpenRouter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from agentos_lsp.domain.conversation import (
    Answered,
    Done,
    Model,
    Piece,
    Prompted,
    Replied,
    Request,
    Stop,
    Text,
    Thought,
    ToolUse,
    Usage,
    Window,
)
from agentos_lsp.domain.errors import ProviderError
from agentos_lsp.effects.providers import wire
from agentos_lsp.effects.providers.server import Server, named

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

ASSUMED_WINDOW = 32_768
"""Where neither the server nor the person says how much a model may be given."""


class OpenAI(Server):
    """One server that speaks this interface; see `Provider`."""

    async def version(self) -> str:
        """Says that the server answers; this interface has no version of its own."""
        await self.models()
        return ""

    async def models(self) -> tuple[Model, ...]:
        """Returns the models that the server lists."""
        return await self._listed("models", "data", _model)

    async def describe(self, model: str) -> Model:
        """Returns a model as the server lists it."""
        return named(model, await self.models())

    async def window(self, model: str) -> Window:
        """Returns the window that was configured, or what the server says, or what is assumed."""
        trained = next((one.trained_window for one in await self.models() if one.name == model), None)
        allocated = await self._allocated()
        return Window(self._context or allocated or trained or ASSUMED_WINDOW, allocated, trained)

    async def _allocated(self) -> int | None:
        """Asks a llama.cpp server what it has set aside; others do not know the question."""
        try:
            told = await self._http.get("props", apart=True)
            return wire.count(wire.part(told, "default_generation_settings"), "n_ctx")
        except (ProviderError, wire.BadAnswerError):
            return None

    def chat(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Asks a model; see `Provider.chat`."""
        return self._http.chat("chat/completions", body(request), Reader)


class Reader:
    """Reads the events of a chat; see `wire.Reader`."""

    def __init__(self) -> None:
        self._events = wire.Events()
        self._text, self._thought = wire.Halves(), wire.Halves()
        self._uses: dict[int, dict[str, str]] = {}
        self._stop: Stop | None = None
        self._usage = Usage()
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Takes the next bytes."""
        for event in self._events.feed(data):
            yield from self._event(event)

    def end(self) -> Iterator[Piece]:
        """Says that no more will come."""
        for event in self._events.end():
            yield from self._event(event)
        if self._events.other.strip() and self._stop is None:
            # Not a stream at all: a server that failed, or that answers in one piece.
            yield from self._event(self._events.other)
        if self._stop is None:
            raise wire.BadAnswerError("the answer broke off before its end")
        yield from self._finish()

    def _event(self, data: str) -> Iterator[Piece]:
        if self._ended:
            return
        if data.strip() == "[DONE]":
            if self._stop is None:
                raise wire.BadAnswerError("the answer ended without a reason")
            yield from self._finish()
            return
        value = wire.answer(data)
        if usage := wire.part(value, "usage"):
            self._usage = Usage(wire.count(usage, "prompt_tokens"), wire.count(usage, "completion_tokens"))
        for choice in wire.rows(value, "choices")[:1]:
            yield from self._choice(choice)

    def _choice(self, choice: dict[str, Any]) -> Iterator[Piece]:
        delta = wire.part(choice, "delta") or wire.part(choice, "message")
        if thought := self._thought.feed(wire.text(delta, "reasoning_content") or _plain(delta.get("reasoning"))):
            yield Thought(thought)
        if text := self._text.feed(wire.text(delta, "content")):
            yield Text(text)
        for call in wire.rows(delta, "tool_calls"):
            self._gather(call)
        if reason := wire.text(choice, "finish_reason"):
            self._stop = _stop(reason)

    def _gather(self, call: dict[str, Any]) -> None:
        """Takes a piece of a tool use; servers that do not number theirs begin each with a new id."""
        function, name = wire.part(call, "function"), wire.text(call, "id")
        number = wire.count(call, "index")
        last = max(self._uses, default=-1)
        if number is None:
            number = last + 1 if last < 0 or (name and name != self._uses[last]["id"]) else last
        use = self._uses.setdefault(number, {"id": "", "name": "", "arguments": ""})
        use["id"] = use["id"] or name
        use["name"] += wire.text(function, "name")
        arguments = function.get("arguments")
        use["arguments"] += arguments if isinstance(arguments, str) else ""

    def _finish(self) -> Iterator[Piece]:
        if self._ended:
            return
        self._ended = True
        if rest := self._text.end():
            yield Text(rest)
        for number, use in sorted(self._uses.items()):
            name = wire.whole(use["id"]) or f"call_{number + 1}"
            yield ToolUse(name, wire.whole(use["name"]), wire.whole(use["arguments"]) or "{}")
        yield Done("calls" if self._uses and self._stop == "done" else self._stop or "done", self._usage)


def body(request: Request) -> dict[str, Any]:
    """Returns a request as the server takes it."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": request.system}] if request.system else []
    for message in request.messages:
        match message:
            case Prompted():
                messages.append({"role": "user", "content": message.text})
            case Replied():
                messages.append(_replied(message))
            case Answered():
                messages.append({"role": "tool", "tool_call_id": message.use, "content": message.text})
            case _:
                assert_never(message)
    sent: dict[str, Any] = {
        "model": request.model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": request.reply_limit,
    }
    if request.tools:
        sent["tools"] = wire.functions(request.tools)
    return sent


def _replied(message: Replied) -> dict[str, Any]:
    said: dict[str, Any] = {"role": "assistant", "content": message.text}
    if message.uses:
        # A server that reads the arguments for its template fails on what is no JSON; the model was told of it.
        said["tool_calls"] = [
            {
                "id": use.id,
                "type": "function",
                "function": {"name": use.name, "arguments": use.arguments if wire.object_of(use.arguments) else "{}"},
            }
            for use in message.uses
        ]
    return said


def _plain(value: object) -> str:
    return value if isinstance(value, str) else ""


def _stop(reason: str) -> Stop:
    match reason:
        case "tool_calls" | "function_call":
            return "calls"
        case "length":
            return "length"
        case "content_filter":
            return "refused"
        case _:
            return "done"


def _model(row: dict[str, Any]) -> Model:
    meta = wire.part(row, "meta")
    windows = (
        wire.count(meta, "n_ctx_train"),  # llama.cpp
        wire.count(row, "max_model_len"),  # vLLM
        wire.count(row, "context_length"),  # OpenRouter
    )
    return Model(wire.text(row, "id"), trained_window=next((one for one in windows if one), None))
