"""Runs the commands that must pass before a commit or a merge, on the very tree that would be committed.

They run in the worktree, while it holds that tree and nothing else that git keeps: a clean checkout would cost seconds
on a large repository, and would lack what is ignored and yet needed (installed packages, settings). That the tree is
the same is compared before and after: a check that changes files, or an agent that does meanwhile, proves nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Protocol

from agentos_lsp.domain import events, ids, policy, policy_events
from agentos_lsp.domain.inspection import globs, inspect
from agentos_lsp.effects import agents
from agentos_lsp.runtime import uncut

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.runtime.commands import Finished
    from agentos_lsp.runtime.journal import Clearance, Journal
    from agentos_lsp.runtime.workspace import Workspace

Vouch = Callable[[str], str]
"""Takes a line that would be asked about; returns who lets it run, empty for nobody."""

TOLD_OUTPUT = 4_000
"""How many of the last characters that a failed check printed an agent is told."""


class Clear(Protocol):
    """The gate's way to the proof that a line may start."""

    async def __call__(self, call: CallId, line: str, cwd: str, vouched_by: str = "") -> Clearance | agents.ToolResult:
        """Judges a line, asks a person where one must decide, and says what came of it."""


class Subject(Protocol):
    """A tree that is to be checked before it becomes a commit."""

    @property
    def tree(self) -> str:
        """Its name in git."""

    @property
    def paths(self) -> tuple[str, ...]:
        """What differs from the commit that it would follow."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """What a branch would hold after a merge."""

    tree: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Doors:
    """What a check needs of its session."""

    journal: Journal
    workspace: Workspace
    rules: policy.Policy
    clear: Clear


def due(rules: policy.Policy, paths: tuple[str, ...]) -> tuple[policy.Check, ...]:
    """Returns the checks that a change of these paths needs."""
    return tuple(
        check
        for check in rules.checks
        if not check.paths or any(globs.first_match(path, check.paths) for path in paths)
    )


async def run(
    doors: Doors, call: CallId, staged: Subject, vouch: Vouch = lambda _line: ""
) -> tuple[policy.Finding, ...] | agents.ToolResult:
    """Runs every check that is due and has not passed on this tree yet.

    Args:
        doors: The session.
        call: What its output is recorded under.
        staged: What is checked; the worktree must hold it.
        vouch: Who lets a line run that would be asked about.

    Returns:
        What the checks found; or what the agent is told where a person did not let one run.
    """
    found: list[policy.Finding] = []
    for check in due(doors.rules, staged.paths):
        if (check.run, staged.tree) in doors.journal.state.checked:
            continue
        if is_waived(doors.journal.state, check, staged.tree):
            continue
        if not await _holds(doors.workspace, staged.tree):
            told = "the worktree holds changes that this commit leaves out. Commit all of them, or put them aside first"
            found.append(_finding(doors.rules, check, staged, f"could not run: {told}."))
            continue
        vouched = f"policy check {check.name}" if check.vouched else vouch(check.run)
        clearance = await doors.clear(call, check.run, "", vouched)
        if isinstance(clearance, agents.ToolResult):
            return clearance
        failed = await _run(doors, call, staged, check, clearance)
        if failed:
            found.append(_finding(doors.rules, check, staged, failed))
    return tuple(found)


def is_waived(now: SessionState, check: policy.Check, tree: str) -> bool:
    """Whether a person let it pass that a check fails on a tree."""
    return _digest(check, tree) in now.waived


async def _holds(workspace: Workspace, tree: str) -> bool:
    """Whether the worktree, all of it, is what a tree holds, with files that git ignores elsewhere and tracks here."""
    return not await asyncio.to_thread(workspace.git.changed_paths, workspace.worktree, ids.CommitId(tree))


async def _run(doors: Doors, call: CallId, staged: Subject, check: policy.Check, clearance: Clearance) -> str:
    """Runs one check; returns what went wrong, in words, empty if it passed."""
    journal, workspace = doors.journal, doors.workspace
    cleared = clearance.cleared
    await journal.record(
        policy_events.CheckStarted,
        durable=True,
        call=call,
        name=check.name,
        line=check.run,
        tree=staged.tree,
        cleared_by=cleared.by,
    )
    try:
        finished = await workspace.runner.run(
            cleared,
            limit=timedelta(seconds=check.timeout_s),
            on_output=lambda text: journal.record(events.CommandOutput, call=call, text=text),
        )
    except asyncio.CancelledError:
        # Its turn was stopped; the call is closed with it.
        await uncut.finish(_cut_off(journal, call, staged, check))
        raise
    same = await _holds(workspace, staged.tree)
    passed = same and finished.ended_by == "itself" and finished.exit_code == 0
    await journal.record(
        policy_events.CheckFinished,
        durable=True,
        call=call,
        name=check.name,
        line=check.run,
        tree=staged.tree,
        passed=passed,
        exit_code=finished.exit_code,
        ended_by=finished.ended_by,
        duration_s=round(finished.duration.total_seconds(), 3),
        output=finished.output,
        output_bytes=finished.output_bytes,
    )
    return "" if passed else _failure(finished, same=same)


async def _cut_off(journal: Journal, call: CallId, staged: Subject, check: policy.Check) -> None:
    await journal.record(
        policy_events.CheckFinished,
        call=call,
        name=check.name,
        line=check.run,
        tree=staged.tree,
        passed=False,
        exit_code=None,
        ended_by="stop" if journal.stopping else "shutdown",
        duration_s=0.0,
        output=None,
        output_bytes=0,
    )


def _failure(finished: Finished, *, same: bool) -> str:
    if finished.ended_by == "time limit":
        how = f"did not end within {finished.duration.total_seconds():.0f} s"
    elif finished.ended_by == "disk limit":
        how = "was ended, since the session's files took more of the disk than they may"
    elif finished.exit_code != 0:
        ended = f"exit code {finished.exit_code}" if finished.signal is None else f"signal {finished.signal}"
        how = f"did not pass ({ended})"
    elif not same:
        return "proves nothing: files changed while it ran. Commit again; a check must not change what git keeps."
    else:
        how = "was stopped"
    printed = finished.tail[-TOLD_OUTPUT:].strip()
    return f"{how}." + (f" It printed:\n{printed}" if printed else "")


def _finding(rules: policy.Policy, check: policy.Check, staged: Subject, told: str) -> policy.Finding:
    action = rules.actions[inspect.CHECK.name]
    message = f"The check {check.name} ({check.run}) {told}"
    return policy.Finding(f"policy.{inspect.CHECK.name}", action, "", None, message, _digest(check, staged.tree))


def _digest(check: policy.Check, tree: str) -> str:
    return inspect.digest_of(f"{check.name}\0{check.run}\0{tree}")
