"""How a session ends: merged, or discarded after showing what is lost. Both are events before and after."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, assert_never

from agentos_lsp.domain import events, policy, tools
from agentos_lsp.domain.errors import AgentosError, EffectError, UserError
from agentos_lsp.domain.inspection import inspect
from agentos_lsp.effects.git import merges, updating
from agentos_lsp.runtime import checkpoints, commit_call, proving, taking_in, trial
from agentos_lsp.runtime import workspace as workspaces

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentos_lsp.domain.ids import CommitId
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.workspace import Losses, Workspace

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Merge:
    """What a person asks for; `into` is None for the branch that the session began from."""

    strategy: events.MergeStrategy
    into: str | None
    message: str
    by: str
    run_checks: tuple[str, ...] = ()
    """The lines of checks that nobody has vouched for and that may run: those that the person was shown."""

    def vouch(self, line: str) -> str:
        """Returns who lets such a line run; empty for nobody."""
        return f"merge by {self.by}" if line in self.run_checks else ""


@dataclass(frozen=True, slots=True)
class Merged:
    """The branch holds the session's work."""

    into: str
    commit: CommitId
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotMerged:
    """Nothing was changed. `paths` are the files in conflict, or in the way."""

    kind: Literal["conflict", "refused"]
    message: str
    paths: tuple[str, ...]


async def merge(session: Session, wanted: Merge, unsaved: frozenset[str], watch: updating.Watch) -> Merged | NotMerged:
    """Merges, or says why not; see `Runtime.merge`. The caller holds the session, and removes the worktree then.

    Raises:
        UserError: The session is not in a state to be merged, or there is no branch to merge into.
    """
    workspace = session.place
    await trial.put_back(session, workspace)
    into = target(session, wanted.into)
    await taking_in.settle_own(session, workspace, session.rules)
    source_commit = await source(session, workspace)
    if uncommitted := (await workspace.lost()).uncommitted:
        shown = ", ".join(uncommitted[:5])
        message = f"The worktree has uncommitted changes ({shown}); a merge would lose them."
        raise UserError(message, "Commit them yourself, or ask the agent to commit or undo them.")
    target_commit = await workspace.branch_commit(into)
    await session.record(
        events.MergeAttempted,
        durable=True,
        into=into,
        strategy=wanted.strategy,
        source_commit=source_commit,
        target_commit=target_commit,
        by=wanted.by,
    )
    title = wanted.message.strip() or session.state.task.strip().splitlines()[0][:72]
    message = f"{title}\n\nAgentOS-Session: {session.id}\n"
    try:
        refused = await _inspect(session, workspace)
        if refused is not None:
            await session.record(events.MergeRefused, into=into, reason=refused.message, paths=refused.paths)
            return refused
        proof = await proving.prove(
            session, await _planned(workspace, into, wanted), wanted.strategy, wanted.vouch, watch
        )
        if isinstance(proof, proving.Unproven):
            await session.record(events.MergeRefused, into=into, reason=proof.reason)
            return NotMerged("refused", proof.reason, ())
        outcome = await _make(workspace, into, wanted.strategy, message, unsaved, watch, proof, source_commit)
    except Exception as error:
        # Whatever failed, the attempt must not look as if it were still under way; and the branch may have moved.
        if await settle_merge(session, f"{error}"):
            return Merged(into, await workspace.branch_commit(into), ())
        raise
    return await _told(session, into, outcome)


async def _planned(workspace: Workspace, into: str, wanted: Merge) -> merges.MergePreview:
    def look() -> merges.MergePreview:
        checkout = workspace.git.probe(workspace.checkout.root)
        return workspace.git.preview(checkout, workspace.worktree.branch, into, wanted.strategy)

    return await asyncio.to_thread(look)


