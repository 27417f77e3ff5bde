"""Looks at every configured language model at once: each check has its limit, its result, and what to do."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from agentos_lsp.domain import conversation, diagnosis, network
from agentos_lsp.domain.diagnosis import Check, Report
from agentos_lsp.domain.errors import ProviderError
from agentos_lsp.effects.providers import failures

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agentos_lsp.effects.providers import Provider
    from agentos_lsp.runtime.models import Chosen, Models

SMALL_WINDOW = 8_192
PROBED_TOKENS = 16_384
"""The largest prompt that the check for dropped text sends."""

RUNS = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look at: all providers, or one; with a real generation or without; and how long a check may take."""

    name: str | None = None
    latency: bool = True
    answer_s: float = 15.0
    generation_s: float = 120.0


async def diagnose(known: Models, wanted: Wanted, tell: Callable[[int, int, str], None]) -> tuple[Report, ...]:
    """Looks at all providers concurrently; tells how many are done.

    Raises:
        ConfigError: The settings cannot be used.
        UserError: No provider is configured, or none of that name.
    """
    names = list((await asyncio.to_thread(known.read)).providers)
    chosen = [await asyncio.to_thread(known.choose, name) for name in ([wanted.name] if wanted.name else names)]
    done = 0

    async def one(choice: Chosen) -> Report:
        nonlocal done
        report = await _Look(choice, known, wanted).report()
        done += 1
        tell(done, len(chosen), f"{choice.name}: {report.standing}")
        return report

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(choice)) for choice in chosen]
    return tuple(task.result() for task in tasks)


