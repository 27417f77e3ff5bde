"""What a person may do where a finding stands: waive it once with a reason, open its rule, have the agent mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types as lsp

from agentos_lsp.server import protocol

if TYPE_CHECKING:
    from agentos_lsp.server.client import Client

REASONS = ("it is test data", "it is a false alarm", "it is meant to be so")
"""What a person may choose from; an editor that can ask for words offers their own too."""


def of(client: Client, diagnostic: lsp.Diagnostic) -> list[lsp.Command]:
    """Returns what this editor may do about a finding, as commands."""
    data = diagnostic.data
    if not isinstance(data, dict) or "finding" not in data:
        return []
    named = {"session": data["session"], "digest": data["finding"]}
    found: list[lsp.Command] = []
    if client.may("steer"):
        found.append(lsp.Command("Ask the agent to mend this", "agentos.finding.mend", arguments=[named]))
    if client.may("approve") and data["standing"]:
        found += [
            lsp.Command(f"Waive once: {reason}", "agentos.finding.waive", arguments=[{**named, "reason": reason}])
            for reason in REASONS
        ]
        if client.options.ask_text:
            found.append(lsp.Command("Waive once, and say why", protocol.ASK_REASON, arguments=[named]))
    rule = {"session": data["session"], "rule": str(diagnostic.code)}
    found.append(lsp.Command("Open the rule", "agentos.policy.open", arguments=[rule]))
    return found
