"""`workspace/textDocumentContent`: the text of every `agentos://` document, made from the log when it is asked for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, assert_never

from agentos_lsp.domain import comparison, diagnosis, review
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime import attempts, checkpoints, conflicts
from agentos_lsp.server import documents

if TYPE_CHECKING:
    from agentos_lsp.domain import ids
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.runtime.supervisor import Runtime

_SHOWN_CHARACTERS = 200

SHOWN_OUTPUT_BYTES = 4 << 20
"""How much of a command's output is shown, half of it from each end: an editor that is sent too much is dropped."""


async def read(runtime: Runtime, uri: str) -> str:
    """Returns a document's text.

    What could deceive a reader is shown by number, but in files, which are compared with others byte for byte.

    Raises:
        UserError: There is no such document.
    """
    document = documents.parse(uri)
    match document:
        case documents.Base() | documents.Present() | documents.Conflict():
            return await _file(runtime, document)
        case documents.Output():
            return await asyncio.to_thread(review.readable, await _output(runtime, document))
        case documents.Checkpoints() | documents.Versus() | documents.Patch():
            return review.readable(await _compared(runtime, document)) or "No changes.\n"
        case documents.SessionDocument(kind="changes.diff") | documents.MoreChanges():
            number = document.number if isinstance(document, documents.MoreChanges) else 1
            return await _changes(runtime, document.session, number)
        case documents.SessionDocument(kind="policy.md"):
            return (await runtime.rules_page(document.session)).text
        case documents.Providers():
            known = runtime.models
            shown = diagnosis.page(known.reports, str(known.file or "none"))
            return f"> {runtime.doors.banner}\n\n{shown}" if runtime.doors.banner else shown
        case documents.SessionDocument() | documents.Overview():
            page = await page_of(runtime, uri)
            return "" if page is None else page.text
        case _:
            assert_never(document)


async def _changes(runtime: Runtime, session: ids.SessionId, number: int) -> str:
    now = await runtime.state(session)
    if now.worktree is None:
        return f"The session is {now.status} and has no worktree; its trace says what it changed.\n"
    return review.readable((await runtime.reviews.page(session, number)).text) or "No changes.\n"


async def _file(runtime: Runtime, wanted: documents.Base | documents.Present | documents.Conflict) -> str:
    """Returns a file as it was somewhere, byte for byte."""
    if isinstance(wanted, documents.Base):
        content = await runtime.base_text(wanted.session, wanted.path)
        missing = "did not exist when the session began", "Open the file itself."
    elif isinstance(wanted, documents.Present):
        content = await runtime.present_text(wanted.session, wanted.path)
        missing = "is not in the session's worktree", "Look at what it was before."
    else:
        content = await runtime.on(wanted.session, lambda one: conflicts.side(one, wanted.side, wanted.path))
        missing = "does not exist on this side", "Open another side."
    if content is None:
        raise UserError(f"{review.visible(wanted.path[:_SHOWN_CHARACTERS])} {missing[0]}.", missing[1])
    return content.decode("utf-8", "replace")


async def _output(runtime: Runtime, wanted: documents.Output) -> str:
    if len(wanted.call) > _SHOWN_CHARACTERS:
        raise UserError("There is no such command.", "Open the session's page for its commands.")
    printed = await runtime.command_output(wanted.session, wanted.call)
    left_out = len(printed) - SHOWN_OUTPUT_BYTES
    if left_out > 0:
        half = SHOWN_OUTPUT_BYTES // 2
        printed = b"%b\n[%d bytes are left out here, and kept in the log]\n%b" % (
            printed[:half],
            left_out,
            printed[-half:],
        )
    return printed.decode("utf-8", "replace")


async def _compared(runtime: Runtime, wanted: documents.Checkpoints | documents.Versus | documents.Patch) -> str:
    if isinstance(wanted, documents.Patch):
        return await runtime.reviews.patch(wanted.session, wanted.path)
    if isinstance(wanted, documents.Checkpoints):
        return await runtime.on(
            wanted.session, lambda one: checkpoints.diff(one, one.place, wanted.older, wanted.newer)
        )
    other = await runtime.on(wanted.other, _itself)
    return await runtime.on(wanted.session, lambda one: attempts.between(one, other))


async def _itself(one: Session) -> Session:
    return one


async def page_of(runtime: Runtime, uri: str) -> review.Page | None:
    """Returns a page with its anchors, None if the address names no page.

    Raises:
        UserError: It names no document, or a session that does not exist.
    """
    match documents.parse(uri):
        case documents.Overview():
            return review.overview(await runtime.all_states(), runtime.orphans.found(), runtime.doors.banner)
        case documents.SessionDocument(session, "session.md"):
            disk = runtime.sizes.line(session)
            unfinished, banner = runtime.streams.of(session), runtime.doors.banner
            return review.session(await runtime.state(session), unfinished, banner, disk)
        case documents.SessionDocument(session, "compare.md"):
            return comparison.page(await attempts.compare(runtime, session))
        case documents.SessionDocument(session, "trace.md"):
            return review.trace(await runtime.trace(session), runtime.doors.banner)
        case _:
            return None
