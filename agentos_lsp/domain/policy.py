"""The workspace policy as values: what is in force, what a change looks like to it, and what it found.

The rules themselves are in `domain/inspection`. The strictest word wins; a repository's own file may only tighten
until the person trusts it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

from agentos_lsp.domain import confined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agentos_lsp.domain.command import allowlist

T = TypeVar("T")

Action = Literal["refuse", "review", "note"]
"""`refuse` stops the commit, `review` asks a person first, `note` only shows."""

STRICTNESS: Mapping[Action, int] = MappingProxyType({"note": 0, "review": 1, "refuse": 2})

BUILT_IN: Mapping[str, Action] = MappingProxyType(
    {
        "protected-path": "refuse",
        "file-size": "refuse",
        "file-count": "refuse",
        "secret": "refuse",
        "marked-secret": "review",
        "merge-marker": "refuse",
        "link-outside": "refuse",
        "nested-repository": "refuse",
        "git-attributes": "review",
        "filtered": "refuse",
        "hook": "review",
        "ci": "review",
        "tool-settings": "review",
        "install-script": "review",
        "dependency": "review",
        "hidden-character": "review",
        "licence-header": "review",
        "build-script": "note",
        "executable": "note",
        "generated": "note",
        "binary": "note",
        "message": "refuse",
        "check": "refuse",
    }
)
"""Every built-in rule with what it does unless a policy file says otherwise."""

Subject = Literal["line", "file", "path", "subject", "message"]
"""What a rule of one's own looks at: each new line, a file's whole text, its path, or the commit's words."""


@dataclass(frozen=True, slots=True)
class OwnRule:
    """A rule that a person wrote; its examples were checked when it was loaded.

    Invariant: `pattern` compiles; it is empty only where `on` is `path` and `paths` alone decide.
    """

    name: str
    action: Action
    on: Subject
    pattern: str
    expect: Literal["absent", "present"]
    paths: tuple[str, ...]
    message: str
    match: tuple[str, ...] = ()
    not_match: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A command that must pass on the very tree that is committed, if the commit touches one of `paths` (or any)."""

    name: str
    run: str
    timeout_s: float
    paths: tuple[str, ...] = ()
    vouched: bool = False
    """Whether the person's own file, or one that they trust, asks for it: then it runs without a question."""


@dataclass(frozen=True, slots=True)
class LicenceHeader:
    """New files whose path matches must hold the text near their beginning."""

    text: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force. Sizes are in bytes; patterns are globs on repository-relative paths, `*` crosses `/`.

    Args:
        actions: What each built-in rule does.
        protected_paths: No agent's commit may touch these.
        protected_branches: Nobody may overwrite these; the default branch is always among them.
        max_file_bytes: A larger file is found by `file-size`.
        max_files: A commit with more files is found by `file-count`.
        generated_paths: Files that a program writes, beside those that say so themselves.
        hook_paths: Where the repository's own settings make git look for hooks, if that is in the tree.
        licences: What new files must begin with.
        subject_length: The longest first line of a commit message, in characters; None for any.
        own: The person's own rules.
        checks: Commands that must pass before a commit.
        allow: Token prefixes that every session may run at once; only a person's own or trusted policy holds them.
        setup: Lines that make a fresh worktree ready; each passes the gate like a line of the agent.
        include: Patterns of ignored files that a fresh worktree gets copies of.
        links: Ignored folders that a fresh worktree gets clones of.
        disk_mb: A worktree that takes more is pointed out; None for any.
        age_days: A session that is older is pointed out; None for any.
        confinement: What the operating system is to hold.
    """

    actions: Mapping[str, Action] = field(default_factory=lambda: dict(BUILT_IN))
    protected_paths: tuple[str, ...] = (".agentos/*", ".git/*", ".gitmodules")
    protected_branches: tuple[str, ...] = ("main", "master")
    max_file_bytes: int = 5_000_000
    max_files: int = 2_000
    generated_paths: tuple[str, ...] = ()
    hook_paths: tuple[str, ...] = ()
    licences: tuple[LicenceHeader, ...] = ()
    subject_length: int | None = None
    own: tuple[OwnRule, ...] = ()
    checks: tuple[Check, ...] = ()
    allow: tuple[allowlist.TokenPrefix, ...] = ()
    setup: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    disk_mb: int | None = None
    age_days: int | None = None
    confinement: confined.Confinement = field(default_factory=confined.Confinement)


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file as a commit would have it: `content` is None for a deletion, `added` are its new lines by number.

    `unchanged_lines_known` says that the lines were compared, so that an empty `added` means that none is new; where it
    is false (a binary or a very large file), the whole content counts as new. Modes are git's, None where the file is
    not; a link's content is its target. `old_path` is where a moved file came from. `held` says through what git passes
    the file on its way to a folder, empty if through nothing.
    """

    path: str
    content: bytes | None
    size_bytes: int
    added: tuple[tuple[int, str], ...] = field(default=())
    unchanged_lines_known: bool = False
    mode: int | None = 0o100644
    old_mode: int | None = None
    old_path: str | None = None
    held: str = ""

    @property
    def is_binary(self) -> bool:
        """Whether git would call it binary: a NUL byte in its first 8,000."""
        return self.content is not None and b"\0" in self.content[:8000]

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that the change touches."""
        return (self.path,) if self.old_path is None else (self.path, self.old_path)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule has to say about a place; `line` counts from 0, None for the whole file.

    `digest` names this very finding on this very content: a waiver holds for it and for no other.
    """

    rule: str
    action: Action
    path: str
    line: int | None
    message: str
    digest: str = field(default="", compare=False)


