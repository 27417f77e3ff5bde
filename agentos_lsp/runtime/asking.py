"""What a person says to one session, whatever connection they say it through."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, TypeVar

from agentos_lsp.runtime import findings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from agentos_lsp.domain import approval, ids
    from agentos_lsp.runtime.session import Session

T = TypeVar("T")


class Asking(ABC):
    """Each of these is an act on a session that a runtime owns."""

    @abstractmethod
    async def on(self, name: ids.SessionId, act: Callable[[Session], Coroutine[Any, Any, T]]) -> T:
        """Carries out an act on a session to its end; see `Runtime.on`."""

    async def decide(self, name: ids.SessionId, given: approval.Answer) -> approval.Answer | approval.Stale:
        """Takes a person's answer to an approval; the first one counts."""
        return await self.on(name, lambda one: one.decide(given))

    async def waive(self, name: ids.SessionId, digest: str, reason: str, by: str) -> None:
        """Lets one finding on one content pass; see `findings.waive`."""
        await self.on(name, lambda one: findings.waive(one, digest, reason, by))

    async def mend(self, name: ids.SessionId, digest: str, by: str) -> None:
        """Asks the agent to mend a finding; see `findings.mend`."""
        await self.on(name, lambda one: findings.mend(one, digest, by))

    async def prompt(self, name: ids.SessionId, text: str, by: str) -> None:
        """Says something to the agent; it starts the next turn."""
        await self.on(name, lambda one: one.prompt(text, by))

    async def pause(self, name: ids.SessionId, by: str) -> None:
        """Lets the running call end, and starts no other."""
        await self.on(name, lambda one: one.pause(by))
