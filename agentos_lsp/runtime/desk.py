"""What a session gives its agent: the gate, its own voice, and the log; see `agents.Tools`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from agentos_lsp.domain import model_events
from agentos_lsp.domain.errors import InternalError, UserError
from agentos_lsp.effects import agents

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentos_lsp.domain import tools
    from agentos_lsp.domain.event import Event
    from agentos_lsp.domain.events import AnyEvent
    from agentos_lsp.domain.ids import SessionId
    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.effects import Log
    from agentos_lsp.runtime.workspace import Workspace

INSTRUCTIONS = "AGENTS.md"


class Owner(Protocol):
    """The session as its agent's desk sees it."""

    id: SessionId
    state: SessionState
    workspace: Workspace | None

    async def record(self, kind: type[Event], *, durable: bool = False, **fields: Any) -> None:  # noqa: ANN401 - the event's own fields
        """Appends one event."""

    async def call(self, request: tools.ToolRequest) -> agents.ToolResult:
        """Takes a tool call through the gate."""

    async def say(self, text: str) -> None:
        """Tells the person something."""

    async def take_queued(self) -> int:
        """Hands what the person said to the turn."""


class Desk:
    """The desk of one session's agent.

    Args:
        owner: The session.
        store: Where its log is.
        stream: Shows a piece of what is about to be said; an empty one ends that.
    """

    def __init__(self, owner: Owner, store: Log, stream: Callable[[SessionId, str], None]) -> None:
        self._owner = owner
        self._store = store
        self._stream = stream

    async def call(self, request: tools.ToolRequest) -> agents.ToolResult:
        """Carries out a tool call."""
        return await self._owner.call(request)

    async def say(self, text: str) -> None:
        """Tells the person something; it takes the place of what was streamed."""
        self._stream(self._owner.id, "")
        await self._owner.say(text)

    def stream(self, text: str) -> None:
        """Shows a piece of what is about to be said."""
        self._stream(self._owner.id, text)

    async def note(self, kind: type[Event], **fields: Any) -> None:  # noqa: ANN401 - the event's own fields
        """Records an event about the agent's own work in this turn.

        Raises:
            InternalError: It is no such event: an agent records no decision, and nothing that the gate records.
            UserError: No turn is under way.
        """
        if kind not in model_events.OWN_WORK:
            raise InternalError(f"An agent may not record {kind.__name__}.")
        turn = self._owner.state.turn
        if turn is None:
            raise UserError("No turn is under way.", "Prompt the session first.")
        await self._owner.record(kind, turn=turn, **fields)

    async def log(self, after: int = 0) -> Sequence[AnyEvent]:
        """Returns the session's events after a sequence."""
        return await asyncio.to_thread(self._store.read, self._owner.id, after)

    async def heard(self) -> int:
        """Takes what the person said since the turn began."""
        return await self._owner.take_queued()

    async def surroundings(self) -> agents.Surroundings:
        """Says where the agent works."""
        now, workspace = self._owner.state, self._owner.workspace
        found = await workspace.read(INSTRUCTIONS) if workspace is not None else None
        return agents.Surroundings(
            session=now.session,
            worktree=now.worktree.folder if now.worktree is not None else "",
            branch=now.worktree.branch if now.worktree is not None else "",
            base_branch=now.base_branch or now.base_commit[:10],
            model=now.model,
            instructions=found[0] if isinstance(found, tuple) else "",
        )
