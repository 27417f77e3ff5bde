"""`agentos.provider.*`: what is wrong with a language model, and pulling one, with `$/progress` and cancel.

Source: LSP 3.18, Server Initiated Progress.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Self

from lsprotocol import types as lsp

from agentos_lsp.domain.errors import ConfigError
from agentos_lsp.runtime import diagnosis
from agentos_lsp.server import documents, publish_diagnostics

if TYPE_CHECKING:
    from concurrent.futures import Future
    from types import TracebackType

    from agentos_lsp.domain.diagnosis import Report
    from agentos_lsp.server import protocol
    from agentos_lsp.server.client import Client

_numbers = itertools.count(1)


async def diagnose(client: Client, wanted: protocol.DiagnoseProviders) -> object:
    """Looks at the configured models; the result is a document, diagnostics on the settings, and this answer."""
    known = client.runtime.models
    try:
        with Work(client, "Looking at language models") as work:
            look = diagnosis.Wanted(wanted.provider, wanted.latency)
            reports = await diagnosis.diagnose(known, look, work.report)
    except ConfigError as error:
        _publish(client, [_diagnostic(error.line, error.message, "settings")])
        raise
    known.reports = reports
    _publish(client, _diagnostics(client, reports))
    client.refresh(documents.PROVIDERS)
    return {"document": documents.PROVIDERS, "providers": [_row(report) for report in reports]}


async def pull(client: Client, wanted: protocol.PullModel) -> object:
    """Pulls a model with the bytes as they come; cancelled, it goes on at the next time."""
    chosen, pieces = await asyncio.to_thread(client.runtime.models.pull, wanted.provider, wanted.model)
    done = total = 0
    with Work(client, f"Pulling {chosen.model}") as work:
        async for status, done, total in pieces:
            work.report(done, total, f"{status} ({done} of {total} bytes)" if total else status)
    return {"model": chosen.label, "bytes": total}


class Work:
    """One piece of work that an editor shows, if it can, and that a person may cancel there."""

    def __init__(self, client: Client, title: str) -> None:
        self._client = client
        self._title = title
        self._token = f"agentos-provider-{next(_numbers)}"
        self._begun = False
        self._ended = False
        self._last: tuple[int, int, str] | None = None

    def __enter__(self) -> Self:
        task = asyncio.current_task()
        if task is not None:
            self._client.cancellable[self._token] = task.cancel
        window = self._client.link.client_capabilities.window
        if window is not None and window.work_done_progress:
            create = lsp.WorkDoneProgressCreateParams(self._token)
            asked = self._client.link.send_request(lsp.WINDOW_WORK_DONE_PROGRESS_CREATE, create)
            asked.add_done_callback(self._created)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.cancellable.pop(self._token, None)
        self._ended = True
        if self._begun:
            self._send(lsp.WorkDoneProgressEnd(message=None if error is None else "Ended early."))

    def report(self, done: int, total: int, message: str) -> None:
        """Shows how far it has come; what came before the editor was ready is shown once it is."""
        self._last = (done, total, message)
        if self._begun:
            percentage = min(100, done * 100 // total) if total else 0
            self._send(lsp.WorkDoneProgressReport(cancellable=True, message=message, percentage=percentage))

    def _created(self, asked: Future[None]) -> None:
        if not asked.cancelled() and asked.exception() is None and not self._ended:
            self._begun = True
            self._send(lsp.WorkDoneProgressBegin(title=self._title, cancellable=True, percentage=0))
            if self._last is not None:
                self.report(*self._last)

    def _send(self, value: lsp.WorkDoneProgressBegin | lsp.WorkDoneProgressReport | lsp.WorkDoneProgressEnd) -> None:
        self._client.link.notify(lsp.PROGRESS, lsp.ProgressParams(self._token, value))


def _row(report: Report) -> dict[str, object]:
    checks = [
        {"subject": one.subject, "standing": one.standing, "words": one.words, "remedy": one.remedy}
        for one in report.checks
    ]
    about = {"provider": report.name, "kind": report.kind, "address": report.address, "model": report.model}
    return {**about, "standing": report.standing, "checks": checks}


def _diagnostics(client: Client, reports: tuple[Report, ...]) -> list[lsp.Diagnostic]:
    return [
        _diagnostic(
            client.runtime.models.line_of(report.name, check.key),
            f"{check.words}. {check.remedy}".strip(),
            f"provider.{check.subject.replace(' ', '-')}",
        )
        for report in reports
        for check in report.checks
        if check.key and check.standing in {"wrong", "note"}
    ]


def _diagnostic(line: int, message: str, code: str) -> lsp.Diagnostic:
    where = lsp.Range(lsp.Position(line, 0), lsp.Position(line + 1, 0))
    return lsp.Diagnostic(
        range=where,
        message=message,
        severity=lsp.DiagnosticSeverity.Warning,
        code=code,
        source=publish_diagnostics.SOURCE,
    )


def _publish(client: Client, found: list[lsp.Diagnostic]) -> None:
    file = client.runtime.models.file
    if file is not None:
        params = lsp.PublishDiagnosticsParams(uri=file.as_uri(), diagnostics=found)
        client.server.text_document_publish_diagnostics(params)
