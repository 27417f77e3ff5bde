"""Whoever takes a prompt and asks for tools."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agentos_lsp.domain.tools import ToolRequest


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a tool call, in words that an agent can act on."""

    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A tool call of this session that has ended, with what the agent was told."""

    request: ToolRequest
    result: ToolResult


class Tools(Protocol):
    """What an agent can do: everything passes the gate."""

    async def call(self, request: ToolRequest) -> ToolResult:
        """Asks for a tool and waits for its end, however long a person takes to decide."""

    async def say(self, text: str) -> None:
        """Tells the person something."""


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
