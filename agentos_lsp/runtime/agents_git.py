"""The private git directory of one session, as the runtime uses it; each call in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.effects.git import Git, intake, private
    from agentos_lsp.effects.git.repository import Checkout
    from agentos_lsp.effects.git.worktrees import Worktree


class AgentsGit:
    """Where an agent's own git works under confinement; it is made when the first command starts.

    Args:
        git: The door to git.
        folder: Where it lies, for the user alone.
        worktree: Returns the worktree, once it is there.
        checkout: The person's checkout.
    """

    def __init__(self, git: Git, folder: str, worktree: Callable[[], Worktree], checkout: Checkout) -> None:
        self._git = git
        self.folder = folder
        self._door = git.agents_git(folder)
        self._worktree = worktree
        self._checkout = checkout
        self.told = ""
        """What the agent was told last of the branch that it is on."""

    def make(self) -> str:
        """Makes it if it is not there, and returns its folder; waits for that."""
        return self._door.make(self._worktree(), self._checkout)

    def clear_remains(self) -> None:
        """Removes what a killed runtime left half done; waits for that."""
        self._door.clear_remains(self._worktree())

    def remove(self) -> None:
        """Removes it, at the end of the session; waits for that."""
        self._door.remove()

    @contextlib.contextmanager
    def following(self, at: CommitId) -> Iterator[Callable[[CommitId], None]]:
        """Keeps the agent's git at a commit, and yields what brings it to the next one; waits for that.

        Raises:
            UserError: The agent's git is elsewhere.
            EffectError: It is at work, or cannot be used.
        """
        if not self._door.is_there:
            yield lambda _commit: None
            return
        with self._door.held(self._worktree(), at) as hold:
            yield lambda commit: hold.follow(at, commit)

    async def look(self) -> private.Position | None:
        """Returns where the agent's git is, None if it has none of its own."""

        def find() -> private.Position | None:
            return self._door.look(self._worktree()) if self._door.is_there else None

        return await asyncio.to_thread(find)

    async def fetch(self, tip: CommitId) -> intake.Incoming:
        """Reads commits into a place apart; see `intake.fetch`."""
        return await asyncio.to_thread(self._door.fetch, self._worktree(), tip)

    async def take_in(self, incoming: intake.Incoming) -> None:
        """Writes what was fetched into the repository; no branch moves."""
        await asyncio.to_thread(self._door.take_in, self._worktree(), incoming)

    async def drop(self, incoming: intake.Incoming) -> None:
        """Removes the place apart."""
        await asyncio.to_thread(self._door.drop, incoming)

    async def advance(self, old: CommitId, new: CommitId) -> None:
        """Moves the session's branch in the repository to what was taken in."""
        await asyncio.to_thread(self._git.advance, self._worktree(), old, new, "agentos: commits taken in")

    async def agree(self, commit: CommitId) -> None:
        """Notes that both are at a commit."""
        await asyncio.to_thread(self._door.agree, commit)

    async def follow(self, old: CommitId, new: CommitId) -> None:
        """Brings the agent's branch and index to a commit that was made outside of its git."""

        def carry_out() -> None:
            with self.following(old) as follow:
                follow(new)

        await asyncio.to_thread(carry_out)

    async def put_back(self, tip: CommitId, to: CommitId) -> None:
        """Moves the agent's branch back, and nothing else."""
        await asyncio.to_thread(self._door.put_back, self._worktree(), tip, to)
