"""`window/showMessageRequest`: one bell for each approval, never the only way to answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import approval, review
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.server import documents, errors

if TYPE_CHECKING:
    from agentos_lsp.domain import events, state
    from agentos_lsp.server.client import Client

APPROVE = "Approve once"
REJECT = "Reject"
LOOK = "Show"


class Bell:
    """Rings in one editor; a dismissed bell leaves the approval as it is."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ring(self, event: events.ApprovalRequested, now: state.SessionState) -> None:
        """Asks the person, and takes the answer if it is the first."""
        question = now.questions.get(event.approval)
        if question is not None:
            text = review.question_text(question, now.calls.get(question.call))
            self._client.link.spawn(self._ask(event, text), "ring for an approval")

    async def _ask(self, event: events.ApprovalRequested, text: str) -> None:
        params = lsp.ShowMessageRequestParams(
            type=lsp.MessageType.Warning,
            message=f"{event.session}: {text}",
            actions=[lsp.MessageActionItem(APPROVE), lsp.MessageActionItem(REJECT), lsp.MessageActionItem(LOOK)],
        )
        try:
            chosen = await self._client.server.window_show_message_request_async(params)
        except errors.EditorError:
            return
        match None if chosen is None else chosen.title:
            case "Approve once":
                await self._decide(event, "approved")
            case "Reject":
                await self._decide(event, "rejected")
            case "Show":
                self._client.show(documents.page(event.session))
            case _:
                pass

    async def _decide(self, event: events.ApprovalRequested, outcome: approval.Outcome) -> None:
        given = approval.Answer(event.approval, event.digest, outcome, "once", self._client.name)
        try:
            counted = await self._client.runtime.decide(event.session, given)
        except AgentosError as error:
            self._client.tell(str(error))
            return
        if isinstance(counted, approval.Stale):
            self._client.tell(counted.reason)
