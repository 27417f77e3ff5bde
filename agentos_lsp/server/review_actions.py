"""What a person can do with a hunk or file under review: the same as code actions, as lenses, and in the diff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.domain import hunks, review
from agentos_lsp.server import code_action, protocol, publish_diagnostics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentos_lsp.domain.reviewed import Review
    from agentos_lsp.server.client import Client
    from agentos_lsp.server.review_surface import Surface

SHOWN_LENSES = 300
"""For how many hunks of a document lenses are made; actions are there for all."""

EVERY_LINE = range(1 << 31)


@dataclass(frozen=True, slots=True)
class Offer:
    """What can be done with one item of a session, whose review has come as far as `progress` says."""

    client: Client
    session: str
    item: hunks.Item
    progress: Review
    in_diff: bool

    def commands(self) -> Iterator[lsp.Command]:
        """Yields what this editor may do, the hunk before its file."""
        whole = hunks.whole(self.item.change)
        if self.item.hunk is not None:
            yield from self._both("hunk", "hunk", self.item)
        yield from self._both("file", review.visible(self.item.path), whole)
        kind = "file" if self.item.hunk is None else "hunk"
        if self.client.may("steer") and self.client.options.ask_text:
            answer = self._argument(self.item)
            arguments = [answer, f"agentos.{kind}.ask"]
            yield lsp.Command(self._title("Ask for a change"), protocol.ASK_COMMENT, arguments=arguments)
        if not self.in_diff:
            yield self._command("Show diff", f"agentos.{kind}.show", self.item)
        if self.client.may("approve"):
            seen = self.item.digest in self.progress.looked_at
            title = "Mark as not reviewed" if seen else "Mark as reviewed"
            yield self._command(title, f"agentos.{kind}.mark", self.item, reviewed=not seen)

    def _both(self, kind: str, name: str, item: hunks.Item) -> Iterator[lsp.Command]:
        if self.client.may("merge"):
            yield self._command(f"Accept {name}", f"agentos.{kind}.accept", item)
        if self.client.may("steer"):
            yield self._command(f"Reject {name}", f"agentos.{kind}.reject", item)

    def _command(self, title: str, command: str, item: hunks.Item, **more: object) -> lsp.Command:
        return lsp.Command(self._title(title), command, arguments=[{**self._argument(item), **more}])

    def _title(self, what: str) -> str:
        return what if self.in_diff else f"{what} ({self.session})"

    def _argument(self, item: hunks.Item) -> dict[str, object]:
        return {"session": self.session, "path": item.path, "digest": item.digest}


async def actions(client: Client, surface: Surface, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """Returns what can be done with the hunks on the lines of a range, of a file or of a diff."""
    if not code_action.wanted(params):
        return []
    last = params.range.end.line
    if params.range.end.character == 0 and last > params.range.start.line:
        last -= 1
    found: list[lsp.CodeAction] = []
    lines = range(params.range.start.line, last + 1)
    for _, offer in await _placed(client, surface, params.text_document.uri, lines):
        shown = [
            diagnostic
            for diagnostic in params.context.diagnostics
            if diagnostic.source == publish_diagnostics.SOURCE and _digest(diagnostic) == offer.item.digest
        ]
        # None is preferred: editors have a key that applies what is preferred without showing it.
        found += [
            lsp.CodeAction(title=command.title, kind=code_action.KIND, diagnostics=shown or None, command=command)
            for command in offer.commands()
        ]
    return found


async def lenses(client: Client, surface: Surface, uri: str) -> list[lsp.CodeLens]:
    """Returns the same as lenses, above each hunk, but for what needs a text."""
    found: list[lsp.CodeLens] = []
    for line, offer in (await _placed(client, surface, uri, EVERY_LINE))[:SHOWN_LENSES]:
        where = lsp.Range(lsp.Position(line, 0), lsp.Position(line, 0))
        found += [
            lsp.CodeLens(range=where, command=command)
            for command in offer.commands()
            if command.command != protocol.ASK_COMMENT
        ]
    return found


def _digest(diagnostic: lsp.Diagnostic) -> object:
    return diagnostic.data.get("digest") if isinstance(diagnostic.data, dict) else None


async def _placed(client: Client, surface: Surface, uri: str, lines: range) -> list[tuple[int, Offer]]:
    """Returns what stands on lines of a diff or of a file, with the line that it begins on."""
    diff = await surface.in_diff(uri)
    if diff is not None:
        session, page = diff
        progress = (await client.runtime.state(session)).review
        sections = page.at(lines.start, lines.stop - 1)
        return [(one.line, Offer(client, session, one.item, progress, in_diff=True)) for one in sections]
    found: list[tuple[int, Offer]] = []
    for one in await surface.on_lines(uri, lines):
        progress = (await client.runtime.state(one.session)).review
        found.append((one.start, Offer(client, one.session, one.item, progress, in_diff=False)))
    return found
