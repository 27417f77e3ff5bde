"""The form of a `policy.toml`: its tables as models, and everything that can be wrong with one, at its place.

Descriptions are shown in editors.
A promise to people who wrote such a file. `effects/config` reads the files; `docs/policy.md` explains them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agentos_lsp.domain import confined, policy, toml_places, toml_text
from agentos_lsp.domain.command import allowlist, classify
from agentos_lsp.domain.errors import UserError
from agentos_lsp.domain.inspection import inspect, own, patterns

MAX_FILE_BYTES = 1 << 20

Glob = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
Tokens = Annotated[list[Text], Field(min_length=1, max_length=100)]
Place = Annotated[str, StringConstraints(pattern=r"^(/|~/)[^\x00]*[^\x00/~ ][^\x00]*$", max_length=1000)]
Folder = Annotated[str, StringConstraints(pattern=r"^[^/\x00][^\x00]*$", max_length=1000)]
Host = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[A-Za-z0-9:.\[\]_-]{1,253}$")]
RuleName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,60}$")]


class Table(BaseModel):
    """A table: unknown keys are refused, so that a typing error cannot switch a rule off."""

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=False)


class CommitTable(Table):
    """What a commit of an agent may hold: paths, sizes and generated files."""

    protected_paths: list[Glob] = Field(
        default_factory=list,
        description="Globs on paths that no agent's commit may touch; they are added to `.agentos/*`, `.git/*` and "
        "`.gitmodules`. `*` crosses `/`, letter case does not matter.",
    )
    max_file_bytes: int | None = Field(
        default=None, ge=0, description="The largest file that a commit may hold, in bytes. Built in: 5000000."
    )
    max_files: int | None = Field(default=None, ge=1, description="How many files a commit may change. Built in: 2000.")
    generated_paths: list[Glob] = Field(
        default_factory=list,
        description="Globs on files that a program writes, beside those that say so in their first lines.",
    )


class MessageTable(Table):
    """What a commit message must be like; own rules on `subject` or `message` say more."""

    subject_length: int | None = Field(
        default=None, ge=1, le=1000, description="The longest first line, in characters."
    )


class GitTable(Table):
    """Branches that nobody may overwrite."""

    protected_branches: list[Text] = Field(
        default_factory=list,
        description="Branches to which no agent may force-push; they are added to `main`, `master` and the default.",
    )


class PrefixTable(Table):
    """A beginning of commands that every session may run at once, with examples of what it lets through."""

    tokens: Tokens = Field(description="The words that a command begins with, the program first.")
    folder: Folder | None = Field(
        default=None, description="The folder below the repository's root in which it counts. None: everywhere in it."
    )
    match: list[Text] = Field(default_factory=list, description="Lines that it must let through.")
    not_match: list[Text] = Field(default_factory=list, description="Lines that it must not let through.")


class CommandsTable(Table):
    """Commands that need no approval; counts only in your own file and in files that you trust."""

    allow: list[Tokens] = Field(
        default_factory=list,
        description='Beginnings of commands, word by word, that every session may run at once: `[["make", "test"]]`.',
    )
    prefix: list[PrefixTable] = Field(default_factory=list, max_length=500, description=PrefixTable.__doc__)


class WorktreeTable(Table):
    """How a fresh worktree is made ready to work in."""

    setup: list[str] = Field(
        default_factory=list,
        description="Lines to run before the agent's first turn, each cleared as any command of the agent.",
        examples=[["npm ci"]],
    )
    include: list[str] = Field(
        default_factory=list,
        description="Ignored files to copy from the checkout, as patterns in the form of an ignore file.",
        examples=[[".env"]],
    )
    links: list[Text] = Field(
        default_factory=list,
        max_length=50,
        description="Ignored folders to clone from the checkout, sharing blocks where the file system can.",
        examples=[["node_modules", ".venv"]],
    )
    disk_mb: int | None = Field(
        default=None, ge=1, description="A worktree that takes more MiB than this is pointed out; nothing is removed."
    )
    age_days: int | None = Field(
        default=None, ge=1, description="A session that is older than this is pointed out; nothing is removed."
    )


class ConfinementTable(Table):
    """What the operating system holds below the classifier; a repository's file only tightens it, trusted or not."""

    level: confined.ConfinementLevel | None = Field(
        default=None,
        description="`best-effort` (built in) takes all that the machine can hold; with `enforced` nothing starts "
        "unless that is everything; `off`, in your own file only, lets commands run with your rights.",
    )
    writable: list[Place] = Field(
        default_factory=list,
        max_length=100,
        description="Further folders that commands may write, absolute or `~/…`; counts in your own file only.",
    )
    hidden: list[Place] = Field(
        default_factory=list, max_length=100, description="Further paths that commands may not read."
    )
    network: list[Host] = Field(
        default_factory=list,
        max_length=100,
        description="Further hosts, such as `registry.example.org` or `*.example.org`, that a command may reach whose "
        "approval includes the network; counts in your own file only.",
    )
    processes: int | None = Field(
        default=None, ge=16, description="Processes and threads of a session at once. Built in: 4096."
    )
    memory_mb: int | None = Field(
        default=None, ge=16, description="Memory that one process may write to. No limit built in."
    )
    file_mb: int | None = Field(default=None, ge=1, description="The size of one file. Built in: 16384.")
    open_files: int | None = Field(default=None, ge=64, description="Open files of one process. Built in: 65536.")
    cpu_s: int | None = Field(default=None, ge=1, description="Processor time of one process. No limit built in.")
    tmp_mb: int | None = Field(
        default=None, ge=1, description="The size of each of the private `/tmp` and `/var/tmp`. Built in: 2048."
    )
    disk_mb: int | None = Field(
        default=None,
        ge=1,
        description="What all files of a session may take on the disk; what it runs is ended when they take more. "
        "No limit built in, but the disk's last 256 MiB.",
    )


