"""What can be looked at without changing anything: the sessions, their traces, changes and outputs."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import TYPE_CHECKING

from agentos_lsp.domain import diff, events, ids, review_policy, state
from agentos_lsp.domain.errors import AgentosError, EffectError, UserError
from agentos_lsp.runtime import findings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.effects import Log
    from agentos_lsp.runtime.session import Session

LOG = logging.getLogger(__name__)

SHOWN_BYTES = 16 << 20
"""The largest file of a worktree that is shown as a document."""

KEPT_FOLDS = 100
"""Of how many sessions that this runtime does not own the state is kept in memory."""


class Reader:
    """All sessions in the log, and what is known of those that this runtime owns.

    Args:
        store: The event log.
        sessions: Those that this runtime owns, as they come and go.
    """

    def __init__(self, store: Log, sessions: Mapping[ids.SessionId, Session]) -> None:
        self._store = store
        self._owned = sessions
        self._folded: dict[ids.SessionId, SessionState] = {}
        """What this runtime does not own, as far as it was read: a log only grows, so what is new is read on."""
        self.keeping: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        """Held by whoever keeps one of several sessions on a task, by the name of the first."""

    def states(self) -> tuple[SessionState, ...]:
        """Returns every session's state that this runtime owns, the oldest first."""
        return tuple(one.state for one in self._owned.values())

    def owned(self, name: ids.SessionId) -> Session | None:
        """Returns a session that this runtime owns, None if it does not."""
        return self._owned.get(name)

    async def all_states(self) -> tuple[SessionState, ...]:
        """Returns the states of all sessions that can be read, those of other servers and ended ones included."""
        found: list[SessionState] = []
        for name in await asyncio.to_thread(self._store.sessions):
            try:
                found.append(await self.state(name))
            except EffectError as error:
                LOG.warning("session %s cannot be shown: %s", name, error)
        return tuple(found)

    async def state(self, name: ids.SessionId) -> SessionState:
        """Returns one session's state, whoever owns it.

        Raises:
            UserError: There is no such session.
        """
        known = self._owned.get(name)
        if known is not None:
            return known.state
        before = self._folded.get(name)
        log = await self.trace(name, 0 if before is None else before.sequence)
        now = state.fold(log, before)
        if before is not None or len(self._folded) < KEPT_FOLDS:
            self._folded[name] = now
        return now

    async def trace(self, name: ids.SessionId, after: int = 0) -> list[events.AnyEvent]:
        """Returns a session's events after a sequence.

        Raises:
            UserError: There is no such session.
        """
        log = await asyncio.to_thread(self._store.read, name, after)
        if not log and not after:
            raise UserError(f"There is no session {name!r}.", "`agentos.session.list` names all.")
        return log

    async def changes(self, name: ids.SessionId) -> tuple[diff.FileChange, ...]:
        """Returns the session's whole change against its base, by file."""
        one = self._owned.get(name)
        if one is None or one.workspace is None:
            return ()
        return await one.workspace.changed_files()

    async def rules_page(self, name: ids.SessionId) -> review_policy.RulePage:
        """Returns the page of the policy that governs a session.

        Raises:
            UserError: No session of this runtime has the name: its policy is not known here.
        """
        one = self._owned.get(name)
        if one is None:
            raise UserError(
                f"Session {name} is not run by this server.", "`agentos-lsp policy check` shows the policy."
            )
        return review_policy.page(one.rules, one.state.policy)

    async def on_own_files(
        self, name: ids.SessionId, text_of: Callable[[str], bytes | None]
    ) -> tuple[findings.Placed, ...]:
        """Places a session's findings on the person's own files; see `findings.on_own_files`."""
        one = self._owned.get(name)
        try:
            return () if one is None else await findings.on_own_files(one, text_of)
        except AgentosError as error:
            # The worktree went away meanwhile; its findings stand on the session's page all the same.
            LOG.info("findings of %s are not shown on files: %s", name, error)
            return ()

    async def base_text(self, name: ids.SessionId, path: str) -> bytes | None:
        """Returns a file as it was where the session began, None if it was not there."""
        one = self._owned.get(name)
        if one is None or one.workspace is None:
            return None
        return await one.workspace.base_text(path)

    async def present_text(self, name: ids.SessionId, path: str) -> bytes | None:
        """Returns a file as it is in a session's worktree, None if there is none or it is too large to be shown."""
        one = self._owned.get(name)
        if one is None or one.workspace is None:
            return None
        return await one.workspace.bytes_of(path, SHOWN_BYTES)

    async def command_output(self, name: ids.SessionId, call: ids.CallId) -> bytes:
        """Returns all that a command printed; what is known so far while it runs.

        Raises:
            UserError: The session has no such call.
        """
        texts: list[str] = []
        for event in await self.trace(name):
            if isinstance(event, events.CommandFinished) and event.call == call and event.output is not None:
                return await asyncio.to_thread(self._store.read_blob, event.output)
            if isinstance(event, events.CommandOutput) and event.call == call:
                texts.append(event.text)
        if not texts and call not in (await self.state(name)).calls:
            raise UserError(f"Session {name} has no command {call!r}.", "Open the session's page for its commands.")
        return "".join(texts).encode("utf-8", "replace")
