"""`$/progress`: worktree creation, turns and merges, each with cancel, for editors that can show it.

The editor says that it will show a piece of work before anything is reported of it, and each piece has a token of its
own: work that is over before the editor has answered is never shown.

Source: LSP 3.18, Server Initiated Progress.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from lsprotocol import types as lsp

from agentos_lsp.domain import events, ids, review
from agentos_lsp.domain.errors import AgentosError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from agentos_lsp.domain import state
    from agentos_lsp.runtime.telling import Progress
    from agentos_lsp.server.client import Client

SHOWN_CHARACTERS = 100


@dataclass(slots=True)
class _Work:
    token: str
    kind: Literal["worktree", "turn", "merge"]
    session: ids.SessionId
    title: str
    begun: bool = False
    message: str | None = None
    percentage: int | None = None


class Reporter:
    """Shows the long work of all sessions in one editor."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._works: dict[tuple[str, ids.SessionId], _Work] = {}
        self._numbers = itertools.count(1)

    def on_progress(self, now: Progress) -> None:
        """Shows how far a worktree has come; a report without words is the last."""
        if now.kind == "merge":
            merge = self._works.get(("merge", now.session))
            if merge is not None:
                self._advance(merge, now)
            return
        if not now.message:
            self._end("worktree", now.session, "")
            return
        work = self._begin("worktree", now.session, f"{now.message}: {now.session}")
        if work is not None:
            self._advance(work, now)

    def _advance(self, work: _Work, now: Progress) -> None:
        percentage = min(100, now.done * 100 // now.total) if now.total else 0
        if percentage != work.percentage:
            work.percentage = percentage
            self._report(work)

    def on_event(self, event: events.AnyEvent, now: state.SessionState) -> None:
        """Shows what an event says of a turn or a merge that is under way."""
        summary = event.summary if isinstance(event, events.TurnFinished) else ""
        self.follow(now, summary)
        work = self._works.get(("turn", now.session))
        said = _said(event)
        if work is not None and said:
            work.message = said
            self._report(work)

    def follow(self, now: state.SessionState, summary: str = "") -> None:
        """Begins and ends what a session's state says is, or is no longer, under way."""
        if now.turn is not None and not now.interrupted and now.is_live:
            self._begin("turn", now.session, f"{now.session} works")
        else:
            self._end("turn", now.session, _short(summary))
        if now.merging is not None:
            self._begin("merge", now.session, f"Merging {now.session}")
        else:
            self._end("merge", now.session, "")

    async def cancel(self, token: lsp.ProgressToken) -> None:
        """A person pressed cancel: a turn is stopped; a worktree under creation or a merge is given up."""
        work = next((work for work in self._works.values() if work.token == token), None)
        if work is None or not self._client.may("merge" if work.kind == "merge" else "steer"):
            return
        if work.kind == "merge":
            self._client.runtime.cancel_merge(work.session)
        elif work.kind == "worktree":
            self._client.runtime.cancel_start(work.session)
        elif work.kind == "turn":
            try:
                await self._client.runtime.stop(work.session, self._client.name)
            except AgentosError as error:
                self._client.tell(str(error))

    def _begin(self, kind: Literal["worktree", "turn", "merge"], session: ids.SessionId, title: str) -> _Work | None:
        known = self._works.get((kind, session))
        window = self._client.link.client_capabilities.window
        if known is not None or window is None or not window.work_done_progress:
            return known
        work = _Work(f"agentos-{next(self._numbers)}", kind, session, title)
        self._works[kind, session] = work
        create = lsp.WorkDoneProgressCreateParams(work.token)
        asked = self._client.link.send_request(lsp.WINDOW_WORK_DONE_PROGRESS_CREATE, create)
        asked.add_done_callback(partial(self._created, work))
        return work

    def _created(self, work: _Work, asked: Future[None]) -> None:
        if asked.cancelled() or asked.exception() is not None or self._works.get((work.kind, work.session)) is not work:
            return
        work.begun = True
        begin = lsp.WorkDoneProgressBegin(
            title=work.title, cancellable=True, message=work.message, percentage=work.percentage
        )
        self._send(work, begin)

    def _report(self, work: _Work) -> None:
        if work.begun:
            report = lsp.WorkDoneProgressReport(cancellable=True, message=work.message, percentage=work.percentage)
            self._send(work, report)

    def _end(self, kind: Literal["worktree", "turn", "merge"], session: ids.SessionId, message: str) -> None:
        work = self._works.pop((kind, session), None)
        if work is not None and work.begun:
            self._send(work, lsp.WorkDoneProgressEnd(message=message or None))

    def _send(
        self, work: _Work, value: lsp.WorkDoneProgressBegin | lsp.WorkDoneProgressReport | lsp.WorkDoneProgressEnd
    ) -> None:
        self._client.link.notify(lsp.PROGRESS, lsp.ProgressParams(work.token, value))


def _said(event: events.AnyEvent) -> str:
    match event:
        case events.CommandStarted():
            return _short(event.line)
        case events.AgentMessage():
            return _short(event.text)
        case events.ApprovalRequested():
            return _short(f"waits for you: {event.line}")
        case _:
            return ""


def _short(text: str) -> str:
    lines = text.strip().splitlines()
    return review.visible(lines[0])[:SHOWN_CHARACTERS] if lines else ""