class LicenceTable(Table):
    """Asks that new files begin with a licence header."""

    text: Text = Field(description="What must stand in the first 2048 bytes of each new file.")
    paths: list[Glob] = Field(min_length=1, description="Globs on the files that need it.")


class CheckTable(Table):
    """A command that must pass on the very tree that is committed."""

    name: RuleName = Field(description="What the check is called in findings and events.")
    run: Text = Field(
        description="The line to run in the worktree. In your own file, or one that you trust, it runs without a "
        "question; in any other it is judged and asked about like an agent's command."
    )
    timeout_s: float = Field(default=600, gt=0, le=7200, description="When to give up, in seconds.")
    paths: list[Glob] = Field(
        default_factory=list, description="Globs: the check runs only for commits that touch one. None: for all."
    )


class RuleTable(Table):
    """A rule of your own, with examples of what it must find and what it must let pass."""

    name: RuleName = Field(description="What findings call it, after `policy.`; no name of a built-in rule.")
    action: policy.Action = Field(
        default="refuse", description="`refuse` stops the commit, `review` asks you first, `note` only shows."
    )
    on: policy.Subject = Field(
        default="line",
        description="What it looks at: each new `line`, the whole `file`, its `path`, the `subject` (first line) or "
        "the whole `message` of the commit.",
    )
    pattern: str = Field(
        default="",
        max_length=patterns.LONGEST_PATTERN,
        description='A regular expression (RE2 syntax) that is searched for. May be left out with `on = "path"`.',
    )
    expect: Literal["absent", "present"] = Field(
        default="absent", description="`absent`: found where the pattern is. `present`: found where it is missing."
    )
    paths: list[Glob] = Field(default_factory=list, description="Globs on the files it looks at. None: all.")
    message: str = Field(default="", max_length=2000, description="What to do instead; the agent reads it.")
    match: list[str] = Field(default_factory=list, description="Examples in which the rule must find something.")
    not_match: list[str] = Field(default_factory=list, description="Examples that the rule must let pass.")


def _rules_model() -> type[Table]:
    """Makes the model of `[rules]`: one optional key for each built-in rule, described by its own sentence."""
    fields: dict[str, Any] = {
        rule.name.replace("-", "_"): (
            policy.Action | None,
            Field(default=None, alias=rule.name, description=f"{rule.says} Built in: `{rule.action}`."),
        )
        for rule in inspect.RULES
    }
    made: type[Table] = pydantic.create_model(
        "RulesTable", __base__=Table, __doc__="What each built-in rule does: `refuse`, `review` or `note`.", **fields
    )
    return made


