"""The commands on a session's files as a whole, for `workspace/executeCommand`: its checkpoints and merges."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime import attempts, checkpoints, committing, conflicts, merging
from agentos_lsp.server import documents, protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from agentos_lsp.domain import policy
    from agentos_lsp.runtime.session import Session
    from agentos_lsp.server.client import Client


async def _take(client: Client, wanted: protocol.TakeCheckpoint) -> object:
    async def act(one: Session) -> object:
        before = len(one.state.checkpoints)
        number = await checkpoints.take(one, one.place, "asked", wanted.note)
        return {"checkpoint": number, "made": len(one.state.checkpoints) > before}

    return await client.runtime.on(ids.SessionId(wanted.session), act)


async def _list(client: Client, wanted: protocol.OneSession) -> object:
    now = await client.runtime.state(ids.SessionId(wanted.session))
    rows = [
        {
            "checkpoint": one.number,
            "commit": one.commit,
            "at": one.at.isoformat(),
            "occasion": one.occasion,
            "note": one.note,
            "files": one.files,
            "skipped": list(one.skipped),
        }
        for one in now.checkpoints
    ]
    return {"beginning": now.base_commit, "checkpoints": rows}


async def _diff(client: Client, wanted: protocol.CompareCheckpoints) -> object:
    now = await client.runtime.state(ids.SessionId(wanted.session))
    for number in (wanted.older, wanted.newer):
        if number is not None:
            checkpoints.commit_of(now, number)
    uri = documents.checkpoints(wanted.session, wanted.older, wanted.newer)
    return {"uri": uri, "shown": client.show(uri)}


async def _restore(client: Client, wanted: protocol.RestoreCheckpoint) -> object:
    async def act(one: Session) -> object:
        with one.hold():
            done = await checkpoints.restore(one, one.place, wanted.checkpoint, client.name)
        return {"checkpoint": wanted.checkpoint, "undo": done.undo, "files": done.files, "kept": list(done.kept)}

    return await client.runtime.on(ids.SessionId(wanted.session), act)


async def _preview(client: Client, wanted: protocol.PreviewMerge) -> object:
    unsaved = await asyncio.to_thread(client.unsaved_files)
    found = await client.runtime.on(
        ids.SessionId(wanted.session), lambda one: merging.preview(one, wanted.strategy, wanted.into, unsaved)
    )
    return {
        "possible": found.possible,
        "into": found.into,
        "kind": found.kind,
        "files": list(found.paths),
        "conflicts": list(found.conflicts),
        "findings": _findings(found.findings),
        "uncommitted": list(found.uncommitted),
        "hindrance": found.hindrance,
        "inTheWay": list(found.in_the_way),
        "checks": [{"name": row.check.name, "line": row.check.run, "standing": row.standing} for row in found.checks],
    }


async def _conflict(client: Client, wanted: protocol.OpenConflict) -> object:
    async def look(one: Session) -> dict[conflicts.Side, bool]:
        return {side: await conflicts.side(one, side, wanted.path) is not None for side in conflicts.SIDES}

    session = ids.SessionId(wanted.session)
    await client.runtime.state(session)
    there: dict[conflicts.Side, bool]
    try:
        there = await client.runtime.on(session, look)
    except UserError as error:
        # The page that offered this may be old.
        client.tell(f"{error} {error.hint}")
        there = {}
    uris: dict[str, object] = dict.fromkeys(conflicts.SIDES)
    shown = False
    for side in conflicts.SIDES:
        if there.get(side):
            uris[side] = uri = documents.conflict(wanted.session, side, wanted.path)
            shown = await client.present(uri) or shown
    return {**uris, "shown": shown}


async def _commit(client: Client, wanted: protocol.CommitSession) -> object:
    async def act(one: Session) -> committing.Committed | committing.NotCommitted:
        with one.hold():
            if wanted.shown is not None:
                now = await client.runtime.losses(one.id)
                if attempts.shown({one.id: now}) != wanted.shown:
                    message = f"By now there are {len(now.uncommitted)} files to commit, and not those that were shown."
                    raise UserError(message, "Look at the session again.")
            return await committing.commit(one, wanted.message, client.name, confirmed=wanted.confirm)

    done = await client.runtime.on(ids.SessionId(wanted.session), act)
    if isinstance(done, committing.Committed):
        return {"committed": True, "commit": done.commit, "files": list(done.files)}
    return {"committed": False, "kind": done.kind, "findings": _findings(done.findings)}


def _findings(found: Iterable[policy.Finding]) -> list[dict[str, object]]:
    return [
        {"rule": one.rule, "action": one.action, "path": one.path, "line": one.line, "message": one.message}
        for one in found
    ]


async def _keep(client: Client, wanted: protocol.KeepSession) -> object:
    name = ids.SessionId(wanted.session)
    runtime = client.runtime
    keep = attempts.keep(runtime, name, client.name, wanted.shown) if wanted.confirm else attempts.rest(runtime, name)
    lost = await keep
    rows = [
        {"session": other, "commits": list(it.commits), "uncommitted": list(it.uncommitted)}
        for other, it in lost.items()
    ]
    return {"kept": name, "discarded": wanted.confirm, "sessions": rows, "shown": attempts.shown(lost)}


async def _undo(client: Client, wanted: protocol.OneSession) -> object:
    unsaved = await asyncio.to_thread(client.unsaved_files)
    merged = await client.runtime.ended(ids.SessionId(wanted.session))
    done = await merging.undo(merged, client.runtime.doors.git, unsaved, client.name)
    if isinstance(done, merging.Undone):
        return {"undone": True, "into": done.into, "commit": done.commit, "branch": done.branch}
    return {"undone": False, "message": done.message, "paths": list(done.paths)}


# Each handler takes the model that its command names in `protocol.COMMANDS`; `execute` has validated it.
HANDLERS: dict[str, Callable[[Client, Any], Awaitable[object]]] = {
    "agentos.checkpoint.take": _take,
    "agentos.checkpoint.list": _list,
    "agentos.checkpoint.diff": _diff,
    "agentos.checkpoint.restore": _restore,
    "agentos.conflict.open": _conflict,
    "agentos.session.previewMerge": _preview,
    "agentos.session.undoMerge": _undo,
    "agentos.session.commit": _commit,
    "agentos.session.keep": _keep,
}
