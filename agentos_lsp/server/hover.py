"""`textDocument/hover`: explains a verdict part by part, where its call or approval stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import ids, review
from agentos_lsp.domain.errors import UserError
from agentos_lsp.server import text_document_content

if TYPE_CHECKING:
    from agentos_lsp.runtime.supervisor import Runtime


async def of(runtime: Runtime, params: lsp.HoverParams) -> lsp.Hover | None:
    """Returns the explanation of what stands on a line, None where nothing does."""
    try:
        page = await text_document_content.page_of(runtime, params.text_document.uri)
    except UserError:
        return None
    anchor = None if page is None else page.at(params.position.line)
    if anchor is None:
        return None
    state = await runtime.state(ids.SessionId(anchor.session))
    name = anchor.name
    if anchor.kind == "approval":
        name = next((q.call for q in state.questions.values() if q.approval == anchor.name), anchor.name)
    call = next((call for call in state.calls.values() if call.call == name), None)
    if call is None or call.verdict is None:
        return None
    return lsp.Hover(lsp.MarkupContent(lsp.MarkupKind.Markdown, review.explain(call)))
