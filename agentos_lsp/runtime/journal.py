"""The session as its tool calls see it: the log, the state, and the person behind it; and how a call is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agentos_lsp.domain import events
from agentos_lsp.effects import agents

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from agentos_lsp.domain import approval
    from agentos_lsp.domain.event import Event
    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.domain.state import SessionState

Why = Literal["blocked", "rejected", "invalid", "withdrawn"]


class Journal(Protocol):
    """A session as the gate sees it: its log, its state, and the person behind it."""

    @property
    def state(self) -> SessionState:
        """The fold of everything recorded so far."""

    async def record(self, kind: type[Event], *, durable: bool = False, **fields: object) -> None:
        """Appends one event."""

    async def ask(self, call: CallId, line: str, cwd: str, prefix: tuple[str, ...] | None) -> approval.Answer | None:
        """Waits for a person's answer, however long; None if the question was withdrawn."""

    def is_asked(self, call: CallId) -> bool:
        """Whether a person was asked about this call and has the word."""

    @property
    def stopping(self) -> bool:
        """Whether a person is ending the turn, and not the runtime."""

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs work beside the turn, until the runtime ends."""


@dataclass(frozen=True, slots=True)
class Clearance:
    """What may start, and what the person who approved it wants the agent to know; empty if nothing.

    `network`: whether what was cleared includes reaching the network; see `network.is_included`.
    """

    cleared: approval.Cleared
    comment: str
    network: bool = False


async def refuse(journal: Journal, call: CallId, why: Why, message: str, instead: str = "") -> agents.ToolResult:
    """Records that a call is not carried out, and says so to the agent with what to do instead."""
    await journal.record(events.ToolCallRefused, call=call, why=why, message=message, instead=instead)
    return agents.ToolResult(ok=False, text=f"{message} {instead}".strip())


def rejection(comment: str) -> str:
    """Says to an agent that a person said no, and what they added."""
    return f"A person rejected this: {comment}" if comment else "A person rejected this."
