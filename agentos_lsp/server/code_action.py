"""`textDocument/codeAction`: answers to approvals, where the diagnostic stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import review
from agentos_lsp.domain.errors import UserError
from agentos_lsp.server import protocol, publish_diagnostics, text_document_content

if TYPE_CHECKING:
    from agentos_lsp.domain.approval import Outcome, Question, Scope
    from agentos_lsp.runtime.supervisor import Runtime

KIND = "quickfix.agentos"
DECIDE = "agentos.approval.decide"


async def of(runtime: Runtime, params: lsp.CodeActionParams, *, ask_text: bool) -> list[lsp.CodeAction]:
    """Returns the answers to every approval that is shown on the lines of a range.

    Args:
        runtime: Whose sessions.
        params: The document and the range.
        ask_text: Whether the client can ask a person for a comment.
    """
    only = params.context.only
    if only and not any(kind in {"", KIND} or KIND.startswith(f"{kind}.") for kind in only):
        return []
    try:
        page = await text_document_content.page_of(runtime, params.text_document.uri)
    except UserError:
        return []
    found: list[lsp.CodeAction] = []
    for anchor in page.anchors if page is not None else ():
        if anchor.kind != "approval" or not params.range.start.line <= anchor.line <= params.range.end.line:
            continue
        state = next((one for one in runtime.states() if one.session == anchor.session), None)
        question = next((q for q in state.questions.values() if q.approval == anchor.name), None) if state else None
        if state is None or question is None:
            continue
        shown = [
            diagnostic
            for diagnostic in params.context.diagnostics
            if diagnostic.source == publish_diagnostics.SOURCE and diagnostic.range.start.line == anchor.line
        ]
        # None is preferred: editors have a key that applies what is preferred without showing it.
        found += [
            lsp.CodeAction(title=command.title, kind=KIND, diagnostics=shown, command=command)
            for command in answers(state.session, question, ask_text=ask_text)
        ]
    return found


def answers(session: str, question: Question, *, ask_text: bool) -> list[lsp.Command]:
    """Returns every answer to a question as a command, the smallest approval first."""
    found = [
        _decide("Approve once", session, question, "approved", "once"),
        _decide("Approve this line for this session", session, question, "approved", "line"),
    ]
    if question.prefix is not None:
        title = f"Approve `{review.prefix_text(question.prefix)}` for this session"
        found.append(_decide(title, session, question, "approved", "prefix"))
    found.append(_decide("Reject", session, question, "rejected", "once"))
    if ask_text:
        rejected = argument(session, question, "rejected", "once")
        found.append(lsp.Command("Reject with a comment", protocol.ASK_COMMENT, arguments=[rejected]))
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
