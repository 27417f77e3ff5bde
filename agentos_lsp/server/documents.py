"""The `agentos://` addresses: which document a URI names. Ids are looked up, never taken as paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

from agentos_lsp.domain import ids
from agentos_lsp.domain.errors import UserError
from agentos_lsp.runtime import conflicts

SCHEME = "agentos"

OVERVIEW = "agentos://sessions.md"
PROVIDERS = "agentos://providers.md"


_Kind = Literal["session.md", "changes.diff", "trace.md", "policy.md", "compare.md"]
_KINDS: dict[str, _Kind] = {
    "session.md": "session.md",
    "changes.diff": "changes.diff",
    "trace.md": "trace.md",
    "policy.md": "policy.md",
    "compare.md": "compare.md",
}


@dataclass(frozen=True, slots=True)
class Overview:
    """`agentos://sessions.md`: all sessions."""


@dataclass(frozen=True, slots=True)
class Providers:
    """`agentos://providers.md`: what was last found out about the language models."""


@dataclass(frozen=True, slots=True)
class SessionDocument:
    """`agentos://SESSION/session.md`, and the other documents about a session that take no further words."""

    session: ids.SessionId
    kind: _Kind


@dataclass(frozen=True, slots=True)
class Base:
    """`agentos://SESSION/base/PATH`: a file as it was where the session began."""

    session: ids.SessionId
    path: str


@dataclass(frozen=True, slots=True)
class Present:
    """`agentos://SESSION/file/PATH`: a file of the worktree as it is now, for editors that cannot open the file."""

    session: ids.SessionId
    path: str


@dataclass(frozen=True, slots=True)
class Output:
    """`agentos://SESSION/output/CALL.txt`: all that a command printed."""

    session: ids.SessionId
    call: ids.CallId


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """`agentos://SESSION/checkpoints/OLDER..NEWER.diff`: what differs between two; `newer` is None for now."""

    session: ids.SessionId
    older: int
    newer: int | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """`agentos://SESSION/conflict/SIDE/PATH`: one side of a file over which the session's merge stopped."""

    session: ids.SessionId
    side: conflicts.Side
    path: str


@dataclass(frozen=True, slots=True)
class MoreChanges:
    """`agentos://SESSION/changes/NUMBER.diff`: a page of its change after the first, which is `changes.diff`."""

    session: ids.SessionId
    number: int


@dataclass(frozen=True, slots=True)
class Patch:
    """`agentos://SESSION/patch/PATH.diff`: the change of one file in full, also where the diff folds it away."""

    session: ids.SessionId
    path: str


@dataclass(frozen=True, slots=True)
class Versus:
    """`agentos://SESSION/versus/OTHER.diff`: what differs between the worktrees of two sessions."""

    session: ids.SessionId
    other: ids.SessionId


Document = (
    Overview
    | Providers
    | SessionDocument
    | Base
    | Present
    | Output
    | Checkpoints
    | Conflict
    | Versus
    | MoreChanges
    | Patch
)

_NUMBERED = re.compile(r"([1-9][0-9]{0,5})\.diff")
_COMPARED = re.compile(r"([0-9]{1,9})\.\.([0-9]{0,9})\.diff")


def parse(uri: str) -> Document:
    """Reads an address; the number of slashes after the scheme does not matter.

    Raises:
        UserError: It names no document of ours.
    """
    scheme, _, rest = uri.partition(":")
    name, _, path = rest.lstrip("/").partition("/")
    if scheme.lower() == SCHEME:
        if name == "sessions.md" and not path:
            return Overview()
        if name == "providers.md" and not path:
            return Providers()
        if ids.SESSION_ID.fullmatch(name) and _can_be_a_path(path):
            return _of_session(ids.SessionId(name), path)
    raise _unknown()


def _of_session(session: ids.SessionId, path: str) -> Document:
    if path in _KINDS:
        return SessionDocument(session, _KINDS[path])
    kind, _, last = path.partition("/")
    if kind == "base" and last:
        return Base(session, unquote(last, errors="surrogateescape"))
    which, _, file = last.partition("/")
    if kind == "conflict" and file and (side := next((it for it in conflicts.SIDES if it == which), None)):
        return Conflict(session, side, unquote(file, errors="surrogateescape"))
    if kind == "file" and last:
        return Present(session, unquote(last, errors="surrogateescape"))
    if kind == "output" and last.endswith(".txt"):
        return Output(session, ids.CallId(last.removesuffix(".txt")))
    if kind == "patch" and last.removesuffix(".diff") not in {"", last}:
        return Patch(session, unquote(last.removesuffix(".diff"), errors="surrogateescape"))
    if kind == "changes" and (numbered := _NUMBERED.fullmatch(last)):
        return MoreChanges(session, int(numbered[1]))
    other = last.removesuffix(".diff")
    if kind == "versus" and other != last and ids.SESSION_ID.fullmatch(other):
        return Versus(session, ids.SessionId(other))
    if kind == "checkpoints" and (compared := _COMPARED.fullmatch(last)):
        return Checkpoints(session, int(compared[1]), int(compared[2]) if compared[2] else None)
    raise _unknown()


def _unknown() -> UserError:
    return UserError("There is no such document.", f"Open {OVERVIEW}; it leads to all others.")


def _can_be_a_path(text: str) -> bool:
    """Whether a system could know a file by it: JSON can spell half characters, which none can."""
    try:
        unquote(text, errors="surrogateescape").encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def file_path(uri: str) -> str:
    """Returns the path that a `file:` address names; it may be any text."""
    return unquote(urlsplit(uri).path, errors="surrogateescape").replace("\0", "")


def page(session: str) -> str:
    """Returns the address of a session's page."""
    return f"agentos://{session}/session.md"


def changes(session: str, number: int = 1) -> str:
    """Returns the address of a page of a session's diff."""
    return f"agentos://{session}/changes.diff" if number == 1 else f"agentos://{session}/changes/{number}.diff"


def trace(session: str) -> str:
    """Returns the address of a session's trace."""
    return f"agentos://{session}/trace.md"


def policy(session: str) -> str:
    """Returns the address of the policy that governs a session."""
    return f"agentos://{session}/policy.md"


def base(session: str, path: str) -> str:
    """Returns the address of a file as it was at a session's start."""
    return f"agentos://{session}/base/{quote(path, errors='surrogateescape')}"


def conflict(session: str, side: conflicts.Side, path: str) -> str:
    """Returns the address of one side of a file in conflict."""
    return f"agentos://{session}/conflict/{side}/{quote(path, errors='surrogateescape')}"


def present(session: str, path: str) -> str:
    """Returns the address of a file as it is in a session's worktree."""
    return f"agentos://{session}/file/{quote(path, errors='surrogateescape')}"


def patch(session: str, path: str) -> str:
    """Returns the address of the change of one file."""
    return f"agentos://{session}/patch/{quote(path, errors='surrogateescape')}.diff"


def compare(session: str) -> str:
    """Returns the address of the comparison of all sessions on a session's task."""
    return f"agentos://{session}/compare.md"


def versus(session: str, other: str) -> str:
    """Returns the address of what differs between the worktrees of two sessions."""
    return f"agentos://{session}/versus/{other}.diff"


def checkpoints(session: str, older: int, newer: int | None) -> str:
    """Returns the address of what differs between two checkpoints, or between one and now."""
    return f"agentos://{session}/checkpoints/{older}..{'' if newer is None else newer}.diff"


def output(session: str, call: str) -> str:
    """Returns the address of a command's output."""
    return f"agentos://{session}/output/{call}.txt"
