"""Policy files that are open in an editor: errors while typing, explanations, suggestions, and the act of trust.

A document is one by its name: a repository's `.agentos/policy.toml`, or the person's own file.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lsprotocol import types as lsp

from agentos_lsp.domain import policy_help, review
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime.policies import REPOSITORY_FILE
from agentos_lsp.server import code_action, publish_diagnostics
from agentos_lsp.server.client import path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.domain.toml_places import Place
    from agentos_lsp.runtime.policies import Examined
    from agentos_lsp.server.client import Client

TRIGGERS = ('"', "[")

_KINDS = {
    "table": lsp.CompletionItemKind.Module,
    "key": lsp.CompletionItemKind.Property,
    "value": lsp.CompletionItemKind.EnumMember,
}


class PolicyDocuments:
    """The open policy files of one editor."""

    def __init__(self, client: Client, publisher: publish_diagnostics.Publisher) -> None:
        self._client = client
        self._publisher = publisher

    def is_one(self, uri: str) -> bool:
        """Whether a document is a policy file, by its name."""
        path = _path(uri)
        return path is not None and (
            path.endswith(f"/{REPOSITORY_FILE}") or path == str(self._client.runtime.policy.policies.user)
        )

    async def examine(self, uri: str) -> None:
        """Publishes what is wrong with an open policy file; a text that has changed meanwhile is examined anew."""
        if not self.is_one(uri):
            return
        document = self._document(uri)
        if document is None:
            self._publisher.publish_document(uri, [])
            return
        version = document.version
        examined = await self._examined(uri, document.source)
        current = self._document(uri)
        if current is not None and current.version == version:
            self._publisher.publish_document(uri, self._diagnostics(current.source, examined))

    async def examine_all(self) -> None:
        """Publishes anew for every open policy file, because what is trusted has changed."""
        for document in list(self._client.server.workspace.text_documents.values()):
            await self.examine(document.uri)

    async def hover(self, params: lsp.HoverParams) -> lsp.Hover | None:
        """Explains what stands at a place."""
        document = self._document(params.text_document.uri)
        if document is None or not self.is_one(params.text_document.uri):
            return None
        lines = _lines(document.source)
        line, column = self._from_client(lines, params.position)
        found = policy_help.explain(document.source, line, column)
        if found is None:
            return None
        content = lsp.MarkupContent(lsp.MarkupKind.Markdown, found.text)
        return lsp.Hover(content, self._range(lines, found.place))

    async def complete(self, params: lsp.CompletionParams) -> list[lsp.CompletionItem]:
        """Suggests what may stand at a place."""
        document = self._document(params.text_document.uri)
        if document is None or not self.is_one(params.text_document.uri):
            return []
        lines = _lines(document.source)
        line, column = self._from_client(lines, params.position)
        text = lines[line] if line < len(lines) else ""
        # An editor that closes quotes and brackets by itself has put one behind the cursor.
        end = column + (text[column : column + 1] in {'"', "]"})
        end += text[end : end + 1] == "]"
        return [
            lsp.CompletionItem(
                label=one.label,
                kind=_KINDS[one.kind],
                documentation=lsp.MarkupContent(lsp.MarkupKind.Markdown, one.says),
                filter_text=text[one.start : column] + one.label if one.kind == "table" else one.label,
                text_edit=lsp.TextEdit(
                    lsp.Range(self._to_client(lines, line, one.start), self._to_client(lines, line, end)), one.text
                ),
            )
            for one in policy_help.suggest(document.source, line, column)
        ]

    async def actions(self, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
        """Offers to trust a repository's file where it says what is passed over, and to take the trust back."""
        uri = params.text_document.uri
        document = self._document(uri)
        if (
            document is None
            or not self.is_one(uri)
            or not self._client.may("approve")
            or not code_action.wanted(params)
        ):
            return []
        examined = await self._examined(uri, document.source)
        shown = [one for one in params.context.diagnostics if one.code == "policy-passed-over"]
        if not examined.repository or not examined.is_saved:
            return []
        if examined.trusted:
            command = lsp.Command(
                "Take back the trust in this policy",
                "agentos.policy.untrust",
                arguments=[{"workspace": examined.repository}],
            )
        elif examined.passed_over and shown:
            argument = {"workspace": examined.repository, "digest": examined.digest}
            title = "Trust this policy: it may loosen your own"
            command = lsp.Command(title, "agentos.policy.trust", arguments=[argument])
        else:
            return []
        return [lsp.CodeAction(command.title, code_action.KIND, diagnostics=shown, command=command)]

    async def _examined(self, uri: str, text: str) -> Examined:
        policies = self._client.runtime.policy.policies
        return await asyncio.to_thread(policies.examine, _path(uri) or "", text)

    def _diagnostics(self, text: str, examined: Examined) -> list[lsp.Diagnostic]:
        lines = _lines(text)
        found = [
            lsp.Diagnostic(
                self._range(lines, problem.place),
                review.visible(problem.message),
                severity=lsp.DiagnosticSeverity.Error,
                code="policy-file",
                source=publish_diagnostics.SOURCE,
            )
            for problem in examined.problems
        ]
        told = "This would loosen the policy and is passed over, because you have not trusted this file."
        return found + [
            lsp.Diagnostic(
                self._range(lines, place),
                told,
                severity=lsp.DiagnosticSeverity.Information,
                code="policy-passed-over",
                source=publish_diagnostics.SOURCE,
            )
            for place in examined.passed_over
        ]

    def _document(self, uri: str) -> Any:  # noqa: ANN401 - pygls' documents are untyped
        return self._client.server.workspace.text_documents.get(unquote(uri))

    def _range(self, lines: Sequence[str], place: Place) -> lsp.Range:
        start = self._to_client(lines, place.line, place.start)
        end = self._to_client(lines, place.end_line, place.end)
        return lsp.Range(start, end)

    def _to_client(self, lines: Sequence[str], line: int, column: int) -> lsp.Position:
        """Counts a column as this editor does."""
        text = lines[line][:column] if line < len(lines) else ""
        units: int = self._client.server.workspace.position_codec.client_num_units(text)
        return lsp.Position(line, units)

    def _from_client(self, lines: Sequence[str], position: lsp.Position) -> tuple[int, int]:
        """Counts a column in characters; beyond a line's end, it is its end."""
        text = lines[position.line] if position.line < len(lines) else ""
        codec, column, units = self._client.server.workspace.position_codec, 0, 0
        while column < len(text) and units < position.character:
            units += codec.client_num_units(text[column])
            column += 1
        return position.line, column


def _lines(text: str) -> list[str]:
    return text.split("\n")


def _path(uri: str) -> str | None:
    if not uri.startswith("file:"):
        return None
    try:
        return str(Path(path_of(uri)))
    except UserError:
        return None
