"""What an agent was told of its calls, rebuilt from the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain import state
from agentos_lsp.effects import agents

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.domain import events, ids


def exchange(call: state.Call) -> agents.Exchange | None:
    """Returns what the agent was told of a call, None while it is open."""
    if call.step not in {"done", "refused", "background"}:
        return None
    ok = call.step == "background" or (call.step == "done" and (not call.ended_by or call.exit_code == 0))
    return agents.Exchange(call.request, agents.ToolResult(ok=ok, text=call.told or call.tail, call=call.call))


def of(log: Sequence[events.AnyEvent]) -> dict[ids.CallId, agents.Exchange]:
    """Rebuilds from the log what the agent was told, for every call that ended."""
    folded = state.SessionState()
    ended: dict[ids.CallId, agents.Exchange] = {}
    for event in log:
        folded = state.apply(folded, event)
        name = getattr(event, "call", None)
        call = folded.calls.get(name) if name is not None else None
        if call is not None and (ended_call := exchange(call)) is not None:
            ended[call.call] = ended_call
    return ended
