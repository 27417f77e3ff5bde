"""`textDocument/documentSymbol`: files and hunks of a diff, headings of a page and turns of a trace."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import review
from agentos_lsp.domain.errors import UserError
from agentos_lsp.server import document_link, documents, text_document_content

if TYPE_CHECKING:
    from agentos_lsp.runtime.supervisor import Runtime

_FILE, _PAGE = ("diff --git ", "@@ "), ("# ", "## ")
"""What the sections of a diff and of a page begin with, and the sections in them."""


async def of(runtime: Runtime, uri: str) -> list[lsp.DocumentSymbol]:
    """Returns a document's outline, two levels deep; none of a document that is not ours."""
    try:
        document = documents.parse(uri)
    except UserError:
        return []
    match document:
        case (
            documents.SessionDocument(kind="changes.diff")
            | documents.MoreChanges()
            | documents.Checkpoints()
            | documents.Versus()
            | documents.Patch()
        ):
            return outline((await text_document_content.read(runtime, uri)).split("\n"), *_FILE)
        case documents.SessionDocument() | documents.Overview() | documents.Providers():
            return outline((await text_document_content.read(runtime, uri)).split("\n"), *_PAGE)
        case documents.Base() | documents.Present() | documents.Output() | documents.Conflict():
            return []


def outline(lines: list[str], outer: str, inner: str) -> list[lsp.DocumentSymbol]:
    """Splits lines into sections that begin with `outer`, and those into ones that begin with `inner`."""
    # The line break at the end of a text begins no line that one could stand on.
    last = len(lines) - 1 if lines and not lines[-1] else len(lines)
    starts = [number for number, line in enumerate(lines) if line.startswith(outer)]
    found: list[lsp.DocumentSymbol] = []
    for start, end in itertools.pairwise([*starts, last]):
        parts = [number for number in range(start, end) if lines[number].startswith(inner)]
        children = [
            _symbol(lines[first].removeprefix("## "), lsp.SymbolKind.Event, first, until, [])
            for first, until in itertools.pairwise([*parts, end])
        ]
        if outer == _FILE[0]:
            found.append(_symbol(_file_name(lines[start:end]), lsp.SymbolKind.File, start, end, children))
        else:
            found.append(_symbol(lines[start].removeprefix(outer), lsp.SymbolKind.Namespace, start, end, children))
    return found


def _file_name(section: list[str]) -> str:
    """Returns the name of a diff's file; a deleted file has only its old one."""
    named: list[str] = []
    for line in section:
        if line.startswith("@@ "):
            break
        name = document_link.name_in_header(line)
        named += [] if name is None else [name]
    if named:
        return review.visible(named[-1])
    # Without contents there are no such lines. Both names are the same then, but after a rename, which says its own.
    renamed = next((line for line in section if line.startswith("rename to ")), "")
    names = section[0].removeprefix(_FILE[0])
    return renamed.removeprefix("rename to ") or names[: len(names) // 2].removeprefix("a/")


def _symbol(
    name: str, kind: lsp.SymbolKind, start: int, end: int, children: list[lsp.DocumentSymbol]
) -> lsp.DocumentSymbol:
    whole = lsp.Range(lsp.Position(start, 0), lsp.Position(end, 0))
    first = lsp.Range(lsp.Position(start, 0), lsp.Position(start, 0))
    return lsp.DocumentSymbol(
        name=name.strip() or "…", kind=kind, range=whole, selection_range=first, children=children
    )
