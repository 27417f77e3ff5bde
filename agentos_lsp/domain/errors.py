"""What can go wrong, as one tree; a refusal by policy or by a person is a value instead.

AgentosError
├── UserError      the request cannot be carried out as asked; says what to do now
├── ConfigError    a settings or policy file is wrong; names its file and line
├── EffectError    git, the store, a process, a provider or an agent failed; says whether a retry may help
│   └── ProviderError  a language model could not be asked; says why by name, and what to do next
└── InternalError  a defect of ours
"""

from typing import Literal

Door = Literal["agent", "config", "files", "git", "process", "provider", "store"]

ProviderFailure = Literal[
    "unreachable",
    "unauthorised",
    "no such model",
    "too long",
    "overloaded",
    "rate-limited",
    "malformed answer",
    "refused",
]
"""Why a language model could not be asked. `refused`: the server understood, and will not, for a reason of its own."""


class AgentosError(Exception):
    """The root; its text is one sentence for a person and holds no traceback."""


class UserError(AgentosError):
    """The request could not be carried out as asked; `hint` says what to do now."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class ConfigError(AgentosError):
    """A settings or policy file cannot be used; `line` is zero-based, as everywhere."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line + 1}: {message}")
        self.file = file
        self.line = line
        self.message = message


class EffectError(AgentosError):
    """Something outside failed while `attempted` was under way."""

    def __init__(self, door: Door, attempted: str, reason: str, *, retry_may_help: bool) -> None:
        super().__init__(f"Could not {attempted}: {reason}")
        self.door = door
        self.attempted = attempted
        self.reason = reason
        self.retry_may_help = retry_may_help


class ProviderError(EffectError):
    """A language model could not be asked, or its answer broke off; `hint` says what to do next.

    `retry_after_s` is how long the provider asks to be left alone, None where it does not say.
    """

    def __init__(
        self,
        failure: ProviderFailure,
        attempted: str,
        reason: str,
        hint: str,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        retry = failure in {"unreachable", "overloaded", "rate-limited", "malformed answer"}
        super().__init__("provider", attempted, f"{failure}: {reason}", retry_may_help=retry)
        self.failure = failure
        self.hint = hint
        self.retry_after_s = retry_after_s


class InternalError(AgentosError):
    """An assumption of ours did not hold; the session that met it is stopped, the others go on."""
