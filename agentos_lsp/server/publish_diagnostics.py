"""`textDocument/publishDiagnostics`: what waits for a person, on the line of the session's page that shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import ids, review
from agentos_lsp.server import documents

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agentos_lsp.domain import events, state, tree_events
    from agentos_lsp.runtime import findings

SOURCE = "agentos"

_OWN = "own files of "
_HUNKS = "hunks of "

_SEVERITY = {
    "refuse": lsp.DiagnosticSeverity.Error,
    "review": lsp.DiagnosticSeverity.Warning,
    "note": lsp.DiagnosticSeverity.Information,
}


class Rendered:
    """The diagnostics of every session as it is now, made once however many editors show them; pages have a banner."""

    def __init__(self, banner: str = "") -> None:
        self._banner = banner
        self._known: dict[ids.SessionId, tuple[state.SessionState, list[lsp.PublishDiagnosticsParams]]] = {}

    def of(self, now: state.SessionState) -> list[lsp.PublishDiagnosticsParams]:
        """Returns the diagnostics of a session; nobody may change them."""
        known = self._known.get(now.session)
        # A state never changes: the same one has the same diagnostics.
        if known is None or known[0] is not now:
            known = (now, of(now, self._banner))
            self._known[now.session] = known
            if now.ended:
                del self._known[now.session]
        return known[1]


class Publisher:
    """Keeps one editor's diagnostics as they should be: what changed is sent, what no longer holds is cleared."""

    def __init__(self, send: Callable[[lsp.PublishDiagnosticsParams], None], rendered: Rendered | None = None) -> None:
        self._send = send
        self._rendered = rendered or Rendered()
        self._shown: dict[str, dict[str, list[lsp.Diagnostic]]] = {}

    def publish(self, now: state.SessionState) -> None:
        """Sends what differs from what this editor was told of the session before."""
        self._update(now.session, self._rendered.of(now))

    def publish_own_files(self, session: str, placed: Sequence[findings.Placed]) -> None:
        """Sends what differs from what this editor was told of a session's findings on the person's own files."""
        self._update(f"{_OWN}{session}", on_own_files(session, placed))

    def publish_review(self, session: str, found: dict[str, list[lsp.Diagnostic]]) -> None:
        """Sends what differs from what this editor was told of a session's hunks, by document."""
        told = [lsp.PublishDiagnosticsParams(uri=uri, diagnostics=shown) for uri, shown in found.items()]
        self._update(f"{_HUNKS}{session}", told)

    def own_files_at(self, uri: str) -> set[ids.SessionId]:
        """Returns the sessions that have findings on a file of the person."""
        found = {about for about, shown in self._shown.items() if about.startswith(_OWN) and uri in shown}
        return {ids.SessionId(about.removeprefix(_OWN)) for about in found}

    def at(self, uri: str, where: lsp.Range) -> list[lsp.Diagnostic]:
        """Returns what this editor was told of the lines of a range."""
        return [one for one in self._of(uri) if where.start.line <= one.range.start.line <= where.end.line]

    def publish_overview(self, page: review.Page) -> None:
        """Sends what differs from what this editor was told of the overview before."""
        self._update(documents.OVERVIEW, [of_overview(page)])

    def publish_document(self, uri: str, found: list[lsp.Diagnostic]) -> None:
        """Sends what differs from what this editor was told of a file that it has open."""
        self._update(uri, [lsp.PublishDiagnosticsParams(uri=uri, diagnostics=found)])

    def _update(self, about: str, found: list[lsp.PublishDiagnosticsParams]) -> None:
        # Several sessions may have something to say about one file; an editor keeps only what was sent last.
        before = self._shown.get(about, {})
        after = {params.uri: list(params.diagnostics) for params in found if params.diagnostics}
        told = {uri: self._of(uri) for uri in {**before, **after}}
        self._shown[about] = after
        for uri, shown in told.items():
            if shown != (wanted := self._of(uri)):
                self._send(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=wanted))

    def _of(self, uri: str) -> list[lsp.Diagnostic]:
        return [one for shown in self._shown.values() for one in shown.get(uri, ())]

    def repeat(self, uri: str) -> None:
        """Sends a document's diagnostics again, because an editor that closed it may have forgotten them."""
        if shown := self._of(uri):
            self._send(lsp.PublishDiagnosticsParams(uri=uri, diagnostics=shown))


