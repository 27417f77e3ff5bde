"""What is said between an agent and a language model, as values that belong to no wire format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

BYTES_A_TOKEN = 3.5
"""How many bytes of program text make a token, on the careful side; each model's own replies correct it."""

LEAST_TOKENS_A_BYTE = 1 / 10
"""No tokenizer in use packs a text of words tighter than this, so a smaller count means that text was dropped."""

SPARSE_BYTES_A_TOKEN = 5.5
"""Plain prose comes near this; a text that would not fit even so did not fit."""

SHRUNK = 0.9
"""A prompt that only grew is never counted as less, but for what a template adds to its last message."""

MESSAGE_TOKENS = 8
"""What a message costs beside its text."""

Stop = Literal["done", "calls", "length", "refused"]
"""Why a reply ended: by itself, to have tools called, at the limit of its length, or because the model declined."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model is told of it; `parameters` is a JSON Schema of an object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A model's wish to use a tool; `arguments` is the text that it wrote, which need not be JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Prompted:
    """Something that a person said, or that the runtime says for them."""

    text: str


@dataclass(frozen=True, slots=True)
class Replied:
    """What the model said, and the tools that it wants used."""

    text: str
    uses: tuple[ToolUse, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of one tool use."""

    use: str
    name: str
    text: str
    ok: bool


Message = Prompted | Replied | Answered


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a model. `window` is how many tokens prompt and reply may have together, 0 if unknown."""

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    window: int = 0
    reply_limit: int = 4096


@dataclass(frozen=True, slots=True)
class Usage:
    """What a reply took; a count is None where the provider says nothing. Prompt tokens include cached ones."""

    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    load_s: float | None = None
    reply_s: float | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of a reply's text."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """A piece of what the model thinks aloud; it is no part of the reply."""

    text: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """The provider could not answer yet; it is asked again after `delay_s`."""

    reason: str
    delay_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """The end of a reply."""

    stop: Stop
    usage: Usage


Piece = Text | Thought | ToolUse | Waiting | Done


@dataclass(frozen=True, slots=True)
class Model:
    """A model that a provider offers; `trained_window` in tokens, None where it is not told."""

    name: str
    size_bytes: int | None = None
    digest: str = ""
    parameters: str = ""
    quantization: str = ""
    trained_window: int | None = None
    capabilities: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """How many tokens a model may be given, prompt and reply together.

    `asked` is what our requests ask for, or assume; `allocated` what the server says it has really set aside, None
    while it does not say; `trained` what the makers trained.
    """

    asked: int
    allocated: int | None = None
    trained: int | None = None


@dataclass(slots=True)
class Gathered:
    """A reply as its pieces come."""

    text: str = ""
    uses: list[ToolUse] = field(default_factory=list)
    done: Done | None = None

    def add(self, piece: Piece) -> None:
        """Takes one more piece."""
        match piece:
            case Text():
                self.text += piece.text
            case ToolUse():
                self.uses.append(piece)
            case Done():
                self.done = piece
            case Thought() | Waiting():
                pass

    @property
    def reply(self) -> Replied:
        """What was said so far."""
        return Replied(self.text, tuple(self.uses))


def size_bytes(message: Message) -> int:
    """Counts the bytes of a message's text."""
    match message:
        case Prompted() | Answered():
            return len(message.text.encode("utf-8", "surrogatepass"))
        case Replied():
            texts = (message.text, *(f"{use.name}{use.arguments}" for use in message.uses))
            return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def tokens(bytes_count: int, messages: int = 1, *, bytes_a_token: float = BYTES_A_TOKEN) -> int:
    """Estimates how many tokens a text has."""
    return int(bytes_count / bytes_a_token) + messages * MESSAGE_TOKENS


def is_truncated(prompt_bytes: int, evaluated: int, *, grown_from: int | None, allocated: int | None) -> bool:
    """Tells whether a provider dropped a part of a prompt without saying so.

    Args:
        prompt_bytes: The text that was sent, without what the provider adds.
        evaluated: How many prompt tokens it says it has read.
        grown_from: What it had read of the request before, where this one only adds to that one; None otherwise.
        allocated: The window that the server has really set aside, None where it does not say.

    Source: an Ollama server whose window is too small drops the front of the prompt and answers with HTTP 200.
    """
    if evaluated < prompt_bytes * LEAST_TOKENS_A_BYTE:
        return True
    if grown_from is not None and evaluated < grown_from * SHRUNK:
        return True
    return allocated is not None and evaluated <= allocated < prompt_bytes / SPARSE_BYTES_A_TOKEN
