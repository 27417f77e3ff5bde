"""What the classifier may know of the world, as a value: it never looks for itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a line would run. Paths are absolute, normalised, with forward slashes.

    Args:
        cwd: The folder in which the line starts.
        worktree: The session's worktree, its real path.
        home: What `~` and `$HOME` mean.
        scratch: Folders that count as inside, the session's `TMPDIR` first.
        links: Symbolic links that matter: path to its final target. A path not listed is taken as it reads.
        protected: Names of branches that nobody may overwrite; the default branch is among them.
        branch: The branch checked out in `cwd`; None for a detached HEAD.
        recipes: What a task runner's target would run, by `("make", "test")`, `("npm", "build")`.
        aliases: git aliases in force, by name.
        shell: The language that will read the line.
    """

    cwd: str
    worktree: str
    home: str = "/home/user"
    scratch: tuple[str, ...] = ()
    links: Mapping[str, str] = field(default_factory=dict)
    protected: tuple[str, ...] = ("main", "master")
    branch: str | None = None
    recipes: Mapping[tuple[str, str], str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    shell: Literal["bash", "sh", "zsh", "fish", "powershell"] = "bash"
