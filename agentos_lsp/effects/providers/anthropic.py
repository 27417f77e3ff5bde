"""Anthropic's messages interface: blocks of content, and tool results that are the user's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, assert_never

from agentos_lsp.domain.conversation import (
    Answered,
    Done,
    Message,
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
from agentos_lsp.effects.providers import wire
from agentos_lsp.effects.providers.server import Server, named

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

USUAL_WINDOW = 200_000
VERSION = "2023-06-01"


class Anthropic(Server):
    """The provider of that name, or a server that speaks its interface; see `Provider`."""

    async def version(self) -> str:
        """Returns the version of the interface, once the server has answered."""
        await self._http.get("v1/models?limit=1")
        return f"interface {VERSION}"

    async def models(self) -> tuple[Model, ...]:
        """Returns the models that the key may use."""
        return await self._listed("v1/models?limit=1000", "data", _model)

    async def describe(self, model: str) -> Model:
        """Returns a model that is listed; a name that is not may still be an alias of one."""
        return named(model, await self.models())

    async def window(self, model: str) -> Window:
        """Returns the window that was configured, or the usual one: the interface does not tell it."""
        del model
        return Window(self._context or USUAL_WINDOW)

    def chat(self, request: Request) -> AsyncGenerator[Piece, None]:
        """Asks a model; see `Provider.chat`."""
        return self._http.chat("v1/messages", body(request), Reader)


class Reader:
    """Reads the events of a message; see `wire.Reader`."""

    def __init__(self) -> None:
        self._events = wire.Events()
        self._text, self._thought = wire.Halves(), wire.Halves()
        self._blocks: dict[int, dict[str, str]] = {}
        self._prompt_tokens: int | None = None
        self._reply_tokens: int | None = None
        self._stop: Stop = "done"
        self._ended = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Takes the next bytes."""
        for event in self._events.feed(data):
            yield from self._event(event)

    def end(self) -> Iterator[Piece]:
        """Says that no more will come."""
        for event in self._events.end():
            yield from self._event(event)
        if self._events.other.strip() and not self._ended:
            yield from self._event(self._events.other)
        if not self._ended:
            raise wire.BadAnswerError("the answer broke off before its end")

    def _event(self, data: str) -> list[Piece]:
        if self._ended:
            return []
        value = wire.answer(data)
        match value.get("type"):
            case "message_start":
                usage = wire.part(wire.part(value, "message"), "usage")
                parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
                counts = [wire.count(usage, key) for key in parts]
                self._prompt_tokens = None if counts[0] is None else sum(one or 0 for one in counts)
                self._reply_tokens = wire.count(usage, "output_tokens")
            case "content_block_start":
                self._begin(value)
            case "content_block_delta":
                return self._delta(value)
            case "message_delta":
                self._stop = _stop(wire.text(wire.part(value, "delta"), "stop_reason"))
                counted = wire.count(wire.part(value, "usage"), "output_tokens")
                self._reply_tokens = self._reply_tokens if counted is None else counted
            case "message_stop":
                return self._finish()
            case _:
                pass  # Pings, the ends of blocks, and kinds that are yet to come.
        return []

    def _begin(self, value: dict[str, Any]) -> None:
        block = wire.part(value, "content_block")
        if block.get("type") == "tool_use":
            number = wire.count(value, "index") or 0
            self._blocks[number] = {"id": wire.text(block, "id"), "name": wire.text(block, "name"), "arguments": ""}

    def _delta(self, value: dict[str, Any]) -> list[Piece]:
        delta, number = wire.part(value, "delta"), wire.count(value, "index") or 0
        match delta.get("type"):
            case "text_delta":
                text = self._text.feed(wire.text(delta, "text"))
                return [Text(text)] if text else []
            case "thinking_delta":
                text = self._thought.feed(wire.text(delta, "thinking"))
                return [Thought(text)] if text else []
            case "input_json_delta":
                if number not in self._blocks:
                    raise wire.BadAnswerError("arguments came for a tool that was not named")
                self._blocks[number]["arguments"] += wire.text(delta, "partial_json")
            case _:
                pass
        return []

    def _finish(self) -> list[Piece]:
        self._ended = True
        rest = self._text.end()
        found: list[Piece] = [Text(rest)] if rest else []
        for _, block in sorted(self._blocks.items()):
            use = {key: wire.whole(text) for key, text in block.items()}
            found.append(ToolUse(use["id"], use["name"], use["arguments"] or "{}"))
        return [*found, Done(self._stop, Usage(self._prompt_tokens, self._reply_tokens))]


def body(request: Request) -> dict[str, Any]:
    """Returns a request as the server takes it."""
    turns = _turns(request.messages)
    if turns:
        # What was said so far is read from the provider's cache the next time.
        turns[-1][1][-1] = {**turns[-1][1][-1], "cache_control": {"type": "ephemeral"}}
    sent: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.reply_limit,
        "messages": [{"role": role, "content": content} for role, content in turns],
        "stream": True,
    }
    if request.system:
        sent["system"] = request.system
    if request.tools:
        sent["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
            for tool in request.tools
        ]
    return sent


def _turns(messages: tuple[Message, ...]) -> list[tuple[str, list[dict[str, Any]]]]:
    """Returns blocks by whose turn it is: turns alternate, and what follows results joins them."""
    turns: list[tuple[str, list[dict[str, Any]]]] = []

    def add(role: str, block: dict[str, Any]) -> None:
        if not turns or turns[-1][0] != role:
            turns.append((role, []))
        turns[-1][1].append(block)

    for message in messages:
        match message:
            case Prompted():
                add("user", {"type": "text", "text": message.text or "(nothing)"})
            case Replied():
                if message.text.strip():
                    add("assistant", {"type": "text", "text": message.text})
                for use in message.uses:
                    given = wire.object_of(use.arguments)
                    add("assistant", {"type": "tool_use", "id": use.id, "name": use.name, "input": given})
            case Answered():
                result = {"type": "tool_result", "tool_use_id": message.use, "content": message.text}
                add("user", result if message.ok else {**result, "is_error": True})
            case _:
                assert_never(message)
    return turns


def _stop(reason: str) -> Stop:
    match reason:
        case "tool_use":
            return "calls"
        case "max_tokens" | "model_context_window_exceeded":
            return "length"
        case "refusal":
            return "refused"
        case _:
            return "done"


def _model(row: dict[str, Any]) -> Model:
    return Model(wire.text(row, "id"))
