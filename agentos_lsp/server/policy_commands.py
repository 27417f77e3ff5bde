"""The commands around the workspace policy: show it, trust a repository's file, take the trust back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentos_lsp.domain import ids
from agentos_lsp.server import documents
from agentos_lsp.server.client import path_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentos_lsp.runtime.policies import Looked
    from agentos_lsp.server import protocol
    from agentos_lsp.server.client import Client


async def _show(client: Client, wanted: protocol.ShowPolicy) -> object:
    return _shown(await client.runtime.policy.look(_folder(client, wanted)))


async def _trust(client: Client, wanted: protocol.TrustPolicy) -> object:
    looked = await client.runtime.policy.trust(_folder(client, wanted), wanted.digest, client.name)
    client.tell(
        f"The policy of {looked.file} is trusted: it may loosen your own. `agentos.policy.untrust` undoes that."
    )
    return _shown(looked)


async def _untrust(client: Client, wanted: protocol.ShowPolicy) -> object:
    looked, there_was = await client.runtime.policy.untrust(_folder(client, wanted))
    if there_was:
        client.tell(f"The policy of {looked.file} is no longer trusted: it only tightens.")
    return {**_shown(looked), "wasTrusted": there_was}


async def _open(client: Client, wanted: protocol.OpenRule) -> object:
    session = ids.SessionId(wanted.session)
    page = await client.runtime.rules_page(session)
    line = page.lines.get(wanted.rule.removeprefix("policy."), 0)
    uri = documents.policy(session)
    return {"uri": uri, "line": line, "shown": client.show(uri, line)}


async def _waive(client: Client, wanted: protocol.WaiveFinding) -> object:
    await client.runtime.waive(ids.SessionId(wanted.session), wanted.digest, wanted.reason, client.name)
    return {"waived": True}


async def _mend(client: Client, wanted: protocol.OneFinding) -> object:
    await client.runtime.mend(ids.SessionId(wanted.session), wanted.digest, client.name)
    return {"asked": True}


def _folder(client: Client, wanted: protocol.ShowPolicy) -> str:
    return path_of(client.first_folder() if wanted.workspace is None else wanted.workspace)


def _shown(looked: Looked) -> dict[str, object]:
    rules = looked.in_force.rules
    return {
        "file": looked.file,
        "digest": looked.digest,
        "sources": [
            {"file": one.file, "digest": one.digest, "trusted": one.trusted} for one in looked.in_force.sources
        ],
        "passedOver": list(looked.in_force.passed_over),
        "rules": {**rules.actions, **{one.name: one.action for one in rules.own}},
        "protectedPaths": list(rules.protected_paths),
        "checks": [{"name": one.name, "run": one.run, "asks": not one.vouched} for one in rules.checks],
    }


# Each handler takes the model that its command names in `protocol.COMMANDS`; `execute` has validated it.
HANDLERS: dict[str, Callable[[Client, Any], Awaitable[object]]] = {
    "agentos.policy.show": _show,
    "agentos.policy.trust": _trust,
    "agentos.policy.untrust": _untrust,
    "agentos.policy.open": _open,
    "agentos.finding.waive": _waive,
    "agentos.finding.mend": _mend,
}
