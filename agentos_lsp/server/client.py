"""The editor at the other end of a connection: who it is, what it may do, and how to reach it."""

import contextlib
import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from agentos_lsp.domain import review
from agentos_lsp.domain.errors import InternalError, UserError
from agentos_lsp.runtime.supervisor import Runtime
from agentos_lsp.server import mirror, protocol, rpc

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

_MAX_COMPARED_BYTES = 16 << 20
_MAX_PATH_BYTES = 4096
_NAME_CHARACTERS = 60
_SHOWN_CHARACTERS = 200


class Client:
    """One editor. `options` are what it asked for at `initialize`; until then it may do nothing.

    `environment` is what the commands of sessions that it starts inherit, None for the server's own.
    """

    def __init__(
        self, server: LanguageServer, runtime: Runtime, name: str, environment: "Mapping[str, str] | None" = None
    ) -> None:
        self.server = server
        self.runtime = runtime
        self.name = name
        self.environment = environment
        self.mirror: mirror.Mirror | None = None
        """Where this editor finds documents as files, if it shows nothing else."""
        self.options = protocol.InitializationOptions(permissions=[])
        self.cancellable: dict[str, Callable[[], object]] = {}
        """What ends the work that a progress token stands for."""
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

    def first_folder(self) -> str:
        """Returns the folder that the editor works in, as it names it.

        Raises:
            UserError: It has none open.
        """
        folders = list(self.server.workspace.folders.values())
        if folders:
            return str(folders[0].uri)
        root: str | None = self.server.workspace.root_uri
        if root:
            return root
        hint = "Open a folder of a git repository, or name one as `workspace`."
        raise UserError("The editor has no folder open.", hint)

    def folders(self) -> list[str]:
        """Returns the absolute paths of all folders that the editor works in."""
        named = [str(folder.uri) for folder in self.server.workspace.folders.values()]
        if not named and self.server.workspace.root_uri:
            named = [self.server.workspace.root_uri]
        found: list[str] = []
        for one in named:
            with contextlib.suppress(UserError):
                found.append(path_of(one))
        return found

    def ask_in_passing(self, method: str, params: object) -> None:
        """Sends a request whose answer does not matter."""
        asked = self.link.send_request(method, params)
        asked.add_done_callback(lambda done: done.cancelled() or done.exception())

    def tell(self, message: str) -> None:
        """Says something to the person that no document shows, such as that an answer came too late."""
        self.server.window_show_message(lsp.ShowMessageParams(lsp.MessageType.Info, message))

    def show(self, uri: str, line: int | None = None) -> bool:
        """Opens a document in the editor, at a line; returns whether the editor can do that at all."""
        window = self.link.client_capabilities.window
        if window is None or window.show_document is None or not window.show_document.support:
            return False
        at = None if line is None else lsp.Range(lsp.Position(line, 0), lsp.Position(line, 0))
        self.ask_in_passing(lsp.WINDOW_SHOW_DOCUMENT, lsp.ShowDocumentParams(uri=uri, take_focus=True, selection=at))
        return True

    async def present(self, uri: str) -> bool:
        """Opens a document, also in an editor that shows files only; returns whether the editor can open anything."""
        if self.mirror is not None:
            await self.mirror.write(uri)
        is_shown = self.show(uri)
        if self.mirror is not None and not is_shown:
            self.tell(f"Open {self.mirror.path(uri)}")
        return is_shown

    async def renew(self, uri: str) -> None:
        """Says that a document has changed, or writes its file."""
        if self.mirror is not None:
            await self.mirror.refresh(uri)
        else:
            self.refresh(uri)

    def refresh(self, uri: str) -> None:
        """Says that a virtual document has changed; an editor that is slow to answer is told once more, not often."""
        if not self.refreshes_content:
            return
        if uri in self._refreshing:
            self._refreshing[uri] = True
            return
        self._refreshing[uri] = False
        # The plain form of `TextDocumentContentRefreshParams`: this is sent to every editor at every change.
        asked = self.link.send_request(lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT_REFRESH, {"uri": uri})
        asked.add_done_callback(partial(self._refreshed, uri))

    def refresh_lenses(self) -> None:
        """Says that lenses may have changed, to an editor that can be told."""
        workspace = self.link.client_capabilities.workspace
        if workspace is not None and workspace.code_lens is not None and workspace.code_lens.refresh_support:
            self.ask_in_passing(lsp.WORKSPACE_CODE_LENS_REFRESH, None)

    def _refreshed(self, uri: str, asked: "Future[None]") -> None:
        changed_since = self._refreshing.pop(uri, False)
        if not asked.cancelled() and asked.exception() is None and changed_since:
            self.refresh(uri)

    def open_text(self, path: str) -> bytes | None:
        """Returns what the editor shows of a file, by its absolute path; None if it is not open."""
        try:
            document = self.server.workspace.text_documents.get(unquote(Path(path).as_uri()))
        except UnicodeError:
            return None
        return None if document is None else str(document.source).encode("utf-8", "surrogatepass")

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


def path_of(text: str) -> str:
    """Turns a `file:` URI or a path into an absolute path.

    Raises:
        UserError: It is neither.
    """
    path = text
    try:
        if text.startswith("file:"):
            path = unquote(urlsplit(text).path, errors="surrogateescape")
        encoded = os.fsencode(path)
    except ValueError:
        encoded = b""
    if not Path(path).is_absolute() or not encoded or b"\0" in encoded or len(encoded) > _MAX_PATH_BYTES:
        shown = review.visible(text[:_SHOWN_CHARACTERS])
        raise UserError(f"{shown!r} is not an absolute path.", "Name it from the root, or as a `file:` URI.")
    return path