async def _make(
    workspace: Workspace,
    into: str,
    strategy: events.MergeStrategy,
    message: str,
    unsaved: frozenset[str],
    watch: updating.Watch,
    proof: proving.Proven,
    source_commit: CommitId,
) -> merges.Merged | merges.Conflicted | merges.Refused:
    def make() -> merges.Merged | merges.Conflicted | merges.Refused:
        checkout = workspace.git.probe(workspace.checkout.root)
        return workspace.git.merge(
            checkout,
            workspace.worktree.branch,
            into,
            strategy,
            message,
            workspace.git.identity(checkout),
            workspace.now(),
            protected_paths=inside(checkout.root, unsaved),
            watch=watch,
            proven=proof.tree,
            inspected=source_commit,
        )

    return await asyncio.to_thread(make)


def inside(root: str, paths: Iterable[str]) -> frozenset[str]:
    """Returns the absolute paths below a checkout, relative to it."""
    return frozenset(path.removeprefix(f"{root}/") for path in paths if path.startswith(f"{root}/"))


def target(session: Session, into: str | None) -> str:
    """Returns the branch to merge into, the one that the session began from if none is named.

    Raises:
        UserError: There is none, or it is a session's own.
    """
    named = into or session.state.base_branch
    if named is None:
        raise UserError("The session began from a detached HEAD.", "Name the branch to merge into.")
    if named.startswith("agentos/"):
        hint = "Name another branch as `into`."
        raise UserError(f"{named} is a session's own branch, which goes away with it.", hint)
    return named


async def source(session: Session, workspace: Workspace) -> CommitId:
    """Returns the last commit of the session.

    Raises:
        UserError: It has none of its own.
    """
    found = await workspace.tip()
    if found is None or found == session.state.base_commit:
        raise UserError("The session has no commit to merge.", "Ask the agent to commit, or discard the session.")
    return found


async def _told(
    session: Session, into: str, outcome: merges.Merged | merges.Conflicted | merges.Refused
) -> Merged | NotMerged:
    match outcome:
        case merges.Merged():
            await session.record(events.MergeMade, durable=True, into=into, commit=outcome.commit, files=outcome.paths)
            return Merged(into, outcome.commit, outcome.paths)
        case merges.Conflicted():
            await session.record(events.MergeConflicted, into=into, paths=outcome.paths)
            message = f"The session and {into} both changed {len(outcome.paths)} file(s); nothing was merged."
            return NotMerged("conflict", message, outcome.paths)
        case merges.Refused():
            await session.record(events.MergeRefused, into=into, reason=outcome.reason, paths=outcome.paths)
            return NotMerged("refused", outcome.reason, outcome.paths)
        case _:
            assert_never(outcome)


async def _inspect(session: Session, workspace: Workspace) -> NotMerged | None:
    """Inspects the whole change, and each commit that did not pass the gate; None if they may be merged."""
    attempt = session.state.merging
    if attempt is None:
        return None
    count, found = await inspected(session, workspace, attempt.source_commit)
    records = commit_call.records(found)
    await session.record(events.DiffInspected, call=None, files=count, findings=records)
    refusing = [finding for finding in found if finding.action == "refuse"]
    if not refusing:
        return None
    message = "The branch holds what the policy refuses: " + " ".join(finding.message for finding in refusing)
    return NotMerged("refused", message, tuple(dict.fromkeys(finding.path for finding in refusing)))


async def inspected(session: Session, workspace: Workspace, tip: CommitId) -> tuple[int, list[policy.Finding]]:
    """Inspects the whole change up to a commit, and each commit that did not pass the gate; counts the files too."""
    chain = [*(await workspace.lost()).commits, session.state.base_commit]
    steps = [(older, newer) for newer, older in itertools.pairwise(chain) if newer not in session.state.commits]
    found: list[policy.Finding] = []
    count = 0
    for older, newer in [(session.state.base_commit, tip), *steps]:
        files = await workspace.change_between(older, newer)
        count = max(count, len(files))
        found += [
            finding
            for finding in await asyncio.to_thread(inspect.inspect, files, session.rules, waived=session.state.waived)
            if finding not in found
        ]
    return count, found


