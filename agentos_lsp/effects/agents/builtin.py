"""The built-in agent: a loop of one model, its tools, and the gate. It keeps nothing that the log would not bring back.

Source: the conversation is what `context.Context` folds from the log, so a turn that was cut off anywhere goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Protocol

import pydantic

from agentos_lsp.domain import conversation, model_events
from agentos_lsp.domain.errors import AgentosError, EffectError, ProviderError
from agentos_lsp.effects.agents import ToolResult, context, toolbox

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import CallId
    from agentos_lsp.effects.agents import Exchange, Surroundings, Tools
    from agentos_lsp.effects.providers import Provider

MAX_REPLIES = 200
"""After so many replies in one turn the person is asked whether to go on."""

TOLD_CHARACTERS = 16_000
SMALLEST_TOLD_CHARACTERS = 1_000
LOOP_TIMES = 3
LOOP_ENDS = 5
WRONG_ENDS = 6
ASK_AGAIN = 2
SHOWN_WAIT_S = 2.0

NO_TOOL = (
    "You called no tool. If the task is done, call `finish` with a summary; if you need the person, call `ask`;"
    " otherwise go on with the next tool call."
)
CUT_SHORT = "Your reply was cut off at its limit. Go on with one tool call, and write less at once."
UNFINISHED = "The runtime ended while this was under way. What is known of it:"


@dataclass(frozen=True, slots=True)
class Asked:
    """A model to ask, and what a person configured for it. `label` is how a session names it."""

    provider: Provider
    label: str
    model: str
    reply_limit: int
    price: tuple[float, float] | None


class Chooser(Protocol):
    """Finds the model of a session each time a turn begins."""

    def __call__(self, name: str | None) -> Asked:
        """Returns the model of that name, the default one for None."""


class BuiltinAgent:
    """Works on a prompt with a language model; see `Agent`.

    Args:
        choose: Finds the model.
        has_ripgrep: Whether `rg` can search.
    """

    def __init__(self, choose: Chooser, *, has_ripgrep: bool) -> None:
        self._choose = choose
        self._has_ripgrep = has_ripgrep

    async def turn(self, prompt: str, tools: Tools, history: tuple[Exchange, ...]) -> str:
        """Works until the model finishes, asks, or cannot go on; see `Agent.turn`."""
        del prompt  # It is in the log, with all that came before.
        about = await tools.surroundings()
        asked = await asyncio.to_thread(self._choose, about.model)
        window = await asked.provider.window(asked.model)
        turn = _Turn(asked, window, about, tools, history, has_ripgrep=self._has_ripgrep)
        return await turn.play()


class _Turn:
    """One turn: everything that is known only while it lasts."""

    def __init__(
        self,
        asked: Asked,
        window: conversation.Window,
        about: Surroundings,
        tools: Tools,
        history: tuple[Exchange, ...],
        *,
        has_ripgrep: bool,
    ) -> None:
        self._asked = asked
        self._about = about
        self._tools = tools
        self._history = history
        self._has_ripgrep = has_ripgrep
        self._context = context.Context()
        self._specs = toolbox.specs()
        self._specs_bytes = len(json.dumps([[one.name, one.description, dict(one.parameters)] for one in self._specs]))
        self._is_first = True
        self._resize(window)

    def _resize(self, window: conversation.Window) -> None:
        """Fits everything to a window, and says so where an agent cannot work in it."""
        asked = window.asked if window.allocated is None else min(window.asked, window.allocated)
        self._window = asked
        self._allocated = window.allocated
        self._reply_limit = min(self._asked.reply_limit, asked // 4)
        self._system = system_prompt(self._about, int(asked * 0.15 * conversation.BYTES_A_TOKEN))
        self._share = asked - self._reply_limit
        fixed = conversation.tokens(self._fixed_bytes)
        if fixed > self._share * 0.6:
            hint = "Set `context` of the provider to 16384 or more, or choose a model with a larger window."
            reason = f"its window of {asked} tokens is too small for an agent, whose instructions alone take {fixed}"
            raise ProviderError("too long", f"work with {self._asked.label}", reason, hint)
        room = int((self._share - fixed) * 0.25 * conversation.BYTES_A_TOKEN)
        self._told_limit = max(SMALLEST_TOLD_CHARACTERS, min(TOLD_CHARACTERS, room))

    @property
    def _fixed_bytes(self) -> int:
        return len(self._system.encode()) + self._specs_bytes

    async def play(self) -> str:
        """Goes on from wherever the log ends."""
        replies = 0
        while True:
            await self._catch_up()
            if self._context.open:
                summary = await self._answer(self._context.open[0])
                if summary is not None:
                    return summary
                continue
            summary = self._over()
            if summary is not None:
                return summary
            if await self._tools.heard():
                continue
            if replies >= MAX_REPLIES:
                return f"I stopped after {replies} steps to let you look. Say `go on` to continue."
            if self._is_too_full() and await self._compact():
                continue
            await self._ask()
            replies += 1

    async def _catch_up(self) -> None:
        self._context.take(await self._tools.log(self._context.sequence))

    def _over(self) -> str | None:
        """Returns the summary of a turn whose model has nothing more to say: it was told once to use a tool."""
        last = self._context.entries[-1].message if self._context.entries else None
        if not isinstance(last, conversation.Replied):
            return None
        if self._context.last is not None and self._context.last.stop == "refused":
            return f"The model declined to go on. {last.text}".strip()
        if self._context.without_tools < 2:
            return None
        if not last.text.strip():
            reason = "the model gives neither words nor tool calls"
            raise EffectError("agent", "go on", reason, retry_may_help=True)
        return last.text

    # --- tools -------------------------------------------------------------------------------------------------

    async def _answer(self, use: conversation.ToolUse) -> str | None:
        """Carries out one tool use and tells the model; returns the turn's summary if it ends here."""
        if self._context.calls:
            # It was under way when the runtime ended; whether to do it again is for the model to judge.
            await self._tell(use, self._known_of(self._context.calls), self._context.calls[-1])
            return None
        times = self._context.times(use)
        if times >= LOOP_TIMES:
            await self._loop(use, times)
            return None
        try:
            given = toolbox.understand(use)
            told = await toolbox.use(given, self._tools, has_ripgrep=self._has_ripgrep)
        except (toolbox.WrongUseError, pydantic.ValidationError) as error:
            self._context.wrong += 1
            await self._tell(use, ToolResult(ok=False, text=str(error)), None)
            if self._context.wrong >= WRONG_ENDS:
                reason = f"the model used its tools wrongly {WRONG_ENDS} times in a row; the last time: {error}"
                raise EffectError("agent", "go on", reason, retry_may_help=False) from None
            return None
        self._context.wrong = 0
        await self._tell(use, told.result, told.result.call)
        if told.ends == "asked":
            await self._rest("The turn ended with a question to the person.")
            await self._tools.say(told.summary)
            return f"Asks you: {told.summary}"
        if told.ends == "finished":
            await self._rest("The turn ended with `finish`.")
            return told.summary
        return None

    async def _rest(self, why: str) -> None:
        """Tells the model of the uses that stood after the last one of a turn."""
        await self._catch_up()
        for use in list(self._context.open):
            await self._tell(use, ToolResult(ok=False, text=f"This was not done. {why}"), None)

    async def _tell(self, use: conversation.ToolUse, result: ToolResult, call: CallId | None) -> None:
        def hint(left_out: int) -> str:
            del left_out
            whole = f"the whole is agentos://{self._about.session}/output/{call}.txt; " if call else ""
            return f"{whole}narrow the call to see more"

        text = toolbox.shorten(result.text, self._told_limit, hint)
        await self._tools.note(
            model_events.ModelTold, use=use.id, name=use.name, ok=result.ok, text=text, call=result.call or call
        )

    async def _loop(self, use: conversation.ToolUse, times: int) -> None:
        arguments = use.arguments[:300]
        await self._tools.note(model_events.LoopFound, name=use.name, arguments=arguments, times=times)
        if times >= LOOP_ENDS:
            reason = f"the model asks again and again for the same: {use.name} {arguments}"
            await self._tell(use, ToolResult(ok=False, text=f"{context.LOOP_MARK}The turn ended here."), None)
            raise EffectError("agent", "go on", reason, retry_may_help=False)
        text = (
            f"{context.LOOP_MARK}You have asked {times} times in a row for exactly this, and it came to the same each"
            " time, so it was not done again. Read the last result, and take another way, or `ask` the person."
        )
        await self._tell(use, ToolResult(ok=False, text=text), None)

    def _known_of(self, calls: list[CallId]) -> ToolResult:
        known = {one.result.call: one for one in self._history if one.result.call is not None}
        rows = [UNFINISHED]
        ok = True
        for call in calls:
            exchange = known.get(call)
            what = call if exchange is None else exchange.request.model_dump_json(exclude_defaults=True)[:400]
            came = "its outcome is unknown; look before you do it again" if exchange is None else exchange.result.text
            ok = ok and exchange is not None and exchange.result.ok
            rows.append(f"{what}: {came or 'done'}")
        return ToolResult(ok=ok, text="\n".join(rows))

    # --- the model ---------------------------------------------------------------------------------------------

    async def _ask(self) -> None:
        """Asks the model once more, and records its reply."""
        request = conversation.Request(
            self._asked.model, self._system, self._context.messages, self._specs, self._window, self._reply_limit
        )
        sent_bytes = self._fixed_bytes + self._context.size_bytes
        before = self._context.last
        try:
            gathered = await self._gather(request)
        except ProviderError as error:
            if error.failure == "too long" and await self._compact():
                return
            raise
        reply, done = gathered.reply, gathered.done
        if done is None:
            raise EffectError("agent", "go on", "the reply has no end", retry_may_help=True)
        if reply.text.strip():
            await self._tools.say(reply.text)
        usage = done.usage
        await self._tools.note(
            model_events.ModelReplied,
            model=self._asked.label,
            text=reply.text,
            uses=tuple(
                model_events.UseRecord(id=self._context.fresh_id(use.id), name=use.name, arguments=use.arguments)
                for use in reply.uses
            ),
            stop=done.stop,
            prompt_bytes=sent_bytes,
            prompt_tokens=usage.prompt_tokens,
            reply_tokens=usage.reply_tokens,
            window=self._window,
            cost=self._cost(usage),
        )
        await self._look_for_loss(sent_bytes, usage, before)
        if not reply.uses and self._context.without_tools == 0 and done.stop != "refused":
            text = CUT_SHORT if done.stop == "length" else NO_TOOL
            await self._tools.note(model_events.ModelTold, ok=False, text=text)

    async def _gather(self, request: conversation.Request) -> conversation.Gathered:
        """Gathers a reply, showing it as it comes; one that breaks off is asked for again."""
        for again in range(ASK_AGAIN + 1):
            gathered = conversation.Gathered()
            try:
                async with contextlib.aclosing(self._asked.provider.chat(request)) as pieces:
                    async for piece in pieces:
                        gathered.add(piece)
                        if isinstance(piece, conversation.Text):
                            self._tools.stream(piece.text)
                        elif isinstance(piece, conversation.Waiting) and piece.delay_s >= SHOWN_WAIT_S:
                            await self._tools.say(
                                f"The model's server is {piece.reason}; it is asked again in {piece.delay_s:.0f} s."
                            )
            except ProviderError as error:
                begun = gathered.text or gathered.uses
                await self._keep(gathered)
                if not begun or not error.retry_may_help or again == ASK_AGAIN:
                    raise
                await self._tools.say(f"The reply broke off ({error.failure}); the model is asked again.")
            except asyncio.CancelledError:
                await self._keep(gathered)
                raise
            else:
                return gathered
        raise EffectError("agent", "go on", "the model does not answer", retry_may_help=True)

    async def _keep(self, gathered: conversation.Gathered) -> None:
        """Keeps in the log what a reply said before it broke off."""
        if gathered.text.strip():
            with contextlib.suppress(AgentosError):
                await self._tools.say(f"{gathered.text} … (broken off)")

    def _cost(self, usage: conversation.Usage) -> float | None:
        if self._asked.price is None:
            return None
        prompt, reply = self._asked.price
        return ((usage.prompt_tokens or 0) * prompt + (usage.reply_tokens or 0) * reply) / 1_000_000

    async def _look_for_loss(
        self, sent_bytes: int, usage: conversation.Usage, before: model_events.ModelReplied | None
    ) -> None:
        """Compares what was read with what was sent, and what is allocated with what was asked for."""
        if self._is_first:
            self._is_first = False
            with contextlib.suppress(ProviderError):
                self._allocated = (await self._asked.provider.window(self._asked.model)).allocated
        if usage.prompt_tokens is not None and conversation.is_truncated(
            sent_bytes,
            usage.prompt_tokens,
            grown_from=None if before is None else before.prompt_tokens,
            allocated=self._allocated,
        ):
            await self._tools.note(
                model_events.ContextLost,
                model=self._asked.label,
                sent_tokens=max(
                    self._context.tokens(sent_bytes, 0), conversation.tokens(sent_bytes, 0), usage.prompt_tokens
                ),
                read_tokens=usage.prompt_tokens,
                window=self._allocated or self._window,
            )
        if self._allocated is not None and self._allocated < self._window:
            self._resize(conversation.Window(self._window, self._allocated))

    # --- the window --------------------------------------------------------------------------------------------

    def _is_too_full(self) -> bool:
        used = self._context.tokens(self._fixed_bytes + self._context.size_bytes, len(self._context.entries))
        return used > self._share * context.FULL

    async def _compact(self) -> bool:
        """Puts a summary in place of the oldest messages; returns whether there were any to give."""
        count = self._context.cut(self._share)
        first = self._context.entries[0].message if self._context.entries else None
        is_summary = isinstance(first, conversation.Prompted) and first.text.startswith(context.SUMMARY)
        if count == 0 or (count == 1 and (is_summary or len(self._context.entries) == 1)):
            return False
        before = self._context.tokens(self._fixed_bytes + self._context.size_bytes, len(self._context.entries))
        through = self._context.entries[count - 1].sequence
        summary, by, usage = await self._summary(count)
        kept = sum(conversation.size_bytes(entry.message) for entry in self._context.entries[count:])
        after = self._context.tokens(self._fixed_bytes + kept + len(summary.encode()), 1)
        if after >= before:
            return False
        await self._tools.note(
            model_events.ContextCompacted,
            summary=summary,
            through=through,
            tokens_before=before,
            tokens_after=after,
            by=by,
            prompt_tokens=usage.prompt_tokens,
            reply_tokens=usage.reply_tokens,
            cost=self._cost(usage),
        )
        await self._catch_up()
        return True

    async def _summary(self, count: int) -> tuple[str, str, conversation.Usage]:
        """Asks the model for a summary, and says what that took; a rule makes one where it cannot."""
        limit = int(self._share * 0.6 * conversation.BYTES_A_TOKEN)
        wanted = (
            "Summarise this work so that an engineer who knows nothing of it can go on: the task, what was found, which"
            " files were changed and how, what was decided, what was rejected and why, and what is left. Be exact with"
            f" names and paths. Write at most 40 lines.\n\n{self._context.transcript(count, limit)}"
        )
        system = "You summarise the work of a software engineer. Write nothing but the summary."
        request = conversation.Request(
            self._asked.model, system, (conversation.Prompted(wanted),), (), self._window, self._reply_limit
        )
        gathered = conversation.Gathered()
        try:
            async with contextlib.aclosing(self._asked.provider.chat(request)) as pieces:
                async for piece in pieces:
                    gathered.add(piece)
        except ProviderError:
            return self._context.plain_summary(count), "rule", conversation.Usage()
        usage = conversation.Usage() if gathered.done is None else gathered.done.usage
        if not gathered.text.strip():
            return self._context.plain_summary(count), "rule", usage
        most = self._told_limit
        said = toolbox.shorten(self._context.said(count), most, lambda _: "the trace has the whole")
        text = toolbox.shorten(gathered.text.strip(), most, lambda _: "the trace has the whole")
        return f"What the person said:\n{said}\n\nWhat was done:\n{text}", "model", usage


def system_prompt(about: Surroundings, limit_characters: int) -> str:
    """Fills in the instructions that lie beside this module, and adds the repository's own."""
    text = resources.files("agentos_lsp.effects.agents").joinpath("builtin.md").read_text("utf-8")
    for name, value in (("worktree", about.worktree), ("branch", about.branch), ("base", about.base_branch)):
        text = text.replace("{{" + name + "}}", value)
    if about.instructions.strip():
        cut = toolbox.shorten(
            about.instructions, max(limit_characters, 500), lambda _: "`read` AGENTS.md for the whole"
        )
        text += f"\nNotes of this repository (AGENTS.md)\n{cut}\n"
    return text
