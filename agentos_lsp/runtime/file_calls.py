"""The tool calls that touch files: read, write, edit, delete and move, through the confined tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, assert_never

from agentos_lsp.domain import events, tools
from agentos_lsp.effects import agents

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.runtime.journal import Journal
    from agentos_lsp.runtime.workspace import Refused, Workspace

FileOperation = Literal["read", "write", "edit", "delete", "move"]


async def read(journal: Journal, workspace: Workspace, call: CallId, request: tools.ReadCall) -> agents.ToolResult:
    """Reads a file or lists a folder."""
    content = await workspace.read(request.path)
    if not isinstance(content, tuple):
        return await refuse(journal, call, request.path, "read", content)
    text, size = content
    await journal.record(events.FileRead, call=call, path=request.path, size_bytes=size)
    return agents.ToolResult(ok=True, text=text)


async def change(
    journal: Journal,
    workspace: Workspace,
    call: CallId,
    request: tools.WriteCall | tools.EditCall | tools.DeleteCall | tools.MoveCall,
) -> agents.ToolResult:
    """Writes, edits, deletes or moves a file, with intent and outcome recorded."""
    before = await workspace.keep(request.path)
    await journal.record(events.FileWriteAttempted, call=call, path=request.path, operation=request.kind, before=before)
    match request:
        case tools.WriteCall():
            outcome = await workspace.write(request.path, request.text)
            told = f"Wrote {request.path}."
        case tools.EditCall():
            outcome = await workspace.edit(request.path, request.old, request.new)
            told = f"Edited {request.path}."
        case tools.DeleteCall():
            outcome = await workspace.delete(request.path, recursive=request.recursive)
            told = f"Deleted {request.path}."
        case tools.MoveCall():
            outcome = await workspace.move(request.path, request.to)
            told = f"Moved {request.path} to {request.to}."
        case _:
            assert_never(request)
    if outcome is not None and not isinstance(outcome, int):
        return await refuse(journal, call, request.path, request.kind, outcome)
    to = request.to if isinstance(request, tools.MoveCall) else None
    await journal.record(
        events.FileWritten, call=call, path=request.path, operation=request.kind, to=to, size_bytes=outcome
    )
    return agents.ToolResult(ok=True, text=told)


async def refuse(
    journal: Journal, call: CallId, path: str, operation: FileOperation, refused: Refused
) -> agents.ToolResult:
    """Records that a path cannot be used, and says why to the agent."""
    await journal.record(
        events.FileRefused,
        call=call,
        path=path,
        operation=operation,
        reason=refused.reason,
        message=refused.message,
    )
    return agents.ToolResult(ok=False, text=refused.message)
