"""The three sides of a file over which a merge stopped, as they were then: for a person who mends it by hand."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Literal

from agentos_lsp.domain.errors import UserError

if TYPE_CHECKING:
    from agentos_lsp.domain import events
    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.runtime.session import Session

Side = Literal["base", "ours", "theirs"]
"""What both began from, what the branch has, and what the session has: git's words for a merge into the branch."""

SIDES: tuple[Side, ...] = ("base", "ours", "theirs")


def stopped_over(now: SessionState, path: str) -> events.MergeAttempted:
    """Returns the merge that stopped over a file.

    Raises:
        UserError: None did, or it was tried again since.
    """
    if now.conflicted is None or path not in now.conflicts:
        raise UserError(f"{path} is not in conflict.", "Merge again; the session's page says what conflicts then.")
    return now.conflicted


async def side(session: Session, which: Side, path: str) -> bytes | None:
    """Returns one side of a file in conflict, None if it has no file there.

    Raises:
        UserError: The file is not in conflict.
        EffectError: git failed.
    """
    attempt, place = stopped_over(session.state, path), session.place
    checkout, git = place.checkout, place.git

    def look() -> bytes | None:
        source, target = attempt.source_commit, attempt.target_commit
        commit = {"ours": target, "theirs": source}.get(which) or git.common_ancestor(checkout, source, target)
        return None if commit is None else git.base_text(checkout.common_dir, commit, path)

    return await asyncio.to_thread(look)