RulesTable = _rules_model()


class PolicyFile(Table):
    """A whole `policy.toml`."""

    rules: RulesTable = Field(  # type: ignore[valid-type]  # made from the table of rules, so that there is one
        default_factory=RulesTable, description="What each built-in rule does: `refuse`, `review` or `note`."
    )
    commit: CommitTable = Field(default_factory=CommitTable, description=CommitTable.__doc__)
    message: MessageTable = Field(default_factory=MessageTable, description=MessageTable.__doc__)
    git: GitTable = Field(default_factory=GitTable, description=GitTable.__doc__)
    commands: CommandsTable = Field(default_factory=CommandsTable, description=CommandsTable.__doc__)
    worktree: WorktreeTable = Field(default_factory=WorktreeTable, description=WorktreeTable.__doc__)
    confinement: ConfinementTable = Field(default_factory=ConfinementTable, description=ConfinementTable.__doc__)
    licence: list[LicenceTable] = Field(default_factory=list, max_length=100, description=LicenceTable.__doc__)
    check: list[CheckTable] = Field(default_factory=list, max_length=50, description=CheckTable.__doc__)
    rule: list[RuleTable] = Field(default_factory=list, max_length=500, description=RuleTable.__doc__)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file, and where."""

    place: toml_places.Place
    message: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file as read: `file` is there exactly if there is no problem."""

    file: PolicyFile | None
    problems: tuple[Problem, ...]


def parse(content: bytes) -> Parsed:
    """Reads the bytes of a policy file, and finds everything that is wrong with it."""
    if len(content) > MAX_FILE_BYTES:
        return _broken(0, "the file is larger than a policy can be")
    try:
        text, table = toml_text.read(content)
    except toml_text.BadTomlError as error:
        return _broken(error.line, str(error))
    try:
        file = PolicyFile.model_validate(table)
    except pydantic.ValidationError as error:
        return Parsed(None, tuple(_problem(text, one["loc"], one["type"], one["msg"]) for one in error.errors()))
    problems = tuple(_examined(text, file))
    return Parsed(None if problems else file, problems)


def loosened(base: policy.Policy, file: PolicyFile, *, vouched: bool) -> policy.Policy:
    """Applies a file to a policy, in both directions; lists of what is protected only ever grow.

    Args:
        base: The policy so far.
        file: What it is applied to.
        vouched: Whether a person stands behind its commands.
    """
    given = file.rules.model_dump(by_alias=True, exclude_none=True)  # type: ignore[attr-defined]  # see PolicyFile
    commit = file.commit
    return replace(
        base,
        actions={**base.actions, **given},
        protected_paths=tuple(dict.fromkeys((*base.protected_paths, *commit.protected_paths))),
        protected_branches=tuple(dict.fromkeys((*base.protected_branches, *file.git.protected_branches))),
        max_file_bytes=base.max_file_bytes if commit.max_file_bytes is None else commit.max_file_bytes,
        max_files=base.max_files if commit.max_files is None else commit.max_files,
        generated_paths=tuple(dict.fromkeys((*base.generated_paths, *commit.generated_paths))),
        licences=(*base.licences, *(policy.LicenceHeader(one.text, tuple(one.paths)) for one in file.licence)),
        subject_length=(base.subject_length if file.message.subject_length is None else file.message.subject_length),
        own=(*base.own, *(own_rule(one) for one in file.rule)),
        checks=(
            *base.checks,
            *(policy.Check(one.name, one.run, one.timeout_s, tuple(one.paths), vouched) for one in file.check),
        ),
        allow=(*base.allow, *_prefixes(file.commands).values()),
        setup=tuple(dict.fromkeys((*base.setup, *file.worktree.setup))),
        include=tuple(dict.fromkeys((*base.include, *file.worktree.include))),
        links=tuple(dict.fromkeys((*base.links, *file.worktree.links))),
        disk_mb=base.disk_mb if file.worktree.disk_mb is None else file.worktree.disk_mb,
        age_days=base.age_days if file.worktree.age_days is None else file.worktree.age_days,
        confinement=confined_by(base.confinement, file.confinement),
    )


