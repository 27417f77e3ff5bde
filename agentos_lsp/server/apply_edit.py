"""`workspace/applyEdit`: changes a file that is open in the editor, so that a person sees it and can undo it."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp

from agentos_lsp.server import errors

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.runtime.review_plan import Replacement
    from agentos_lsp.server.client import Client

TIMEOUT_S = 20.0
"""How long an editor may take to change a text; some ask the person first."""


class OpenDocument:
    """A file that the editor has open; see `review_plan.OpenFile`."""

    def __init__(self, client: Client, document: Any) -> None:  # noqa: ANN401  pygls' documents are untyped
        self._client = client
        self._document = document
        self.text: str = document.source
        self._version: int | None = document.version

    @property
    def is_saved(self) -> bool:
        """Whether the file on the disk says the same."""
        with contextlib.suppress(OSError, ValueError):
            return Path(self._document.path).read_bytes().decode("utf-8-sig") == self.text.removeprefix("\ufeff")
        return False

    async def replace(self, changes: Sequence[Replacement]) -> bool:
        """Lets the editor change its text; returns whether it did.

        An editor that knows versions refuses by itself if the person has typed meanwhile; for others we look.
        """
        if self._document.source != self.text:
            return False
        lines = self.text.split("\n")
        edits = [
            lsp.TextEdit(lsp.Range(lsp.Position(one.start, 0), self._end(lines, one.end)), one.text) for one in changes
        ]
        uri = str(self._document.uri)
        if self._knows_versions():
            named = lsp.OptionalVersionedTextDocumentIdentifier(uri=uri, version=self._version)
            edit = lsp.WorkspaceEdit(document_changes=[lsp.TextDocumentEdit(text_document=named, edits=edits)])
        else:
            edit = lsp.WorkspaceEdit(changes={uri: edits})
        params = lsp.ApplyWorkspaceEditParams(edit=edit, label="Accept a change of an agent")
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await self._client.server.workspace_apply_edit_async(params)
        except (errors.EditorError, TimeoutError):
            return False
        return bool(answer.applied)

    def _end(self, lines: list[str], line: int) -> lsp.Position:
        """Returns the place before a line; that after the last one, if it ends in no line break, is its end."""
        if line < len(lines):
            return lsp.Position(line, 0)
        codec = self._client.server.workspace.position_codec
        return lsp.Position(len(lines) - 1, codec.client_num_units(lines[-1]))

    def _knows_versions(self) -> bool:
        workspace = self._client.link.client_capabilities.workspace
        edit = None if workspace is None else workspace.workspace_edit
        return edit is not None and bool(edit.document_changes)