def tighten(base: Policy, other: Policy) -> Policy:
    """Combines a policy with one that may only make it stricter; what would loosen it is passed over."""
    return replace(
        base,
        actions={name: stricter(action, other.actions.get(name, action)) for name, action in base.actions.items()},
        protected_paths=_union(base.protected_paths, other.protected_paths),
        protected_branches=_union(base.protected_branches, other.protected_branches),
        max_file_bytes=min(base.max_file_bytes, other.max_file_bytes),
        max_files=min(base.max_files, other.max_files),
        generated_paths=_union(base.generated_paths, other.generated_paths),
        hook_paths=_union(base.hook_paths, other.hook_paths),
        licences=_union(base.licences, other.licences),
        subject_length=_least(base.subject_length, other.subject_length),
        own=_union(base.own, other.own),
        checks=_union(base.checks, other.checks),
        setup=_union(base.setup, other.setup),
        include=_union(base.include, other.include),
        links=_union(base.links, other.links),
        disk_mb=_least(base.disk_mb, other.disk_mb),
        age_days=_least(base.age_days, other.age_days),
        confinement=confined.tighten(base.confinement, other.confinement),
    )


def passed_over(base: Policy, wanted: Policy) -> tuple[str, ...]:
    """Says, key by key, what in a policy would loosen another, and is left out by `tighten`."""
    found = [
        f'rules.{name} = "{action}"'
        for name, action in wanted.actions.items()
        if STRICTNESS[action] < STRICTNESS[base.actions[name]]
    ]
    for key, before, after in (
        ("commit.max_file_bytes", base.max_file_bytes, wanted.max_file_bytes),
        ("commit.max_files", base.max_files, wanted.max_files),
        ("message.subject_length", base.subject_length, wanted.subject_length),
        ("worktree.disk_mb", base.disk_mb, wanted.disk_mb),
        ("worktree.age_days", base.age_days, wanted.age_days),
    ):
        if before is not None and after is not None and after > before:
            found.append(f"{key} = {after}")
    found += ["commands.allow"] if wanted.allow != base.allow else []
    found += confined.passed_over(base.confinement, wanted.confinement)
    return tuple(found)


def stricter(one: Action, two: Action) -> Action:
    """Returns the stricter of two actions."""
    return one if STRICTNESS[one] >= STRICTNESS[two] else two


def is_refused(findings: Iterable[Finding]) -> bool:
    """Whether any finding stands in the way of the commit."""
    return any(finding.action == "refuse" for finding in findings)


def needs_review(findings: Iterable[Finding]) -> bool:
    """Whether a person must look before the commit is made."""
    return any(finding.action == "review" for finding in findings)


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _union(one: tuple[T, ...], two: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*one, *two)))
