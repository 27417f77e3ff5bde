"""`textDocument/publishDiagnostics`: what waits for a person, on the line of the session's page that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import review
from agentos_lsp.server import documents

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentos_lsp.domain import events, ids, state

SOURCE = "agentos"

_SEVERITY = {
    "refuse": lsp.DiagnosticSeverity.Error,
    "review": lsp.DiagnosticSeverity.Warning,
    "note": lsp.DiagnosticSeverity.Information,
}


class Publisher:
    """Keeps one editor's diagnostics as they should be: what changed is sent, what no longer holds is cleared."""

    def __init__(self, send: Callable[[lsp.PublishDiagnosticsParams], None]) -> None:
        self._send = send
        self._shown: dict[ids.SessionId, dict[str, list[lsp.Diagnostic]]] = {}

    def publish(self, now: state.SessionState) -> None:
        """Sends what differs from what this editor was told of the session before."""
        before = self._shown.get(now.session, {})
        wanted = {params.uri: list(params.diagnostics) for params in of(now)}
        for uri in {**before, **wanted}:
            if before.get(uri, []) != wanted.get(uri, []):
                self._send(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=wanted.get(uri, [])))
        self._shown[now.session] = {uri: found for uri, found in wanted.items() if found}

    def repeat(self, uri: str) -> None:
        """Sends a document's diagnostics again, because an editor that closed it may have forgotten them."""
        for shown in self._shown.values():
            if uri in shown:
                self._send(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=shown[uri]))


def of(now: state.SessionState) -> list[lsp.PublishDiagnosticsParams]:
    """Returns all diagnostics of a session: on its page, and for findings on the files of its worktree too."""
    page = review.session(now)
    lines = page.text.split("\n")
    found = [
        diagnostic
        for anchor in page.anchors
        if (diagnostic := _diagnostic(now, anchor, whole_line(anchor.line, lines[anchor.line]))) is not None
    ]
    return [lsp.PublishDiagnosticsParams(uri=documents.page(now.session), diagnostics=found), *_on_files(now)]


def whole_line(line: int, text: str) -> lsp.Range:
    """Returns the range of a line's text, after its indent, in UTF-16 units."""
    start = len(text) - len(text.lstrip())
    end = len(text.encode("utf-16-le", "surrogatepass")) // 2
    return lsp.Range(lsp.Position(line, start), lsp.Position(line, end))


def _diagnostic(now: state.SessionState, anchor: review.Anchor, where: lsp.Range) -> lsp.Diagnostic | None:
    if anchor.kind == "approval":
        question = now.questions[next(name for name in now.questions if name == anchor.name)]
        return lsp.Diagnostic(
            range=where,
            message=review.question_text(question, now.calls.get(question.call)),
            severity=lsp.DiagnosticSeverity.Warning,
            code="approval",
            source=SOURCE,
            data={"session": now.session, "approval": question.approval, "digest": question.digest},
        )
    if anchor.kind == "finding":
        finding = now.findings[int(anchor.name)]
        return _finding(finding, where) if finding in review.standing(now) else None
    if anchor.kind == "conflict" and now.is_live:
        name = review.visible(anchor.name)
        message = f"{name} was changed by the session and by the branch that it should be merged into."
        return lsp.Diagnostic(
            range=where, message=message, severity=lsp.DiagnosticSeverity.Error, code="conflict", source=SOURCE
        )
    return None


def _on_files(now: state.SessionState) -> list[lsp.PublishDiagnosticsParams]:
    if now.worktree is None:
        return []
    by_path: dict[str, list[lsp.Diagnostic]] = {}
    for finding in review.standing(now):
        if finding.path:
            line = finding.line or 0
            where = lsp.Range(lsp.Position(line, 0), lsp.Position(line + 1, 0))
            by_path.setdefault(finding.path, []).append(_finding(finding, where))
    root = Path(now.worktree.folder)
    return [
        lsp.PublishDiagnosticsParams(uri=(root / path).as_uri(), diagnostics=found) for path, found in by_path.items()
    ]


def _finding(finding: events.FindingRecord, where: lsp.Range) -> lsp.Diagnostic:
    return lsp.Diagnostic(
        range=where,
        message=review.visible(finding.message),
        severity=_SEVERITY[finding.action],
        code=finding.rule,
        source=SOURCE,
    )
