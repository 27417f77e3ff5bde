"""`agentos-lsp demo`: the whole surface in a terminal, without a model, a repository, or a trace of it afterwards.

The server, the runtime and the agent are the real ones; what they stand on is played in memory (`effects/simulated`).
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentos_lsp.cli import simulation, telling, web, wiring
from agentos_lsp.cli.editor import Editor, Within
from agentos_lsp.domain.errors import AgentosError, UserError
from agentos_lsp.effects.simulated import script

if TYPE_CHECKING:
    import argparse

STEP_TIMEOUT_S = 60.0


def run(arguments: argparse.Namespace) -> int:
    """Shows the demo; returns 0 if it came to its end."""
    if arguments.web:
        return web.run(arguments)
    asks = sys.stdin.isatty() and not arguments.yes
    parts = simulation.parts(arguments.pace, wiring.now)
    code = 0
    try:
        asyncio.run(_show(Within(Path(script.ROOT), parts), asks=asks))
    except* (AgentosError, TimeoutError) as group:
        reasons = " ".join(str(error) or "The server did not answer in time." for error in telling.leaves(group))
        print(f"\nThe demo failed: {reasons}", file=sys.stderr)
        code = 1
    return code


async def _show(connecting: Editor, *, asks: bool) -> None:
    print(f"{simulation.BANNER}\n")
    print("A small repository with a failing test, and an agent that is told to mend it.")
    if not asks:
        print("Nobody is asked: the demo answers approvals by itself, and says so.")
    async with connecting as editor:
        await _providers(editor)
        started = await editor.command("agentos.session.start", task=script.TASK)
        session = started["session"]
        print(f"\n$ agentos.session.start -> {session}")
        await _watch(editor, session, asks=asks)
        diff = await editor.content(f"agentos://{session}/changes.diff")
        print(f"\n$ agentos://{session}/changes.diff\n" + _indented(diff))
        page = await editor.content(f"agentos://{session}/session.md")
        print(f"\n$ agentos://{session}/session.md\n" + _indented(page))
        merged = await editor.command("agentos.session.merge", session=session)
        if not merged["merged"]:
            raise UserError(f"It was not merged: {merged['message']}", "")
        print(f"\n$ agentos.session.merge -> {merged['commit'][:10]} on {merged['into']}")
    print("\nThe same in your editor: agentos-lsp --demo --stdio is its language server (docs/editors.md).")


async def _providers(editor: Editor) -> None:
    """Shows what is found out about the demo's language models."""
    await editor.command("agentos.provider.diagnose")
    panel = await editor.content("agentos://providers.md")
    print("\n$ agentos://providers.md\n" + _indented(panel.partition("Settings: none\n\n")[2]))


async def _watch(editor: Editor, session: str, *, asks: bool) -> None:
    """Shows the session as it goes, and answers what it asks."""
    while True:
        async with asyncio.timeout(None if asks else STEP_TIMEOUT_S):
            event: dict[str, Any] = await editor.events.get()
        told = telling.line(event)
        if told:
            print(told)
        match event["type"]:
            case "approval.requested":
                outcome = await telling.answer(event["line"], asks=asks)
                given = {"approval": event["approval"], "digest": event["digest"], "outcome": outcome}
                await editor.command("agentos.approval.decide", session=session, **given)
            case "failure.recorded":
                raise UserError(event["message"], event["hint"])
            case "turn.finished":
                return
            case _:
                pass


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.rstrip().splitlines())
