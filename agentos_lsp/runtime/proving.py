"""The policy's checks, run before a merge on exactly the files that the branch would hold.

They run in the session's worktree, which has what is installed and ignored: it is given the merged files for as long as
they run, and its own back. That is in the log before and after, so that a crash between the two is mended at the next
start.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

from agentos_lsp.domain import events, ids, policy, tree_events
from agentos_lsp.domain.command import verdict
from agentos_lsp.effects import agents
from agentos_lsp.runtime import checkpoints, checks, commit_call, trial, uncut

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentos_lsp.domain.events import MergeStrategy
    from agentos_lsp.effects.git import merges, updating
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.workspace import Workspace

T = TypeVar("T")

LOOK_EVERY_S = 0.2
"""How often it is asked whether a merge is still wanted while its checks run."""

Standing = Literal["passed", "due", "ask", "blocked"]
"""How a check stands to a tree: it has passed on it, it will run, a person must say that it may, or it never may."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A check that a merge needs, and how it stands."""

    check: policy.Check
    standing: Standing


@dataclass(frozen=True, slots=True)
class Proven:
    """The merge may be made if it leaves this tree; None if none of its files need a check."""

    tree: str | None


@dataclass(frozen=True, slots=True)
class Unproven:
    """The merge may not be made; `reason` is a sentence for a person."""

    reason: str


async def needed(session: Session, found: merges.MergePreview) -> tuple[Needed, ...]:
    """Returns the checks that a merge needs, in order; none where it changes nothing or conflicts."""
    if found.tree is None or found.kind == "up-to-date":
        return ()
    rows: list[Needed] = []
    for check in checks.due(session.rules, found.paths):
        standing: Standing = "due"
        if (check.run, found.tree) in session.state.checked or checks.is_waived(session.state, check, found.tree):
            standing = "passed"
        elif (judged := (await session.gate.check(check.run)).verdict) is verdict.Verdict.BLOCKED:
            standing = "blocked"
        elif judged is verdict.Verdict.REVIEWED and not check.vouched:
            standing = "ask"
        rows.append(Needed(check, standing))
    return tuple(rows)


async def prove(
    session: Session, found: merges.MergePreview, strategy: MergeStrategy, vouch: checks.Vouch, watch: updating.Watch
) -> Proven | Unproven:
    """Runs the checks that a merge needs and that have not passed on its files; the caller holds the session.

    Args:
        session: Its worktree has no changes that are not committed.
        found: What the merge would do.
        strategy: How it is to be made.
        vouch: Who lets a line run that the policy alone does not vouch for.
        watch: Asked whether the merge is still wanted.

    Raises:
        EffectError: git, the disk or a process failed; the worktree has its own files again.
    """
    rows = [row for row in await needed(session, found) if row.standing != "passed"]
    tree = found.tree
    if not rows or tree is None or (strategy == "fast-forward" and found.kind == "merge"):
        return Proven(tree if checks.due(session.rules, found.paths) else None)
    unasked = [row.check for row in rows if row.standing == "ask" and not vouch(row.check.run)]
    if unasked:
        lines = ", ".join(f"{check.name} (`{check.run}`)" for check in unasked)
        return Unproven(
            f"The repository's policy wants {lines} to pass on the merged files, and you have not trusted that policy."
            " Merge again and let the checks run, or trust the policy."
        )
    workspace = session.place
    tip = await workspace.tip() or session.state.head
    call = ids.CallId(f"merge{session.state.sequence}")

    async def run() -> tuple[policy.Finding, ...] | agents.ToolResult:
        return await session.gate.prove(call, checks.Proposed(tree, found.paths), vouch)

    told = await _while_wanted(session, workspace, watch, _with_files(session, workspace, (tip, tree), run))
    if watch.cancelled():
        return Unproven("The merge was cancelled; nothing was changed.")
    if isinstance(told, Unproven):
        return told
    if isinstance(told, agents.ToolResult):
        return Unproven(told.text)
    if told:
        records = commit_call.records(told)
        await session.record(events.DiffInspected, call=None, files=len(found.paths), findings=records)
    refusing = [finding.message for finding in told if finding.action == "refuse"]
    return Unproven("On the merged files: " + " ".join(refusing)) if refusing else Proven(tree)


async def _while_wanted(session: Session, workspace: Workspace, watch: updating.Watch, work: Awaitable[T]) -> T:
    """Does something, and ends what runs for it as soon as the merge is not wanted any more."""
    done = asyncio.Event()

    async def look() -> None:
        while not done.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await done.wait()
            if watch.cancelled() and not done.is_set():
                await workspace.stop_all()

    session.beside(look())
    try:
        return await work
    finally:
        done.set()


async def _with_files(
    session: Session, workspace: Workspace, between: tuple[str, str], act: Callable[[], Awaitable[T]]
) -> T | Unproven:
    """Gives the worktree the files of another tree for as long as something is done, and then its own back."""
    commit, tree = between
    await session.record(tree_events.MergeTrialBegan, durable=True, commit=commit, tree=tree)
    try:
        done = await checkpoints.exchange(workspace, commit, tree)
        if done.kept:
            shown = ", ".join(done.kept[:5])
            return Unproven(f"The checks cannot run on the merged files, since these stand in the way: {shown}.")
        return await act()
    finally:
        await uncut.finish(trial.put_back(session, workspace))
