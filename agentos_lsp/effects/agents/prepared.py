"""An agent whose worktree is made ready first: the policy's setup lines run through the gate, as any command does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentos_lsp.domain import tools as requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentos_lsp.effects import agents

TIMEOUT_S = 1800


class Prepared:
    """Runs each setup line once in a session, before the agent's first turn.

    Args:
        agent: Who takes the prompt then.
        setup: The lines, in order. A person decides about each, as about a line of the agent.
    """

    def __init__(self, agent: agents.Agent, setup: Sequence[str]) -> None:
        self._agent = agent
        self._setup = tuple(setup)

    async def turn(self, prompt: str, tools: agents.Tools, history: tuple[agents.Exchange, ...]) -> str:
        """Makes ready what is not yet, and hands the prompt on; see `agents.Agent`."""
        done = 0
        for one in history:
            if done == len(self._setup) or getattr(one.request, "line", None) != self._setup[done]:
                break
            done += 1
        # Once the agent has done anything of its own, what is left of the setup is no longer run.
        for line in self._setup[done:] if done == len(history) else ():
            result = await tools.call(requests.RunCall(line=line, timeout_s=TIMEOUT_S))
            if not result.ok:
                await tools.say(f"The setup `{line}` failed; the session goes on without it.")
        # The agent's own history begins after the setup, which it did not ask for.
        return await self._agent.turn(prompt, tools, history[done:])