def of(now: state.SessionState, banner: str = "") -> list[lsp.PublishDiagnosticsParams]:
    """Returns all diagnostics of a session: on its page, and for findings on the files of its worktree too."""
    page = review.session(now, banner=banner)
    lines = page.text.split("\n")
    found = [
        diagnostic
        for anchor in page.anchors
        if (diagnostic := _diagnostic(now, anchor, whole_line(anchor.line, lines[anchor.line]))) is not None
    ]
    return [lsp.PublishDiagnosticsParams(uri=documents.page(now.session), diagnostics=found), *_on_files(now)]


def of_overview(page: review.Page) -> lsp.PublishDiagnosticsParams:
    """Returns the diagnostics of the overview: what sessions left behind."""
    lines = page.text.split("\n")
    found = [
        lsp.Diagnostic(
            range=whole_line(anchor.line, lines[anchor.line]),
            message=f"{lines[anchor.line].removeprefix('- ')}\n{lines[anchor.line + 1].strip()}",
            severity=lsp.DiagnosticSeverity.Information,
            code="orphan",
            source=SOURCE,
        )
        for anchor in page.anchors
        if anchor.kind == "orphan"
    ]
    return lsp.PublishDiagnosticsParams(uri=documents.OVERVIEW, diagnostics=found)


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
        return _finding(now.session, finding, where) if finding in review.standing(now) else None
    if anchor.kind == "model" and now.is_live:
        code, message = ("context-lost", now.spent.loss) if anchor.name == "loss" else ("loop", now.spent.loop)
        return lsp.Diagnostic(
            range=where,
            message=review.visible(message),
            severity=lsp.DiagnosticSeverity.Warning,
            code=code,
            source=SOURCE,
        )
    if anchor.kind == "forecast":
        return _forecast(*review.forecasts(now)[int(anchor.name)], where)
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
            by_path.setdefault(finding.path, []).append(_finding(now.session, finding, where))
    for other, place in review.forecasts(now):
        line = place.line or 0
        where = lsp.Range(lsp.Position(line, 0), lsp.Position(line + max(place.lines, 1), 0))
        by_path.setdefault(place.path, []).append(_forecast(other, place, where))
    root = Path(now.worktree.folder)
    return [
        lsp.PublishDiagnosticsParams(uri=(root / path).as_uri(), diagnostics=found) for path, found in by_path.items()
    ]


def _forecast(other: str, place: tree_events.ForecastPlace, where: lsp.Range) -> lsp.Diagnostic:
    return lsp.Diagnostic(
        range=where,
        message=review.forecast_text(other, place),
        severity=lsp.DiagnosticSeverity.Warning,
        code="forecast",
        source=SOURCE,
    )


def on_own_files(session: str, placed: Sequence[findings.Placed]) -> list[lsp.PublishDiagnosticsParams]:
    """Returns findings on the person's own files: about the session's change, and not about what stands there."""
    by_file: dict[str, list[lsp.Diagnostic]] = {}
    for one in placed:
        where = lsp.Range(lsp.Position(one.line, 0), lsp.Position(one.line + 1, 0))
        told = _finding(session, one.finding, where)
        told.message = f"In the change of {session}: {told.message}"
        told.severity = lsp.DiagnosticSeverity.Information
        by_file.setdefault(Path(one.file).as_uri(), []).append(told)
    return [lsp.PublishDiagnosticsParams(uri=uri, diagnostics=found) for uri, found in by_file.items()]


def _finding(session: str, finding: events.FindingRecord, where: lsp.Range) -> lsp.Diagnostic:
    return lsp.Diagnostic(
        range=where,
        message=review.visible(finding.message),
        severity=_SEVERITY[finding.action],
        code=finding.rule,
        source=SOURCE,
        data={"session": session, "finding": finding.digest, "standing": finding.action != "note"},
    )
