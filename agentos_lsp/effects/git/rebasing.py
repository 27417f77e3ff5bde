"""A session's commits made anew, one by one, on top of another branch; in memory, until somebody moves a branch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pygit2
from pygit2.enums import SortMode

from agentos_lsp.domain.errors import UserError
from agentos_lsp.effects.git import commits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentos_lsp.effects.git.opening import Repository


@dataclass(frozen=True, slots=True)
class Replayed:
    """The last of the new commits; `conflicts` are paths that one of them cannot be applied to, and then none is."""

    tip: pygit2.Oid
    conflicts: tuple[str, ...] = ()


def replay(
    repository: Repository,
    theirs: pygit2.Commit,
    ours: pygit2.Commit,
    who: pygit2.Signature,
    trailers: Mapping[str, str],
) -> Replayed:
    """Makes every commit that only `theirs` reaches anew on top of `ours`; what changes nothing there is left out.

    Authors and messages stay; trailers that are missing are added, so that whoever looks finds the session.

    Raises:
        UserError: One of them is a merge, which has no one change to make anew.
    """
    walker = repository.walk(theirs.id, SortMode.TOPOLOGICAL | SortMode.REVERSE)
    walker.hide(ours.id)
    tip, tree = ours.id, ours.tree
    for commit in walker:
        if len(commit.parents) != 1:
            raise UserError(
                f"The session's branch holds a merge ({str(commit.id)[:10]}), which a rebase cannot make anew.",
                "Choose a merge commit or a squash.",
            )
        index = repository.merge_trees(commit.parents[0].tree, tree, commit.tree)
        if index.conflicts is not None:
            sides = [side for conflict in index.conflicts for side in conflict if side is not None]
            return Replayed(ours.id, tuple(sorted({os.fspath(side.path) for side in sides})))
        made = index.write_tree(repository)
        if made == tree.id:
            continue
        missing = {key: value for key, value in trailers.items() if f"{key}: {value}" not in commit.message}
        text = commits.with_trailers(commit.message, missing) if missing else commit.message
        tip = repository.create_commit(None, commit.author, who, text, made, [tip])
        tree = repository[made].peel(pygit2.Tree)
    return Replayed(tip)
