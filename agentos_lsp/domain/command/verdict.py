"""The three tiers, and a verdict that explains itself to a person and to an agent."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from agentos_lsp.domain.command.value import value

if TYPE_CHECKING:
    from agentos_lsp.domain.command.syntax import Span


class Verdict(IntEnum):
    """Ordered by strictness, so that the strictest of several is their `max`."""

    ALLOWED = 0
    REVIEWED = 1
    BLOCKED = 2

    @property
    def word(self) -> str:
        """The word that people, logs and policies use: `allowed`, `reviewed` or `blocked`."""
        return self.name.lower()


@value
class Reason:
    """Why a part has its verdict.

    `rule` is stable and dotted (`block.recursive-delete`); `text` is one sentence that names the path, endpoint, ref or
    word it is about; `instead` says what to do instead, empty where there is nothing to say.
    """

    rule: str
    verdict: Verdict
    text: str
    instead: str = ""


@value
class Part:
    """One simple command found in the line, however deep, with what it was understood to be.

    `words` are its words as far as they are certain: None stands for one that cannot be known before it runs.
    """

    text: str
    span: Span
    words: tuple[str | None, ...]
    verdict: Verdict
    reasons: tuple[Reason, ...]


@value
class Assessment:
    """A whole line, judged: its verdict is the strictest of its parts and of what spans them.

    `prefix` is the token prefix that may be offered for the session allowlist, None where none would be right.
    """

    line: str
    verdict: Verdict
    parts: tuple[Part, ...]
    reasons: tuple[Reason, ...]
    prefix: tuple[str, ...] | None
