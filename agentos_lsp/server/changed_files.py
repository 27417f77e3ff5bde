"""`agentos.session.files`: the files that a session changed, each with the hunks that can be answered one by one.

The only place that bounds how many rows of them an editor is sent at once; the diff has all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from agentos_lsp.domain import hunks, ids, review
from agentos_lsp.server import documents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.domain import diff, reviewed
    from agentos_lsp.server import protocol
    from agentos_lsp.server.client import Client

SHOWN_FILES = 1000
"""How many files are sent."""

SHOWN_HUNKS = 2000
"""How many hunks are sent, of all files together."""

SHOWN_HUNKS_OF_FILE = 100
"""How many hunks are sent of one file."""


async def files(client: Client, wanted: protocol.OneSession) -> object:
    """Returns the rows, by path, and how many files there are in all."""
    session = ids.SessionId(wanted.session)
    now = await client.runtime.state(session)
    worktree = now.worktree
    changed = () if worktree is None else await client.runtime.changes(session)
    if worktree is None:
        return {"files": [], "total": 0}
    folder = None if client.runtime.doors.banner else worktree.folder
    rows = await asyncio.to_thread(_rows, session, folder, changed[:SHOWN_FILES], now.review)
    return {"files": rows, "total": len(changed)}


def _rows(
    session: str, folder: str | None, changed: Iterable[diff.FileChange], progress: reviewed.Review
) -> list[dict[str, object]]:
    left = SHOWN_HUNKS
    rows: list[dict[str, object]] = []
    for one in changed:
        # As `hunks.items` has it; what is not sent is not named either, which costs the most.
        found = one.hunks if one.status == "modified" else ()
        sent = found[: min(left, SHOWN_HUNKS_OF_FILE)]
        left -= len(sent)
        told = [_hunk(hunks.hunk_digest(one, hunk), hunk, progress) for hunk in sent]
        rows.append({**_file(session, folder, one, progress), "hunks": told, "hunkCount": len(found)})
    return rows


def _file(session: str, folder: str | None, one: diff.FileChange, progress: reviewed.Review) -> dict[str, object]:
    """Describes a changed file by the two documents to compare: None on the side where it is not.

    Without a folder on the disk, the worktree's file is a document of ours too.
    """
    digest = hunks.file_digest(one)
    now = documents.present(session, one.path) if folder is None else (Path(folder) / one.path).as_uri()
    return {
        "path": review.visible(one.path),
        "name": one.path,
        "digest": digest,
        "said": _said(digest, progress),
        "status": one.status,
        "base": None if one.old_mode is None else documents.base(session, one.old_path or one.path),
        "file": None if one.new_mode is None else now,
        "additions": one.additions,
        "deletions": one.deletions,
    }


def _hunk(digest: str, hunk: diff.Hunk, progress: reviewed.Review) -> dict[str, object]:
    before, after = hunks.core(hunk)
    # A deletion has no lines of its own, and stands before the line that follows it.
    title = f"@@ line {after.start + 1}, {_count(hunk, '+')} {_count(hunk, '-')}"
    return {
        "digest": digest,
        "said": _said(digest, progress),
        "title": title,
        "line": after.start,
        "lines": len(after),
        "baseLine": before.start,
        "baseLines": len(before),
    }


def _said(digest: str, progress: reviewed.Review) -> str:
    """Returns what the person said of this content; empty if nothing."""
    told = (("accepted", progress.accepted), ("reviewed", progress.looked_at), ("asked", progress.asked))
    return next((word for word, digests in told if digest in digests), "")


def _count(hunk: diff.Hunk, kind: str) -> str:
    sign = "+" if kind == "+" else "\N{MINUS SIGN}"
    return f"{sign}{sum(line.kind == kind for line in hunk.lines)}"
