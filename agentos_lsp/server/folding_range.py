"""`textDocument/foldingRange`: a fold for every symbol of more than one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.server import document_symbol

if TYPE_CHECKING:
    from agentos_lsp.runtime.supervisor import Runtime


async def of(runtime: Runtime, uri: str) -> list[lsp.FoldingRange]:
    """Returns the folds of a diff, a page or a trace."""
    found: list[lsp.FoldingRange] = []
    waiting = await document_symbol.of(runtime, uri)
    while waiting:
        symbol = waiting.pop()
        start, end = symbol.range.start.line, symbol.range.end.line - 1
        if end > start:
            found.append(lsp.FoldingRange(start_line=start, end_line=end, kind=lsp.FoldingRangeKind.Region))
        waiting += symbol.children or ()
    return sorted(found, key=lambda fold: (fold.start_line, -fold.end_line))
