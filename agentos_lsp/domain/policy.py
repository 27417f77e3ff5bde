"""The workspace policy: what a commit may hold. The strictest rule wins; a repository's own file may only tighten.

The inspector is pure: it sees the changed files as values and says what it found. Rules carry examples of their own,
checked by the tests.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

Action = Literal["refuse", "review", "note"]
_STRICTNESS: dict[Action, int] = {"note": 0, "review": 1, "refuse": 2}

ALLOW_MARK = "agentos: allow-secret"
"""A line that holds this text is not searched for secrets: for test data that only looks like one."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force. Sizes are in bytes; patterns are globs on repository-relative paths, `*` crosses `/`.

    Args:
        protected_paths: No agent's commit may touch these.
        protected_branches: Nobody may overwrite these; the default branch is always among them.
        max_file_bytes: A larger file is refused.
        max_files: A commit with more files is refused.
        binaries: What to do with binary files.
        secrets: What to do with what looks like a credential.
        allow: Token prefixes that every session may run at once; only a person's own policy can hold them.
    """

    protected_paths: tuple[str, ...] = (".agentos/*", ".git/*", ".gitmodules")
    protected_branches: tuple[str, ...] = ("main", "master")
    max_file_bytes: int = 5_000_000
    max_files: int = 2_000
    binaries: Action = "note"
    secrets: Action = "refuse"
    allow: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file as a commit would have it: `content` is None for a deletion, `added` are its new lines by number.

    `unchanged_lines_known` says that the lines were compared, so that an empty `added` means that none is new; where it
    is false (a binary or a very large file), the whole content counts as new.
    """

    path: str
    content: bytes | None
    size_bytes: int
    added: tuple[tuple[int, str], ...] = field(default=())
    unchanged_lines_known: bool = False

    @property
    def is_binary(self) -> bool:
        """Whether git would call it binary: a NUL byte in its first 8,000."""
        return self.content is not None and b"\0" in self.content[:8000]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has to say about a place; `line` counts from 0, None for the whole file."""

    rule: str
    action: Action
    path: str
    line: int | None
    message: str


def tighten(base: Policy, other: Policy) -> Policy:
    """Combines a policy with one that may only make it stricter; what would loosen it is passed over."""
    return replace(
        base,
        protected_paths=_union(base.protected_paths, other.protected_paths),
        protected_branches=_union(base.protected_branches, other.protected_branches),
        max_file_bytes=min(base.max_file_bytes, other.max_file_bytes),
        max_files=min(base.max_files, other.max_files),
        binaries=_stricter(base.binaries, other.binaries),
        secrets=_stricter(base.secrets, other.secrets),
    )


def inspect(files: Iterable[ChangedFile], policy: Policy) -> tuple[Finding, ...]:
    """Checks a change against the policy.

    Returns:
        Every finding, the refusals first, then by path and line.
    """
    found: list[Finding] = []
    count = 0
    for file in files:
        count += 1
        found += _inspect_file(file, policy)
    if count > policy.max_files:
        message = f"{count} files in one commit; the policy allows {policy.max_files}. Commit fewer paths at a time."
        found.append(Finding("policy.max-files", "refuse", "", None, message))
    return tuple(sorted(found, key=lambda one: (-_STRICTNESS[one.action], one.path, one.line or 0, one.rule)))


def is_refused(findings: Iterable[Finding]) -> bool:
    """Whether any finding stands in the way of the commit."""
    return any(finding.action == "refuse" for finding in findings)


def needs_review(findings: Iterable[Finding]) -> bool:
    """Whether a person must look before the commit is made."""
    return any(finding.action == "review" for finding in findings)


def _inspect_file(file: ChangedFile, policy: Policy) -> Iterable[Finding]:
    for pattern in policy.protected_paths:
        if fnmatchcase(file.path, pattern) or fnmatchcase(file.path.casefold(), pattern.casefold()):
            message = (
                f"{file.path} is protected by the policy ({pattern}). Leave it as it is and say what should change."
            )
            yield Finding("policy.protected-path", "refuse", file.path, None, message)
            break
    if file.size_bytes > policy.max_file_bytes:
        message = f"{file.path} has {file.size_bytes:,} bytes; the policy allows {policy.max_file_bytes:,}."
        yield Finding("policy.max-file-size", "refuse", file.path, None, message)
    if file.is_binary:
        yield Finding("policy.binary", policy.binaries, file.path, None, f"{file.path} is binary.")
    for number, line in _searched(file):
        name = secret_in(line)
        if name:
            message = (
                f"{file.path}:{number + 1} looks like {name}. Remove it and read it from the environment; "
                f"if it is only test data, write `{ALLOW_MARK}` on the line."
            )
            yield Finding("policy.secret", policy.secrets, file.path, number, message)


def _searched(file: ChangedFile) -> Iterable[tuple[int, str]]:
    """Returns the lines to search for secrets: the new ones, or all where nobody could say which those are."""
    if file.added or file.content is None:
        return file.added
    if file.unchanged_lines_known:
        return ()
    return enumerate(file.content.decode("utf-8", "replace").splitlines())


@dataclass(frozen=True, slots=True)
class SecretRule:
    """A known form of credential, with an example that it must find and one that it must not.

    The examples are written in two pieces, so that no scanner finds them in our own source.
    """

    name: str
    pattern: re.Pattern[str]
    finds: tuple[str, ...]
    passes: tuple[str, ...]


SECRET_RULES = (
    SecretRule(
        "a private key",
        re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
        ("-----BEGIN RSA " + "PRIVATE KEY-----",),
        ("-----BEGIN PUBLIC KEY-----",),
    ),
    SecretRule(
        "an AWS access key",
        re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
        ("key = AKIA" + "Z7Q2M4N6P8R1S3T5",),
        ("AKIA is a prefix",),
    ),
    SecretRule(
        "a GitHub token",
        re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,})"),
        ("ghp_" + "a1B2c3D4" * 5,),
        ("ghp_short",),
    ),
    SecretRule(
        "a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}"), ("glpat-" + "a1B2c3D4e5F6g7H8i9J0",), ("glpat-x",)
    ),
    SecretRule(
        "a Slack token", re.compile(r"\bxox[abeprs]-[A-Za-z0-9-]{10,}"), ("xoxb-" + "123456789012-abcdef",), ("xoxb-",)
    ),
    SecretRule(
        "a Stripe key",
        re.compile(r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
        ("sk_live_" + "a1B2c3D4e5F6g7H8",),
        ("sk_test_a1B2c3D4e5F6g7H8",),
    ),
    SecretRule(
        "an Anthropic or OpenAI key",
        re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"),
        ("sk-ant-" + "a1B2c3D4" * 5,),
        ("sk-learn", "class sk-button-primary"),
    ),
    SecretRule("a Google API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}\b"), ("AIza" + "a1B2c3D" * 5,), ("AIzaShort",)),
    SecretRule(
        "a package registry token",
        re.compile(r"\b(?:npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,})"),
        ("npm_" + "a1B2c3D4" * 4 + "a1B2",),
        ("npm_config_cache",),
    ),
    SecretRule(
        "a password in an address",
        re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s:/@'\"${}<>]+:(?!\*+@|password@|pass@)[^\s:/@'\"${}<>]{6,}@"),
        ("postgres://admin:" + "hunter2hunter@db.internal/app",),
        ("https://user@example.com/", "postgres://user:${PASSWORD}@db/app"),
    ),
)

_ASSIGNED = re.compile(
    r"(?i)\b[\w.-]*(?:secret|token|passw(?:or)?d|api[_-]?key|access[_-]?key|private[_-]?key|credential)[\w.-]*"
    r"[\"']?\s*(?::=|=>|[:=])\s*[\"']([^\"'\s]{16,})[\"']"
)
_PLAIN = re.compile(r"(?i)example|sample|placeholder|changeme|your[_-]|xxxx|\$\{|<[^>]+>|^[a-z]+([_.-][a-z]+)*$")


def secret_in(line: str) -> str:
    """Says what credential a line seems to hold, in words (`a private key`); empty if none.

    Known forms are matched as they are; a quoted value that is assigned to a name such as `api_key` counts when it is
    as random as a key: over 3.5 bits a character, with digits and letters.
    """
    if ALLOW_MARK in line:
        return ""
    for rule in SECRET_RULES:
        if rule.pattern.search(line):
            return rule.name
    for match in _ASSIGNED.finditer(line[:4000]):
        value = match[1]
        mixed = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if mixed and not _PLAIN.search(value) and entropy_bits(value) > 3.5:
            return "a secret value"
    return ""


def entropy_bits(text: str) -> float:
    """Returns the Shannon entropy of a text's characters, in bits a character; 0 for an empty one."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values()) if total else 0.0


def _union(one: tuple[str, ...], two: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*one, *two)))


def _stricter(one: Action, two: Action) -> Action:
    return one if _STRICTNESS[one] >= _STRICTNESS[two] else two
