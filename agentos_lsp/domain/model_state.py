"""What a session's state keeps of its language model: what it took, and what went wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from agentos_lsp.domain import model_events


@dataclass(frozen=True, slots=True)
class Spent:
    """What the model of a session has taken so far; `context_tokens` of `window` were full at the last reply.

    `cost` is None while no price is configured. `loss` and `loop` say what a person should know, empty if nothing.
    """

    model: str = ""
    replies: int = 0
    prompt_tokens: int = 0
    reply_tokens: int = 0
    cost: float | None = None
    context_tokens: int = 0
    window: int = 0
    compactions: int = 0
    loss: str = ""
    loop: str = ""


NOTHING = Spent()
"""A session whose model was not asked yet."""


def apply(spent: Spent, event: model_events.ModelEvent) -> Spent:
    """Returns what is known after one more event."""
    match event:
        case model_events.ModelReplied():
            return replace(
                _paid(spent, event),
                model=event.model,
                replies=spent.replies + 1,
                context_tokens=(event.prompt_tokens or 0) + (event.reply_tokens or 0),
                window=event.window,
            )
        case model_events.ContextCompacted():
            return replace(_paid(spent, event), compactions=spent.compactions + 1)
        case model_events.ContextLost():
            loss = (
                f"{event.model} was sent about {event.sent_tokens} tokens and read {event.read_tokens}: the front of"
                f" the conversation was dropped. Its window is {event.window}; raise `context` in the settings, or"
                " start anew."
            )
            return replace(spent, loss=loss)
        case model_events.LoopFound():
            loop = f"The model asked {event.times} times in a row for the same: {event.name} {event.arguments}"
            return replace(spent, loop=loop)
        case model_events.ModelChosen() | model_events.TurnSteered():
            return replace(spent, loss="", loop="")
        case model_events.ModelTold():
            return spent
        case _:
            assert_never(event)


def _paid(spent: Spent, event: model_events.ModelReplied | model_events.ContextCompacted) -> Spent:
    """Counts what one more reply took."""
    return replace(
        spent,
        prompt_tokens=spent.prompt_tokens + (event.prompt_tokens or 0),
        reply_tokens=spent.reply_tokens + (event.reply_tokens or 0),
        cost=spent.cost if event.cost is None else (spent.cost or 0.0) + event.cost,
    )


def line(spent: Spent) -> str:
    """Returns one line for a session's page."""
    words = f"{spent.model}, {spent.replies} replies, {spent.prompt_tokens} + {spent.reply_tokens} tokens"
    if spent.window:
        words += f", context {spent.context_tokens * 100 // spent.window} % of {spent.window}"
    if spent.compactions:
        words += f", compacted {spent.compactions} times"
    return words if spent.cost is None else f"{words}, cost {spent.cost:.4f}"
