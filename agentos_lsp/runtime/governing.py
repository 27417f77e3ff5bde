"""Which policy governs which session: taken when it gets its doors, and again when the person's trust changes."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agentos_lsp.domain import policy_events
from agentos_lsp.domain.errors import AgentosError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentos_lsp.domain import ids
    from agentos_lsp.runtime.policies import InForce, Looked, Policies
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.workspace import Workspace

LOG = logging.getLogger(__name__)


class Governing:
    """The policies of all sessions that this runtime owns.

    Args:
        policies: Reads and trusts policy files.
        sessions: Those that this runtime owns, as they come and go.
    """

    def __init__(self, policies: Policies, sessions: Mapping[ids.SessionId, Session]) -> None:
        self.policies = policies
        self._sessions = sessions
        self._listeners: list[Callable[[], None]] = []

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls a listener after each change of trust, until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def of(self, workspace: Workspace) -> InForce:
        """Returns the policy of a session, by its repository's file as it was where the session began.

        Raises:
            ConfigError: A policy file cannot be used.
        """
        content = await workspace.policy_file()
        return await asyncio.to_thread(self.policies.load, workspace.common_dir, content)

    async def tell(self, session: Session, in_force: InForce) -> None:
        """Records which policy files are in force, if there are any and they are not the ones recorded last."""
        rows = tuple(
            policy_events.PolicySource(file=one.file, digest=one.digest, trusted=one.trusted)
            for one in in_force.sources
        )
        last = session.state.policy
        if rows != (() if last is None else last.sources):
            await session.record(
                policy_events.PolicyLoaded, durable=True, sources=rows, passed_over=in_force.passed_over
            )

    async def look(self, folder: str) -> Looked:
        """Returns the policy that a session would begin with in a folder; see `Policies.look`."""
        return await asyncio.to_thread(self.policies.look, folder)

    async def trust(self, folder: str, digest: str, by: str) -> Looked:
        """Trusts a repository's policy file, for live sessions too; see `Policies.trust`."""
        looked = await asyncio.to_thread(self.policies.trust, folder, digest, by)
        await self._reload(looked.repository)
        return looked

    async def untrust(self, folder: str) -> tuple[Looked, bool]:
        """Takes the trust back, for live sessions too; see `Policies.untrust`."""
        looked, there_was = await asyncio.to_thread(self.policies.untrust, folder)
        await self._reload(looked.repository)
        return looked, there_was

    async def _reload(self, repository: str) -> None:
        for one in list(self._sessions.values()):
            workspace = one.workspace
            if workspace is None or workspace.common_dir != repository or not one.state.is_live:
                continue
            try:
                in_force = await self.of(workspace)
                one.take_rules(in_force.rules)
                await self.tell(one, in_force)
            except AgentosError as error:
                # The session keeps the rules that it has; its next start says what is wrong.
                LOG.warning("the policy of %s was not read again: %s", one.id, error)
        for listener in list(self._listeners):
            listener()
