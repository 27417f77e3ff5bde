"""Model servers on loopback that speak each wire format faithfully, and fail in every way that real ones do.

A server plays what it is given: a reply, a refusal, or bytes that a test made up.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from agentos_lsp.domain.conversation import ToolUse

MODEL = "tiny"
DIGEST = "sha256:" + "ab" * 32


@dataclass
class Say:
    """A reply: its text, the tools it wants used, and what it counts; `end` is how the stream ends.

    `end`: `well`, `error` (an error in its middle), `cut` (the connection breaks), `hang` (nothing more comes).
    """

    text: str = ""
    uses: tuple[ToolUse, ...] = ()
    prompt_tokens: int | None = 100
    reply_tokens: int = 7
    end: str = "well"
    error: str = "the engine broke down"
    stop: str = ""
    split: int = 0


@dataclass
class Refuse:
    """An answer that is not 200, or is and should not be."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Raw:
    """A stream of bytes as they are."""

    data: bytes
    split: int = 0
    end: str = "well"


@dataclass
class Silence:
    """The request is taken and never answered."""


def error_body(kind: str, status: int, message: str) -> bytes:
    """An error as each interface words it."""
    if kind == "ollama":
        return json.dumps({"error": message}).encode()
    if kind == "openai":
        return json.dumps({"error": {"message": message, "type": "api_error", "code": status}}).encode()
    names = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error", 529: "overloaded_error"}
    name = names.get(status, "invalid_request_error")
    return json.dumps({"type": "error", "error": {"type": name, "message": message}}).encode()


def stream(kind: str, say: Say) -> bytes:
    """A whole reply on the wire."""
    return {"ollama": _ollama, "openai": _openai, "anthropic": _anthropic}[kind](say)


def _words(text: str) -> list[str]:
    """A text in pieces, which cut words."""
    return [text[start : start + 5] for start in range(0, len(text), 5)]


