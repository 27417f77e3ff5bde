"""Whoever takes a prompt and asks for tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.domain.event import Event
    from agentos_lsp.domain.events import AnyEvent
    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.domain.tools import ToolRequest


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a tool call, in words that an agent can act on; `call` names it in the log."""

    ok: bool
    text: str
    call: CallId | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """A tool call of this session that has ended, with what the agent was told."""

    request: ToolRequest
    result: ToolResult


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where an agent works, for its instructions. `instructions` is the repository's own `AGENTS.md`, empty if none."""

    session: str
    worktree: str
    branch: str
    base_branch: str
    model: str | None
    instructions: str


class Tools(Protocol):
    """What an agent can do: everything passes the gate."""

    async def call(self, request: ToolRequest) -> ToolResult:
        """Asks for a tool and waits for its end, however long a person takes to decide."""

    async def say(self, text: str) -> None:
        """Tells the person something."""

    def stream(self, text: str) -> None:
        """Shows a piece of what the agent is about to say; it is no event, and `say` takes its place."""

    async def note(self, kind: type[Event], **fields: Any) -> None:  # noqa: ANN401 - the event's own fields
        """Records an event about the agent's own work in this turn."""

    async def log(self, after: int = 0) -> Sequence[AnyEvent]:
        """Returns the session's events after a sequence: all that an agent needs to know of its past."""

    async def heard(self) -> int:
        """Takes what the person said since the turn began, as `turn.steered`; returns how much that was."""

    async def surroundings(self) -> Surroundings:
        """Says where the agent works."""


class Agent(Protocol):
    """A coding agent. It holds no state that its history would not bring back."""

    async def turn(self, prompt: str, tools: Tools, history: tuple[Exchange, ...]) -> str:
        """Works on a prompt until it is done.

        Args:
            prompt: What a person said.
            tools: The only way to act.
            history: All earlier tool calls of the session, so that an interrupted turn can go on.

        Returns:
            A short summary for the person.

        Raises:
            EffectError: The agent itself failed; what it did so far stays.
        """
