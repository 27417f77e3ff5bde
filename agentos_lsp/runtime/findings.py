"""What a person does about findings: waive one, have it mended, and see it on their own file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain import diff, policy_events, review
from agentos_lsp.domain.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.domain import events
    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.runtime.session import Session

READ_BYTES = 1 << 20
"""Findings in larger files stand on the first line of the person's own."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding on the person's own file: its absolute path, and the line that is nearest to where it stands."""

    file: str
    line: int
    finding: events.FindingRecord


def find(now: SessionState, digest: str) -> events.FindingRecord:
    """Returns a finding that stands.

    Raises:
        UserError: It does not: the content has changed, or it was waived.
    """
    found = next((one for one in now.findings if one.digest == digest and digest not in now.waived), None)
    if found is None:
        raise UserError("This finding no longer stands.", "Look at the session's page for those that do.")
    return found


async def waive(session: Session, digest: str, reason: str, by: str) -> None:
    """Lets exactly this finding on exactly this content pass.

    Raises:
        UserError: It no longer stands, or no reason is given.
    """
    found = find(session.state, digest)
    if not reason.strip():
        raise UserError("A waiver needs a reason.", "Say why this finding may pass; the trace keeps it.")
    await session.record(
        policy_events.FindingWaived,
        durable=True,
        digest=digest,
        rule=found.rule,
        path=found.path,
        reason=reason.strip(),
        by=by,
    )


async def mend(session: Session, digest: str, by: str) -> None:
    """Asks the agent to mend a finding, as a prompt.

    Raises:
        UserError: It no longer stands, or the session has ended.
    """
    found = find(session.state, digest)
    where = "" if found.path in found.message or not found.path else f" ({found.path})"
    await session.prompt(f"Mend this finding of the workspace policy ({found.rule}){where}: {found.message}", by)


async def on_own_files(session: Session, text_of: Callable[[str], bytes | None]) -> tuple[Placed, ...]:
    """Places the findings that stand on the person's own files, for those that they have.

    Args:
        session: Whose findings.
        text_of: What an editor has open by an absolute path, None if it has not: then the disk is read.
    """
    workspace = session.workspace
    standing = [one for one in review.standing(session.state) if one.path]
    if workspace is None or not standing:
        return ()
    placed: list[Placed] = []
    for path in dict.fromkeys(one.path for one in standing):
        file = str(Path(workspace.repository, path))
        own = text_of(file)
        if own is None:
            own = await asyncio.to_thread(_own_bytes, file)
        if own is None:
            continue
        theirs = await workspace.bytes_of(path, READ_BYTES)
        hunks = () if theirs is None else await asyncio.to_thread(diff.hunks_between, theirs, own)
        placed += [Placed(file, carried(one.line or 0, hunks), one) for one in standing if one.path == path]
    return tuple(placed)


def carried(line: int, hunks: tuple[diff.Hunk, ...]) -> int:
    """Returns where a line of the old side is on the new one; where it would be, if it is not there."""
    shift = 0
    for hunk in hunks:
        if line < hunk.old_start:
            break
        if line < hunk.old_start + hunk.old_lines:
            return _within(line, hunk)
        shift = hunk.new_start + hunk.new_lines - hunk.old_start - hunk.old_lines
    return line + shift


def _within(line: int, hunk: diff.Hunk) -> int:
    old, new = hunk.old_start, hunk.new_start
    for one in hunk.lines:
        if one.kind != "+" and old == line:
            break
        old += one.kind != "+"
        new += one.kind != "-"
    return new


def _own_bytes(file: str) -> bytes | None:
    """Reads a person's file, if it is one and not too large."""
    try:
        if not Path(file).is_file() or Path(file).stat().st_size > READ_BYTES:
            return None
        return Path(file).read_bytes()
    except OSError:
        return None
