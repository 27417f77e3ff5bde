"""The methods that every connection has: `initialize` to `shutdown`, open documents and folders, and commands.

They replace pygls' own where those advertise too little, log payloads, fail on what an editor may send, or read files
that nobody opened.
"""

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, runtime_checkable
from urllib.parse import unquote

import attrs
import cattrs
from lsprotocol import types as lsp
from pygls import capabilities, feature_manager, progress, uris, workspace
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol

from agentos_lsp.domain.errors import InternalError
from agentos_lsp.server import errors

_log = logging.getLogger(__name__)

_Handler = Callable[..., Any]


@runtime_checkable
class CommandServer(Protocol):
    """A server that has commands; one without is not asked for any."""

    @property
    def command_names(self) -> Sequence[str]:
        """The commands to advertise."""
        ...

    def on_execute_command(self, params: lsp.ExecuteCommandParams) -> Awaitable[object]:
        """Carries out one command; `wire.command_argument(params, Model)` reads its argument."""
        ...


class Lifecycle(LanguageServerProtocol):
    """The built-in methods, as coroutines that a dispatcher may cancel."""

    def __init__(self, server: LanguageServer, converter: cattrs.Converter) -> None:
        super().__init__(server, converter)
        builtin = self.fm.builtin_features
        self.fm = _Features(server, converter)  # type: ignore[no-untyped-call]  # pygls' own
        self.progress = _Progress(self)
        self.on_process_id: Callable[[int], None] | None = None
        # pygls ends the process at `exit`; here the dispatcher ends the connection.
        del builtin[lsp.EXIT]
        for method, handler in (
            *builtin.items(),
            (lsp.INITIALIZE, self._initialize),
            (lsp.INITIALIZED, self._initialized),
            (lsp.SHUTDOWN, self._shut_down),
            (lsp.WORKSPACE_EXECUTE_COMMAND, self._execute_command),
            (lsp.TEXT_DOCUMENT_DID_CHANGE, self._change_document),
            (lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, self._change_folders),
            (lsp.WINDOW_WORK_DONE_PROGRESS_CANCEL, self._cancel_progress),
        ):
            self.fm.add_builtin_feature(method, handler)

    def _register_builtin_features(self) -> None:
        """Registers pygls' own handlers; it would look at every attribute of each connection."""
        for method, name in _builtin_names():
            self.fm.add_builtin_feature(method, getattr(self, name))

    async def _initialize(self, params: lsp.InitializeParams) -> lsp.InitializeResult:
        """Answers what the registered features offer, which pygls cannot say of virtual documents."""
        self._server.process_id = params.process_id
        self.client_capabilities = params.capabilities
        encoding = capabilities.ServerCapabilitiesBuilder.choose_position_encoding(params.capabilities)
        root_uri = params.root_uri
        if root_uri is None and params.root_path is not None:
            root_uri = uris.from_fs_path(params.root_path)
        sync_kind = self._server._text_document_sync_kind  # noqa: SLF001  pygls has no other way
        self._workspace = _OpenDocuments(root_uri, sync_kind, list(params.workspace_folders or ()), encoding)
        if self.on_process_id is not None and params.process_id is not None:
            self.on_process_id(params.process_id)
        await self._call_feature(lsp.INITIALIZE, params)
        commands = self._server.command_names if isinstance(self._server, CommandServer) else ()
        builder = capabilities.ServerCapabilitiesBuilder(
            self.client_capabilities,
            {*self.fm.features, *self.fm.builtin_features},
            self.fm.feature_options,
            list(commands),
            sync_kind,
            self._server._notebook_document_sync,  # noqa: SLF001  pygls has no other way
            encoding,
        )
        offered: lsp.ServerCapabilities = builder.build()  # type: ignore[no-untyped-call]  # pygls' own
        if not commands:
            offered.execute_command_provider = None
        if params.capabilities.text_document is None or params.capabilities.text_document.semantic_tokens is None:
            # Token types of our own mean nothing to a client that says nothing of tokens.
            offered.semantic_tokens_provider = None
        schemes = self.fm.feature_options.get(lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT)
        if schemes is not None and offered.workspace is not None:
            offered.workspace.text_document_content = schemes
        self.server_capabilities = offered
        # What it can show in its documents is asked once, above, and is by far the most of it.
        self.client_capabilities = attrs.evolve(params.capabilities, text_document=None, notebook_document=None)
        return lsp.InitializeResult(offered, self.server_info)

    async def _initialized(self, params: lsp.InitializedParams) -> None:
        await self._call_feature(lsp.INITIALIZED, params)

    async def _shut_down(self, params: None) -> None:
        # Requests in flight go on until `exit`: pygls would cancel what the person has just asked for.
        await self._call_feature(lsp.SHUTDOWN, params)

    async def _execute_command(self, params: lsp.ExecuteCommandParams) -> object:
        # pygls would look up the type hints of each handler at each call, and give lossy reasons for wrong arguments.
        server: object = self._server
        if not isinstance(server, CommandServer) or params.command not in server.command_names:
            raise errors.InvalidParamsError(f"there is no command {params.command[:100]}")
        return await server.on_execute_command(params)

    async def _change_document(self, params: lsp.DidChangeTextDocumentParams) -> None:
        if unquote(params.text_document.uri) not in self.workspace.text_documents:  # pygls' own keys are unquoted
            _log.info("ignored a change of a document that is not open")
            return
        for change in params.content_changes:
            self.workspace.update_text_document(params.text_document, change)
        await self._call_feature(lsp.TEXT_DOCUMENT_DID_CHANGE, params)

    async def _change_folders(self, params: lsp.DidChangeWorkspaceFoldersParams) -> None:
        for removed in params.event.removed:
            self.workspace.remove_folder(removed.uri)
        for added in params.event.added:
            self.workspace.add_folder(added)
        await self._call_feature(lsp.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS, params)

    async def _cancel_progress(self, params: lsp.WorkDoneProgressCancelParams) -> None:
        if (cancelled := self.progress.tokens.get(params.token)) is not None:
            cancelled.cancel()
        await self._call_feature(lsp.WINDOW_WORK_DONE_PROGRESS_CANCEL, params)

    async def _call_feature(self, method: str, params: object) -> None:
        if (handler := self.fm.features.get(method)) is not None:
            await handler(params)


