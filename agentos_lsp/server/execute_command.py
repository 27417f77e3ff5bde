"""`workspace/executeCommand`: reads the one object of each command, checks the permission, and asks the runtime.

A handler translates, submits and returns: a merge waits for its checks, but nothing for an agent.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agentos_lsp.domain import approval, ids, orphan, review
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime import attempts, ending, supervisor
from agentos_lsp.server import (
    changed_files,
    documents,
    policy_commands,
    protocol,
    provider_commands,
    review_commands,
    tree_commands,
    wire,
)
from agentos_lsp.server.client import path_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lsprotocol import types as lsp

    from agentos_lsp.domain import state
    from agentos_lsp.server.client import Client


async def execute(client: Client, params: lsp.ExecuteCommandParams) -> object:
    """Carries out a command for a client.

    Raises:
        UserError: The connection lacks the permission, or the runtime cannot do what is asked.
        InvalidParamsError: The argument is not the object that the command takes.
    """
    spec = protocol.COMMANDS[params.command]
    client.need(spec.permission)
    argument = wire.command_argument(params, spec.argument)
    return await _HANDLERS[params.command](client, argument)


async def _start(client: Client, wanted: protocol.StartSession) -> object:
    workspace = client.first_folder() if wanted.workspace is None else wanted.workspace
    one = supervisor.Start(
        path_of(workspace),
        wanted.task,
        wanted.agent or ("builtin" if wanted.script is None else "scripted"),
        None if wanted.script is None else path_of(wanted.script),
        wanted.model,
        client.name,
        client.environment,
    )
    each = [replace(one, model=model) for model in wanted.models] or [one] * wanted.n
    sessions = await attempts.start(client.runtime, each)
    page = documents.page(sessions[0]) if len(sessions) == 1 else documents.compare(sessions[0])
    if wanted.show:
        await client.present(page)
    several = {"sessions": list(sessions)} if len(sessions) > 1 else {}
    return {"session": sessions[0], "page": page, **several}


async def _list(client: Client, wanted: protocol.Nothing) -> object:
    del wanted
    return {"sessions": [_row(one) for one in await client.runtime.all_states()]}


async def _show(client: Client, wanted: protocol.OneSession) -> object:
    one = await client.runtime.state(ids.SessionId(wanted.session))
    questions = [
        {
            "approval": question.approval,
            "digest": question.digest,
            "line": question.line,
            "cwd": question.cwd,
            "prefix": None if question.prefix is None else list(question.prefix),
            "folder": question.folder,
        }
        for question in one.questions.values()
    ]
    return {
        **_row(one),
        "branch": None if one.worktree is None else one.worktree.branch,
        "worktree": None if one.worktree is None else one.worktree.folder,
        "baseBranch": one.base_branch,
        "baseCommit": one.base_commit,
        "head": one.head,
        "notice": one.notice,
        "approvals": questions,
        "conflicts": list(one.conflicts),
        "findings": [finding.model_dump(mode="json") for finding in one.findings],
    }


async def _open(client: Client, wanted: protocol.OpenDocument) -> object:
    if wanted.document == "overview":
        uri = documents.OVERVIEW
    else:
        session = wanted.session or _only(client)
        await client.runtime.state(ids.SessionId(session))
        uri = {"page": documents.page, "changes": documents.changes, "trace": documents.trace}[wanted.document](session)
    return {"uri": uri, "shown": await client.present(uri)}


async def _prompt(client: Client, wanted: protocol.PromptSession) -> object:
    await client.runtime.prompt(ids.SessionId(wanted.session), wanted.text, client.name)
    return await _status(client, wanted)


async def _model(client: Client, wanted: protocol.ChooseModel) -> object:
    chosen = await client.runtime.choose_model(ids.SessionId(wanted.session), wanted.model, client.name)
    return {"session": wanted.session, "model": chosen}


async def _pause(client: Client, wanted: protocol.OneSession) -> object:
    await client.runtime.pause(ids.SessionId(wanted.session), client.name)
    return await _status(client, wanted)


async def _resume(client: Client, wanted: protocol.OneSession) -> object:
    await client.runtime.resume(ids.SessionId(wanted.session), client.name)
    return await _status(client, wanted)


async def _stop(client: Client, wanted: protocol.OneSession) -> object:
    await client.runtime.stop(ids.SessionId(wanted.session), client.name)
    return await _status(client, wanted)


async def _merge(client: Client, wanted: protocol.MergeSession) -> object:
    unsaved = await asyncio.to_thread(client.unsaved_files)
    merge = ending.Merge(wanted.strategy, wanted.into, wanted.message, client.name, tuple(wanted.run_checks))
    outcome = await client.runtime.merge(ids.SessionId(wanted.session), merge, unsaved)
    if isinstance(outcome, ending.Merged):
        return {"merged": True, "into": outcome.into, "commit": outcome.commit, "files": list(outcome.files)}
    return {"merged": False, "kind": outcome.kind, "message": outcome.message, "paths": list(outcome.paths)}


async def _discard(client: Client, wanted: protocol.DiscardSession) -> object:
    session = ids.SessionId(wanted.session)
    runtime = client.runtime
    if wanted.confirm and wanted.shown is not None:
        now = {session: await runtime.losses(session)}
        if attempts.shown(now) != wanted.shown:
            message = f"Discarding would lose something else by now: {attempts.words(now)}."
            raise UserError(message, "Look at the session again, and stop it first if it works.")
    lost = await (runtime.discard(session, client.name) if wanted.confirm else runtime.losses(session))
    return {
        "discarded": wanted.confirm,
        "commits": list(lost.commits),
        "uncommitted": list(lost.uncommitted),
        "shown": attempts.shown({session: lost}),
    }


async def _decide(client: Client, wanted: protocol.DecideApproval) -> object:
    given = approval.Answer(
        ids.ApprovalId(wanted.approval),
        wanted.digest,
        wanted.outcome,
        wanted.scope,
        client.name,
        wanted.comment,
    )
    counted = await client.runtime.decide(ids.SessionId(wanted.session), given)
    if isinstance(counted, approval.Stale):
        # Editors do not look at the results of commands that code actions run.
        client.tell(counted.reason)
        return {"counted": False, "message": counted.reason}
    return {"counted": True, "message": ""}


async def _orphans(client: Client, wanted: protocol.Nothing) -> object:
    del wanted
    rows = [
        {
            "orphan": one.session,
            "repository": one.repository,
            "folder": one.folder,
            "branch": one.branch,
            "commits": list(one.commits),
            "uncommitted": list(one.uncommitted),
            "isEmpty": one.is_empty,
            "advice": orphan.advise(one),
        }
        for one in client.runtime.orphans.found()
    ]
    return {"orphans": rows}


async def _recover(client: Client, wanted: protocol.OneOrphan) -> object:
    name = ids.SessionId(wanted.orphan)
    await client.runtime.adopt(name, client.name)
    await client.present(documents.page(name))
    return _row(await client.runtime.state(name))


async def _remove(client: Client, wanted: protocol.OneOrphan) -> object:
    await client.runtime.orphans.remove(ids.SessionId(wanted.orphan))
    return {"removed": True}


async def _check(client: Client, wanted: protocol.CheckCommand) -> object:
    session = None if wanted.session is None else ids.SessionId(wanted.session)
    judged = await client.runtime.check(wanted.line, session, next(iter(client.folders()), None))
    return {
        "verdict": judged.verdict.word,
        "reasons": [reason.text for reason in judged.reasons],
        "parts": [
            {"text": part.text, "verdict": part.verdict.word, "reasons": [reason.text for reason in part.reasons]}
            for part in judged.parts
        ],
        "prefix": None if judged.prefix is None else list(judged.prefix),
    }


# Each handler takes the model that its command names in `protocol.COMMANDS`; `execute` has validated it.
_HANDLERS: dict[str, Callable[[Client, Any], Awaitable[object]]] = {
    "agentos.session.start": _start,
    "agentos.session.list": _list,
    "agentos.session.show": _show,
    "agentos.session.files": changed_files.files,
    "agentos.session.open": _open,
    "agentos.session.prompt": _prompt,
    "agentos.session.model": _model,
    "agentos.session.pause": _pause,
    "agentos.session.resume": _resume,
    "agentos.session.stop": _stop,
    "agentos.session.merge": _merge,
    "agentos.session.discard": _discard,
    "agentos.approval.decide": _decide,
    "agentos.orphan.list": _orphans,
    "agentos.orphan.recover": _recover,
    "agentos.orphan.remove": _remove,
    **review_commands.handlers("hunk"),
    **review_commands.handlers("file"),
    "agentos.provider.diagnose": provider_commands.diagnose,
    "agentos.provider.pull": provider_commands.pull,
    "agentos.command.check": _check,
    **policy_commands.HANDLERS,
    **tree_commands.HANDLERS,
}


async def _status(client: Client, wanted: protocol.OneSession) -> object:
    return _row(await client.runtime.state(ids.SessionId(wanted.session)))


def _row(one: state.SessionState) -> dict[str, object]:
    return {
        "session": one.session,
        "task": one.task,
        "status": one.status,
        "group": review.group(one),
        "waiting": len(one.questions),
    }


def _only(client: Client) -> str:
    live = [one.session for one in client.runtime.states() if one.is_live]
    if len(live) != 1:
        raise UserError("Which session?", f"Name one; {documents.OVERVIEW} lists them.")
    return live[0]
