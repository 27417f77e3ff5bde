"""One editor's connection: what it may do, what it is told, and where its requests go."""

import asyncio
import itertools
from collections.abc import Callable

import pydantic
from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from agentos_lsp import __version__
from agentos_lsp.domain import events, ids, state
from agentos_lsp.runtime.supervisor import Progress, Runtime
from agentos_lsp.server import (
    code_action,
    code_lens,
    document_link,
    document_symbol,
    documents,
    errors,
    execute_command,
    folding_range,
    hover,
    progress,
    protocol,
    publish_diagnostics,
    rpc,
    show_message_request,
    text_document_content,
    wire,
)
from agentos_lsp.server.client import Client

REFRESH_DELAY_S = 0.05
"""Changes within this time are told together."""


class Connection(LanguageServer):
    """The language server of one editor; all of them share one runtime."""

    def __init__(self, runtime: Runtime, number: int) -> None:
        super().__init__(
            "agentos-lsp", __version__, protocol_cls=rpc.SafeProtocol, converter_factory=wire.shared_converter
        )
        self.runtime = runtime
        self.client = Client(self, runtime, f"editor {number}")
        self.reporter = progress.Reporter(self.client)
        self.bell = show_message_request.Bell(self.client)
        self.diagnostics = publish_diagnostics.Publisher(self.text_document_publish_diagnostics)
        self._is_telling = False
        self._changed: set[ids.SessionId] = set()
        self._printed: set[tuple[ids.SessionId, ids.CallId]] = set()
        self._wake = asyncio.Event()
        self._register()

    @property
    def command_names(self) -> tuple[str, ...]:
        """Every command, in the order of the documentation."""
        return tuple(protocol.COMMANDS)

    async def on_execute_command(self, params: lsp.ExecuteCommandParams) -> object:
        """Carries out one of our commands; see `execute_command`."""
        return await execute_command.execute(self.client, params)

    def _register(self) -> None:
        feature = self.feature
        feature(lsp.INITIALIZE)(self._initialize)
        feature(lsp.INITIALIZED)(self._initialized)
        feature(
            lsp.WORKSPACE_TEXT_DOCUMENT_CONTENT,
            lsp.TextDocumentContentRegistrationOptions(schemes=[documents.SCHEME]),
        )(self._content)
        feature(lsp.TEXT_DOCUMENT_CODE_ACTION, lsp.CodeActionOptions(code_action_kinds=[code_action.KIND]))(
            self._actions
        )
        feature(lsp.TEXT_DOCUMENT_CODE_LENS, lsp.CodeLensOptions(resolve_provider=False))(self._lenses)
        feature(lsp.TEXT_DOCUMENT_HOVER)(self._hover)
        feature(lsp.TEXT_DOCUMENT_DOCUMENT_SYMBOL)(self._symbols)
        feature(lsp.TEXT_DOCUMENT_FOLDING_RANGE)(self._folds)
        feature(lsp.TEXT_DOCUMENT_DID_OPEN)(self._opened)
        feature(lsp.WINDOW_WORK_DONE_PROGRESS_CANCEL)(self._cancel)
        feature(lsp.TEXT_DOCUMENT_DOCUMENT_LINK, lsp.DocumentLinkOptions(resolve_provider=False))(self._links)

    async def _initialize(self, params: lsp.InitializeParams) -> None:
        offered = params.initialization_options
        try:
            self.client.options = protocol.InitializationOptions.model_validate({} if offered is None else offered)
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            where = ".".join(["initializationOptions", *(str(step) for step in first["loc"])])
            raise errors.InvalidParamsError(f"{where}: {first['msg']}") from error
        if params.client_info is not None:
            self.client.introduce(params.client_info)

    async def _initialized(self, params: lsp.InitializedParams) -> None:
        del params
        if self.client.may("observe") and not self._is_telling:
            self._is_telling = True
            self.client.link.spawn(self._tell(), "tell of changes")

    def _on_event(self, event: events.AnyEvent, now: state.SessionState) -> None:
        self._changed.add(event.session)
        if isinstance(event, events.CommandOutput | events.CommandFinished):
            self._printed.add((event.session, event.call))
        self._wake.set()
        try:
            self.reporter.on_event(event, now)
            if self.client.options.events:
                self.client.link.notify(protocol.EVENT_NOTIFICATION, event.model_dump(mode="json"))
            if isinstance(event, events.ApprovalRequested) and self.client.options.bell and self.client.may("approve"):
                self.bell.ring(event, now)
        except Exception as error:  # noqa: BLE001 one editor's failure does not reach a session
            errors.log_defect(error, "telling an editor of an event")

    def _on_progress(self, now: Progress) -> None:
        try:
            self.reporter.on_progress(now)
        except Exception as error:  # noqa: BLE001 one editor's failure does not reach a session
            errors.log_defect(error, "telling an editor of progress")

    async def _tell(self) -> None:
        """Publishes what changed, together; the first time, everything."""
        unsubscribe = self.runtime.subscribe(self._on_event, self._on_progress)
        try:
            for one in self.runtime.states():
                self.reporter.follow(one)
                self.diagnostics.publish(one)
            while True:
                await self._wake.wait()
                await asyncio.sleep(REFRESH_DELAY_S)
                self._wake.clear()
                await self._tell_changes()
        finally:
            unsubscribe()

    async def _tell_changes(self) -> None:
        changed, self._changed = self._changed, set()
        printed, self._printed = self._printed, set()
        for session in sorted(changed):
            # A refresh comes first: it is about the text that the diagnostics stand on.
            for uri in (documents.page(session), documents.changes(session), documents.trace(session)):
                self.client.refresh(uri)
            self.diagnostics.publish(await self.runtime.state(session))
        for session, call in sorted(printed):
            self.client.refresh(documents.output(session, call))
        self.client.refresh(documents.OVERVIEW)

    async def _opened(self, params: lsp.DidOpenTextDocumentParams) -> None:
        self.diagnostics.repeat(params.text_document.uri)

    async def _cancel(self, params: lsp.WorkDoneProgressCancelParams) -> None:
        await self.reporter.cancel(params.token)

    async def _content(self, params: lsp.TextDocumentContentParams) -> lsp.TextDocumentContentResult:
        self.client.need("observe")
        return lsp.TextDocumentContentResult(text=await text_document_content.read(self.runtime, params.uri))

    async def _actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        if not self.client.may("approve"):
            return []
        return await code_action.of(self.runtime, params, ask_text=self.client.options.ask_text)

    async def _lenses(self, params: lsp.CodeLensParams) -> list[lsp.CodeLens]:
        return await code_lens.of(self.runtime, params.text_document.uri) if self.client.may("approve") else []

    async def _hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        self.client.need("observe")
        return await hover.of(self.runtime, params)

    async def _symbols(self, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        self.client.need("observe")
        return await document_symbol.of(self.runtime, params.text_document.uri)

    async def _folds(self, params: lsp.FoldingRangeParams) -> list[lsp.FoldingRange]:
        self.client.need("observe")
        return await folding_range.of(self.runtime, params.text_document.uri)

    async def _links(self, params: lsp.DocumentLinkParams) -> list[lsp.DocumentLink]:
        self.client.need("observe")
        return await document_link.of(self.runtime, params.text_document.uri)


def builder(runtime: Runtime) -> Callable[[], Connection]:
    """Returns what makes the server of each new connection to a runtime."""
    numbers = itertools.count(1)
    return lambda: Connection(runtime, next(numbers))