@functools.cache
def _builtin_names() -> tuple[tuple[str, str], ...]:
    found = [(getattr(getattr(Lifecycle, name), "method_name", None), name) for name in dir(Lifecycle)]
    return tuple((method, name) for method, name in found if method is not None)


class _Features(feature_manager.FeatureManager):
    """The features of a server, whose handlers may be bound methods; pygls would set attributes on them."""

    def feature(self, feature_name: str, options: object = None) -> Callable[[_Handler], _Handler]:
        """Registers the handler of a method.

        Raises:
            InternalError: By the returned decorator, if the handler is not `async def`.
        """
        register = super().feature(feature_name, options)

        def decorate(handler: _Handler) -> _Handler:
            if not inspect.iscoroutinefunction(handler):
                raise InternalError(f"The handler of {feature_name} must be async: another would stall everybody.")
            if not inspect.ismethod(handler):
                register(handler)
            elif feature_name in self._features:
                raise InternalError(f"{feature_name} has two handlers.")
            else:
                # Without a function around each: a server has dozens, and a daemon has many servers.
                self._features[feature_name] = handler
                if options is not None:
                    self._feature_options[feature_name] = options
            return handler

        return decorate


class _Progress(progress.Progress):
    """Progress whose tokens are forgotten when the work ends; pygls keeps them for ever."""

    def end(self, token: lsp.ProgressToken, value: lsp.WorkDoneProgressEnd) -> None:
        """Notifies the end of the work."""
        super().end(token, value)
        self.tokens.pop(token, None)


class _OpenDocuments(workspace.Workspace):
    """The documents that the editor has open; pygls' own would read any file whose URI somebody sends."""

    def get_text_document(self, doc_uri: str) -> Any:  # noqa: ANN401  pygls' workspace is untyped
        """Returns an open document.

        Raises:
            KeyError: If the editor has not opened it.
        """
        return self.text_documents[unquote(doc_uri)]