def _ollama(say: Say) -> bytes:
    rows: list[dict[str, Any]] = [
        {"model": MODEL, "message": {"role": "assistant", "content": piece}, "done": False}
        for piece in _words(say.text)
    ]
    for use in say.uses:
        function = {"name": use.name, "arguments": _object(use.arguments)}
        message = {"role": "assistant", "content": "", "tool_calls": [{"function": function}]}
        rows.append({"model": MODEL, "message": message, "done": False})
    if say.end == "error":
        rows.append({"error": say.error})
    if say.end == "well":
        last = {"done": True, "done_reason": say.stop or "stop", "message": {"role": "assistant", "content": ""}}
        counts = {"eval_count": say.reply_tokens, "total_duration": 5_000_000_000, "load_duration": 2_000_000_000}
        counts |= {"prompt_eval_duration": 1_000_000_000, "eval_duration": 500_000_000}
        if say.prompt_tokens is not None:
            counts["prompt_eval_count"] = say.prompt_tokens
        rows.append({"model": MODEL, **last, **counts})
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def _object(arguments: str) -> Any:
    """Ollama gives objects; what is none is a string there."""
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _openai(say: Say) -> bytes:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": piece} for piece in _words(say.text)]
    for index, use in enumerate(say.uses):
        function = {"name": use.name, "arguments": ""}
        deltas.append({"tool_calls": [{"index": index, "id": use.id, "type": "function", "function": function}]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in _words(use.arguments)
        ]
    rows: list[Any] = [_chunk({"index": 0, "delta": delta, "finish_reason": None}) for delta in deltas]
    if say.end == "error":
        rows.append({"error": {"message": say.error, "code": 502}})
    if say.end == "well":
        reason = say.stop or ("tool_calls" if say.uses else "stop")
        rows.append(_chunk({"index": 0, "delta": {}, "finish_reason": reason}))
        if say.prompt_tokens is not None:
            usage = {"prompt_tokens": say.prompt_tokens, "completion_tokens": say.reply_tokens}
            rows.append({"id": "c", "choices": [], "usage": usage})
        rows.append("[DONE]")
    head = b": keep-alive\n\n"
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    return head + b"".join(f"data: {text}\n\n".encode() for text in texts)


def _chunk(choice: dict[str, Any]) -> dict[str, Any]:
    return {"id": "c", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}


def _anthropic(say: Say) -> bytes:
    usage = {"input_tokens": say.prompt_tokens, "cache_read_input_tokens": 0, "output_tokens": 1}
    rows: list[dict[str, Any]] = [{"type": "message_start", "message": {"id": "m", "model": MODEL, "usage": usage}}]
    index = 0
    if say.text:
        rows.append({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        rows.append({"type": "ping"})
        deltas = [{"type": "text_delta", "text": piece} for piece in _words(say.text)]
        rows += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
        rows.append({"type": "content_block_stop", "index": 0})
        index = 1
    for number, use in enumerate(say.uses, start=index):
        block = {"type": "tool_use", "id": use.id, "name": use.name, "input": {}}
        rows.append({"type": "content_block_start", "index": number, "content_block": block})
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in _words(use.arguments)]
        rows += [{"type": "content_block_delta", "index": number, "delta": delta} for delta in deltas]
        rows.append({"type": "content_block_stop", "index": number})
    if say.end == "error":
        rows.append({"type": "error", "error": {"type": "overloaded_error", "message": say.error}})
    if say.end == "well":
        reason = say.stop or ("tool_use" if say.uses else "end_turn")
        rows.append(
            {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": say.reply_tokens}}
        )
        rows.append({"type": "message_stop"})
    return b"".join(f"event: {row['type']}\ndata: {json.dumps(row, ensure_ascii=False)}\n\n".encode() for row in rows)


class ModelServer:
    """A server on loopback; `plays` are its answers to chats, in order, and `requests` what it was asked.

    An exhausted server answers 500. Without `models`, it knows `MODEL`.
    """

    def __init__(self, kind: str, *plays: Any) -> None:
        self.kind = kind
        self.plays = list(plays)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.models = [MODEL, "tiny-embed"]
        self.trained = 40_960
        self.allocated: int | None = None
        self.capabilities = ["completion", "tools"]
        self.pulls: list[Any] = []
        self.props: dict[str, Any] | None = None
        self.gone = asyncio.Event()
        """Set when a client went away before its answer had ended."""
        self.asked = asyncio.Event()
        self.url = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}" + ("/v1" if self.kind == "openai" else "")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.gone.set()
        finally:
            self._tasks.discard(task)
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                writer.close()
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.split("\r\n")
        headers = {name.lower(): value for name, _, value in (row.partition(": ") for row in rest if row)}
        method, path, _ = line.split(" ")
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.paths.append(f"{method} {path}")
        self.headers.append(headers)
        path = path.partition("?")[0]
        if path in {"/api/chat", "/v1/chat/completions", "/v1/messages"}:
            self.requests.append(json.loads(body))
            self.asked.set()
            play = self.plays.pop(0) if self.plays else Refuse(500, error_body(self.kind, 500, "nothing more to play"))
            return await self._play(play, reader, writer)
        if path == "/api/pull":
            play = self.pulls.pop(0)
            return await self._play(play, reader, writer)
        found = self._known(path, json.loads(body) if body else {})
        if found is None:
            return await self._send(writer, Refuse(404, b"404 page not found"))
        return await self._send(writer, found if isinstance(found, Refuse) else Refuse(200, json.dumps(found).encode()))

    def _known(self, path: str, body: dict[str, Any]) -> Any:
        """What the server says about itself and its models."""
        rows = [
            {"name": name, "model": name, "size": 5_000, "digest": DIGEST, "details": _DETAILS} for name in self.models
        ]
        if self.kind == "ollama":
            loaded = {
                "name": MODEL,
                "model": MODEL,
                "size": 5_000,
                "size_vram": 2_500,
                "context_length": self.allocated,
            }
            show = {
                "details": _DETAILS,
                "model_info": {"general.architecture": "t", "t.context_length": self.trained},
                "capabilities": self.capabilities,
            }
            if path == "/api/show" and body.get("model") not in self.models:
                return Refuse(404, error_body("ollama", 404, f"model '{body.get('model')}' not found"))
            return {
                "/api/version": {"version": "0.12.1"},
                "/api/tags": {"models": rows},
                "/api/show": show,
                "/api/ps": {"models": [loaded] if self.allocated else []},
            }.get(path)
        listed = {"object": "list", "data": [{"id": name, "type": "model"} for name in self.models]}
        return {"/v1/models": listed, "/props": self.props}.get(path)

    async def _play(self, play: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if isinstance(play, Refuse):
            return await self._send(writer, play)
        if isinstance(play, Silence):
            await reader.read()
            self.gone.set()
            return False
        ends = play.end
        data = stream(self.kind, play) if isinstance(play, Say) else play.data
        kind = "application/x-ndjson" if self.kind == "ollama" else "text/event-stream"
        writer.write(f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        size = play.split or len(data) or 1
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
            if play.split:
                await asyncio.sleep(0)
        if ends == "cut":
            writer.transport.abort()
            return False
        if ends == "hang":
            await reader.read()
            self.gone.set()
            return False
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    @staticmethod
    async def _send(writer: asyncio.StreamWriter, answer: Refuse) -> bool:
        head = [f"HTTP/1.1 {answer.status} Because", "content-type: application/json"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        head += [f"content-length: {len(answer.body)}", "", ""]
        writer.write("\r\n".join(head).encode() + answer.body)
        await writer.drain()
        return True


_DETAILS = {"family": "t", "parameter_size": "1B", "quantization_level": "Q4_0", "format": "gguf"}
