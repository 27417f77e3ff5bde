"""`textDocument/codeAction`: answers to approvals, and what may be done with what was left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import ids, review
from agentos_lsp.domain.errors import AgentosError, UserError
from agentos_lsp.runtime import attempts
from agentos_lsp.server import finding_actions, protocol, publish_diagnostics, session_actions, text_document_content

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.domain.approval import Outcome, Question, Scope
    from agentos_lsp.runtime.supervisor import Runtime
    from agentos_lsp.server.client import Client

KIND = "quickfix.agentos"
DECIDE = "agentos.approval.decide"


async def of(client: Client, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """Returns what this editor may do about everything that is shown on the lines of a range."""
    runtime = client.runtime
    if not wanted(params) or not client.may("observe"):
        return []
    try:
        page = await text_document_content.page_of(runtime, params.text_document.uri)
    except UserError:
        return []
    found: list[lsp.CodeAction] = []
    for anchor in page.anchors if page is not None else ():
        if not params.range.start.line <= anchor.line <= params.range.end.line:
            continue
        shown = [
            diagnostic
            for diagnostic in params.context.diagnostics
            if diagnostic.source == publish_diagnostics.SOURCE and diagnostic.range.start.line == anchor.line
        ]
        # None is preferred: editors have a key that applies what is preferred without showing it.
        commands = _commands(client, runtime, anchor)
        if anchor.kind == "attempt" and client.may("merge"):
            commands = await _keep(runtime, anchor)
        elif anchor.kind == "session":
            commands = await session_actions.of(client, anchor.session)
        found += [
            lsp.CodeAction(title=command.title, kind=KIND, diagnostics=shown, command=command) for command in commands
        ]
    return found


def on_findings(client: Client, params: lsp.CodeActionParams, told: Sequence[lsp.Diagnostic]) -> list[lsp.CodeAction]:
    """Returns what this editor may do about the findings that it was told of on the lines of a range."""
    if not wanted(params):
        return []
    return [
        lsp.CodeAction(title=command.title, kind=KIND, diagnostics=[diagnostic], command=command)
        for diagnostic in told
        for command in finding_actions.of(client, diagnostic)
    ]


def wanted(params: lsp.CodeActionParams) -> bool:
    """Whether an editor asks for actions of our kind, among others."""
    only = params.context.only
    return not only or any(kind in {"", KIND} or KIND.startswith(f"{kind}.") for kind in only)


def _commands(client: Client, runtime: Runtime, anchor: review.Anchor) -> list[lsp.Command]:
    if anchor.kind == "approval" and client.may("approve"):
        state = next((one for one in runtime.states() if one.session == anchor.session), None)
        question = next((q for q in state.questions.values() if q.approval == anchor.name), None) if state else None
        if state is not None and question is not None:
            return answers(state.session, question, ask_text=client.options.ask_text)
    if anchor.kind == "orphan":
        left = next((one for one in runtime.orphans.found() if one.session == anchor.name), None)
        named = [{"orphan": anchor.name}]
        if left is not None and left.is_empty and client.may("merge"):
            return [lsp.Command("Remove it; nothing is lost", "agentos.orphan.remove", arguments=[*named])]
        if left is not None and left.way == "recover" and client.may("steer"):
            return [lsp.Command("Recover it as a session", "agentos.orphan.recover", arguments=[*named])]
    if anchor.kind == "conflict":
        return [*(_mend(runtime, anchor) if client.may("steer") else []), _sides(anchor)]
    if anchor.kind == "offer" and client.may("steer"):
        return _set_up(runtime, anchor)
    return _kept(client, anchor) if anchor.kind == "checkpoint" else []


def answers(session: str, question: Question, *, ask_text: bool) -> list[lsp.Command]:
    """Returns every answer to a question as a command, the smallest approval first."""
    found = [
        _decide("Approve once", session, question, "approved", "once"),
        _decide("Approve this line for this session", session, question, "approved", "line"),
    ]
    if question.prefix is not None:
        shown = f"`{review.prefix_text(question.prefix)}`"
        if question.folder is not None:
            where = review.visible(question.folder)
            found.append(
                _decide(f"Approve {shown} in {where} for this session", session, question, "approved", "folder")
            )
        found.append(_decide(f"Approve {shown} for this session", session, question, "approved", "prefix"))
    found.append(_decide("Reject", session, question, "rejected", "once"))
    if ask_text:
        rejected = argument(session, question, "rejected", "once")
        found.append(lsp.Command("Reject with a comment", protocol.ASK_COMMENT, arguments=[rejected]))
    return found


def _mend(runtime: Runtime, anchor: review.Anchor) -> list[lsp.Command]:
    """Returns what can be done about conflicts: the agent, who is in its worktree, is asked to mend them."""
    state = next((one for one in runtime.states() if one.session == anchor.session), None)
    if state is None or not state.is_live or not state.conflicts:
        return []
    into = state.conflicts_with or state.base_branch or "the branch"
    text = (
        f"Your branch conflicts with {into} in: {', '.join(state.conflicts)}. Rebase it onto {into}, mend the conflicts"
        " so that both changes hold, check the result, and commit."
    )
    asked = {"session": state.session, "text": text}
    return [
        lsp.Command(f"Ask the agent to rebase onto {into} and mend this", "agentos.session.prompt", arguments=[asked])
    ]


def _set_up(runtime: Runtime, anchor: review.Anchor) -> list[lsp.Command]:
    """Returns the way to have lines of another tool's file run: by the agent, through the gate."""
    state = next((one for one in runtime.states() if one.session == anchor.session), None)
    offer = next((one for one in state.offered if one.file == anchor.name), None) if state is not None else None
    if state is None or offer is None or not state.is_live:
        return []
    lines = "\n".join(offer.lines)
    text = f"Make the worktree ready with the setup of {offer.file}, line by line, and say what failed:\n{lines}"
    asked = {"session": anchor.session, "text": text}
    return [lsp.Command(f"Ask the agent to run the setup of {offer.file}", "agentos.session.prompt", arguments=[asked])]


