"""Spare worktrees for the next sessions of a repository, made while nobody waits for them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import AgentosError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.runtime.workspace import Workspace

LOG = logging.getLogger(__name__)

NICE = 19
"""How much the work yields to all other."""


async def restock(workspace: Workspace, count: int, cancelled: Callable[[], bool]) -> None:
    """Makes a spare for the next session of this repository; where that fails, sessions start without one.

    Args:
        workspace: Of a session on the repository.
        count: How many are kept ready.
        cancelled: Asked now and then.
    """

    def make() -> None:
        checkout = workspace.git.probe(workspace.checkout.root)
        workspace.git.restock(checkout, workspace.shelf, count, NICE, cancelled)

    try:
        await asyncio.to_thread(make)
    except AgentosError as error:
        LOG.warning("no spare worktree for %s: %s", workspace.repository, error)