class _Look:
    """One provider, looked at step by step; what cannot be known any more is skipped."""

    _provider: Provider

    def __init__(self, chosen: Chosen, known: Models, wanted: Wanted) -> None:
        self._chosen = chosen
        self._known = known
        self._wanted = wanted
        self._checks: list[Check] = []
        self._window = conversation.Window(0)

    async def report(self) -> Report:
        steps = [
            ("server", self._server, self._wanted.answer_s),
            ("model", self._model, self._wanted.answer_s),
            ("window", self._look_at_window, self._wanted.answer_s),
        ]
        if self._wanted.latency:
            steps += [
                ("latency", self._latency, self._wanted.generation_s),
                ("dropped text", self._dropped, self._wanted.generation_s),
            ]
        broken = False
        for subject, step, limit_s in steps:
            if broken:
                self._checks.append(Check(subject, "skipped", "what it needs is missing"))
                continue
            check = await self._limited(subject, step(), limit_s)
            self._checks.append(check)
            broken = check.standing == "wrong" and subject in {"server", "model"}
        profile, address = self._chosen.profile, self._known.address(self._chosen.profile)
        return Report(self._chosen.name, profile.kind, address, self._chosen.model, tuple(self._checks))

    @staticmethod
    async def _limited(subject: str, step: Awaitable[Check], limit_s: float) -> Check:
        try:
            async with asyncio.timeout(limit_s):
                return await step
        except TimeoutError:
            return Check(
                subject, "wrong", f"no result within {limit_s:g} s", "See whether the server is busy or hangs."
            )
        except ProviderError as error:
            keys = {"unreachable": "base_url", "unauthorised": "key_env", "no such model": "model"}
            key = keys.get(error.failure, "")
            return Check(subject, "wrong", error.reason, error.hint, key)

    async def _server(self) -> Check:
        self._provider = await asyncio.to_thread(self._known.provider, self._chosen)
        version = await self._provider.version()
        return Check("server", "ok", version or "it answers")

    async def _model(self) -> Check:
        listed = await self._provider.models()
        name = self._chosen.model
        row = next((one for one in listed if one.name in {name, f"{name}:latest"}), None)
        if row is None:
            near = failures.near(name, [one.name for one in listed])
            remedy = f"{near} Or pull it with `agentos.provider.pull`." if self._is_ollama else near
            return Check(
                "model", "wrong", f"{name} is not among the {len(listed)} models of the server", remedy, "model"
            )
        shown = await self._provider.describe(row.name)
        size = f", {diagnosis.bytes_in_words(row.size_bytes)}" if row.size_bytes else ""
        about = ", ".join(word for word in (shown.parameters, shown.quantization, row.digest[:19]) if word)
        words = f"{row.name}{size}" + (f" ({about})" if about else "")
        if shown.capabilities is not None and "tools" not in shown.capabilities:
            remedy = "Choose a model that can call tools, such as qwen3."
            return Check("model", "wrong", f"{words} cannot call tools, and is unfit as an agent", remedy, "model")
        return Check("model", "ok", words)

    async def _look_at_window(self) -> Check:
        self._window = window = await self._provider.window(self._chosen.model)
        words = f"{window.asked} tokens are asked for"
        if window.trained:
            words += f", {window.trained} were trained"
        if window.allocated is not None:
            words += f", {window.allocated} are allocated"
        if window.trained and window.asked > window.trained:
            remedy = f"Set `context` to {window.trained} or less."
            return Check("window", "wrong", f"{words}: more than the model knows", remedy, "context")
        usable = min(window.asked, window.allocated or window.asked)
        if usable < SMALL_WINDOW:
            return Check(
                "window", "note", f"{words}: little for an agent", "Set `context` to 16384 or more.", "context"
            )
        return Check("window", "ok", words)

    async def _latency(self) -> Check:
        loop = asyncio.get_running_loop()
        firsts: list[float] = []
        speeds: list[float] = []
        load_s: float | None = None
        for _ in range(RUNS):
            began = loop.time()
            first: float | None = None
            usage = conversation.Usage()
            async with contextlib.aclosing(self._provider.chat(self._request("Count from one to ten.", 64))) as pieces:
                async for piece in pieces:
                    if isinstance(piece, conversation.Text | conversation.Thought | conversation.ToolUse):
                        first = first if first is not None else loop.time() - began
                    if isinstance(piece, conversation.Done):
                        usage = piece.usage
            took = loop.time() - began
            firsts.append(took if first is None else first)
            load_s = usage.load_s if load_s is None else load_s
            seconds = usage.reply_s or max(took - firsts[-1], 1e-3)
            if usage.reply_tokens:
                speeds.append(usage.reply_tokens / seconds)
        words = f"first token after {statistics.median(firsts):.2f} s"
        if speeds:
            words += f", {statistics.median(speeds):.0f} tokens/s"
        if load_s is not None:
            words += f", loaded in {load_s:.1f} s"
        return Check("latency", "ok", f"{words} (median of {RUNS})")

    async def _dropped(self) -> Check:
        """Sends a prompt of known size near the window, and compares what was read."""
        if urlsplit(self._chosen.profile.address).hostname not in network.LOOPBACK and not self._is_ollama:
            return Check(
                "dropped text", "skipped", "not asked for: such a prompt costs money here; replies are watched"
            )
        count = int(min(self._window.asked, PROBED_TOKENS) * 0.7)
        usage = conversation.Usage()
        async with contextlib.aclosing(self._provider.chat(self._request(diagnosis.probe(count), 16))) as pieces:
            async for piece in pieces:
                usage = piece.usage if isinstance(piece, conversation.Done) else usage
        with contextlib.suppress(ProviderError):
            # Now it is loaded, and the server says what it has really set aside.
            self._window = await self._provider.window(self._chosen.model)
        allocated = self._window.allocated
        if usage.prompt_tokens is None:
            return Check("dropped text", "note", "the server does not say how much it reads", "Watch long sessions.")
        words = f"{count} words were sent, {usage.prompt_tokens} tokens read"
        if allocated is not None:
            words += f", {allocated} are allocated"
        if usage.prompt_tokens < count * 0.8 or (allocated is not None and allocated < self._window.asked):
            remedy = "The front of a long conversation is dropped: lower `context`, or let the server allocate it."
            return Check("dropped text", "wrong", words, remedy, "context")
        return Check("dropped text", "ok", words)

    def _request(self, text: str, reply_limit: int) -> conversation.Request:
        prompted = (conversation.Prompted(text),)
        return conversation.Request(
            self._chosen.model, "Answer shortly.", prompted, (), self._window.asked, reply_limit
        )

    @property
    def _is_ollama(self) -> bool:
        return self._chosen.profile.kind == "ollama"