async def _keep(runtime: Runtime, anchor: review.Anchor) -> list[lsp.Command]:
    """Returns the way to keep one of several sessions on a task, with what discarding the others loses."""
    try:
        lost = await attempts.rest(runtime, ids.SessionId(anchor.session))
    except AgentosError:
        return []
    kept = {"session": anchor.session, "confirm": True, "shown": attempts.shown(lost)}
    title = f"Keep {anchor.session} and discard {attempts.words(lost)}"
    return [lsp.Command(title, "agentos.session.keep", arguments=[kept])]


def _sides(anchor: review.Anchor) -> lsp.Command:
    """Returns the way to the three sides of a file in conflict."""
    wanted = {"session": anchor.session, "path": anchor.name}
    return lsp.Command(f"Open the three sides of {anchor.name}", "agentos.conflict.open", arguments=[wanted])


def _kept(client: Client, anchor: review.Anchor) -> list[lsp.Command]:
    """Returns what can be done with a checkpoint."""
    number = int(anchor.name)
    since = {"session": anchor.session, "older": number}
    back = {"session": anchor.session, "checkpoint": number}
    found = [lsp.Command(f"Show what changed since checkpoint {number}", "agentos.checkpoint.diff", arguments=[since])]
    if client.may("steer"):
        found.append(lsp.Command(f"Restore checkpoint {number}", "agentos.checkpoint.restore", arguments=[back]))
    return found


def argument(session: str, question: Question, outcome: Outcome, scope: Scope) -> dict[str, str]:
    """Returns the object that `agentos.approval.decide` takes for an answer."""
    return {
        "session": session,
        "approval": question.approval,
        "digest": question.digest,
        "outcome": outcome,
        "scope": scope,
    }


def _decide(title: str, session: str, question: Question, outcome: Outcome, scope: Scope) -> lsp.Command:
    return lsp.Command(title, DECIDE, arguments=[argument(session, question, outcome, scope)])
