"""What a person may do with a session as a whole, where it stands on a page: for editors that know nothing but LSP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import review
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.runtime import attempts

if TYPE_CHECKING:
    from agentos_lsp.domain.state import SessionState
    from agentos_lsp.server.client import Client


async def of(client: Client, session: str) -> list[lsp.Command]:
    """Returns what this editor may do, as commands; titles say what is lost. What came of it stands on the page."""
    now = next((one for one in client.runtime.states() if one.session == session), None)
    if now is None or (now.ended and now.ended != "merged"):
        return []
    named = {"session": session}
    if now.ended == "merged":
        undo = lsp.Command(f"Undo the merge of {session}", "agentos.session.undoMerge", arguments=[named])
        return [undo] if client.may("merge") else []
    found: list[lsp.Command] = []
    if client.may("steer"):
        if now.paused or now.interrupted:
            found.append(lsp.Command(f"Resume {session}", "agentos.session.resume", arguments=[named]))
        elif now.turn is not None:
            found.append(lsp.Command(f"Pause {session}", "agentos.session.pause", arguments=[named]))
        if now.turn is not None:
            found.append(lsp.Command(f"Stop {session}", "agentos.session.stop", arguments=[named]))
    return found if now.turn is not None else [*found, *(await _endings(client, now))]


async def _endings(client: Client, now: SessionState) -> list[lsp.Command]:
    """Returns the ways to commit, merge and discard what a session has that does not work."""
    session = now.session
    try:
        lost = await client.runtime.losses(session)
    except AgentosError:
        return []  # its repository is gone, or another server holds it
    named: dict[str, object] = {"session": session, "shown": attempts.shown({session: lost})}
    found: list[lsp.Command] = []
    if lost.uncommitted and client.may("approve"):
        seen = sum(one.action == "review" for one in review.standing(now))
        words = f", with {seen} finding{'s' * (seen > 1)} that you have seen" if seen else ""
        title = f"Commit {len(lost.uncommitted)} file{'s' * (len(lost.uncommitted) > 1)} of {session}{words}"
        confirmed = {"confirm": True} if seen else {}
        found.append(lsp.Command(title, "agentos.session.commit", arguments=[{**named, **confirmed}]))
    if client.may("merge"):
        if now.commits and not lost.uncommitted and now.base_branch:
            title = f"Merge {session} into {now.base_branch}"
            found.append(lsp.Command(title, "agentos.session.merge", arguments=[{"session": session}]))
        title = f"Discard {attempts.words({session: lost})}"
        found.append(lsp.Command(title, "agentos.session.discard", arguments=[{**named, "confirm": True}]))
    return found
