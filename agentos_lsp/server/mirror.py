"""For editors that show files only: every `agentos://` address on the wire becomes that of a read-only file, and back.

The rest of the server does not know: it speaks of `agentos://` documents, and the wire is translated at its edge.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.server import documents, text_document_content

if TYPE_CHECKING:
    from agentos_lsp.runtime.supervisor import Runtime

_PREFIX = f"{documents.SCHEME}://"

# A JSON string that begins with our scheme; a quote inside another string is written with a backslash.
_OUTWARD = re.compile(rb'(?<!\\)"' + _PREFIX.encode())

_ALWAYS = ("session.md", "sessions.md")


class Mirror:
    """The documents of a runtime as files, for one editor."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._files = runtime.mirrors
        self._outward = b'"' + self._files.uri.encode()

    def outward(self, body: bytes) -> bytes:
        """Names files where a message to the editor names documents."""
        return _OUTWARD.sub(lambda _: self._outward, body)

    def inward(self, params: object) -> object:
        """Names the document where an editor's message is about its file."""
        if not isinstance(params, dict) or not isinstance(about := params.get("textDocument"), dict):
            return params
        known = self.document(about["uri"]) if isinstance(about.get("uri"), str) else None
        return params if known is None else {**params, "textDocument": {**about, "uri": known}}

    def document(self, uri: str) -> str | None:
        """Returns the address of the document that a file mirrors, None if it mirrors none."""
        if not uri.startswith("file:"):
            return None
        try:
            path = unquote(urlsplit(uri).path, errors="surrogateescape")
        except ValueError:
            return None
        folder = f"{self._files.folder}/"
        return _PREFIX + quote(path.removeprefix(folder), errors="surrogateescape") if path.startswith(folder) else None

    def path(self, uri: str) -> str:
        """Returns the file of a document."""
        return str(self._files.folder / _name(uri))

    async def write(self, uri: str) -> bool:
        """Writes a document's file as it should be now; returns whether it has one."""
        try:
            text = await text_document_content.read(self._runtime, uri)
        except AgentosError:
            return False
        return await asyncio.to_thread(self._files.write, _name(uri), text)

    async def refresh(self, uri: str) -> None:
        """Writes a document that has changed: a page always, all others once somebody has opened them."""
        if uri.endswith(_ALWAYS) or await asyncio.to_thread(self._files.has, _name(uri)):
            await self.write(uri)


def _name(uri: str) -> str:
    return unquote(uri.removeprefix(_PREFIX), errors="surrogateescape")
