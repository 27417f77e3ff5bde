"""Two sides of a merge joined where they changed different paths, at a cost that follows the changes, not the tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.effects.git import trees

if TYPE_CHECKING:
    from collections.abc import Collection

    import pygit2

    from agentos_lsp.effects.git.opening import Repository

COMMITS = 2000
"""A longer history of a session is not walked."""


def joined(
    repository: Repository, base: pygit2.Commit, ours: pygit2.Commit, theirs: pygit2.Commit
) -> tuple[bytes, tuple[bytes, ...]] | None:
    """Returns the tree that a merge leaves and the paths that differ from ours; None where libgit2 has to decide.

    It has to wherever a path was changed on both sides (in the same way, too: it may be where the other's renamed file
    came from or went), where a file of one side stands in the way of a folder of the other, and where the last common
    commit may not be the only one: libgit2 then merges these first.
    """
    if not _is_line(base, theirs):
        return None
    mine = {path for path, _, _ in trees.difference(repository, base.tree_id.raw, ours.tree_id.raw)}
    edits: dict[bytes, trees.Entry | None] = {}
    for path, _, new in trees.difference(repository, base.tree_id.raw, theirs.tree_id.raw):
        if path in mine:
            return None
        edits[path] = new
    if _meet(edits, mine) or _meet(mine, edits):
        return None
    tree = trees.edited(repository, ours.tree_id.raw, edits) if edits else ours.tree_id.raw
    return tree or trees.empty(repository), tuple(sorted(edits))


def _is_line(base: pygit2.Commit, tip: pygit2.Commit) -> bool:
    """Whether each commit from one to another has one parent, so that no other commit can be the last in common."""
    at = tip
    for _ in range(COMMITS):
        if at.id == base.id:
            return True
        parents = at.parents
        if len(parents) != 1:
            return False
        at = parents[0]
    return False


def _meet(paths: Collection[bytes], others: Collection[bytes]) -> bool:
    """Whether a path of one side lies in one of the other."""
    folders: set[bytes] = set()
    for path in paths:
        above = path.rpartition(b"/")[0]
        while above and above not in folders:
            folders.add(above)
            above = above.rpartition(b"/")[0]
    return not folders.isdisjoint(others)
