"""Code actions that start a session from a person's own file, for editors that have no other way to ask for a task."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from lsprotocol import types as lsp

from agentos_lsp.domain import review

if TYPE_CHECKING:
    from agentos_lsp.server.client import Client

KIND = "quickfix.agentos"

_TODO = re.compile(r"\b(?:TODO|FIXME)\b:?\s*(.*)")
_TITLE_CHARACTERS = 60
_SELECTED_CHARACTERS = 4000


def of(client: Client, params: lsp.CodeActionParams) -> list[lsp.CodeAction]:
    """Returns what an agent could do about the lines of a range, and the way to the list of all sessions."""
    uri = params.text_document.uri
    document = client.server.workspace.text_documents.get(unquote(uri))
    if not uri.startswith("file:") or document is None or not client.options.files:
        return []
    found = [lsp.CodeAction("Show all agent sessions", KIND, command=_open())]
    if not client.may("steer"):
        return found
    lines = str(document.source).splitlines()
    first = params.range.start.line
    where = f"{document.path}, line {first + 1}"
    tasks = [f"Mend this: {one.message}\n\n{where}" for one in params.context.diagnostics]
    if first < len(lines) and (todo := _TODO.search(lines[first])) is not None:
        tasks.append(f"{todo[1].strip() or todo[0]}\n\n{where}")
    if params.range.start != params.range.end:
        selected = "\n".join(lines[first : params.range.end.line + 1])[:_SELECTED_CHARACTERS]
        tasks.append(f"Work on what is selected.\n\n{where}:\n\n{selected}")
    return [lsp.CodeAction(_title(task), KIND, command=_start(client, task)) for task in tasks] + found


def _title(task: str) -> str:
    first = review.visible(task.split("\n", 1)[0])
    shown = first if len(first) <= _TITLE_CHARACTERS else f"{first[:_TITLE_CHARACTERS]}…"
    return f"Let an agent do this: {shown}"


def _start(client: Client, task: str) -> lsp.Command:
    chosen = {"agent": client.options.agent, "script": client.options.script, "model": client.options.model}
    argument = {"task": task, "show": True, **{name: value for name, value in chosen.items() if value is not None}}
    return lsp.Command("Start a session", "agentos.session.start", arguments=[argument])


def _open() -> lsp.Command:
    return lsp.Command("Show all sessions", "agentos.session.open", arguments=[{"document": "overview"}])
