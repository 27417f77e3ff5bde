"""The editor at the other end of a connection: who it is, what it may do, and how to reach it."""

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from agentos_lsp.domain import review
from agentos_lsp.domain.errors import InternalError, UserError
from agentos_lsp.runtime.supervisor import Runtime
from agentos_lsp.server import protocol, rpc

if TYPE_CHECKING:
    from concurrent.futures import Future

_MAX_COMPARED_BYTES = 16 << 20
_NAME_CHARACTERS = 60


class Client:
    """One editor. `options` are what it asked for at `initialize`; until then it may do nothing."""

    def __init__(self, server: LanguageServer, runtime: Runtime, name: str) -> None:
        self.server = server
        self.runtime = runtime
        self.name = name
        self.options = protocol.InitializationOptions(permissions=[])
        self._refreshing: dict[str, bool] = {}

    def introduce(self, told: lsp.ClientInfo) -> None:
        """Takes the name that the editor gives itself; the log keeps it with every answer."""
        self.name = f"{review.visible(told.name[:_NAME_CHARACTERS])} ({self.name})"

    @property
    def link(self) -> rpc.SafeProtocol:
        """The protocol of this connection, by its own type."""
        link: object = self.server.protocol
        if not isinstance(link, rpc.SafeProtocol):
            raise InternalError("A connection is built on SafeProtocol.")
        return link

    @property
    def refreshes_content(self) -> bool:
        """Whether the editor can be told that a virtual document has changed."""
        workspace = self.link.client_capabilities.workspace
        return self.options.virtual_documents or (workspace is not None and workspace.text_document_content is not None)

    def may(self, permission: protocol.Permission) -> bool:
        """Whether this editor was granted a permission; one that is not trusted may only observe."""
        return permission in self.options.permissions and (self.options.trusted or permission == "observe")

    def need(self, permission: protocol.Permission) -> None:
        """Lets pass only what the editor may do.

        Raises:
            UserError: It may not.
        """
        if not self.may(permission):
            hint = "Trust the workspace, or grant the permission in the client's settings."
            raise UserError(f"This connection may not {permission}.", hint)

    def ask_in_passing(self, method: str, params: object) -> None:
        """Sends a request whose answer does not matter."""
        asked = self.link.send_request(method, params)
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())

    def tell(self, message: str) -> None:
        """Says something to the person that no document shows, such as that an answer came too late."""
        self.server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Info, message))

    def show(self, uri: str) -> bool:
        """Opens a document in the editor; returns whether the editor can do that at all."""
        window = self.link.client_capabilities.window
        if window is None or window.show_document is None or not window.show_document.support:
            return False
        self.ask_in_passing(lsp.WINDOW_SHOW_DOCUMENT, lsp.ShowDocumentParams(uri=uri, take_focus=True))
        return True

    def refresh(self, uri: str) -> None:
        """Says that a virtual document has changed; an editor that is slow to answer is told once more, not often."""
        if not self.refreshes_content:
            return
        if uri in self._refreshing:
            self._refreshing[uri] = True
            return
        self._refreshing[uri] = False
        params = lsp.TextDocumentContentRefreshParams(uri=uri)
        asked = self.link.send_request(lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH, params)
        asked.add_done_callback(partial(self._refreshed, uri))

    def _refreshed(self, uri: str, asked: "Future[None]") -> None:
        changed_since = self._refreshing.pop(uri, False)
        if not asked.cancelled() and asked.exception() is None and changed_since:
            self.refresh(uri)

    def unsaved_files(self) -> frozenset[str]:
        """Returns the absolute paths of files that the editor shows with text that is not on the disk.

        A file that is open through a symbolic link is named by every path that it may be known by.
        """
        found: set[str] = set()
        shown: dict[str, Any] = self.server.workspace.text_documents
        for document in list(shown.values()):
            path: str | None = document.path
            if not document.uri.startswith("file:") or path is None:
                continue
            with contextlib.suppress(OSError, ValueError):
                if _text_on_disk(path) == document.source.removeprefix("\ufeff"):
                    continue
            found.add(path)
            with contextlib.suppress(OSError, ValueError):
                folder, name = os.path.split(path)
                found.update((os.path.realpath(path), str(Path(os.path.realpath(folder)) / name)))
        return frozenset(found)


def _text_on_disk(path: str) -> str:
    file = Path(path)
    if file.stat().st_size > _MAX_COMPARED_BYTES:
        raise OSError(path)
    return file.read_bytes().decode("utf-8-sig")
