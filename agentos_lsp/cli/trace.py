"""`agentos-lsp trace show|export|verify SESSION`."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from agentos_lsp.cli import wiring
from agentos_lsp.domain import ids, review
from agentos_lsp.domain.errors import AgentosError
from agentos_lsp.effects import store

if TYPE_CHECKING:
    import argparse


def run(arguments: argparse.Namespace) -> int:
    """Prints a trace, or whether it is whole; returns 1 if it is not, or if there is no such session."""
    session = ids.SessionId(arguments.session)
    try:
        with contextlib.closing(store.Store(wiring.state_folder(arguments))) as log:
            known = log.sessions()
            if session not in known:
                names = ", ".join(known[-5:]) or "none yet"
                print(f"There is no session {session}. The newest: {names}.", file=sys.stderr)
                return 1
            if arguments.action == "verify":
                return _verify(log, session)
            found = log.read(session)
    except AgentosError as error:
        print(f"agentos-lsp: {error}", file=sys.stderr)
        return 1
    as_lines = arguments.action == "export" and arguments.format == "jsonl"
    sys.stdout.write(store.jsonl(found) if as_lines else review.trace(found).text)
    return 0


def _verify(log: store.Store, session: ids.SessionId) -> int:
    flaw = log.verify(session)
    if flaw is not None:
        print(f"{session}: the trace was changed: {flaw.message}.")
        return 1
    print(f"{session}: whole, {len(log.read(session))} events.")
    return 0
