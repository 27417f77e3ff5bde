"""What one editor is shown of the changes to review: on the person's own files, by line, and in the diff.

The only place that brings a session's hunks together with what an editor has open.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lsprotocol import types as lsp

from agentos_lsp.domain import described, hunks, review
from agentos_lsp.domain.errors import AgentosError, UserError
from agentos_lsp.server import apply_edit, documents, publish_diagnostics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agentos_lsp.domain import change_page, diff, ids
    from agentos_lsp.runtime.reviewing import Shown
    from agentos_lsp.server.client import Client

SHOWN_FILES = 200
"""On how many files of a session hunks are shown; those that are open in the editor come first. The diff has all."""

SHOWN_ROWS = 8
"""How many lines of a hunk its diagnostic repeats."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An item of a session, on the lines of the person's own file that it would change."""

    session: ids.SessionId
    item: hunks.Item
    start: int
    end: int
    state: hunks.State


@dataclass(frozen=True, slots=True)
class Seen:
    """A session's hunks as diagnostics, by document, and what they were made from: change, writers, and review."""

    diagnostics: dict[str, list[lsp.Diagnostic]]
    moment: tuple[object, ...]


class Surface:
    """The changes to review, as one editor sees them."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._placed: dict[ids.SessionId, dict[str, tuple[Placed, ...]]] = {}
        self._uris: dict[str, str] = {}

    def open_files(self) -> dict[str, Any]:
        """Returns the documents of files that the editor has open, by the path that the file really has."""
        found: dict[str, Any] = {}
        shown: dict[str, Any] = self._client.server.workspace.text_documents
        for document in list(shown.values()):
            if document.uri.startswith("file:") and document.path:
                with contextlib.suppress(ValueError):  # no system knows a file by such a name
                    found[os.path.realpath(document.path)] = document
        return found

    def opened(self, path: str) -> apply_edit.OpenDocument | None:
        """Finds a file that is open, by its absolute path; see `Reviews.accept`."""
        document = self.open_files().get(path)
        return None if document is None else apply_edit.OpenDocument(self._client, document)

    async def look(self, session: ids.SessionId) -> Seen:
        """Places a session's hunks anew, and returns their diagnostics.

        There are some once the agent's turn has ended: until then its work is not to be reviewed, but to be watched.
        """
        self._placed.pop(session, None)
        try:
            shown = await self._client.runtime.reviews.shown(session)
        except AgentosError:
            shown = None  # the session's page says what is wrong with its worktree
        if shown is None:
            return Seen({}, ())
        moment = (shown.number, dict(shown.writers), shown.state.review)
        if shown.state.turn is not None or not shown.state.is_live:
            return Seen({}, moment)
        files = await asyncio.to_thread(self.open_files)
        root = shown.state.repository
        placed = await asyncio.to_thread(lambda: self._place(shown, _first(shown.changes, root, files), files))
        self._placed[session] = placed
        found = {
            self._uris[path]: [
                _diagnostic(one, shown) for one in rows if one.state != "there" and not _is_done(one.item, shown)
            ]
            for path, rows in placed.items()
        }
        return Seen(found, moment)

    def _place(
        self, shown: Shown, changes: Iterable[diff.FileChange], files: dict[str, Any]
    ) -> dict[str, tuple[Placed, ...]]:
        found: dict[str, tuple[Placed, ...]] = {}
        for change in changes:
            root, name = shown.state.repository, change.old_path or change.path
            path = f"{root}/{name}"
            document = files.get(path)
            if document is None:
                text = self._client.runtime.reviews.own_text(root, name)
            else:
                text = document.source.encode("utf-8", "surrogatepass")
            self._uris[path] = Path(path).as_uri() if document is None else document.uri
            rows = tuple(_places(shown, change, text))
            found[path] = (*found.get(path, ()), *rows)
        return found

    async def on_lines(self, uri: str, lines: range) -> list[Placed]:
        """Returns what would change any of some lines of a file of the person's."""
        if not uri.startswith("file:"):
            return []
        path = await asyncio.to_thread(lambda: os.path.realpath(documents.file_path(uri)))
        return [
            one
            for session in list(self._placed.values())
            for one in session.get(path, ())
            if one.start < lines.stop and lines.start < max(one.end, one.start + 1) and one.state != "there"
        ]

    def is_shown(self, session: ids.SessionId, uri: str) -> bool:
        """Whether some of a session's hunks are on a document."""
        return any(self._uris[path] == uri for path in self._placed.get(session, ()))

    async def in_diff(self, uri: str) -> tuple[ids.SessionId, change_page.Page] | None:
        """Returns the page of a diff, None if the document is none."""
        try:
            document = documents.parse(uri)
        except UserError:
            return None
        match document:
            case documents.SessionDocument(session, "changes.diff"):
                return session, await self._client.runtime.reviews.page(session)
            case documents.MoreChanges(session, number):
                return session, await self._client.runtime.reviews.page(session, number)
            case _:
                return None