async def settle_merge(session: Session, why: str) -> bool:
    """Finds out, after a crash or a failure, how a merge ended that has a beginning only.

    Args:
        session: The session.
        why: What to say if the branch had not moved.

    Returns:
        Whether the merge had been made.
    """
    attempt, workspace = session.state.merging, session.workspace
    if attempt is None or workspace is None:
        return False
    rebased = attempt.strategy == "rebase"
    made = await workspace.merged_commit(attempt.into, attempt.target_commit, attempt.source_commit, rebased=rebased)
    if made is None:
        await session.record(events.MergeRefused, into=attempt.into, reason=why)
        return False
    await session.record(events.MergeMade, durable=True, into=attempt.into, commit=made, files=())
    return True


async def settle_commit(session: Session) -> None:
    """Records the commit that was made, where only its beginning was: its branch had moved before the runtime ended."""
    if session.workspace is None:
        return
    tip = await session.workspace.tip()
    for call in session.state.calls.values():
        request = call.request
        if isinstance(request, tools.CommitCall) and call.step == "running" and tip is not None:
            # Only the commit that the gate itself makes: on top of the last one, with the session's trailer.
            if await session.workspace.own_commit_after(session.state.head) != tip:
                return
            await session.record(
                events.CommitMade, durable=True, call=call.call, commit=tip, message=request.message, files=()
            )
            return


async def remove_worktree(session: Session, log: Sequence[events.AnyEvent]) -> None:
    """The last step of a merge or a discard; found again at the next start if it is cut off.

    Args:
        session: It has ended.
        log: Its events, which know what was merged.
    """
    if session.workspace is None or session.state.worktree is None:
        return
    folder = session.state.worktree.folder
    merged = None
    if session.state.ended == "merged":
        merged = next(event.source_commit for event in reversed(log) if isinstance(event, events.MergeAttempted))
    try:
        await session.end_processes()
        await checkpoints.prune(session.state, session.workspace)
        kept = await session.workspace.remove(merged)
        await session.record(events.WorktreeRemoved, durable=True, folder=folder, kept_branch=kept)
    except AgentosError as error:
        # The session has ended all the same, and whoever asked for that is told so.
        LOG.warning("the worktree of %s was not removed: %s", session.id, error)
        message = f"{error} The session has ended; its worktree is removed at the next start."
        with contextlib.suppress(EffectError):
            await session.record(events.FailureRecorded, where="worktree", message=message)
        return
    session.unequip()


async def told_failure(session: Session, where: str, message: str, hint: str = "") -> None:
    """Records a failure; where not even that can be written, the session goes on all the same."""
    try:
        await session.record(events.FailureRecorded, where=where, message=message, hint=hint)
    except EffectError as error:
        LOG.warning("a failure of %s was not recorded (%s): %s", session.id, message, error)


async def losses(session: Session) -> Losses:
    """Says what only this session has."""
    if session.workspace is None:
        if session.state.worktree is None:
            return workspaces.Losses((), ())
        message = f"The repository of {session.id} cannot be opened, so nobody can say what a discard would lose."
        raise UserError(message, "Bring it back and start the editor again; nothing was removed.")
    return await session.workspace.lost()


async def discard(session: Session, by: str) -> Losses:
    """Records the discard with what is lost; the caller holds the session, and removes the worktree then."""
    if session.workspace is not None and session.state.worktree is not None:
        await taking_in.settle_own(session, session.workspace, session.rules)
    lost = await losses(session)
    if session.workspace is not None and session.state.worktree is not None and (lost.commits or lost.uncommitted):
        await checkpoints.keep_removed(session, session.workspace)
    await session.record(
        events.DiscardAttempted, durable=True, commits=lost.commits, uncommitted=lost.uncommitted, by=by
    )
    await session.record(events.SessionDiscarded, durable=True)
    return lost
