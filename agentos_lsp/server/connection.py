"""One editor's connection: what it may do, what it is told, and where its requests go."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pydantic
from lsprotocol import types as lsp
from pygls.lsp.server import LanguageServer

from agentos_lsp import __version__
from agentos_lsp.domain import events, ids, model_events, review, state
from agentos_lsp.runtime.supervisor import Runtime
from agentos_lsp.runtime.telling import Progress
from agentos_lsp.server import (
    code_action,
    code_lens,
    document_link,
    document_symbol,
    documents,
    errors,
    execute_command,
    flag,
    folding_range,
    hover,
    mirror,
    policy_documents,
    progress,
    protocol,
    publish_diagnostics,
    review_actions,
    review_surface,
    rpc,
    semantic_tokens,
    show_message_request,
    start_actions,
    text_document_content,
    wire,
)
from agentos_lsp.server.client import Client

TOGETHER_S = 0.01
"""Changes within this time are told together."""

APART_S = 0.03
"""What changes after that waits at least so long, so that a busy session does not flood an editor."""

MIRRORED_LINKS = 100
"""How many of a page's links are written as files, for an editor that shows nothing else."""


class Connection(LanguageServer):
    """The language server of one editor; all of them share one runtime.

    `environment` is what the commands of its sessions inherit, None for the server's own; `rendered` is what all
    connections of a runtime show, made once.
    """

    def __init__(
        self,
        runtime: Runtime,
        number: int,
        environment: Mapping[str, str] | None = None,
        rendered: publish_diagnostics.Rendered | None = None,
    ) -> None:
        super().__init__(
            "agentos-lsp", __version__, protocol_cls=rpc.SafeProtocol, converter_factory=wire.shared_converter
        )
        self.runtime = runtime
        self.client = Client(self, runtime, f"editor {number}", environment)
        self.reporter = progress.Reporter(self.client)
        self.bell = show_message_request.Bell(self.client)
        self.diagnostics = publish_diagnostics.Publisher(self.text_document_publish_diagnostics, rendered)
        self.policies = policy_documents.PolicyDocuments(self.client, self.diagnostics)
        self._is_telling = False
        self._changed: set[ids.SessionId] = set()
        self._moved: set[ids.SessionId] = set()
        """Sessions whose findings may stand elsewhere on the person's own files."""
        self._noticed: set[ids.SessionId] = set()
        self._is_edited = False
        self._is_listed = True
        """Whether the list of all sessions is as this editor was told."""
        self._told_changes: dict[ids.SessionId, tuple[object, ...]] = {}
        self.surface = review_surface.Surface(self.client)
        self._printed: set[tuple[ids.SessionId, ids.CallId]] = set()
        self._speaking: set[ids.SessionId] = set()
        self._wake = flag.Flag()
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
        feature(lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_FULL, semantic_tokens.OFFERED)(self._tokens)
        feature(lsp.TEXT_DOCUMENT_SEMANTIC_TOKENS_RANGE, semantic_tokens.OFFERED)(self._tokens_in_range)
        feature(lsp.TEXT_DOCUMENT_DID_OPEN)(self._opened)
        feature(lsp.TEXT_DOCUMENT_DID_CHANGE)(self._edited)
        feature(lsp.TEXT_DOCUMENT_DID_SAVE)(self._saved)
        feature(lsp.TEXT_DOCUMENT_DID_CLOSE)(self._closed)
        triggers = lsp.CompletionOptions(trigger_characters=list(policy_documents.TRIGGERS))
        feature(lsp.TEXT_DOCUMENT_COMPLETION, triggers)(self._complete)
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
        if self.client.options.files:
            self.client.mirror = mirror.Mirror(self.runtime)
            self.client.link.inward = self.client.mirror.inward
            self.client.link.outward = self.client.mirror.outward

    async def _initialized(self, params: lsp.InitializedParams) -> None:
        del params
        if self.client.may("observe") and not self._is_telling:
            self._is_telling = True
            self.client.link.spawn(self._tell(), "tell of changes")

    def _on_event(self, event: events.AnyEvent, now: state.SessionState) -> None:
        self._changed.add(event.session)
        self._is_listed = False
        if isinstance(event, events.CommandOutput | events.CommandFinished):
            self._printed.add((event.session, event.call))
        self._wake.set()
        try:
            self.reporter.on_event(event, now)
            if self.client.options.events:
                self.client.link.notify(protocol.EVENT_NOTIFICATION, event.model_dump(mode="json"))
            if isinstance(event, model_events.ContextLost):
                self.client.tell(f"{event.session}: {now.spent.loss}")
            if isinstance(event, events.ApprovalRequested) and self.client.options.bell and self.client.may("approve"):
                self.bell.ring(event, now)
        except Exception as error:  # noqa: BLE001 one editor's failure does not reach a session
            errors.log_defect(error, "telling an editor of an event")

    def _on_orphans(self) -> None:
        self._is_listed = False
        self._wake.set()

    def _on_notice(self, session: ids.SessionId) -> None:
        self._noticed.add(session)
        self._wake.set()

    def _on_stream(self, session: ids.SessionId, text: str, unfinished: str) -> None:
        del unfinished  # The page reads it when it is asked for.
        self._speaking.add(session)
        self._wake.set()
        try:
            if self.client.options.stream:
                self.client.link.notify(protocol.STREAM_NOTIFICATION, {"session": session, "text": text})
        except Exception as error:  # noqa: BLE001 one editor's failure does not reach a session
            errors.log_defect(error, "telling an editor what an agent says")

    def _on_progress(self, now: Progress) -> None:
        try:
            self.reporter.on_progress(now)
        except Exception as error:  # noqa: BLE001 one editor's failure does not reach a session
            errors.log_defect(error, "telling an editor of progress")

    async def _tell(self) -> None:
        """Publishes what changed, together; the first time, everything."""
        unsubscribe = self.runtime.subscribe(self._on_event, self._on_progress)
        unsubscribe_notices = self.runtime.reviews.subscribe(self._on_notice)
        unsubscribe_orphans = self.runtime.orphans.subscribe(self._on_orphans)
        unsubscribe_trust = self.runtime.policy.subscribe(self._on_trust)
        unsubscribe_streams = self.runtime.streams.subscribe(self._on_stream)
        try:
            if self.client.mirror is not None:
                await self.client.mirror.write(documents.OVERVIEW)
            for one in self.runtime.states():
                await self._apart(self._tell_first(one), one.session)
            await self._apart(self._publish_overview(), "all sessions")
            self.client.link.spawn(self._look_for_orphans(), "look for what sessions left behind")
            for one in self.runtime.states():
                await self._apart(self._tell_review(one.session), one.session)
            while True:
                await self._wake.wait()
                await asyncio.sleep(TOGETHER_S)
                self._wake.clear()
                await self._tell_changes()
                await asyncio.sleep(APART_S)
        finally:
            unsubscribe()
            unsubscribe_orphans()
            unsubscribe_trust()
            unsubscribe_notices()
            unsubscribe_streams()

    @staticmethod
    async def _apart(work: Coroutine[Any, Any, None], about: str) -> None:
        """Tells one thing; what goes wrong with it keeps neither anything else nor what comes later from being told."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 as said above
            errors.log_defect(error, f"telling an editor of {about}")

    async def _tell_first(self, one: state.SessionState) -> None:
        if self.client.mirror is not None:
            await self.client.mirror.write(documents.page(one.session))
        self.reporter.follow(one)
        self.diagnostics.publish(one)
        if one.findings:
            self._moved.add(one.session)
            self._wake.set()

    async def _look_for_orphans(self) -> None:
        for folder in self.client.folders():
            await self.runtime.orphans.look(folder)

    async def _publish_overview(self) -> None:
        # Invariant: the overview has diagnostics for orphans only; without any, no log has to be read.
        page = review.Page("", ())
        if self.runtime.orphans.found():
            page = await text_document_content.page_of(self.runtime, documents.OVERVIEW) or page
        self.diagnostics.publish_overview(page)

    async def _tell_changes(self) -> None:
        changed, self._changed = self._changed, set()
        printed, self._printed = self._printed, set()
        speaking, self._speaking = self._speaking, set()
        for session in sorted(speaking - changed):
            self.client.refresh(documents.page(session))
        if speaking and not (changed or printed or self._noticed or self._is_edited or self._moved):
            return
        for session in sorted(changed):
            await self._apart(self._tell_page(session), session)
        for session in sorted(changed | self._moved):
            self._moved.discard(session)
            await self._apart(self._tell_findings(session), session)
        noticed, self._noticed = self._noticed, set()
        edited, self._is_edited = self._is_edited, False
        everybody = {one.session for one in self.runtime.states()} if edited else set()
        for session in sorted(changed | noticed | everybody):
            await self._apart(self._tell_review(session), session)
        for session, call in sorted(printed):
            await self._apart(self.client.renew(documents.output(session, call)), session)
        if not self._is_listed:
            self._is_listed = True
            await self._apart(self.client.renew(documents.OVERVIEW), "all sessions")
            await self._apart(self._publish_overview(), "all sessions")

    async def _tell_page(self, session: ids.SessionId) -> None:
        # A refresh comes first: it is about the text that the diagnostics stand on.
        await self.client.renew(documents.page(session))
        now = await self.runtime.state(session)
        self.diagnostics.publish(now)
        await self.client.renew(documents.trace(session))
        if now.group is not None:
            await self.client.renew(documents.compare(now.group))
        if self.client.mirror is not None and now.status != "running":
            # Not every editor of this kind asks for links: the diff is there when there is something to decide.
            await self.client.mirror.write(documents.changes(session))

    async def _tell_findings(self, session: ids.SessionId) -> None:
        self.diagnostics.publish_own_files(session, await self.runtime.on_own_files(session, self.client.open_text))

    async def _tell_review(self, session: ids.SessionId) -> None:
        """Publishes the hunks of a session on the person's own files; what differs is read again."""
        seen = await self.surface.look(session)
        known = self._told_changes.get(session)
        self._told_changes[session] = seen.moment
        if known is None or known[:2] != seen.moment[:2]:
            for number in {1, *self.runtime.reviews.pages(session)}:
                await self.client.renew(documents.changes(session, number))
        self.diagnostics.publish_review(session, seen.diagnostics)
        if known != seen.moment:
            self.client.refresh_lenses()

    async def _opened(self, params: lsp.DidOpenTextDocumentParams) -> None:
        self.diagnostics.repeat(params.text_document.uri)
        await self._examine(params.text_document.uri)

    async def _edited(self, params: lsp.DidChangeTextDocumentParams) -> None:
        await self._examine(params.text_document.uri)

    async def _saved(self, params: lsp.DidSaveTextDocumentParams) -> None:
        await self._examine(params.text_document.uri)

    async def _closed(self, params: lsp.DidCloseTextDocumentParams) -> None:
        await self._examine(params.text_document.uri)

    async def _examine(self, uri: str) -> None:
        if not self.client.may("observe"):
            return
        if uri.startswith("file:"):
            # An open file differs from what its hunks were placed in.
            self._is_edited = True
            self._wake.set()
        await self.policies.examine(uri)
        if moved := self.diagnostics.own_files_at(uri):
            self._moved |= moved
            self._wake.set()

    def _on_trust(self) -> None:
        self.client.link.spawn(self.policies.examine_all(), "examine open policy files")

    async def _cancel(self, params: lsp.WorkDoneProgressCancelParams) -> None:
        cancel = self.client.cancellable.get(str(params.token))
        if cancel is not None:
            cancel()
        await self.reporter.cancel(params.token)

    async def _content(self, params: lsp.TextDocumentContentParams) -> lsp.TextDocumentContentResult:
        self.client.need("observe")
        return lsp.TextDocumentContentResult(text=await text_document_content.read(self.runtime, params.uri))

    async def _actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        found = self.diagnostics.at(params.text_document.uri, params.range)
        reviewing = (
            await review_actions.actions(self.client, self.surface, params) if self.client.may("observe") else []
        )
        return [
            *await code_action.of(self.client, params),
            *code_action.on_findings(self.client, params, found),
            *await self.policies.actions(params),
            *start_actions.of(self.client, params),
            *reviewing,
        ]

    async def _complete(self, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        self.client.need("observe")
        return await self.policies.complete(params)

    async def _lenses(self, params: lsp.CodeLensParams) -> list[lsp.CodeLens]:
        uri = params.text_document.uri
        found = await code_lens.of(self.runtime, uri) if self.client.may("approve") else []
        if self.client.may("observe"):
            found += await review_actions.lenses(self.client, self.surface, uri)
        return found

    async def _hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        self.client.need("observe")
        return await self.policies.hover(params) or await hover.of(self.runtime, params)

    async def _symbols(self, params: lsp.DocumentSymbolParams) -> list[lsp.DocumentSymbol]:
        self.client.need("observe")
        return await document_symbol.of(self.runtime, params.text_document.uri)

    async def _folds(self, params: lsp.FoldingRangeParams) -> list[lsp.FoldingRange]:
        self.client.need("observe")
        return await folding_range.of(self.runtime, params.text_document.uri)

    async def _tokens(self, params: lsp.SemanticTokensParams) -> lsp.SemanticTokens | None:
        self.client.need("observe")
        return await semantic_tokens.of(self.client, params.text_document.uri)

    async def _tokens_in_range(self, params: lsp.SemanticTokensRangeParams) -> lsp.SemanticTokens | None:
        self.client.need("observe")
        lines = range(params.range.start.line, params.range.end.line + 1)
        return await semantic_tokens.of(self.client, params.text_document.uri, lines)

    async def _links(self, params: lsp.DocumentLinkParams) -> list[lsp.DocumentLink]:
        self.client.need("observe")
        links = await document_link.of(self.runtime, params.text_document.uri)
        if self.client.mirror is not None:
            for link in links[:MIRRORED_LINKS]:
                if link.target is not None:
                    await self.client.mirror.write(link.target)
        return links


def builder(runtime: Runtime) -> Callable[[], Connection]:
    """Returns what makes the server of each new connection to a runtime."""
    numbers = itertools.count(1)
    rendered = publish_diagnostics.Rendered(runtime.doors.banner)
    return lambda: Connection(runtime, next(numbers), None, rendered)