def _first(changes: Sequence[diff.FileChange], root: str, files: Iterable[str]) -> list[diff.FileChange]:
    """Returns the changes that hunks are shown of: those of files that are open, and then others in order."""
    opened = [path.removeprefix(f"{root}/") for path in files if path.startswith(f"{root}/")]
    chosen = [change for path in sorted(opened) for change in described.of_path(changes, path)]
    taken = {change.path for change in chosen}
    return [*chosen, *(change for change in changes[:SHOWN_FILES] if change.path not in taken)][:SHOWN_FILES]


def _is_done(item: hunks.Item, shown: Shown) -> bool:
    """Whether a person has dealt with it: where their file cannot tell, what they said before does."""
    progress = shown.state.review
    said = item.change.status in {"mode", "renamed"} and item.digest in progress.accepted
    return said or item.digest in progress.looked_at


def _places(shown: Shown, change: diff.FileChange, text: bytes | None) -> Iterable[Placed]:
    session = shown.state.session
    found = hunks.items(change)
    old, new = shown.sides(change.path)
    if found[0].hunk is None:
        there: Literal["there", "open"] = "there" if _has_all(change, new, text) else "open"
        yield Placed(session, found[0], 0, 1, there)
        return
    if text is None or old is None or new is None:
        return
    bare, _ = hunks.plain(text, old)
    where = hunks.places(change.hunks, old, new, bare)
    for item, place in zip(found, where, strict=True):
        # An insertion stands on the line before it, as there is none of its own.
        start = place.start - (place.start == place.end and place.start > 0)
        yield Placed(session, item, start, max(place.end, start + 1), place.state)


def _has_all(change: diff.FileChange, new: bytes | None, text: bytes | None) -> bool:
    """Whether the person's file is what the session made of it; a mode is not looked at."""
    if change.status == "deleted":
        return text is None
    if change.status in {"mode", "renamed"} or text is None or new is None:
        return False
    return hunks.plain(text, new)[0] == new


def _diagnostic(placed: Placed, shown: Shown) -> lsp.Diagnostic:
    item, session = placed.item, shown.state.session
    where = lsp.Range(lsp.Position(placed.start, 0), lsp.Position(placed.end, 0))
    return lsp.Diagnostic(
        range=where,
        message=words(item, session, placed.state),
        severity=lsp.DiagnosticSeverity.Information,
        code="file" if item.hunk is None else "hunk",
        source=publish_diagnostics.SOURCE,
        data={"session": session, "path": item.path, "digest": item.digest},
    )


def words(item: hunks.Item, session: str, state: hunks.State) -> str:
    """Says what a hunk or file would change."""
    change = item.change
    if item.hunk is None:
        name = review.visible(change.path)
        old = review.visible(change.old_path or "")
        what = {
            "added": f"would add {name}",
            "deleted": f"would delete {name}",
            "renamed": f"would rename {old} to {name}",
            "mode": f"would make {name} {'executable' if change.new_mode == 0o100755 else 'not executable'}",
            "type": f"would make {name} another kind of file",
            "modified": f"would change {name}",
        }[change.status]
        sizes = ((change.additions, "added"), (change.deletions, "removed"))
        told = ", ".join(f"{_lines(count)} {verb}" for count, verb in sizes if count)
        size = f" ({told})" if told else ""
        return f"{session} {what}{size}."
    before, after = hunks.core(item.hunk)
    rows = [f"{line.kind} {review.visible(line.text)}" for line in item.hunk.lines if line.kind != " "]
    more = [f"… {len(rows) - SHOWN_ROWS} more lines"] if len(rows) > SHOWN_ROWS else []
    clash = " You edited the same lines, so it cannot be accepted by itself." if state == "conflict" else ""
    head = f"{session} would turn {_lines(len(before))} into {_lines(len(after))} here.{clash}"
    return "\n".join([head, *rows[:SHOWN_ROWS], *more])


def _lines(count: int) -> str:
    return "1 line" if count == 1 else f"{count} lines"
