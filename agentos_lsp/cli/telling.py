"""What a terminal shows of a session as it goes, and how it asks; for the tour and the demo."""

from __future__ import annotations

import asyncio
from typing import Any


async def answer(line: str, *, asks: bool) -> str:
    """Has a person decide about a line, or says that it is approved without them."""
    if not asks:
        print(f"  ? `{line}` waits for a person: approved without asking")
        return "approved"
    while True:
        said = await asyncio.to_thread(input, f"  ? The agent asks to run `{line}`. Approve it? [y/n] ")
        if said.strip().lower() in {"y", "yes"}:
            return "approved"
        if said.strip().lower() in {"n", "no"}:
            print("  Rejected, and the agent is told so. The tour needs it, and ends with an error; the demo goes on.")
            return "rejected"


def line(event: dict[str, Any]) -> str:  # noqa: C901 - one line for each kind that is shown
    """Returns what is shown of an event, empty for nothing."""
    match event["type"]:
        case "worktree.created":
            return f"  worktree on {event['branch']}"
        case "agent.message":
            return f"  agent: {event['text']}"
        case "command.classified":
            return f"  {event['verdict']:>8}: {event['line']}"
        case "command.finished":
            return f"            exit {event['exit_code']}, {event['output_bytes']} bytes of output"
        case "file.written":
            return f"     {event['operation']}: {event['path']}"
        case "file.read":
            return f"      read: {event['path']}"
        case "file.refused" | "tool_call.refused" | "commit.refused":
            return "   refused: " + str(event["message"]).replace("\n", "\n            ")
        case "commit.made":
            return f"    commit: {event['commit'][:10]} {event['message'].splitlines()[0]}"
        case "approval.decided":
            return f"            {event['outcome']} by {event['by']}"
        case "turn.finished":
            return f"  agent: {event['summary']}"
        case _:
            return ""


def leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Returns what really failed, out of what a task group made of it."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found += leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
