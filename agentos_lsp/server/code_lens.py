"""`textDocument/codeLens`: the answers to each approval, above the line that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import UserError
from agentos_lsp.server import code_action, text_document_content

if TYPE_CHECKING:
    from agentos_lsp.runtime.supervisor import Runtime


async def of(runtime: Runtime, uri: str) -> list[lsp.CodeLens]:
    """Returns the lenses of a page: every answer that needs no text, on the line of its approval."""
    try:
        page = await text_document_content.page_of(runtime, uri)
    except UserError:
        return []
    found: list[lsp.CodeLens] = []
    states = {one.session: one for one in runtime.states()}
    for anchor in page.anchors if page is not None else ():
        state = states.get(ids.SessionId(anchor.session))
        if anchor.kind != "approval" or state is None:
            continue
        question = next((q for q in state.questions.values() if q.approval == anchor.name), None)
        if question is not None:
            where = lsp.Range(lsp.Position(anchor.line, 0), lsp.Position(anchor.line, 0))
            found += [
                lsp.CodeLens(range=where, command=command)
                for command in code_action.answers(state.session, question, ask_text=False)
            ]
    return found
