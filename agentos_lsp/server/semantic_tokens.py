"""`textDocument/semanticTokens/full` and `/range`: the words that differ inside the changed lines of a diff."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lsprotocol import types as lsp

from agentos_lsp.domain import word_spans
from agentos_lsp.domain.errors import UserError
from agentos_lsp.server import documents, text_document_content

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentos_lsp.server.client import Client

TYPES = {"removed": "agentosRemoved", "added": "agentosAdded"}
"""The token types, by what became of the words."""

# Invariant: it names our scheme, or the tokens of other servers would have to make way in files that are none of ours.
OFFERED = lsp.SemanticTokensRegistrationOptions(
    legend=lsp.SemanticTokensLegend(token_types=list(TYPES.values()), token_modifiers=[]),
    document_selector=[lsp.TextDocumentFilterScheme(scheme=documents.SCHEME)],
    full=True,
    range=True,
)


async def of(client: Client, uri: str, lines: range = word_spans.EVERY_LINE) -> lsp.SemanticTokens | None:
    """Returns the words that differ, on some lines of a document; None of one that is no diff of ours."""
    try:
        document = documents.parse(uri)
    except UserError:
        return None
    match document:
        case (
            documents.SessionDocument(kind="changes.diff")
            | documents.MoreChanges()
            | documents.Checkpoints()
            | documents.Versus()
            | documents.Patch()
        ):
            # An editor that tells what it shows is answered about that: a diff may have grown since.
            shown = client.server.workspace.text_documents.get(unquote(uri))
            text = await text_document_content.read(client.runtime, uri) if shown is None else shown.source
            # JSON can spell half characters, which have no width.
            text = text.encode("utf-8", "replace").decode("utf-8")
            width = client.server.workspace.position_codec.client_num_units
            return lsp.SemanticTokens(data=await asyncio.to_thread(_encoded, text.split("\n"), lines, width))
        case _:
            return None


def _encoded(rows: Sequence[str], lines: range, width: Callable[[str], int]) -> list[int]:
    """Writes tokens down as the protocol does, each relative to the one before it.

    Source: LSP 3.17, semantic tokens, "Integer Encoding for Tokens".
    """
    kinds = list(TYPES)
    data: list[int] = []
    line, start = 0, 0
    for span in word_spans.spans(rows, lines):
        row = rows[span.line]
        begin, length = width(row[: span.start]), width(row[span.start : span.end])
        data += (span.line - line, begin - start if span.line == line else begin, length, kinds.index(span.kind), 0)
        line, start = span.line, begin
    return data