def confined_by(base: confined.Confinement, table: ConfinementTable) -> confined.Confinement:
    """Applies a table to what is confined, in both directions; what is hidden only ever grows."""
    limits = {name: value for name in confined.LIMITS if (value := getattr(table, name)) is not None}
    return replace(
        base,
        level=table.level or base.level,
        writable=tuple(dict.fromkeys((*base.writable, *table.writable))),
        hidden=tuple(dict.fromkeys((*base.hidden, *table.hidden))),
        network=tuple(dict.fromkeys((*base.network, *table.network))),
        **limits,
    )


def _prefixes(table: CommandsTable) -> dict[tuple[str | int, ...], allowlist.TokenPrefix]:
    """Returns the token prefixes of a table by where they stand in the file."""
    bare: dict[tuple[str | int, ...], allowlist.TokenPrefix] = {
        ("commands", "allow", at): allowlist.TokenPrefix(tuple(one)) for at, one in enumerate(table.allow)
    }
    full: dict[tuple[str | int, ...], allowlist.TokenPrefix] = {
        ("commands", "prefix", at): allowlist.TokenPrefix(
            tuple(one.tokens),
            None if one.folder is None else one.folder.rstrip("/"),
            tuple(one.match),
            tuple(one.not_match),
        )
        for at, one in enumerate(table.prefix)
    }
    return {**bare, **full}


def own_rule(one: RuleTable) -> policy.OwnRule:
    """Returns a rule of a file as the inspector takes it."""
    return policy.OwnRule(
        one.name,
        one.action,
        one.on,
        one.pattern,
        one.expect,
        tuple(one.paths),
        one.message,
        tuple(one.match),
        tuple(one.not_match),
    )


def schema() -> dict[str, Any]:
    """Returns the JSON Schema of a policy file, for editors that know TOML."""
    made = PolicyFile.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "agentos-lsp policy.toml"}


def _broken(line: int, message: str) -> Parsed:
    return Parsed(None, (Problem(toml_places.Place((), "value", line, 0, line + 1, 0), message),))


def _problem(text: str, location: tuple[int | str, ...], kind: str, told: str) -> Problem:
    key = ".".join(str(step) for step in location)
    wanted: Literal["key", "value"] = "key" if kind == "extra_forbidden" else "value"
    message = "there is no such key" if kind == "extra_forbidden" else told
    return Problem(toml_places.find(text, location, wanted), f"{key}: {message}")


def _examined(text: str, file: PolicyFile) -> list[Problem]:
    """Checks what the form alone cannot: names, expressions, and each rule's own examples."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    names: set[str] = set()
    for number, table in enumerate(file.rule):
        at = ("rule", number)
        if table.name in policy.BUILT_IN or table.name in names:
            whose = "a built-in rule has" if table.name in policy.BUILT_IN else "another rule of this file has"
            found.append(((*at, "name"), f"{whose} the name {table.name}"))
        names.add(table.name)
        if not table.pattern and (table.on != "path" or not table.paths):
            found.append((at, 'a rule needs a `pattern`, or `on = "path"` with `paths`'))
            continue
        try:
            patterns.compiled(table.pattern)
        except ValueError as error:
            found.append(((*at, "pattern"), f"the expression cannot be used: {error}"))
            continue
        found += _contradicted(at, table)
    for path, entry in _prefixes(file.commands).items():
        try:
            classify.hold(entry)
        except UserError as error:
            found.append((path, str(error)))
    check_names = [check.name for check in file.check]
    found += [
        (("check", number, "name"), f"another check of this file has the name {name}")
        for number, name in enumerate(check_names)
        if name in check_names[:number]
    ]
    return [Problem(toml_places.find(text, path), f"{_key(path)}: {message}") for path, message in found]


def _contradicted(at: tuple[str, int], table: RuleTable) -> list[tuple[tuple[str | int, ...], str]]:
    rule = own_rule(table)
    found: list[tuple[tuple[str | int, ...], str]] = []
    for number, example in enumerate(table.match):
        if not own.finds(rule, example):
            found.append(((*at, "match", number), f"the rule finds nothing in its own example {example!r}"))
    for number, example in enumerate(table.not_match):
        if own.finds(rule, example):
            found.append(((*at, "not_match", number), f"the rule speaks against its own example {example!r}"))
    return found


def _key(path: tuple[str | int, ...]) -> str:
    return ".".join(str(step) for step in path)
