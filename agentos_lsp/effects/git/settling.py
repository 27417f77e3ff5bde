"""Tells, after a crash, whether a merge that has only a beginning in the log had moved its branch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pygit2

from agentos_lsp.domain.ids import CommitId
from agentos_lsp.effects.git import opening, updating

if TYPE_CHECKING:
    from agentos_lsp.effects.git.repository import Checkout


def merged_commit(checkout: Checkout, into: str, before: CommitId, source: CommitId, mark: str) -> CommitId | None:
    """Returns the commit that the merge made, None if the branch had not moved.

    Args:
        checkout: The person's; the lock that the killed merge left in it is removed.
        into: The branch that was merged into.
        before: Where it stood.
        source: The session's last commit.
        mark: Text that the message of a merge commit or a squash holds, so that nobody else's commit is taken for it.
    """
    with opening.attempting(f"look whether {into} was merged"):
        updating.recover(checkout)
        repository = opening.repository(checkout.common_dir)
        try:
            tip = repository.lookup_reference(f"refs/heads/{into}").peel(pygit2.Commit)
        except KeyError:
            return None
        for commit in repository.walk(tip.id):
            name = CommitId(str(commit.id))
            if name == before:
                return None
            if name == source:
                return name
            if mark in commit.message and any(str(parent) == before for parent in commit.parent_ids):
                return name
        return None
