"""What a provider's failure is called, and what to do next; the same words for every wire format. Pure."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from agentos_lsp.domain.errors import ProviderError, ProviderFailure

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentos_lsp.effects.providers import Kind

_TOO_LONG = re.compile(
    r"context.?length|context.?window|maximum context|available context|prompt is too long|too many tokens"
    r"|input is too long|request_too_large|exceed\w* the (?:model|context)|reduce the length",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model\W.{0,120}?(?:not found|does not exist|not exist|not supported|unknown|no such)"
    r"|(?:no such|unknown|invalid|not a valid) model|model_not_found|not_found_error.{0,40}\bmodel\b|try pulling it",
    re.IGNORECASE | re.DOTALL,
)
_NO_MONEY = re.compile(r"insufficient_quota|credit balance|billing|payment required", re.IGNORECASE)
_NO_MEMORY = re.compile(r"requires more (?:system )?memory|out of memory|cudaMalloc", re.IGNORECASE)
_NO_TOOLS = re.compile(r"does not support tools|tool use is not supported|support tool use", re.IGNORECASE)
_CODES: dict[int, ProviderFailure] = {
    401: "unauthorised",
    402: "refused",
    403: "unauthorised",
    408: "overloaded",
    413: "too long",
    429: "rate-limited",
}
_CLASSES: tuple[tuple[ProviderFailure, re.Pattern[str]], ...] = (
    ("overloaded", re.compile(r"overloaded|server_error|api_error|timeout_error|unavailable", re.IGNORECASE)),
    ("rate-limited", re.compile(r"rate.?limit|too many requests", re.IGNORECASE)),
    ("unauthorised", re.compile(r"authentication|unauthori[sz]ed|permission_error|invalid.api.key", re.IGNORECASE)),
)


def failure_of(status: int, kind: str, message: str) -> ProviderFailure:
    """Names a failure from the status of its answer, 200 in the middle of a stream, and from what the server says."""
    told = f"{kind} {message}"
    # In the middle of a stream, some servers name the status that it would have been.
    code = int(kind.split(maxsplit=1)[0]) if status == 200 and re.match(r"[45]\d\d\b", kind) else status
    if code not in {401, 403, 429} and _TOO_LONG.search(told):
        return "too long"
    if _NO_MONEY.search(told) or _NO_MEMORY.search(told) or _NO_TOOLS.search(told):
        return "refused"
    if code in _CODES:
        return _CODES[code]
    if code == 404:
        return "no such model" if "model" in told.lower() else "refused"
    if code >= 500:
        return "overloaded"
    if _NO_MODEL.search(told):
        return "no such model"
    if code != 200:
        return "refused"
    named = next((name for name, words in _CLASSES if words.search(told)), None)
    return named or ("refused" if "invalid" in told.lower() else "overloaded")


def hint(failure: ProviderFailure, kind: Kind, reason: str, model: str, retry_after_s: float | None) -> str:
    """Says what a person does next."""
    ollama = kind == "ollama"
    match failure:
        case "unreachable":
            start = "Start it with `ollama serve`, or" if ollama else "Start the server, or"
            return f"{start} correct `base_url` in the settings; then resume or prompt again."
        case "unauthorised":
            return "Check the key that `key_env` or `key_command` gives, and that it may use this model."
        case "no such model":
            pull = (
                f"`ollama pull {model}` or `agentos.provider.pull` gets it" if ollama else "Choose one that is listed"
            )
            return f"{pull}; `agentos.provider.diagnose` shows which there are."
        case "too long":
            return "Raise `context` in the provider's settings if the model allows it, or start a new session."
        case "overloaded":
            return "Wait a little and prompt again."
        case "rate-limited":
            when = f"in {retry_after_s:.0f} s" if retry_after_s is not None else "in a minute"
            return f"Prompt again {when}, or choose another provider with `agentos.session.model`."
        case "malformed answer":
            return "Check that `kind` and `base_url` fit the server; then prompt again."
        case "refused":
            return _refused(reason)


def _refused(reason: str) -> str:
    if _NO_MONEY.search(reason):
        return "Add credit at the provider, or choose another with `agentos.session.model`."
    if _NO_MEMORY.search(reason):
        return "Choose a smaller model or a smaller `context`, or free memory."
    if _NO_TOOLS.search(reason):
        return "Choose a model that can call tools: `agentos.provider.diagnose` shows which can."
    return "Read the server's words; correct the settings, or choose another model."


def near(wanted: str, known: Iterable[str]) -> str:
    """Suggests models whose names are near."""
    names = list(known)
    plain = {name.split(":")[0].rpartition("/")[2].lower(): name for name in reversed(names)}
    found = difflib.get_close_matches(wanted, names, 3, 0.5)
    if not found:
        short = wanted.split(":", maxsplit=1)[0].rpartition("/")[2].lower()
        found = [plain[one] for one in difflib.get_close_matches(short, plain, 3, 0.6)]
    if found:
        return f"Did you mean {', '.join(found)}?"
    shown = ", ".join(names[:5])
    return f"There are {shown}{', …' if len(names) > 5 else ''}." if names else "The server lists no model."


def make(
    failure: ProviderFailure,
    attempted: str,
    reason: str,
    *,
    kind: Kind,
    model: str = "the model",
    retry_after_s: float | None = None,
) -> ProviderError:
    """Makes the error with its hint."""
    next_step = hint(failure, kind, reason, model, retry_after_s)
    return ProviderError(failure, attempted, reason, next_step, retry_after_s=retry_after_s)
