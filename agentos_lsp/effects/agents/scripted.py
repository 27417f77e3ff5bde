"""The scripted agent: plays a YAML file of turns and tool calls through the real gate.

A script is a mapping with `turns`, a list; each turn has `steps`, and may have a `summary`. A step is either
`say: TEXT` or a tool call: one key of `run start output stop read write edit delete move commit` whose value is its
main field as text (`run: pytest -q`), or a mapping of its fields. `expect: ok|refused` on a tool step ends the script
with an error when it turns out otherwise, which makes a script a test.

    turns:
      - summary: Fixed the off-by-one.
        steps:
          - say: I will look at the failing test first.
          - read: tests/test_math.py
          - edit: {path: math.py, old: "n - 1", new: "n"}
          - run: python -m pytest -q
          - run: rm -rf /
            expect: refused
          - commit: Fix the off-by-one
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pydantic
import yaml

from agentos_lsp.domain import tools
from agentos_lsp.domain.errors import ConfigError, EffectError

if TYPE_CHECKING:
    from agentos_lsp.effects.agents import Exchange, Tools

MAIN_FIELD = {
    "run": "line",
    "start": "line",
    "output": "name",
    "stop": "name",
    "read": "path",
    "write": "path",
    "edit": "path",
    "delete": "path",
    "move": "path",
    "commit": "message",
}
"""The field that a step's plain text stands for, by tool."""


@dataclass(frozen=True, slots=True)
class Say:
    """A step that only speaks."""

    text: str


@dataclass(frozen=True, slots=True)
class Act:
    """A step that calls a tool; `expect` is empty when either outcome will do."""

    request: tools.ToolRequest
    expect: Literal["", "ok", "refused"]


@dataclass(frozen=True, slots=True)
class Turn:
    """The steps that answer one prompt."""

    steps: tuple[Say | Act, ...]
    summary: str


def parse(name: str, text: str) -> tuple[Turn, ...]:
    """Reads a script.

    Args:
        name: The file's name, for errors.
        text: YAML.

    Raises:
        ConfigError: It is no script; names the line where that is known.
    """
    try:
        script = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(name, mark.line if mark else 0, str(getattr(error, "problem", error))) from error
    except RecursionError as error:
        raise ConfigError(name, 0, "the script is nested too deeply") from error
    if not isinstance(script, dict) or not isinstance(script.get("turns"), list):
        raise ConfigError(name, 0, "a script is a mapping with a list named `turns`")
    return tuple(_turn(name, index, value) for index, value in enumerate(script["turns"]))


class ScriptedAgent:
    """Plays a script: each prompt takes the next turn; how far it has come is read from the history."""

    def __init__(self, turns: tuple[Turn, ...]) -> None:
        self._turns = turns

    async def turn(self, prompt: str, tools: Tools, history: tuple[Exchange, ...]) -> str:
        """Plays the turn that follows the calls of `history`; see `Agent.turn`.

        Raises:
            EffectError: A step's outcome was not the one that the script expects.
        """
        del prompt  # a script answers every prompt alike
        done = len(history)
        turn = self._turn_after(done)
        if turn is None:
            return "The script has no further turn."
        position, played = turn
        for step in played.steps:
            if isinstance(step, Say):
                if position >= done:
                    await tools.say(step.text)
                continue
            position += 1
            if position <= done:
                continue
            result = await tools.call(step.request)
            if step.expect and result.ok != (step.expect == "ok"):
                reason = f"step {position} was expected to be {step.expect}, but: {result.text}"
                raise EffectError("agent", "play the script", reason, retry_may_help=False)
        return played.summary

    def _turn_after(self, done: int) -> tuple[int, Turn] | None:
        """Returns the first turn that has a call left, with the number of calls before it."""
        before = 0
        for turn in self._turns:
            calls = sum(isinstance(step, Act) for step in turn.steps)
            if before + calls > done or (calls == 0 and before >= done):
                return before, turn
            before += calls
        return None


def _turn(name: str, index: int, value: Any) -> Turn:  # noqa: ANN401 - YAML
    where = f"turn {index + 1}"
    if not isinstance(value, dict) or not isinstance(value.get("steps"), list):
        raise ConfigError(name, 0, f"{where}: a turn is a mapping with a list named `steps`")
    unknown = set(value) - {"steps", "summary"}
    if unknown:
        raise ConfigError(name, 0, f"{where}: unknown key {min(map(str, unknown))!r}")
    steps = tuple(_step(name, f"{where}, step {number + 1}", step) for number, step in enumerate(value["steps"]))
    return Turn(steps, str(value.get("summary", "Done.")))


def _step(name: str, where: str, value: Any) -> Say | Act:  # noqa: ANN401 - YAML
    if not isinstance(value, dict):
        raise ConfigError(name, 0, f"{where}: a step is `say: …` or a tool call")
    fields = dict(value)
    expect = fields.pop("expect", "")
    if expect not in {"", "ok", "refused"}:
        raise ConfigError(name, 0, f"{where}: `expect` is `ok` or `refused`")
    if len(fields) != 1:
        raise ConfigError(name, 0, f"{where}: one tool a step, not {len(fields)}")
    ((kind, detail),) = fields.items()
    if kind == "say":
        return Say(str(detail))
    if kind not in MAIN_FIELD:
        raise ConfigError(name, 0, f"{where}: there is no tool {kind!r}; there are {', '.join(MAIN_FIELD)}")
    arguments = detail if isinstance(detail, dict) else {MAIN_FIELD[kind]: detail}
    try:
        return Act(tools.parse({"kind": kind, **arguments}), expect)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(name, 0, f"{where}: {first['loc'][-1]}: {first['msg']}") from error
