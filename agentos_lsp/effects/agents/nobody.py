"""No agent: a session in whose worktree a person works by hand, or whose agent is not known any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import UserError

if TYPE_CHECKING:
    from agentos_lsp.effects.agents import Exchange, Tools

NAME = "none"


class Nobody:
    """Takes no prompt; everything else of a session works."""

    async def turn(self, prompt: str, tools: Tools, history: tuple[Exchange, ...]) -> str:
        """Says that there is nobody.

        Raises:
            UserError: Always.
        """
        del prompt, tools, history
        raise UserError("This session has no agent.", "Work in its worktree by hand, then merge or discard it.")
