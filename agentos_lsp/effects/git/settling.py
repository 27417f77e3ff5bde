"""Tells, after a crash, whether a merge that has only a beginning in the log had moved its branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pygit2

from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import opening, updating

if TYPE_CHECKING:
    from agentos_lsp.effects.git.repository import Checkout


def merged_commit(
    checkout: Checkout, into: str, before: CommitId, source: CommitId, mark: str, *, rebased: bool = False
) -> CommitId | None:
    """Returns the commit that the merge made, None if the branch had not moved.

    Args:
        checkout: The person's; the lock that the killed merge left in it is removed.
        into: The branch that was merged into.
        before: Where it stood.
        source: The session's last commit.
        mark: Text that the message of a merge commit or a squash holds, so that nobody else's commit is taken for it.
        rebased: Whether it may have made several commits, each with the mark; the newest is where it left the branch.
    """
    with opening.attempting(f"look whether {into} was merged"):
        updating.recover(checkout)
        repository = opening.repository(checkout.common_dir)
        try:
            tip = repository.lookup_reference(f"refs/heads/{into}").peel(pygit2.Commit)
        except KeyError:
            return None
        newest: CommitId | None = None
        for commit in repository.walk(tip.id):
            name = CommitId(str(commit.id))
            marked = mark in commit.message
            newest = (newest if rebased and newest else name) if marked else None
            if name == before:
                return None
            if name == source:
                return name
            if newest is not None and any(str(parent) == before for parent in commit.parent_ids):
                return newest
        return None
