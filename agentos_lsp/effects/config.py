"""Reads the policy files: built-in, then the user's, then the repository's, which may only tighten."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from agentos_lsp.domain import policy
from agentos_lsp.domain.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

REPOSITORY_FILE = ".agentos/policy.toml"
MAX_FILE_BYTES = 1 << 20


class CommitTable(BaseModel):
    """`[commit]`: what a commit may hold."""

    model_config = ConfigDict(extra="forbid", strict=True)

    protected_paths: list[str] = Field(default_factory=list)
    max_file_bytes: int | None = Field(default=None, ge=0)
    max_files: int | None = Field(default=None, ge=1)
    binaries: Literal["refuse", "review", "note"] | None = None
    secrets: Literal["refuse", "review", "note"] | None = None


class GitTable(BaseModel):
    """`[git]`: branches that nobody may overwrite."""

    model_config = ConfigDict(extra="forbid", strict=True)

    protected_branches: list[str] = Field(default_factory=list)


class CommandsTable(BaseModel):
    """`[commands]`: token prefixes that every session may run at once; counts in the user's own file only."""

    model_config = ConfigDict(extra="forbid", strict=True)

    allow: list[list[str]] = Field(default_factory=list)


class PolicyFile(BaseModel):
    """A whole `policy.toml`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    commit: CommitTable = Field(default_factory=CommitTable)
    git: GitTable = Field(default_factory=GitTable)
    commands: CommandsTable = Field(default_factory=CommandsTable)


def load_policy(repository: bytes | None, user: Path | None) -> policy.Policy:
    """Combines the built-in policy with the user's file and the repository's.

    Args:
        repository: The bytes of the repository's own file, taken from the commit that a session began from, so that
            no agent can change the rules that it is judged by; None if it has none.
        user: Where the user's file would be; None for nobody's.

    Raises:
        ConfigError: A file cannot be read as a policy; names the file and the line.
    """
    combined = policy.Policy()
    if user is not None and user.is_file():
        combined = _loosen(combined, _parse(str(user), user.read_bytes()))
    if repository is not None:
        combined = policy.tighten(combined, _loosen(combined, _parse(REPOSITORY_FILE, repository)))
    return combined


def _parse(name: str, content: bytes) -> PolicyFile:
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError(name, 0, "the file is larger than a policy can be")
    try:
        text = content.decode("utf-8")
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(name, content[: error.start].count(b"\n"), "the file is not UTF-8 text") from error
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"line (\d+)", str(error))
        raise ConfigError(name, int(where[1]) - 1 if where else 0, str(error)) from error
    except RecursionError as error:
        raise ConfigError(name, 0, "the file is nested too deeply") from error
    try:
        return PolicyFile.model_validate(table)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(step) for step in first["loc"])
        raise ConfigError(name, _line_of(text, first["loc"]), f"{key}: {first['msg']}") from error


def _line_of(text: str, location: tuple[int | str, ...]) -> int:
    """Finds the line of a key, as well as a text search can; the table's own line where the key is not found."""
    table, line = "", 0
    for number, raw in enumerate(text.splitlines()):
        stripped = raw.strip()
        if stripped.startswith("["):
            table = stripped.strip("[] ")
            line = number if location and table == str(location[0]) else line
        elif (
            len(location) > 1
            and table == str(location[0])
            and re.match(rf"{re.escape(str(location[1]))}\s*=", stripped)
        ) or (len(location) == 1 and re.match(rf"{re.escape(str(location[0]))}\s*=", stripped)):
            return number
    return line


def _loosen(base: policy.Policy, file: PolicyFile) -> policy.Policy:
    """Applies a file to a policy, in both directions; lists of what is protected only ever grow."""
    commit = file.commit
    return policy.Policy(
        protected_paths=tuple(dict.fromkeys((*base.protected_paths, *commit.protected_paths))),
        protected_branches=tuple(dict.fromkeys((*base.protected_branches, *file.git.protected_branches))),
        max_file_bytes=base.max_file_bytes if commit.max_file_bytes is None else commit.max_file_bytes,
        max_files=base.max_files if commit.max_files is None else commit.max_files,
        binaries=commit.binaries or base.binaries,
        secrets=commit.secrets or base.secrets,
        allow=(*base.allow, *(tuple(tokens) for tokens in file.commands.allow if tokens)),
    )
