"""`textDocument/documentLink`: from a page to its files, outputs and diff, and from a diff to both sides."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import change_page, ids, review
from agentos_lsp.domain.errors import UserError
from agentos_lsp.server import documents, publish_diagnostics, text_document_content

if TYPE_CHECKING:
    from agentos_lsp.domain.state import Call, SessionState
    from agentos_lsp.runtime.supervisor import Runtime

_ESCAPE = re.compile(rb'\\([abtnvfr"\\]|[0-7]{3})')
_ESCAPED = dict(zip(b'abtnvfr"\\', b'\a\b\t\n\v\f\r"\\', strict=True))


async def of(runtime: Runtime, uri: str) -> list[lsp.DocumentLink]:
    """Returns a link for every line of a document that stands for another one; none if the document is not ours."""
    try:
        document = documents.parse(uri)
    except UserError:
        return []
    match document:
        case documents.SessionDocument(session, "changes.diff") | documents.MoreChanges(session):
            number = document.number if isinstance(document, documents.MoreChanges) else 1
            text = await text_document_content.read(runtime, uri)
            return _in_diff(text.split("\n"), await runtime.state(session), number)
        case documents.SessionDocument() | documents.Overview():
            return await _in_page(runtime, uri)
        case _:
            return []


async def _in_page(runtime: Runtime, uri: str) -> list[lsp.DocumentLink]:
    page = await text_document_content.page_of(runtime, uri)
    if page is None:
        return []
    lines = page.text.split("\n")
    found: list[lsp.DocumentLink] = []
    states: dict[str, SessionState] = {}
    for anchor in page.anchors:
        if anchor.kind != "orphan" and anchor.session not in states:
            states[anchor.session] = await runtime.state(ids.SessionId(anchor.session))
        target = _target(anchor, states[anchor.session]) if anchor.session in states else None
        if target is not None and target != uri:
            where = publish_diagnostics.whole_line(anchor.line, lines[anchor.line])
            found.append(lsp.DocumentLink(range=where, target=target))
    return found


def _in_diff(lines: list[str], state: SessionState, page: int) -> list[lsp.DocumentLink]:
    found: list[lsp.DocumentLink] = []
    in_header, last = False, ""
    for number, line in enumerate(lines):
        if line.startswith("diff --git "):
            in_header = True
        elif line.startswith("@@ "):
            in_header = False
        target = None
        if line.startswith(change_page.MORE):
            target = documents.changes(state.session, page + 1)
        elif in_header and line.startswith(change_page.FOLDED) and last:
            target = documents.patch(state.session, last)
        elif in_header and (name := name_in_header(line)) is not None:
            last = name
            target = documents.base(state.session, name) if line.startswith("--- ") else _file(state, name)
        if target is not None:
            found.append(lsp.DocumentLink(range=publish_diagnostics.whole_line(number, line), target=target))
    return found


def name_in_header(line: str) -> str | None:
    """Returns the path that a `---` or `+++` line of a patch names, None if there is none.

    Source: git-diff, "Generating patch text with -p", for the quoting.
    """
    for lead in ("--- ", "+++ "):
        if line.startswith(lead):
            name = line.removeprefix(lead).removesuffix("\t")
            if name.startswith('"') and name.endswith('"') and len(name) > 1:
                raw = _ESCAPE.sub(_unescape, name[1:-1].encode("utf-8", "surrogateescape"))
                name = os.fsdecode(raw)
            return name[2:] if name.startswith(("a/", "b/")) else None
    return None


def _unescape(found: re.Match[bytes]) -> bytes:
    digits = found[1]
    return bytes([int(digits, 8) & 0xFF]) if digits.isdigit() else bytes([_ESCAPED[digits[0]]])


def _target(anchor: review.Anchor, state: SessionState) -> str | None:
    match anchor.kind:
        case "orphan" | "model" | "offer":
            return None
        case "versus":
            return documents.versus(anchor.session, anchor.name)
        case "session" | "approval" | "attempt":
            return documents.page(anchor.session)
        case "document":
            return _document(anchor.name, state)
        case "checkpoint":
            return documents.checkpoints(anchor.session, int(anchor.name), None)
        case "conflict":
            return documents.changes(anchor.session)
        case "finding":
            # The page may be of a moment ago.
            paths = [finding.path for finding in state.findings][int(anchor.name) :]
            return _file(state, paths[0]) if paths and paths[0] else None
        case "forecast":
            place = [place for _, place in review.forecasts(state)][int(anchor.name) :]
            return _file(state, place[0].path) if place else None
        case "call":
            call = next((call for call in state.calls.values() if call.call == anchor.name), None)
            return None if call is None else _of_call(call, state)


def _document(name: str, state: SessionState) -> str:
    match name:
        case "changes.diff":
            return documents.changes(state.session)
        case "compare.md":
            return documents.compare(state.group or state.session)
        case _:
            return documents.trace(state.session)


def _of_call(call: Call, state: SessionState) -> str | None:
    request = call.request
    match request.kind:
        case "run" | "start":
            return documents.output(state.session, call.call) if call.step not in {"requested", "waiting"} else None
        case "delete" if call.step == "done":
            return documents.base(state.session, request.path)
        case "move" if call.step == "done":
            return _file(state, request.to)
        case "read" | "write" | "edit" | "move" | "delete":
            return _file(state, request.path)
        case _:
            return None


def _file(state: SessionState, path: str) -> str | None:
    """Returns the address of a file of the worktree; None for a path that leads, or tried to lead, elsewhere."""
    inside = posixpath.normpath(path)
    if state.worktree is None or not path or "\0" in path or inside.startswith(("/", "../")) or inside == "..":
        return None
    return (Path(state.worktree.folder) / inside).as_uri()
