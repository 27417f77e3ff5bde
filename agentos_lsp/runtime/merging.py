"""What a merge would do, before it is made; and one that was made, undone as long as nothing came on top."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentos_lsp.domain import ids, tree_events
from agentos_lsp.domain.errors import AgentosError, UserError
from agentos_lsp.effects.git import merges
from agentos_lsp.runtime import ending, proving, uncut

if TYPE_CHECKING:
    from agentos_lsp.domain import events, policy
    from agentos_lsp.effects.git import Git
    from agentos_lsp.runtime.session import Session


@dataclass(frozen=True, slots=True)
class Preview:
    """What a merge would do now.

    `paths` would change on the branch; `conflicts` would stop it, as would `hindrance` with its `in_the_way`, findings
    whose action is to refuse, what is not committed in the worktree, and `checks` that may not run or do not pass.
    """

    into: str
    kind: merges.Kind
    paths: tuple[str, ...]
    conflicts: tuple[str, ...]
    findings: tuple[policy.Finding, ...]
    uncommitted: tuple[str, ...]
    hindrance: str
    in_the_way: tuple[str, ...]
    checks: tuple[proving.Needed, ...] = ()

    @property
    def possible(self) -> bool:
        """Whether the merge would be made if it were asked for now."""
        refused = any(finding.action == "refuse" for finding in self.findings)
        unclear = any(row.standing in {"ask", "blocked"} for row in self.checks)
        return not (self.conflicts or self.uncommitted or self.hindrance or refused or unclear)


@dataclass(frozen=True, slots=True)
class Undone:
    """The branch is where it was before the merge; the session's commits are on a branch of their own."""

    into: str
    commit: ids.CommitId
    branch: str


async def preview(
    session: Session, strategy: events.MergeStrategy, into: str | None, unsaved: frozenset[str]
) -> Preview:
    """Works out in memory what a merge would do; nothing is recorded or changed.

    Raises:
        UserError: There is no branch to merge into.
        EffectError: git failed.
    """
    workspace = session.place
    target = ending.target(session, into)
    source = await workspace.tip()
    uncommitted = (await workspace.lost()).uncommitted
    if source is None or source == session.state.base_commit:
        return Preview(target, "up-to-date", (), (), (), uncommitted, "The session has no commit to merge.", ())
    _, findings = await ending.inspected(session, workspace, source)

    def look() -> tuple[merges.MergePreview, merges.Refused | None]:
        checkout = workspace.git.probe(workspace.checkout.root)
        found = workspace.git.preview(checkout, workspace.worktree.branch, target, strategy)
        if strategy == "fast-forward" and found.kind == "merge":
            return found, merges.Refused(f"{target} has commits that the session lacks, so it cannot be moved along.")
        return found, workspace.git.hindrance(checkout, found, target, ending.inside(checkout.root, unsaved))

    found, hindrance = await asyncio.to_thread(look)
    return Preview(
        into=target,
        kind=found.kind,
        paths=found.paths,
        conflicts=found.conflicts,
        findings=tuple(findings),
        uncommitted=uncommitted,
        hindrance="" if hindrance is None else hindrance.reason,
        in_the_way=() if hindrance is None else hindrance.paths,
        checks=await proving.needed(session, found),
    )


async def undo(session: Session, git: Git, unsaved: frozenset[str], by: str) -> Undone | ending.NotMerged:
    """Moves the branch back to where it was before the session was merged, as long as nothing came on top.

    The session's commits get their branch back first, so that they are never without a name.

    Args:
        session: It has been merged.
        git: The door.
        unsaved: Absolute paths of files that are open with unsaved changes in an editor.
        by: Who asks.

    Raises:
        UserError: The session was not merged, or its branch cannot be moved back.
        EffectError: git failed; nothing was changed.
    """
    async with session.undoing:
        now = session.state
        merged, made = now.merged, now.merge_commit
        if now.ended != "merged" or merged is None or made is None:
            raise UserError(f"Session {session.id} is not merged.", "Only a merge that was made can be undone.")
        if now.worktree is not None:
            raise UserError("The session's worktree is still being removed.", "Try again in a moment.")
        if made == merged.target_commit:
            raise UserError(f"The merge changed nothing on {merged.into}.", "There is nothing to undo.")
        return await uncut.finish(_undo(session, git, merged, made, unsaved, by))


async def _undo(
    session: Session, git: Git, merged: events.MergeAttempted, made: ids.CommitId, unsaved: frozenset[str], by: str
) -> Undone | ending.NotMerged:
    into, before = merged.into, merged.target_commit
    branch = ids.branch_name(session.id)
    await session.record(tree_events.MergeUndoAttempted, durable=True, into=into, commit=made, back_to=before, by=by)

    def carry_out() -> merges.Refused | None:
        checkout = git.probe(session.state.repository)
        kept = git.keep_branch(checkout, branch, merged.source_commit)
        refused: merges.Refused | None = None
        try:
            refused = git.undo(checkout, into, made, before, ending.inside(checkout.root, unsaved))
        except AgentosError as error:
            refused = merges.Refused(str(error))
        if refused is not None and kept:
            git.drop_branch(checkout, branch, merged.source_commit)
        return refused

    refused = await asyncio.to_thread(carry_out)
    if refused is not None:
        await session.record(tree_events.MergeUndoRefused, into=into, reason=refused.reason, paths=refused.paths)
        return ending.NotMerged("refused", refused.reason, refused.paths)
    await session.record(tree_events.MergeUndone, durable=True, into=into, commit=before, branch=branch)
    return Undone(into, before, branch)
