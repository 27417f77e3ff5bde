"""Spare worktrees for the next sessions of a repository, made while nobody waits for them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.effects.git import filling, repository, spares
from agentos_lsp.effects.process import helpers

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
        checkout = repository.probe(workspace.checkout.root)
        means = filling.Means(helpers=helpers.run, nice=NICE, shelf=workspace.shelf)
        spares.make(checkout, means, count=count, cancelled=cancelled)

    try:
        await asyncio.to_thread(make)
    except AgentosError as error:
        LOG.warning("no spare worktree for %s: %s", workspace.repository, error)
