"""The commands `agentos.hunk.*` and `agentos.file.*`: what a person does with a change under review."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentos_lsp.domain import ids
from agentos_lsp.runtime import reviewing
from agentos_lsp.server import documents, review_surface

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentos_lsp.server import protocol
    from agentos_lsp.server.client import Client


def handlers(kind: str) -> dict[str, Callable[[Client, Any], Awaitable[object]]]:
    """Returns the handlers of `agentos.hunk.*` or `agentos.file.*`, by command."""
    whole = kind == "file"

    def answer(client: Client, wanted: protocol.AnswerHunk) -> reviewing.Answer:
        return reviewing.Answer(wanted.path, wanted.digest, whole, client.name)

    async def accept(client: Client, wanted: protocol.AnswerHunk) -> object:
        opened = review_surface.Surface(client).opened
        reviews = client.runtime.reviews
        return _told(client, await reviews.accept(ids.SessionId(wanted.session), answer(client, wanted), opened))

    async def reject(client: Client, wanted: protocol.AnswerHunk) -> object:
        reviews = client.runtime.reviews
        return _told(client, await reviews.reject(ids.SessionId(wanted.session), answer(client, wanted)))

    async def ask(client: Client, wanted: protocol.AskForChange) -> object:
        reviews = client.runtime.reviews
        session = ids.SessionId(wanted.session)
        return _told(client, await reviews.ask(session, answer(client, wanted), wanted.comment))

    async def mark(client: Client, wanted: protocol.MarkHunk) -> object:
        reviews = client.runtime.reviews
        session = ids.SessionId(wanted.session)
        return _told(client, await reviews.mark(session, answer(client, wanted), looked_at=wanted.reviewed))

    async def show(client: Client, wanted: protocol.AnswerHunk) -> object:
        session = ids.SessionId(wanted.session)
        reviews = client.runtime.reviews
        number = await reviews.page_with(session, wanted.path)
        section = (await reviews.page(session, number)).find(wanted.path, wanted.digest)
        uri = documents.changes(session, number)
        if section is None:
            client.tell(reviewing.STALE)
        return {"uri": uri, "shown": client.show(uri, None if section is None else section.line)}

    return {
        f"agentos.{kind}.{name}": handler
        for name, handler in (("accept", accept), ("reject", reject), ("ask", ask), ("mark", mark), ("show", show))
    }


def _told(client: Client, outcome: reviewing.Outcome) -> object:
    if outcome.message:
        # Editors do not look at the results of commands that code actions run.
        client.tell(outcome.message)
    return {"counted": outcome.counted, "message": outcome.message}
