"""What happens around the workspace policy: which is in force, checks, waivers, and commits made past the tool."""

from __future__ import annotations

from typing import Literal

from agentos_lsp.domain.event import Event
from agentos_lsp.domain.ids import BlobId, CallId, CommitId
from agentos_lsp.domain.tools import Record


class FindingRecord(Record):
    """What the diff inspector found: a rule of the workspace policy, where, and what to do. Lines count from 0."""

    rule: str
    action: Literal["refuse", "review", "note"]
    path: str
    line: int | None
    message: str
    digest: str = ""


class CheckStarted(Event):
    """A command that the policy requires is about to run on `tree`, which the worktree holds; `cleared_by` says who."""

    type: Literal["check.started"] = "check.started"
    call: CallId
    name: str
    line: str
    tree: str
    cleared_by: str


class CheckFinished(Event):
    """A required command ended; `passed` only if it ended by itself with exit code 0 and the tree stayed the same."""

    type: Literal["check.finished"] = "check.finished"
    call: CallId
    name: str
    line: str
    tree: str
    passed: bool
    exit_code: int | None
    ended_by: Literal["itself", "time limit", "disk limit", "stop", "shutdown"]
    duration_s: float
    output: BlobId | None
    output_bytes: int


class PolicySource(Record):
    """A policy file that counts, by the digest of its bytes; `trusted` where it may loosen."""

    file: str
    digest: str
    trusted: bool


class PolicyLoaded(Event):
    """The policy files that govern the session from now on; `passed_over` would loosen and does not count."""

    type: Literal["policy.loaded"] = "policy.loaded"
    sources: tuple[PolicySource, ...]
    passed_over: tuple[str, ...] = ()


class FindingWaived(Event):
    """A person let one finding on one content pass; `digest` names both, and nothing else is waived by it."""

    type: Literal["finding.waived"] = "finding.waived"
    digest: str
    rule: str
    path: str
    reason: str
    by: str


class CommitsFound(Event):
    """Commits of the agent's own git were inspected and belong to the session; `commits` are all since its base."""

    type: Literal["commits.found"] = "commits.found"
    call: CallId | None
    head: CommitId
    commits: tuple[CommitId, ...]
    files: tuple[str, ...]
    findings: tuple[FindingRecord, ...]


class CommitsSetAside(Event):
    """Commits made past the tool are not let on the branch: kept as `ref`, and the branch goes back to `head`."""

    type: Literal["commits.set_aside"] = "commits.set_aside"
    call: CallId | None
    ref: str
    tip: CommitId
    head: CommitId
    findings: tuple[FindingRecord, ...]
    message: str
