"""The identifiers that events, editors and doors exchange; each is an opaque string of its own type."""

import re
from typing import NewType

SessionId = NewType("SessionId", str)
"""A session: lower-case letters, digits and hyphens; also the last part of its branch and worktree names."""

TurnId = NewType("TurnId", str)
"""One prompt and the agent's work on it."""

CallId = NewType("CallId", str)
"""One tool call of an agent; unique within its session."""

ApprovalId = NewType("ApprovalId", str)
"""One question to a person."""

BlobId = NewType("BlobId", str)
"""Content kept beside the event log, named by its SHA-256 in lower-case hexadecimal."""

CommitId = NewType("CommitId", str)
"""A git object name of a commit, in lower-case hexadecimal."""

SESSION_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")


def session_id(task: str, suffix: str) -> SessionId:
    """Names a session after its task, so that a person recognises its branch.

    Args:
        task: What the agent was asked, in any language and length.
        suffix: A few random lower-case letters or digits that make the name unique.
    """
    words = re.findall(r"[a-z0-9]+", task.lower())
    slug = ""
    for word in words:
        if len(slug) + len(word) + 1 > 32:
            break
        slug = f"{slug}-{word}" if slug else word
    return SessionId(f"{slug or 'session'}-{suffix}")


def branch_name(session: SessionId) -> str:
    """Returns the branch on which a session works, without `refs/heads/`."""
    return f"agentos/{session}"
