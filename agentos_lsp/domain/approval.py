"""A question to a person, the answers allowed, and the answer given; also the proof that a command was cleared."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from agentos_lsp.domain.ids import ApprovalId, CallId

Outcome = Literal["approved", "rejected"]
Scope = Literal["once", "line", "prefix", "folder"]
"""How far an approval reaches: this call; for the session this line, the offered prefix, or that in one folder."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a person is asked: exactly what would happen, and where.

    `digest` names all of it, so that an answer given on a stale screen is recognised. `prefix` is the token prefix
    that may be allowed for the session, None where none is offered.
    """

    approval: ApprovalId
    call: CallId
    digest: str
    line: str
    cwd: str
    prefix: tuple[str, ...] | None

    @property
    def folder(self) -> str | None:
        """The folder to which an approval of the prefix can be held, relative; None in the worktree's root."""
        where = posixpath.normpath(self.cwd or ".")
        return None if self.prefix is None or where == "." or where.startswith("/") else where


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said; `by` names the editor connection or terminal that it came from."""

    approval: ApprovalId
    digest: str
    outcome: Outcome
    scope: Scope
    by: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Stale:
    """The answer does not count; `reason` is one sentence for the person who gave it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cleared:
    """The proof that a line may start, byte for byte, in `cwd`. Made by the gate only, in one place.

    `by` says what cleared it: the built-in set, an allowlist entry, or an approval.
    """

    call: CallId
    line: str
    cwd: str
    by: str


def digest(*, line: str, cwd: str, head: str) -> str:
    """Names what a person sees: the line, the folder and the worktree's head commit.

    Returns:
        Sixteen lower-case hexadecimal digits.
    """
    text = f"{line}\0{cwd}\0{head}"
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def narrowed(question: Question, given: Answer, prefix: tuple[str, ...] | None) -> Answer:
    """Returns an answer as it counts where another prefix is offered than when it was given: for this call alone.

    Args:
        question: What the person was asked about this very line, in this very folder.
        given: What they said.
        prefix: The prefix that is offered now.
    """
    wide = given.scope in {"prefix", "folder"}
    return replace(given, scope="once") if wide and question.prefix != prefix else given


def answer(question: Question | None, given: Answer) -> Answer | Stale:
    """Decides whether an answer counts: the question is still open, unchanged, and the scope was offered.

    Args:
        question: The open question with that id, None if there is none (answered, withdrawn or never asked).
        given: What the person said.
    """
    if question is None:
        return Stale("This request was already answered or withdrawn; nothing was changed.")
    if question.digest != given.digest:
        return Stale("The request changed since it was shown; look at it again and answer what it says now.")
    if given.scope in {"prefix", "folder"} and question.prefix is None:
        return Stale("No prefix is offered for this line; approve it once, or this exact line for the session.")
    if given.scope == "folder" and question.folder is None:
        return Stale("This line runs in the worktree's root; approve the prefix for the session, or the line once.")
    return given
