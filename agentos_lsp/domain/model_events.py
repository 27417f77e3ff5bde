"""What happens between an agent and its language model, as events: from them alone a conversation goes on."""

from __future__ import annotations

from typing import Literal

from agentos_lsp.domain.conversation import Stop
from agentos_lsp.domain.event import Event
from agentos_lsp.domain.ids import CallId, TurnId
from agentos_lsp.domain.tools import Record


class UseRecord(Record):
    """A tool that the model wanted used; `arguments` is the text that it wrote."""

    id: str
    name: str
    arguments: str


class ModelChosen(Event):
    """A person chose another model; it is asked from the next turn on."""

    type: Literal["model.chosen"] = "model.chosen"
    model: str
    by: str


class TurnSteered(Event):
    """What a person said meanwhile reached the agent within its turn, and starts none of its own."""

    type: Literal["turn.steered"] = "turn.steered"
    turn: TurnId
    prompt: str
    by: str


class ModelReplied(Event):
    """The model's reply came to its end; `prompt_bytes` is what it was sent, the tokens are as its server counts."""

    type: Literal["model.replied"] = "model.replied"
    turn: TurnId
    model: str
    text: str
    uses: tuple[UseRecord, ...] = ()
    stop: Stop
    prompt_bytes: int
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    window: int = 0
    cost: float | None = None


class ModelTold(Event):
    """The model is told what came of a tool use, or, without one, what it should mend; `call` has the whole output."""

    type: Literal["model.told"] = "model.told"
    turn: TurnId
    use: str = ""
    name: str = ""
    ok: bool
    text: str
    call: CallId | None = None


class ContextCompacted(Event):
    """From here on, a summary stands for all that was said up to the event `through`; the trace keeps it whole."""

    type: Literal["context.compacted"] = "context.compacted"
    turn: TurnId
    summary: str
    through: int
    tokens_before: int
    tokens_after: int
    by: Literal["model", "rule"] = "model"
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    cost: float | None = None


class ContextLost(Event):
    """The provider read less than it was sent and did not say so."""

    type: Literal["context.lost"] = "context.lost"
    turn: TurnId
    model: str
    sent_tokens: int
    read_tokens: int
    window: int


class LoopFound(Event):
    """The model asked for the same again and again; it was not carried out once more."""

    type: Literal["loop.found"] = "loop.found"
    turn: TurnId
    name: str
    arguments: str
    times: int


ModelEvent = ModelChosen | TurnSteered | ModelReplied | ModelTold | ContextCompacted | ContextLost | LoopFound


OWN_WORK = (ModelReplied, ModelTold, ContextCompacted, ContextLost, LoopFound)
"""What an agent may record of its own work. Nothing here clears, answers or makes anything."""
